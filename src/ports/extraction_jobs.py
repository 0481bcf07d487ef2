"""Extraction jobs: kept, worked through by workers, asked in batches, answered from the known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from domain.access.model import KeySpending, ModelBudget
from domain.errors import Conflict
from domain.extraction.activity import ExtractionActivity
from domain.extraction.jobs.items import (
    ClaimedItem,
    Document,
    ItemResult,
    ItemSettlement,
    ItemState,
)
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobSpec,
    JobSpending,
    JobStatus,
    NewJob,
    WorkerId,
)
from domain.extraction.jobs.turns import NO_LEADS, Leads
from domain.extraction.model import ExtractionId, ExtractionStatus
from ports.language_models import BatchId


class ExtractionJobCreator(Protocol):
    """Takes new jobs; lives in a unit of work."""

    @abstractmethod
    async def add(self, draft: NewJob, documents: AsyncIterable[Document]) -> ExtractionJob:
        """Store a running job with its documents, at least one, in their order.

        What `documents` raises goes to the caller, and nothing is stored. They are not collected:
        a job may be larger than the memory.

        Raises:
            NotFound: the schema version is not registered.
        """
        ...


class ExtractionJobRepository(Protocol):
    """Jobs with their documents; each method is atomic.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def get(self, job_id: JobId) -> ExtractionJob:
        """Load one.

        Raises:
            NotFound: no such job.
        """
        ...

    @abstractmethod
    async def page(self, *, limit: int, before: JobId | None = None) -> Sequence[ExtractionJob]:
        """Up to `limit` jobs, newest first, with ids below `before`."""
        ...

    @abstractmethod
    async def apply(
        self, job_id: JobId, command: JobCommand, caps: JobCaps | None = None
    ) -> ExtractionJob:
        """Carry out `command`; returns the new state. A job that stands there already stays so.

        Args:
            job_id: which.
            command: pause, resume or cancel.
            caps: the members that are not None replace those of the job.

        Raises:
            NotFound: no such job.
            Conflict: its status does not allow this, or it would stop again at once by its caps.
        """
        ...

    @abstractmethod
    async def results(
        self, job_id: JobId, *, state: ItemState | None = None, limit: int, after: int = 0
    ) -> Sequence[ItemResult]:
        """Up to `limit` documents behind position `after`, in their order.

        Raises:
            NotFound: no such job.
        """
        ...

    @abstractmethod
    async def stop_waiting(self, provider: str) -> int:
        """Let running jobs that ask `provider` go on now; returns how many waited."""
        ...

    @abstractmethod
    async def workers(self) -> int:
        """How many workers are alive."""
        ...


class ExtractionActivityReader(Protocol):
    """Reads what extraction is busy with.

    Raises:
        DatabaseUnavailable, DatabaseBusy, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def activity(self, back: timedelta) -> ExtractionActivity:
        """How things stand now.

        Args:
            back: how far back calls and their costs are counted.
        """
        ...


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
    async def claim(
        self, worker: WorkerId, *, limit: int, leads: Leads = NO_LEADS
    ) -> Sequence[ClaimedItem]:
        """Take up to `limit` documents that are due, by turns of the callers who made the jobs.

        Of one caller, those of higher priority first, and a share from each job of the same.

        Args:
            worker: who takes them.
            limit: how many, at most.
            leads: how far callers are ahead of their turn, as the worker counts (`FairShares`).

        Raises:
            LeaseLost: the worker is not known, or its lease is over.
        """
        ...

    @abstractmethod
    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        """Store what became of claimed documents, with their results, their cost and their jobs.

        Settlements whose claim is no longer the last, or whose document is settled already, change
        nothing: the call may be repeated when its outcome is not known. A job ends with its last
        document; it is paused when a cap is reached, and so are all jobs of a key when its model
        budget is used up by one of them.

        Returns:
            How each job of the settlements stands now, and others that were paused with them.
        """
        ...

    @abstractmethod
    async def release_lapsed(self) -> int:
        """Give back what workers had whose lease is over; returns how many documents."""
        ...

    @abstractmethod
    async def hold_to_budgets(self) -> Mapping[JobId, JobStatus]:
        """Pause running jobs whose key has used up its model budget.

        Those that were paused for it go on when their key has some left again, unless it was
        revoked.

        Returns:
            How the jobs stand of which that was so.
        """
        ...

    @abstractmethod
    async def retire(self, worker: WorkerId) -> None:
        """Give back what the worker has, and forget it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """What is asked of a text.

    Attributes:
        schema: name of the schema.
        schema_version: its version.
        prompts: (provider, prompt hash) of each provider that may answer, by each of its names, the
            preferred first;
            the hash stands for prompt, model and parameters.
    """

    schema: str
    schema_version: int
    prompts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedExtraction:
    """A stored record: VALID or PARTIAL, for what failed may be asked again."""

    id: ExtractionId
    status: ExtractionStatus


