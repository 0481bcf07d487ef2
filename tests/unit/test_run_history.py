"""When what runs by the clock is due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from domain.insights.run_history import DailySchedule, FinishedRun, RunOutcome
from entrypoints.container.services import daily_at

NIGHTLY = DailySchedule(at=time(0, 20))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-22T00:19:59.999999", "2026-11-21T00:20"),
        ("2026-11-22T00:20:00", "2026-11-22T00:20"),
        ("2026-11-22T23:59:59", "2026-11-22T00:20"),
        ("2026-01-01T00:00:00", "2025-12-31T00:20"),
    ],
)
def test_it_is_due_once_a_day(now: str, due: str) -> None:
    at, expected = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (now, due))
    assert NIGHTLY.due_at(at) == expected
    assert NIGHTLY.next_after(at) == expected + timedelta(days=1)


def test_the_setting_is_a_time_of_day() -> None:
    assert daily_at("23:05") == DailySchedule(at=time(23, 5))


def test_a_run_takes_no_time_less_than_none_though_the_clock_was_set_back() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)

    def lasting(seconds: float) -> FinishedRun:
        end = start + timedelta(seconds=seconds)
        return FinishedRun(task="t", started_at=start, finished_at=end, outcome=RunOutcome.DONE)

    assert lasting(1.5).duration_s == 1.5
    assert lasting(-3600).duration_s == 0
