"""What the repositories in memory stand on: tables, sequences, and how a write is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TypeVar

from adapters.memory.job_rows import BatchRow, JobRow
from domain.comparison.model import LabelledText
from domain.comparison.stored import Comparison, ComparisonId
from domain.extraction.jobs.model import JobId, WorkerId
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.schema import BUILT_IN, Schema
from domain.insights.model import SearchClick
from domain.orders.model import Order, OrderId
from domain.users.model import User, UserId
from ports.clock import Clock
from ports.idempotency import KeptAnswer

K = TypeVar("K")
V = TypeVar("V")
Undo = list[Callable[[], object]]


@dataclass(slots=True)
class KeptRow:
    """One row of kept answers; without an answer it is a reservation until `locked_until`."""

    fingerprint: bytes
    created_at: datetime
    answer: KeptAnswer | None = None
    locked_until: datetime | None = None


@dataclass(slots=True)
class ExtractionTables:
    """Schemas by name, each a list of its versions, and results."""

    schemas: dict[str, list[Schema]] = field(
        default_factory=lambda: {schema.name: [schema] for schema in BUILT_IN}
    )
    extractions: dict[ExtractionId, Extraction] = field(default_factory=dict)


@dataclass(slots=True)
class RecordTables:
    """The 'database': tables, sequences, and the keys that open units have claimed.

    Attributes:
        leases: until when each worker is alive.
        reservations: which worker asks which question now.
    """

    clock: Clock
    users: dict[UserId, User] = field(default_factory=dict)
    orders: dict[OrderId, Order] = field(default_factory=dict)
    answers: dict[str, KeptRow] = field(default_factory=dict)
    searches: list[SearchClick] = field(default_factory=list)
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


def put(table: dict[K, V], key: K, value: V, undo: Undo) -> None:
    """Write one row, and remember how to take it back."""
    if key in table:
        old = table[key]
        undo.append(lambda: table.__setitem__(key, old))
    else:
        undo.append(lambda: table.pop(key, None))
    table[key] = value
