"""Rows of extraction jobs, for the adapters in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.extraction.jobs.items import ENDED, Document, ItemState
from domain.extraction.jobs.model import (
    Assignment,
    Caps,
    Counts,
    ExtractionJob,
    JobId,
    JobStatus,
    Reason,
    Spending,
    WorkerId,
)
from domain.extraction.model import ExtractionId
from ports.language_models import BatchId

_RATE_OVER = timedelta(seconds=60)


@dataclass(slots=True, kw_only=True)
class ItemRow:
    """One document."""

    document: Document
    state: ItemState = ItemState.PENDING
    claim: int = 0
    worker: WorkerId | None = None
    attempts: int = 0
    due_at: datetime | None = None
    reason: Reason | None = None
    extraction_id: ExtractionId | None = None
    reused: bool = False
    finished_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class BatchRow:
    """One batch; open while the worker of its id has a lease."""

    job_id: JobId
    opened_at: datetime
    due_at: datetime
    turn: int = 1
    provider_id: BatchId | None = None
    prompt_hash: str | None = None
    unsure_since: datetime | None = None
    closed: bool = False


@dataclass(slots=True, kw_only=True)
class JobRow:
    """One job; its documents by position, from 1."""

    id: JobId
    assignment: Assignment
    caps: Caps
    items: dict[int, ItemRow]
    created_at: datetime
    status: JobStatus = JobStatus.RUNNING
    reason: Reason | None = None
    spending: Spending = field(default_factory=Spending)
    waits_until: datetime | None = None
    finished_at: datetime | None = None

    def counts(self) -> Counts:
        """Its documents by state."""
        states = [item.state for item in self.items.values()]
        cancelled = self.status is JobStatus.CANCELLED
        pending = states.count(ItemState.PENDING)
        return Counts(
            total=len(states),
            pending=0 if cancelled else pending,
            running=states.count(ItemState.RUNNING),
            cancelled=pending if cancelled else 0,
            **{state.value: states.count(state) for state in ENDED},
        )

    def due(self, now: datetime) -> Iterator[tuple[int, ItemRow]]:
        """Its documents that may be claimed, with their positions."""
        if self.status is not JobStatus.RUNNING or (self.waits_until and self.waits_until > now):
            return
        for position, item in self.items.items():
            if item.state is ItemState.PENDING and not (item.due_at and item.due_at > now):
                yield position, item

    def view(self, now: datetime) -> ExtractionJob:
        """As it stands."""
        done = [each.finished_at for each in self.items.values() if each.finished_at is not None]
        recent = sum(at > now - _RATE_OVER for at in done)
        age_s = min(60.0, max(1.0, (now - self.created_at).total_seconds()))
        return ExtractionJob(
            id=self.id,
            status=self.status,
            reason=self.reason,
            assignment=self.assignment,
            caps=self.caps,
            counts=self.counts(),
            reused=sum(each.reused for each in self.items.values()),
            spending=self.spending,
            rate_per_s=recent / age_s if recent else None,
            waits_until=self.waits_until,
            created_at=self.created_at,
            finished_at=self.finished_at,
        )
