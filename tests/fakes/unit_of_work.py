"""Units of work and kept answers in memory; held to the same contracts as PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from domain.errors import IdempotencyKeyReused, RequestInProgress
from ports.idempotency import KEPT_HOURS, IdempotencyStore, StoredResponse
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from tests.fakes.access import MemoryModelSpending
from tests.fakes.comparison import MemoryComparisonRepository
from tests.fakes.extraction import MemoryExtractionRepository
from tests.fakes.extraction_jobs import MemoryExtractionJobCreator
from tests.fakes.insights import MemorySearchClickWriter
from tests.fakes.records import MemoryOrderRepository, MemoryUserRepository
from tests.fakes.tables import KeptRow, RecordTables, Undo, put


class MemoryIdempotencyStore(IdempotencyStore):
    """Kept answers in a dict."""

    def __init__(self, tables: RecordTables, undo: Undo, claims: set[str]) -> None:
        self._tables = tables
        self._undo = undo
        self._claims = claims

    async def claim(self, key: str, fingerprint: bytes) -> StoredResponse | None:
        """See the port."""
        if key in self._tables.claimed and key not in self._claims:
            raise RequestInProgress("A request with this Idempotency-Key is still running.")
        self._tables.claimed.add(key)
        self._claims.add(key)
        row = self._tables.answers.get(key)
        now = self._tables.clock.now()
        if row is None or row.created_at <= now - timedelta(hours=KEPT_HOURS):
            return None
        if row.fingerprint != fingerprint:
            raise IdempotencyKeyReused(
                "This Idempotency-Key came first with another request: take a new one."
            )
        if row.answer is None and row.locked_until is not None and row.locked_until > now:
            raise RequestInProgress("A request with this Idempotency-Key is still running.")
        return row.answer

    async def reserve(self, key: str, fingerprint: bytes, *, hold_s: float) -> None:
        """See the port."""
        now = self._tables.clock.now()
        row = KeptRow(fingerprint, now, locked_until=now + timedelta(seconds=hold_s))
        put(self._tables.answers, key, row, self._undo)

    async def keep(self, key: str, fingerprint: bytes, answer: StoredResponse) -> None:
        """See the port."""
        row = KeptRow(fingerprint, self._tables.clock.now(), answer)
        put(self._tables.answers, key, row, self._undo)

    async def release(self, key: str) -> None:
        """See the port."""
        row = self._tables.answers.get(key)
        if row is not None and row.answer is None:
            del self._tables.answers[key]
            self._undo.append(lambda: self._tables.answers.__setitem__(key, row))

    async def purge(self) -> int:
        """See the port."""
        limit = self._tables.clock.now() - timedelta(hours=KEPT_HOURS)
        old = [key for key, row in self._tables.answers.items() if row.created_at <= limit]
        gone = {key: self._tables.answers.pop(key) for key in old}
        self._undo.append(lambda: self._tables.answers.update(gone))
        return len(gone)


class MemoryUnitOfWork(UnitOfWork):
    """Writes at once, and undoes what was not committed."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables
        self.undo: Undo = []
        self.claims: set[str] = set()

    @property
    def users(self) -> MemoryUserRepository:
        """Users, inside this unit."""
        return MemoryUserRepository(self._tables, self.undo)

    @property
    def orders(self) -> MemoryOrderRepository:
        """Orders, inside this unit."""
        return MemoryOrderRepository(self._tables, self.undo)

    @property
    def search_clicks(self) -> MemorySearchClickWriter:
        """The log of searches, inside this unit."""
        return MemorySearchClickWriter(self._tables.clock, self._tables.searches, self.undo)

    @property
    def extraction_jobs(self) -> MemoryExtractionJobCreator:
        """New extraction jobs, inside this unit."""
        return MemoryExtractionJobCreator(self._tables, self.undo)

    @property
    def comparisons(self) -> MemoryComparisonRepository:
        """Comparisons, inside this unit."""
        return MemoryComparisonRepository(self._tables, self.undo)

    @property
    def extractions(self) -> MemoryExtractionRepository:
        """Extraction results, inside this unit."""
        return MemoryExtractionRepository(self._tables.extraction, self.undo, self._tables.spending)

    @property
    def model_spending(self) -> MemoryModelSpending:
        """What keys spent on language models, inside this unit."""
        return MemoryModelSpending(self._tables.spending)

    @property
    def answers(self) -> MemoryIdempotencyStore:
        """Kept answers, inside this unit."""
        return MemoryIdempotencyStore(self._tables, self.undo, self.claims)

    async def commit(self) -> None:
        """Keep everything."""
        self.undo.clear()


class MemoryUnitOfWorkFactory(UnitOfWorkFactory):
    """Opens units over the same tables."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    def __call__(self) -> AbstractAsyncContextManager[MemoryUnitOfWork]:
        """A unit, undone when the block ends without `commit()`."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[MemoryUnitOfWork]:
        unit = MemoryUnitOfWork(self._tables)
        try:
            yield unit
        finally:
            for step in reversed(unit.undo):
                step()
            self._tables.claimed -= unit.claims
