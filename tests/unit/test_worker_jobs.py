"""Jobs that meet an outage wait and are tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from arq import Retry

from adapters.arq.queue import decode_job, encode_job
from domain.errors import DatabaseUnavailable, DependencyError, StatementTimedOut
from domain.insights.run_history import FinishedRun, RefreshReport, RunOutcome
from entrypoints.worker.jobs import MAX_TRIES, patient, refresh_insights


class Refreshing:
    """Stands for the service: fails as told, and counts."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.runs = 0

    async def refresh(self) -> RefreshReport:
        self.runs += 1
        if self.failure is not None and not isinstance(self.failure, DependencyError):
            raise self.failure
        now = datetime(2026, 11, 22, tzinfo=UTC)
        run = FinishedRun(task="t", started_at=now, finished_at=now, outcome=RunOutcome.DONE)
        return RefreshReport(run=run, days=[], outage=self.failure)


def wait_ms(retry: Retry) -> int:
    assert retry.defer_score is not None
    return retry.defer_score


async def test_the_job_is_the_use_case() -> None:
    service = Refreshing()
    await refresh_insights({"job_try": 1, "insight_refresher": service})
    assert service.runs == 1


@pytest.mark.parametrize(
    "failure", [DatabaseUnavailable("down", retry_after_s=1), StatementTimedOut("slow")]
)
async def test_an_outage_is_waited_out_ever_longer_up_to_a_quarter_of_an_hour(
    failure: Exception,
) -> None:
    waits = []
    for attempt in range(1, MAX_TRIES):
        with pytest.raises(Retry) as retry:
            await refresh_insights({"job_try": attempt, "insight_refresher": Refreshing(failure)})
        waits.append(wait_ms(retry.value) // 1000)
    assert waits == [30, 60, 120, 240, 480, 900, 900]


async def test_a_defect_is_not_tried_again() -> None:
    with pytest.raises(ZeroDivisionError):
        await refresh_insights({"job_try": 1, "insight_refresher": Refreshing(ZeroDivisionError())})


def test_a_patient_job_keeps_the_name_under_which_it_is_queued() -> None:
    async def some_job(ctx: dict[str, Any]) -> None: ...

    assert patient(some_job).__qualname__ == some_job.__qualname__


def test_a_job_survives_the_queue_as_json_and_its_error_as_text() -> None:
    job = {"t": None, "f": "refresh", "a": (1, "é"), "k": {"day": None}, "et": 7}
    assert decode_job(encode_job(job)) == {**job, "a": [1, "é"]}
    assert decode_job(encode_job({"r": ValueError("x")})) == {"r": "ValueError('x')"}
