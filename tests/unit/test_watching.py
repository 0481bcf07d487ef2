"""The clock of the insights that needs no queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import pytest

from domain.errors import DatabaseUnavailable, DependencyError
from domain.insights.refresher import InsightRefresher
from domain.insights.run_history import FinishedRun, RefreshReport, RunOutcome
from entrypoints.worker.process import watch_insights

DOWN = DatabaseUnavailable("The database cannot be reached.", retry_after_s=5)
PATIENCE_S = 120


def report(
    outage: DependencyError | None = None, outcome: RunOutcome = RunOutcome.DONE
) -> RefreshReport:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    run = FinishedRun(task="t", started_at=now, finished_at=now, outcome=outcome)
    return RefreshReport(run=run, days=[], outage=outage)


class Looking:
    """Stands for the use case: answers in turn as told, then well."""

    def __init__(self, *answers: RefreshReport | Exception) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.held: asyncio.Event | None = None
        self.ended = 0

    async def catch_up(self) -> RefreshReport:
        self.looks += 1
        if self.held is not None:
            await self.held.wait()
        answer = self.answers.pop(0) if self.answers else report()
        if isinstance(answer, Exception):
            raise answer
        self.ended += 1
        return answer

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not fits():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def watching_over(
    looking: Looking, *, every_s: float, grace_s: float = PATIENCE_S, first_wait_s: float = 1.0
) -> AsyncIterator[tuple[asyncio.Event, asyncio.Task[None]]]:
    stop = asyncio.Event()
    refresher = cast(InsightRefresher, looking)
    watch = watch_insights(
        refresher, stop, every_s=every_s, grace_s=grace_s, first_wait_s=first_wait_s
    )
    task = asyncio.create_task(watch)
    yield stop, task
    stop.set()
    async with asyncio.timeout(PATIENCE_S):
        await task


async def test_it_looks_at_once_and_then_at_each_interval() -> None:
    looking = Looking()
    async with watching_over(looking, every_s=0.01):
        await looking.until(lambda: looking.looks >= 4)


async def test_between_two_looks_it_waits_and_a_stop_ends_the_wait() -> None:
    looking = Looking()
    async with watching_over(looking, every_s=3600):
        await looking.until(lambda: looking.ended == 1)
    assert looking.looks == 1


async def test_after_an_outage_a_failed_day_or_a_defect_it_looks_again_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = report(outcome=RunOutcome.PARTLY_FAILED)
    looking = Looking(report(DOWN), ZeroDivisionError("inside"), failed)
    async with watching_over(looking, every_s=3600, first_wait_s=0.001):
        await looking.until(lambda: looking.looks == 4)
    assert "ZeroDivisionError" in caplog.text


async def test_a_run_under_way_at_the_stop_may_end() -> None:
    looking = Looking()
    looking.held = asyncio.Event()
    async with watching_over(looking, every_s=3600) as (stop, task):
        await looking.until(lambda: looking.looks == 1)
        stop.set()
        await asyncio.sleep(0.01)
        assert not task.done()
        looking.held.set()
    assert looking.ended == 1


async def test_a_run_that_does_not_end_in_time_is_given_up() -> None:
    looking = Looking()
    looking.held = asyncio.Event()
    async with watching_over(looking, every_s=3600, grace_s=0.01):
        await looking.until(lambda: looking.looks == 1)
    assert looking.ended == 0


async def test_a_watch_that_is_cancelled_takes_its_run_along() -> None:
    looking = Looking()
    looking.held = asyncio.Event()
    before = asyncio.all_tasks()
    watch = watch_insights(cast(InsightRefresher, looking), asyncio.Event(), every_s=1, grace_s=1)
    task = asyncio.create_task(watch)
    await looking.until(lambda: looking.looks == 1)
    task.cancel()
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert task.cancelled()
    assert asyncio.all_tasks() == before
