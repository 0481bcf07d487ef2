"""How the runs by the clock went, whoever rang."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from domain.scheduling.model import Run, RunHistory


class ScheduledRuns(Protocol):
    """What every process, and every scheduler, writes down and reads in one place.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def record(self, run: Run) -> None:
        """Write down a run that has ended: it becomes the newest of its outcome, and is counted."""
        ...

    @abstractmethod
    async def histories(self) -> Mapping[str, RunHistory]:
        """The history of each task that has ended a run, by its name."""
        ...
