"""The log of searches and clicks in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.postgres.pool import Executor
from adapters.postgres.queries import load_queries
from domain.insights.model import SearchClick
from ports.search_clicks import SearchClickLog

_APPEND = load_queries("search_clicks")["append_clicks"]


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