class ExtractionCache(Protocol):
    """Answers questions from the store, and keeps two workers from asking the same at once.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def lookup(self, texts: Sequence[str], query: CacheKey) -> Mapping[str, CachedExtraction]:
        """The newest stored record of each text that has one, by the first provider that has."""
        ...

    @abstractmethod
    async def reserve(self, worker: WorkerId, keys: Collection[bytes]) -> Set[bytes]:
        """Mark questions as asked by `worker`; returns those that no other worker asks now.

        A reservation ends with its settlement, with `release`, and with the worker's lease.

        Raises:
            LeaseLost: the worker is not known.
        """
        ...

    @abstractmethod
    async def release(self, worker: WorkerId, keys: Collection[bytes]) -> None:
        """End reservations of the worker."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBatch:
    """A batch in the hands of a worker.

    Attributes:
        id: its identity: its token at the provider, and the worker that has its documents.
        job_id: whose documents they are.
        job_status: how that job stands.
        spec: what is done with them.
        caps: what the job may use.
        spending: what it used so far.
        budget: of the key with which it was made.
        spent_today: by that key.
        turn: how often the batch was taken: only the last turn may change it.
        age_s: time since it was opened, in seconds.
        provider_id: the provider's id of it; None while nobody knows that there is one.
        prompt_hash: what is asked in it, besides the texts; None until it is submitted.
        unsure_s: time since somebody began to submit it without a known end, in seconds.
    """

    id: WorkerId
    job_id: JobId
    job_status: JobStatus
    spec: JobSpec
    caps: JobCaps
    turn: int
    age_s: float
    spending: JobSpending = field(default_factory=JobSpending)
    budget: ModelBudget = field(default_factory=ModelBudget)
    spent_today: KeySpending = field(default_factory=KeySpending)
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
    async def open(self, batch_id: WorkerId, *, limit: int, lease_s: float) -> ClaimedBatch | None:
        """Put up to `limit` documents of one job that asks in batches into a new batch.

        It is the turn of the caller whose last batch was opened first, and of its jobs that of the
        highest priority. A job with a cap has one batch at a time, and so have all jobs together of
        a key with a model budget.

        Args:
            batch_id: a new identity.
            limit: documents, at most.
            lease_s: for so long the caller looks after it.

        Returns:
            The batch; None when no document is due, or another process opens one just now.
        """
        ...

    @abstractmethod
    async def take(self, *, limit: int, lease_s: float) -> Sequence[ClaimedBatch]:
        """Look after up to `limit` batches that are due, for `lease_s`."""
        ...

    @abstractmethod
    async def items(self, batch_id: WorkerId) -> Sequence[ClaimedItem]:
        """Its documents that are not settled, in their order."""
        ...

    @abstractmethod
    async def note(
        self,
        batch: ClaimedBatch,
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
    async def put_off(self, batch: ClaimedBatch, *, seconds: float) -> bool:
        """Nobody else takes it for so long; False when others took it meanwhile."""
        ...

    @abstractmethod
    async def close(self, batch_id: WorkerId) -> None:
        """End it; documents that are not settled go back. Does nothing to a closed one."""
        ...


class WorkerWakeup(Protocol):
    """A hint and nothing more: workers also look by themselves every few seconds."""

    @abstractmethod
    async def wake(self) -> None:
        """Wake a worker, if the queue can be reached; a lost hint is no error."""
        ...
