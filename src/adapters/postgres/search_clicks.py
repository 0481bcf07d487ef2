"""The log of searches and clicks in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import date
from typing import Final

from adapters.postgres.pool import Database, Executor
from adapters.postgres.queries import load_queries
from domain.insights.bulk import StoredRecord
from domain.insights.model import SearchClick
from ports.search_clicks import SearchClickLog, SearchClickReader

_APPEND: Final = load_queries("search_clicks")["append_clicks"]
_ALL: Final = load_queries("search_clicks")["all_clicks"]
_FETCH_ROWS: Final = 8_192
_FETCH_TIMEOUT_S: Final = 600
"""The first rows may have to be sorted out of millions."""


class PostgresSearchClickLog(SearchClickLog):
    """Rows of `search_clicks`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def append(self, clicks: Sequence[SearchClick]) -> int:
        """Write all rows or none, in one statement; see the port."""
        tag = await self._executor.execute(
            _APPEND.sql,
            *_APPEND.args(
                search_queries=[row.search_query for row in clicks],
                clicks=[row.clicks for row in clicks],
                impressions=[row.impressions for row in clicks],
                search_dates=[row.search_date for row in clicks],
            ),
        )
        return int(tag.rsplit(" ", 1)[-1])


class PostgresSearchClickReader(SearchClickReader):
    """Rows of `search_clicks` through a cursor of the server, in one snapshot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(
        self, first: date | None = None, last: date | None = None
    ) -> AsyncGenerator[Sequence[StoredRecord], None]:
        """The rows in the order in which they came; see the port."""
        async with self._database.transaction() as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{_FETCH_TIMEOUT_S}s'")
            cursor = await connection.cursor(
                _ALL.sql, *_ALL.args(first=first, last=last), timeout=_FETCH_TIMEOUT_S
            )
            while found := await cursor.fetch(_FETCH_ROWS, timeout=_FETCH_TIMEOUT_S):
                yield [tuple(row) for row in found]
