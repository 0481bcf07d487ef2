"""Sample data into PostgreSQL, by COPY."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final

from adapters.postgres.pool import Connection, Database
from domain.comparison.model import LabelledText
from domain.samples.model import ClickRow, OrderRow, UserRow
from ports.sample_sink import SampleSink, SampleWriter

_TABLES: Final = ("users", "orders", "search_clicks")
_COPY_TIMEOUT_S: Final = 24 * 3600.0
# Ids that other programs gave by hand are skipped too. The lock keeps inserts out until the end.
_RESERVE: Final = """
SELECT setval(
    sequence,
    greatest(nextval(sequence), (SELECT coalesce(max(id), 0) + 1 FROM users)) + $1::bigint - 1
) - $1::bigint + 1
FROM pg_get_serial_sequence('users', 'id') AS sequence
"""


class PostgresSampleSink(SampleSink):
    """The tables of the shop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def occupied(self) -> Sequence[str]:
        """Tables that hold rows; see the port."""
        return [
            table
            for table in _TABLES
            if await self._database.fetchval(f"SELECT EXISTS (SELECT FROM {table})")  # noqa: S608
        ]

    def open(self) -> AbstractAsyncContextManager[SampleWriter]:
        """A writer in one transaction; see the port."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SampleWriter]:
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            yield _CopyWriter(connection)
            # The planner would learn of the rows only when autovacuum comes by.
            for table in _TABLES:
                await connection.execute(f"ANALYZE {table}", timeout=_COPY_TIMEOUT_S)


class _CopyWriter(SampleWriter):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def reserve_user_ids(self, count: int) -> int:
        """See the port."""
        await self._connection.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        return int(await self._connection.fetchval(_RESERVE, count))

    async def write_users(self, rows: Iterable[UserRow]) -> None:
        """See the port."""
        plain = ((*row[:3], _naive(row.created_at)) for row in rows)
        await self._copy("users", UserRow._fields, plain)

    async def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """See the port."""
        plain = ((*row[:3], _naive(row.order_date)) for row in rows)
        await self._copy("orders", OrderRow._fields, plain)

    async def write_clicks(self, rows: Iterable[ClickRow]) -> None:
        """See the port."""
        await self._copy("search_clicks", ClickRow._fields, iter(rows))

    async def write_texts(self, rows: Iterable[LabelledText]) -> None:
        """Nothing: no table holds messages."""

    async def _copy(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]
    ) -> None:
        await self._connection.copy_records_to_table(
            table, records=rows, columns=list(columns), timeout=_COPY_TIMEOUT_S
        )


def _naive(moment: datetime) -> datetime:
    """As a TIMESTAMP column holds it: UTC without saying so."""
    return moment.replace(tzinfo=None)
