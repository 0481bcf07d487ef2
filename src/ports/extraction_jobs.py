"""Storage of extraction jobs, as the people who order them need it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, Sequence
from typing import Protocol

from domain.jobs.items import Document, ItemResult, ItemState
from domain.jobs.model import Caps, ExtractionJob, JobDraft, JobId, Order


class ExtractionJobIntake(Protocol):
    """Takes new jobs; lives in a unit of work."""

    @abstractmethod
    async def add(self, draft: JobDraft, documents: AsyncIterable[Document]) -> ExtractionJob:
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
    async def obey(self, job_id: JobId, order: Order, caps: Caps | None = None) -> ExtractionJob:
        """Carry out `order`; returns the new state. A job that stands there already stays so.

        Args:
            job_id: which.
            order: pause, resume or cancel.
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
