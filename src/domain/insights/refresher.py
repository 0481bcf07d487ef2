"""Keeps the stored insights complete: which days a run computes, and how it went.

Nothing relies on a run. Each finds by itself what was left undone, so that a night without one, a
crash in the middle or two at a time cost no day; who rings is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from domain.errors import AppError, DatabaseReadOnly, DatabaseUnavailable, DependencyError
from domain.insights.model import RankingRules
from domain.insights.run_history import (
    DailySchedule,
    DayOutcome,
    DayResult,
    FinishedRun,
    InsightState,
    RefreshReport,
    RunHistory,
    RunOutcome,
    outcome_of,
)
from domain.insights.service import InsightService
from ports.clock import Clock
from ports.insights import ScheduledRunRepository, SearchInsightRepository

_log = logging.getLogger(__name__)

LOOKBACK_DAYS: Final = 3
"""How many past days the nightly run computes anew, changed or not."""

MAX_LOOKBACK_DAYS: Final = 366
"""The same after a long time without any run, at most."""

NIGHTLY: Final = "insights_nightly"
CATCH_UP: Final = "insights_catch_up"
TASKS: Final = (NIGHTLY, CATCH_UP)
"""The names of the two tasks in `ScheduledRunRepository`."""

Progress = Callable[[DayResult], object]
"""Told of each day of a run when it is done with."""


def _no_progress(_: DayResult) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightRefresher:
    """Runs over days: a day that fails does not stop the others, and each is reported."""

    service: InsightService
    insights: SearchInsightRepository
    runs: ScheduledRunRepository
    schedule: DailySchedule
    clock: Clock

    async def refresh(self, progress: Progress = _no_progress) -> RefreshReport:
        """The nightly run: compute every day that lacks its insight or whose rows have changed.

        The last 3 days are computed in any case, and so is every day since the last such run
        succeeded: days without any row are stored too, so that "no searches" and "not computed"
        differ.

        Args:
            progress: told of each day when it is done with.
        """
        return await self._recorded(NIGHTLY, self._nightly_days, progress)

    async def catch_up(self, progress: Progress = _no_progress) -> RefreshReport:
        """Do what is left undone; next to nothing to do when nothing is.

        Computes every day that lacks its insight or whose rows have changed. If the nightly run
        that was due last has not succeeded yet, this is it.
        """
        if await self._nightly_is_due():
            return await self.refresh(progress)
        return await self._recorded(CATCH_UP, self._lacking, progress)

    async def compute(
        self, days: Sequence[date], progress: Progress = _no_progress
    ) -> RefreshReport:
        """Compute just these days, oldest first; this is not written down as a run by the clock.

        Raises:
            InvalidInput: one of them has not begun, or cannot be analysed; nothing was done.
        """
        for day in days:
            self.service.refuse_unbegun(day)

        return await self._run("insights", self.clock.now(), sorted(days), progress)

    async def state(self) -> InsightState:
        """How the insights stand.

        Raises:
            DatabaseUnavailable, DatabaseBusy, StatementTimedOut: see `domain.errors`.
        """
        now = self.clock.now()
        return InsightState(
            histories=await self.runs.histories(),
            pending_days=len(await self._lacking()),
            next_run_at=self.schedule.next_after(now),
            now=now,
        )

    async def _nightly_is_due(self) -> bool:
        """Whether the nightly run that was due last is yet to succeed, or nobody can say now."""
        try:
            done = await self._nightly_success()
        except DependencyError:
            return True  # the run itself will meet and report this
        now = self.clock.now()
        # A success of the future is of a clock that has been set back since, and says nothing.
        return done is None or not self.schedule.due_at(now) <= done.started_at <= now

    async def _nightly_success(self) -> FinishedRun | None:
        histories = await self.runs.histories()
        return histories.get(NIGHTLY, RunHistory()).newest.get(RunOutcome.DONE)

    async def _nightly_days(self) -> Sequence[date]:
        yesterday = self._yesterday()
        done = await self._nightly_success()
        missed = 0 if done is None else (yesterday - done.started_at.date()).days + 1
        back = min(max(LOOKBACK_DAYS, missed), MAX_LOOKBACK_DAYS)
        recent = (yesterday - timedelta(days=n) for n in range(back))
        return sorted({*await self._lacking(), *recent})

    async def _lacking(self) -> Sequence[date]:
        return await self.insights.days_to_compute(self._yesterday())

    def _yesterday(self) -> date:
        return self.clock.now().date() - timedelta(days=1)

    async def _recorded(
        self, task: str, days_of: Callable[[], Awaitable[Sequence[date]]], progress: Progress
    ) -> RefreshReport:
        started_at = self.clock.now()
        try:
            days = await days_of()
        except DependencyError as error:
            report = self._report(task, started_at, [], outage=error)
        else:
            report = await self._run(task, started_at, days, progress)
        try:
            await self.runs.record(report.run)
        except DependencyError as error:
            _log.warning("the run could not be written down: %s", error)
            return replace(report, outage=report.outage or error)
        return report

    async def _run(
        self, task: str, started_at: datetime, days: Sequence[date], progress: Progress
    ) -> RefreshReport:
        outage: DependencyError | None = None
        results = []
        for day in days:
            result = DayResult(day=day, outcome=DayOutcome.NOT_REACHED)
            if outage is None:
                try:
                    result = await self._day(day)
                except (DatabaseUnavailable, DatabaseReadOnly) as error:
                    outage = error
            results.append(result)
            progress(result)
        return self._report(task, started_at, results, outage=outage)

    async def _day(self, day: date) -> DayResult:
        """Compute one day; what is wrong with it alone is its result, so that the others go on."""
        now = self.clock.now()
        try:
            insight = await self.insights.compute(day, RankingRules(), now=now)
        except (DatabaseUnavailable, DatabaseReadOnly):
            raise
        except AppError as error:
            _log.warning("the insight of %s could not be computed: %s", day, error)
            return DayResult(day=day, outcome=DayOutcome.FAILED, error=str(error))
        except Exception:  # noqa: BLE001 (one day that meets a defect must not cost the others)
            _log.exception("the insight of %s could not be computed", day)
            return DayResult(day=day, outcome=DayOutcome.FAILED, error="A defect; see the log.")
        fresh = insight.computed_at == now
        return DayResult(day=day, outcome=DayOutcome.STORED if fresh else DayOutcome.UNCHANGED)

    def _report(
        self,
        task: str,
        started_at: datetime,
        days: Sequence[DayResult],
        *,
        outage: DependencyError | None,
    ) -> RefreshReport:
        outcome, error = outcome_of(days, outage)
        run = FinishedRun(
            task=task,
            started_at=started_at,
            finished_at=self.clock.now(),
            outcome=outcome,
            error=error,
        )
        report = RefreshReport(run=run, days=days, outage=outage)
        level = logging.ERROR if error else logging.INFO if days else logging.DEBUG
        _log.log(level, "%s: %s", task, outcome.value, extra=report.summary)
        return report
