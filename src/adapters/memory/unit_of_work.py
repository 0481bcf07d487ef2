"""Units of work in memory; held to the same contract as PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from adapters.memory.comparisons import MemoryComparisonIntake
from adapters.memory.extraction_jobs import MemoryExtractionJobIntake
from adapters.memory.extractions import MemoryExtractionRepository
from adapters.memory.idempotency import MemoryIdempotencyStore
from adapters.memory.insights import MemorySearchClickLog
from adapters.memory.orders import MemoryOrderRepository
from adapters.memory.tables import RecordTables, Undo
from adapters.memory.users import MemoryUserRepository
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory


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
    def search_clicks(self) -> MemorySearchClickLog:
        """The log of searches, inside this unit."""
        return MemorySearchClickLog(self._tables.clock, self._tables.searches, self.undo)

    @property
    def extraction_jobs(self) -> MemoryExtractionJobIntake:
        """New extraction jobs, inside this unit."""
        return MemoryExtractionJobIntake(self._tables, self.undo)

    @property
    def comparisons(self) -> MemoryComparisonIntake:
        """New comparisons, inside this unit."""
        return MemoryComparisonIntake(self._tables, self.undo)

    @property
    def extractions(self) -> MemoryExtractionRepository:
        """Extraction results, inside this unit."""
        return MemoryExtractionRepository(self._tables.extraction, self.undo)

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
