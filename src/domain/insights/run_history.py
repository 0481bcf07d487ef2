"""Runs over days by the clock: when one is due, how it went, and how the insights stand then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from domain.errors import DependencyError


@dataclass(frozen=True, slots=True, kw_only=True)
class DailySchedule:
    """Once a day.

    Attributes:
        at: the UTC time of day, to the minute.
    """

    at: time

    def due_at(self, now: datetime) -> datetime:
        """The newest instant up to `now` (aware UTC) at which it was due."""
        today = now.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)

    def next_after(self, now: datetime) -> datetime:
        """The first instant after `now` (aware UTC) at which it is due."""
        return self.due_at(now) + timedelta(days=1)


class RunOutcome(StrEnum):
    """How a run ended: all was done, some of it, or nothing."""

    DONE = "done"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """One run that has ended; one that was killed leaves none.

    Attributes:
        task: what ran.
        started_at, finished_at: aware UTC.
        error: why not all was done; None when it was.
    """

    task: str
    started_at: datetime
    finished_at: datetime
    outcome: RunOutcome
    error: str | None = None

    @property
    def duration_s(self) -> float:
        """How long it took, 0 and up even where the clock was set back meanwhile."""
        return max(0.0, (self.finished_at - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """What is kept of a task's runs.

    Attributes:
        newest: the newest run of each outcome that ever was.
        counts: how many runs ended so, by the same outcomes.
    """

    newest: Mapping[RunOutcome, FinishedRun] = field(default_factory=dict)
    counts: Mapping[RunOutcome, int] = field(default_factory=dict)


OVERDUE_AFTER: Final = timedelta(hours=26)
"""So long after the last success something is wrong: a day, and time to try again."""


class DayOutcome(StrEnum):
    """What became of one day in a run."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """One day of a run.

    Attributes:
        error: why it failed; None unless it did.
    """

    day: date
    outcome: DayOutcome
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshReport:
    """One run, day by day.

    Attributes:
        days: oldest first.
        outage: what made the run stop early, if the store was away; worth another try soon.
    """

    run: FinishedRun
    days: Sequence[DayResult]
    outage: DependencyError | None = None

    @property
    def summary(self) -> Mapping[str, object]:
        """What a line in a log says beside task and outcome."""
        counts = Counter(day.outcome for day in self.days)
        return {
            **{outcome.value: count for outcome, count in counts.items()},
            **({"first": self.days[0].day, "last": self.days[-1].day} if self.days else {}),
            "duration_s": round(self.run.duration_s, 3),
            **({"reason": self.run.error} if self.run.error else {}),
        }


def outcome_of(
    days: Sequence[DayResult], outage: DependencyError | None
) -> tuple[RunOutcome, str | None]:
    """How a run over `days` ended, and if not all was done, why: in a sentence or two."""
    failed = [day for day in days if day.outcome is DayOutcome.FAILED]
    reasons = []
    if failed:
        others = f" ({len(failed) - 1} more failed)" if failed[1:] else ""
        reasons.append(f"{failed[0].day}{others}: {failed[0].error}")
    if outage is not None:
        reasons.append(str(outage))
    if not reasons:
        return RunOutcome.DONE, None
    done = {DayOutcome.STORED, DayOutcome.UNCHANGED} & {day.outcome for day in days}
    return RunOutcome.PARTLY_FAILED if done else RunOutcome.FAILED, " ".join(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightState:
    """How the insights stand.

    Attributes:
        histories: by task, `NIGHTLY` and `CATCH_UP`; a task without a run has none.
        pending_days: days up to yesterday whose insight is missing or stale.
        next_run_at: when the nightly run is due next.
        now: the instant at which this was so.
    """

    histories: Mapping[str, RunHistory]
    pending_days: int
    next_run_at: datetime
    now: datetime

    @property
    def last_success(self) -> FinishedRun | None:
        """The newest run that left nothing undone."""
        return _newest(self.histories, lambda outcome: outcome is RunOutcome.DONE)

    @property
    def last_success_age_s(self) -> float | None:
        """How long ago that ended, 0 and up; None when there was none."""
        success = self.last_success
        if success is None:
            return None
        return max(0.0, (self.now - success.finished_at).total_seconds())

    @property
    def last_failure(self) -> FinishedRun | None:
        """The newest run that left something undone."""
        return _newest(self.histories, lambda outcome: outcome is not RunOutcome.DONE)

    @property
    def newest_run(self) -> FinishedRun | None:
        """The newest run, whatever its outcome."""
        return _newest(self.histories, lambda _: True)

    @property
    def problem(self) -> str | None:
        """What is wrong, in a sentence; None when all is well, or nothing was ever to be done."""
        success, failure = self.last_success, self.last_failure
        if failure and (success is None or failure.finished_at > success.finished_at):
            return f"The last run, at {_stamp(failure.finished_at)}, failed: {failure.error}"
        if success is None:
            waiting = self.pending_days
            return f"{_days(waiting)} pending, and no run yet." if waiting else None
        if self.now - success.finished_at > OVERDUE_AFTER:
            since = _stamp(success.finished_at)
            return f"{_days(self.pending_days)} pending; no run has succeeded since {since}."
        return None


def _newest(
    histories: Mapping[str, RunHistory], fits: Callable[[RunOutcome], bool]
) -> FinishedRun | None:
    runs = [
        run
        for history in histories.values()
        for outcome, run in history.newest.items()
        if fits(outcome)
    ]
    return max(runs, key=lambda run: run.finished_at, default=None)


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
