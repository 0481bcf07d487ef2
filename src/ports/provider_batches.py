"""Batches that providers work at, and the documents that wait for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.jobs.items import ClaimedItem
from domain.jobs.model import Assignment, Caps, JobId, JobStatus, Spending, WorkerId
from ports.batch_language_model import BatchId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch in the hands of a worker.

    Attributes:
        id: its identity: its token at the provider, and the worker that has its documents.
        job_id: whose documents they are.
        job_status: how that job stands.
        assignment: what is done with them.
        caps: what the job may use.
        spending: what it used so far.
        turn: how often the batch was taken: only the last turn may change it.
        age_s: time since it was opened, in seconds.
        provider_id: the provider's id of it; None while nobody knows that there is one.
        prompt_hash: what is asked in it, besides the texts; None until it is submitted.
        unsure_s: time since somebody began to submit it without a known end, in seconds.
    """

    id: WorkerId
    job_id: JobId
    job_status: JobStatus
    assignment: Assignment
    caps: Caps
    turn: int
    age_s: float
    spending: Spending = field(default_factory=Spending)
    provider_id: BatchId | None = None
    prompt_hash: str | None = None
    unsure_s: float | None = None


class ProviderBatches(Protocol):
    """Keeps batches until every document of them is settled.

    A batch has its documents as a worker has: they are settled through `ExtractionQueue` under the
    batch's own id. Its lease does not lapse: no death of a process gives them to others. One
    process at a time looks after a batch.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def open(self, batch_id: WorkerId, *, limit: int, lease_s: float) -> OpenBatch | None:
        """Put up to `limit` documents of one job that asks in batches into a new batch.

        A job with a cap has one batch at a time.

        Args:
            batch_id: a new identity.
            limit: documents, at most.
            lease_s: for so long the caller looks after it.

        Returns:
            The batch; None when no document is due, or another process opens one just now.
        """
        ...

    @abstractmethod
    async def take(self, *, limit: int, lease_s: float) -> Sequence[OpenBatch]:
        """Look after up to `limit` batches that are due, for `lease_s`."""
        ...

    @abstractmethod
    async def items(self, batch_id: WorkerId) -> Sequence[ClaimedItem]:
        """Its documents that are not settled, in their order."""
        ...

    @abstractmethod
    async def note(
        self,
        batch: OpenBatch,
        *,
        prompt_hash: str | None = None,
        provider_id: BatchId | None = None,
        unsure: bool = False,
    ) -> bool:
        """Store what is known of its submission; False when others took it meanwhile.

        Args:
            batch: with the turn in which it was taken.
            prompt_hash: what is asked in it.
            provider_id: the provider's id of it.
            unsure: it is being submitted, and how that ends is not known yet.
        """
        ...

    @abstractmethod
    async def put_off(self, batch: OpenBatch, *, seconds: float) -> bool:
        """Nobody else takes it for so long; False when others took it meanwhile."""
        ...

    @abstractmethod
    async def close(self, batch_id: WorkerId) -> None:
        """End it; documents that are not settled go back. Does nothing to a closed one."""
        ...
