"""Extraction jobs in memory, for tests; held to the same contract as PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import replace
from itertools import islice

from adapters.memory.job_rows import ItemRow, JobRow
from adapters.memory.tables import RecordTables, Undo
from domain.errors import NotFound
from domain.extraction.jobs.items import Document, ItemResult, ItemState
from domain.extraction.jobs.model import (
    Caps,
    ExtractionJob,
    JobDraft,
    JobId,
    JobStatus,
    Order,
    move,
    reason_of,
)
from ports.extraction_jobs import ExtractionJobIntake, ExtractionJobRepository


class MemoryExtractionJobIntake(ExtractionJobIntake):
    """New jobs into a dict."""

    def __init__(self, tables: RecordTables, undo: Undo) -> None:
        self._tables = tables
        self._undo = undo

    async def add(self, draft: JobDraft, documents: AsyncIterable[Document]) -> ExtractionJob:
        """See the port."""
        assignment, tables = draft.assignment, self._tables
        versions = tables.extraction.schemas.get(assignment.schema, [])
        if not 1 <= assignment.schema_version <= len(versions):
            raise NotFound(
                f"There is no schema {assignment.schema!r} in version {assignment.schema_version}."
            )
        found = [document async for document in documents]
        assert found, "a job has a document"
        row = JobRow(
            id=JobId(max(tables.jobs, default=0) + 1),
            assignment=assignment,
            caps=draft.caps,
            items={place: ItemRow(document=each) for place, each in enumerate(found, start=1)},
            created_at=tables.clock.now(),
        )
        tables.jobs[row.id] = row
        self._undo.append(lambda: tables.jobs.pop(row.id))
        return row.view(tables.clock.now())


class MemoryExtractionJobRepository(ExtractionJobRepository):
    """Jobs in a dict."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    async def get(self, job_id: JobId) -> ExtractionJob:
        """See the port."""
        return job_in(self._tables, job_id).view(self._tables.clock.now())

    async def page(self, *, limit: int, before: JobId | None = None) -> Sequence[ExtractionJob]:
        """See the port."""
        now = self._tables.clock.now()
        newest = sorted(self._tables.jobs.values(), key=lambda job: -job.id)
        found = (job.view(now) for job in newest if before is None or job.id < before)
        return list(islice(found, limit))

    async def obey(self, job_id: JobId, order: Order, caps: Caps | None = None) -> ExtractionJob:
        """See the port."""
        row, now = job_in(self._tables, job_id), self._tables.clock.now()
        status, only_from = move(order)
        new = row.caps.replaced_by(caps)
        allowed = row.status in only_from and (
            order is not Order.RESUME or row.spending.reached(new) is None
        )
        if allowed:
            row.status, row.caps, row.reason = status, new, reason_of(order)
            row.waits_until = None if order is Order.RESUME else row.waits_until
            row.finished_at = now if order is Order.CANCEL else None
        elif row.status is not status or caps is not None:
            raise row.view(now).refusal(order, caps)
        return row.view(now)

    async def results(
        self, job_id: JobId, *, state: ItemState | None = None, limit: int, after: int = 0
    ) -> Sequence[ItemResult]:
        """See the port."""
        row = job_in(self._tables, job_id)
        views = (
            self._view(row, position, item)
            for position, item in row.items.items()
            if position > after
        )
        return list(islice((view for view in views if state in {None, view.state}), limit))

    async def stop_waiting(self, provider: str) -> int:
        """See the port."""
        now = self._tables.clock.now()
        waiting = [
            job
            for job in self._tables.jobs.values()
            if job.status is JobStatus.RUNNING
            and provider in job.assignment.providers
            and job.waits_until is not None
            and job.waits_until > now
        ]
        for job in waiting:
            job.waits_until = None
        return len(waiting)

    async def workers(self) -> int:
        """See the port."""
        now = self._tables.clock.now()
        alive = {worker for worker, until in self._tables.leases.items() if until > now}
        return len(alive - set(self._tables.batches))

    def _view(self, row: JobRow, position: int, item: ItemRow) -> ItemResult:
        view = ItemResult(
            position=position,
            document_id=item.document.id,
            state=item.state,
            attempts=item.attempts,
            reused=item.reused,
            reason=item.reason,
            extraction=None
            if item.extraction_id is None
            else self._tables.extraction.extractions[item.extraction_id],
            finished_at=item.finished_at,
        )
        if row.status is JobStatus.CANCELLED and item.state is ItemState.PENDING:
            return replace(view, state=ItemState.CANCELLED, reason=reason_of(Order.CANCEL))
        return view


def job_in(tables: RecordTables, job_id: JobId) -> JobRow:
    """One job.

    Raises:
        NotFound: no such job.
    """
    try:
        return tables.jobs[job_id]
    except KeyError:
        raise NotFound(f"There is no extraction job {job_id}.") from None
