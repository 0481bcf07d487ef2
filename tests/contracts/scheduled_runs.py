"""What every `ScheduledRunRepository` holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.insights.run_history import FinishedRun, RunHistory, RunOutcome
from ports.insights import ScheduledRunRepository
from tests.contracts.contract import Contract

START = datetime(2026, 11, 22, 0, 20, 0, 123456, tzinfo=UTC)
DONE = FinishedRun(
    task="nightly",
    started_at=START,
    finished_at=START + timedelta(seconds=2),
    outcome=RunOutcome.DONE,
)


class ScheduledRunRepositoryContract(Contract):
    @pytest.fixture
    def runs(self) -> ScheduledRunRepository:
        raise NotImplementedError

    async def test_a_task_that_never_ran_has_no_history(self, runs: ScheduledRunRepository) -> None:
        assert await runs.histories() == {}

    async def test_the_newest_run_of_each_outcome_is_kept_and_all_are_counted(
        self, runs: ScheduledRunRepository
    ) -> None:
        later = timedelta(days=1)
        failed = replace(DONE, outcome=RunOutcome.FAILED, error="The database cannot be reached.")
        newest = replace(DONE, started_at=START + later, finished_at=DONE.finished_at + later)
        for run in (DONE, failed, newest):
            await runs.record(run)
        assert await runs.histories() == {
            "nightly": RunHistory(
                newest={RunOutcome.DONE: newest, RunOutcome.FAILED: failed},
                counts={RunOutcome.DONE: 2, RunOutcome.FAILED: 1},
            )
        }

    async def test_the_last_to_report_is_the_newest_whatever_its_clock_says(
        self, runs: ScheduledRunRepository
    ) -> None:
        earlier = replace(DONE, started_at=START - timedelta(days=9))
        await runs.record(DONE)
        await runs.record(earlier)
        assert (await runs.histories())["nightly"].newest[RunOutcome.DONE] == earlier

    async def test_tasks_are_kept_apart(self, runs: ScheduledRunRepository) -> None:
        other = replace(DONE, task="other", outcome=RunOutcome.PARTLY_FAILED, error="A day failed.")
        await runs.record(DONE)
        await runs.record(other)
        histories = await runs.histories()
        assert histories["nightly"].newest == {RunOutcome.DONE: DONE}
        assert histories["other"].newest == {RunOutcome.PARTLY_FAILED: other}

    async def test_of_several_at_a_time_each_is_counted(self, runs: ScheduledRunRepository) -> None:
        await asyncio.gather(*(runs.record(DONE) for _ in range(8)))
        assert (await runs.histories())["nightly"].counts == {RunOutcome.DONE: 8}
