"""Sample data into PostgreSQL.

Keeps what `SampleSink` of the entrypoint `up` asks for, which an adapter cannot import.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime
from typing import Any, Final

from adapters.postgres.audit import enter
from adapters.postgres.inserts import insert_rows
from adapters.postgres.pool import Connection, Database

_TABLES: Final = ("users", "orders", "search_clicks")
_USER_COLUMNS: Final = ("id", "name", "email", "created_at")
_ORDER_COLUMNS: Final = ("user_id", "product_name", "quantity", "order_date")
_CLICK_COLUMNS: Final = (
    *("search_query", "clicks", "impressions", "click_through_rate", "search_date"),
)
_TIMEOUT_S: Final = 24 * 3600.0
# Ids that other programs gave by hand are skipped too. The lock keeps inserts out until the end.
_RESERVE: Final = """
SELECT setval(
    sequence,
    greatest(nextval(sequence), (SELECT coalesce(max(id), 0) + 1 FROM users)) + $1::bigint - 1
) - $1::bigint + 1
FROM pg_get_serial_sequence('users', 'id') AS sequence
"""


class PostgresSampleSink:
    """The tables of the shop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def occupied(self) -> Sequence[str]:
        """Tables that hold rows; see `SampleSink`."""
        return [
            table
            for table in _TABLES
            if await self._database.fetchval(f"SELECT EXISTS (SELECT FROM {table})")  # noqa: S608
        ]

    def open(self) -> AbstractAsyncContextManager[_RowWriter]:
        """A writer in one transaction; see `SampleSink`."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[_RowWriter]:
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield _RowWriter(connection)
            await enter(connection, "sample_data.fill", "/")
            # The planner would learn of the rows only when autovacuum comes by, as it does where
            # another role owns the tables: PostgreSQL then leaves them out with a warning.
            for table in _TABLES:
                await connection.execute(f"ANALYZE {table}", timeout=_TIMEOUT_S)


class _RowWriter:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def reserve_user_ids(self, count: int) -> int:
        """See `SampleRowWriter`."""
        await self._connection.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        return int(await self._connection.fetchval(_RESERVE, count))

    async def write_users(self, rows: Iterable[tuple[int, str, str, datetime]]) -> None:
        """See `SampleRowWriter`."""
        plain = ((*row[:3], _naive(row[3])) for row in rows)
        await self._insert("users", _USER_COLUMNS, plain)

    async def write_orders(self, rows: Iterable[tuple[int, str, int, datetime]]) -> None:
        """See `SampleRowWriter`."""
        plain = ((*row[:3], _naive(row[3])) for row in rows)
        await self._insert("orders", _ORDER_COLUMNS, plain)

    async def write_clicks(self, rows: Iterable[tuple[str, int, int, float | None, date]]) -> None:
        """See `SampleRowWriter`."""
        await self._insert("search_clicks", _CLICK_COLUMNS, iter(rows))

    async def _insert(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]
    ) -> None:
        await insert_rows(self._connection, table, columns, rows, timeout=_TIMEOUT_S)


def _naive(moment: datetime) -> datetime:
    """As a TIMESTAMP column holds it: UTC without saying so."""
    return moment.replace(tzinfo=None)
