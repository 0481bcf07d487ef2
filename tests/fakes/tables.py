"""What the repositories in memory stand on: tables, sequences, and how a write is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from typing import TypeVar

from domain.access.budgets import used_up
from domain.access.model import NO_BUDGET, ApiKeyId, KeySpending, ModelBudget
from domain.comparison.model import Comparison, ComparisonId, LabelledText
from domain.extraction.jobs.items import ENDED, Document, ItemState
from domain.extraction.jobs.model import (
    ExtractionJob,
    ItemCounts,
    JobCaps,
    JobId,
    JobSpec,
    JobSpending,
    JobStatus,
    StatusReason,
    WorkerId,
)
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.schema import BUILT_IN, RecordSchema
from domain.insights.model import SearchClickRow
from domain.records.orders import Order, OrderId
from domain.records.users import User, UserId
from ports.clock import Clock
from ports.idempotency import StoredResponse
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
    reason: StatusReason | None = None
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
    spec: JobSpec
    caps: JobCaps
    items: dict[int, ItemRow]
    created_at: datetime
    key_id: ApiKeyId | None = None
    status: JobStatus = JobStatus.RUNNING
    reason: StatusReason | None = None
    spending: JobSpending = field(default_factory=JobSpending)
    waits_until: datetime | None = None
    finished_at: datetime | None = None

    def counts(self) -> ItemCounts:
        """Its documents by state."""
        states = [item.state for item in self.items.values()]
        cancelled = self.status is JobStatus.CANCELLED
        pending = states.count(ItemState.PENDING)
        return ItemCounts(
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
            spec=self.spec,
            caps=self.caps,
            counts=self.counts(),
            reused=sum(each.reused for each in self.items.values()),
            spending=self.spending,
            rate_per_s=recent / age_s if recent else None,
            waits_until=self.waits_until,
            created_at=self.created_at,
            finished_at=self.finished_at,
            key_id=self.key_id,
        )


K = TypeVar("K")
V = TypeVar("V")
Undo = list[Callable[[], object]]


@dataclass(slots=True)
class KeptRow:
    """One row of kept answers; without an answer it is a reservation until `locked_until`."""

    fingerprint: bytes
    created_at: datetime
    answer: StoredResponse | None = None
    locked_until: datetime | None = None


@dataclass(slots=True)
class SpendingTable:
    """What keys may spend on language models, and what they spent by day.

    Attributes:
        accounts: on which each key spends: its own id, or the first of those it goes on for.
        revoked: keys that were taken back.
    """

    clock: Clock
    budgets: dict[ApiKeyId, ModelBudget] = field(default_factory=dict)
    accounts: dict[ApiKeyId, ApiKeyId] = field(default_factory=dict)
    revoked: set[ApiKeyId] = field(default_factory=set)
    spent: dict[tuple[ApiKeyId, date], KeySpending] = field(default_factory=dict)

    def today(self, key_id: ApiKeyId) -> KeySpending:
        """What was spent on its account today."""
        return self.spent.get(self._place(key_id), KeySpending())

    def spend(self, key_id: ApiKeyId, more: KeySpending, undo: Undo) -> None:
        """Count it."""
        put(self.spent, self._place(key_id), self.today(key_id) + more, undo)

    def used_up(self, key_id: ApiKeyId | None) -> str | None:
        """What of its budget is used up."""
        if key_id is None:
            return None
        return used_up(self.budgets.get(key_id, NO_BUDGET), self.today(key_id))

    def _place(self, key_id: ApiKeyId) -> tuple[ApiKeyId, date]:
        return self.accounts.get(key_id, key_id), self.clock.now().date()


@dataclass(slots=True)
class ExtractionTables:
    """Schemas by name, each a list of its versions, and results."""

    schemas: dict[str, list[RecordSchema]] = field(
        default_factory=lambda: {schema.name: [schema] for schema in BUILT_IN}
    )
    extractions: dict[ExtractionId, Extraction] = field(default_factory=dict)


@dataclass(slots=True)
class RecordTables:
    """The 'database': tables, sequences, and the keys that open units have claimed.

    Attributes:
        leases: until when each worker is alive.
        reservations: which worker asks which question now.
        spending: of keys, on language models.
    """

    clock: Clock
    spending: SpendingTable = field(init=False)
    users: dict[UserId, User] = field(default_factory=dict)
    orders: dict[OrderId, Order] = field(default_factory=dict)
    answers: dict[str, KeptRow] = field(default_factory=dict)
    searches: list[SearchClickRow] = field(default_factory=list)
    extraction: ExtractionTables = field(default_factory=ExtractionTables)
    jobs: dict[JobId, JobRow] = field(default_factory=dict)
    leases: dict[WorkerId, datetime] = field(default_factory=dict)
    reservations: dict[bytes, WorkerId] = field(default_factory=dict)
    batches: dict[WorkerId, BatchRow] = field(default_factory=dict)
    comparisons: dict[ComparisonId, tuple[Comparison, tuple[LabelledText, ...]]] = field(
        default_factory=dict
    )
    claimed: set[str] = field(default_factory=set)
    user_ids: count[int] = field(default_factory=lambda: count(1))
    order_ids: count[int] = field(default_factory=lambda: count(1))
    comparison_ids: count[int] = field(default_factory=lambda: count(1))
    key_ids: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.spending = SpendingTable(self.clock)

    async def new_key(self, budget: ModelBudget = NO_BUDGET) -> ApiKeyId:
        """The id of one more key; its budget is all that is kept of it."""
        key_id = ApiKeyId(next(self.key_ids))
        await self.set_budget(key_id, budget)
        return key_id

    async def replaced(self, key_id: ApiKeyId) -> ApiKeyId:
        """The id of a key that was made in the place of another."""
        new = await self.new_key(self.spending.budgets[key_id])
        self.spending.accounts[new] = self.spending.accounts.get(key_id, key_id)
        return new

    async def set_budget(self, key_id: ApiKeyId, budget: ModelBudget) -> None:
        """Give a key another budget."""
        self.spending.budgets[key_id] = budget

    async def revoke_key(self, key_id: ApiKeyId) -> None:
        """Take a key back."""
        self.spending.revoked.add(key_id)


def put(table: dict[K, V], key: K, value: V, undo: Undo) -> None:
    """Write one row, and remember how to take it back."""
    if key in table:
        old = table[key]
        undo.append(lambda: table.__setitem__(key, old))
    else:
        undo.append(lambda: table.pop(key, None))
    table[key] = value
