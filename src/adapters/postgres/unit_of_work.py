"""One PostgreSQL transaction as a unit of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from asyncpg.transaction import Transaction

from adapters.postgres.comparison import PostgresComparisonRepository
from adapters.postgres.errors import translated
from adapters.postgres.extraction.jobs import PostgresExtractionJobCreator
from adapters.postgres.extraction.results import PostgresExtractionRepository
from adapters.postgres.idempotency import PostgresIdempotencyStore
from adapters.postgres.insights.search_clicks import PostgresSearchClickWriter
from adapters.postgres.model_spending import PostgresModelSpending
from adapters.postgres.pool import Connection, Database, roll_back
from adapters.postgres.records.orders import PostgresOrderRepository
from adapters.postgres.records.users import PostgresUserRepository
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory


class PostgresUnitOfWork(UnitOfWork):
    """The repositories of one open transaction."""

    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction
        self.ended = False

    @property
    def users(self) -> PostgresUserRepository:
        """Users, inside this transaction."""
        return PostgresUserRepository(self._connection)

    @property
    def orders(self) -> PostgresOrderRepository:
        """Orders, inside this transaction."""
        return PostgresOrderRepository(self._connection)

    @property
    def search_clicks(self) -> PostgresSearchClickWriter:
        """The log of searches, inside this transaction."""
        return PostgresSearchClickWriter(self._connection)

    @property
    def extraction_jobs(self) -> PostgresExtractionJobCreator:
        """New extraction jobs, inside this transaction."""
        return PostgresExtractionJobCreator(self._connection)

    @property
    def comparisons(self) -> PostgresComparisonRepository:
        """Comparisons, inside this transaction."""
        return PostgresComparisonRepository(self._connection)

    @property
    def extractions(self) -> PostgresExtractionRepository:
        """Extraction results, inside this transaction."""
        return PostgresExtractionRepository(self._connection)

    @property
    def model_spending(self) -> PostgresModelSpending:
        """What keys spent on language models, inside this transaction."""
        return PostgresModelSpending(self._connection)

    @property
    def answers(self) -> PostgresIdempotencyStore:
        """Kept answers, inside this transaction."""
        return PostgresIdempotencyStore(self._connection)

    async def commit(self) -> None:
        """Commit; the last call on a unit."""
        self.ended = True  # whatever comes of it, there is nothing left to undo
        await self._transaction.commit()


class PostgresUnitOfWorkFactory(UnitOfWorkFactory):
    """Opens transactions on the pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self) -> AbstractAsyncContextManager[PostgresUnitOfWork]:
        """One transaction, undone when the block ends without `commit()`."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[PostgresUnitOfWork]:
        with translated():
            async with self._database.ids_in_step(), self._database.connection() as connection:
                transaction = connection.transaction()
                await transaction.start()
                unit = PostgresUnitOfWork(connection, transaction)
                try:
                    yield unit
                finally:
                    if not unit.ended:
                        await roll_back(connection, transaction)
