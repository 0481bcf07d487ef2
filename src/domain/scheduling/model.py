"""What runs by the clock: when it is due, and how its runs went.

Who rings is not known here: a queue's cron table, systemd, cron, the database's own scheduler, a
person. What they all share is the use case that they start, and what is written down of its runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
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


class Outcome(StrEnum):
    """How a run ended: all was done, some of it, or nothing."""

    DONE = "done"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run that has ended; one that was killed leaves none.

    Attributes:
        task: what ran.
        started_at, finished_at: aware UTC.
        error: why not all was done; None when it was.
    """

    task: str
    started_at: datetime
    finished_at: datetime
    outcome: Outcome
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

    newest: Mapping[Outcome, Run] = field(default_factory=dict)
    counts: Mapping[Outcome, int] = field(default_factory=dict)
