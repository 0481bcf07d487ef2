"""The records in a PostgreSQL database that starts empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.records.orders import PostgresOrderRepository
from adapters.postgres.records.users import PostgresUserRepository
from adapters.postgres.unit_of_work import PostgresUnitOfWorkFactory
from tests.contracts.records import Records
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url

_EMPTY = "TRUNCATE users, orders, idempotency_keys, search_clicks RESTART IDENTITY"
_AGE = """
UPDATE idempotency_keys
SET created_at = created_at - $1::interval, locked_until = locked_until - $1::interval
"""


@asynccontextmanager
async def emptied(url: str, options: PoolOptions | None = None) -> AsyncIterator[Database]:
    """The database behind `url`, migrated already, without a row in the records' tables."""
    await execute(url, _EMPTY)
    async with open_database(service_url(url), options or PoolOptions()) as database:
        yield database


def records_in(database: Database) -> Records:
    """Its records, as the contract suites want them."""

    async def let_pass(time: timedelta) -> None:
        await database.execute(_AGE, time)

    return Records(
        users=PostgresUserRepository(database),
        orders=PostgresOrderRepository(database),
        open_unit=PostgresUnitOfWorkFactory(database),
        let_pass=let_pass,
    )
