"""Rows of `search_clicks` given up day by day, and their sums kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from adapters.postgres.pool import Database
from adapters.postgres.queries import load_queries
from adapters.postgres.search_insights import PostgresSearchInsightStore
from domain.insights.model import FIRST_DAY, Rules
from ports.search_retention import SearchRetention

_SQL: Final = load_queries("search_retention")
_TIMEOUT_S: Final = 600.0
"""A day may have millions of rows."""


class PostgresSearchRetention(SearchRetention):
    """Moves what the rows add up to into `search_pruned_days`, which every sum includes."""

    def __init__(self, database: Database, insights: PostgresSearchInsightStore) -> None:
        self._database = database
        self._insights = insights

    async def days_with_rows(self, before: date) -> Sequence[date]:
        """Days with rows, oldest first; see the port."""
        select = _SQL["days_with_rows"]
        args = select.args(since=FIRST_DAY, before=before)
        return [row["day"] for row in await self._database.fetch(select.sql, *args)]

    async def prune(self, day: date, rules: Rules, *, now: datetime) -> int:
        """Delete the rows of a day in one transaction; see the port."""
        prune = _SQL["prune_day"]
        async with self._insights.day_alone(day) as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{_TIMEOUT_S:.0f}s'")
            tag = await connection.execute(prune.sql, *prune.args(day=day), timeout=_TIMEOUT_S)
            # The deletion has marked the day: it is added up from the sums, to the same.
            await self._insights.compute_on(connection, day, rules, now=now)
        return int(tag.rsplit(" ", 1)[-1])
