"""The documents of running jobs, as the workers that share them need it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.errors import Conflict
from domain.jobs.items import ClaimedItem, Settlement
from domain.jobs.model import JobId, JobStatus, WorkerId


class LeaseLost(Conflict):
    """The worker did not renew its lease in time, and others took over what it had."""

    code = "lease_lost"


class ExtractionQueue(Protocol):
    """Hands each document to one worker at a time.

    A worker lives as long as its lease, which it renews; what a dead worker had goes back to the
    others. Only the last claim of a document can settle it, so a worker that was thought dead
    overwrites nothing.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        """Make a worker known, for `lease_s` from now."""
        ...

    @abstractmethod
    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        """Extend the lease to `lease_s` from now; returns how the jobs of what it has stand.

        Raises:
            LeaseLost: what the worker had went to others.
        """
        ...

    @abstractmethod
    async def claim(self, worker: WorkerId, *, limit: int) -> Sequence[ClaimedItem]:
        """Take up to `limit` documents that are due, a share from each running job.

        Raises:
            LeaseLost: the worker is not known, or its lease is over.
        """
        ...

    @abstractmethod
    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        """Store what became of claimed documents, with their results, their cost and their jobs.

        Settlements whose claim is no longer the last, or whose document is settled already, change
        nothing: the call may be repeated when its outcome is not known. A job ends with its last
        document; it is paused when a cap is reached.

        Returns:
            How each job of the settlements stands now.
        """
        ...

    @abstractmethod
    async def release_lapsed(self) -> int:
        """Give back what workers had whose lease is over; returns how many documents."""
        ...

    @abstractmethod
    async def retire(self, worker: WorkerId) -> None:
        """Give back what the worker has, and forget it."""
        ...
