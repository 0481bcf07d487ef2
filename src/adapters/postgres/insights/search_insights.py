"""Insights into searches, computed by PostgreSQL where the rows are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from math import isfinite
from typing import Any, Final

import asyncpg

from adapters.postgres.audit import enter
from adapters.postgres.errors import translated
from adapters.postgres.insights.stored_lists import read_low_performers, read_top_queries
from adapters.postgres.pool import Connection, Database
from adapters.postgres.queries import load_queries
from domain.errors import NotFound, WriteConflict
from domain.insights.model import (
    DEFINITION_VERSION,
    FIRST_DAY,
    DailyCtr,
    LowPerformer,
    Period,
    PeriodInsights,
    QueryDay,
    QueryHistory,
    RankingRules,
    StoredInsight,
    TopQuery,
    normalised_query,
)
from domain.statistics import Z_95
from ports.insights import SearchAnalyser, SearchInsightRepository

_ANALYSES: Final = load_queries("insights")
_CTR, _HISTORY = (_ANALYSES[name] for name in ("average_ctr_by_day", "query_history"))
_SQL: Final = load_queries("insight_store")
_LISTS: Final = _SQL["query_lists"]
_ROOM_TO_ADD_UP: Final = "SET LOCAL work_mem = '16MB'"
"""For the sums of about 50,000 queries, which would go through files with PostgreSQL's default."""


class PostgresSearchAnalyser(SearchAnalyser):
    """The queries of `insights.sql` over any period."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def analyse(self, period: Period, rules: RankingRules) -> PeriodInsights:
        """All three analyses over one snapshot; see the port."""
        given = parameters(period, rules)
        with translated():
            async with (
                self._database.connection() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                days = await connection.fetch(_CTR.sql, *_CTR.args(**given))
                await connection.execute(_ROOM_TO_ADD_UP)
                ranked = await connection.fetch(_LISTS.sql, *_LISTS.args(**given))
                undated = await connection.fetchval(_SQL["undated_rows"].sql)
        return PeriodInsights(
            period=period,
            rules=rules,
            days=[DailyCtr(**row) for row in days],
            top_queries=[TopQuery(**each) for each in _of_list("top", ranked)],
            low_performance_queries=[LowPerformer(**each) for each in _of_list("low", ranked)],
            undated_rows=undated,
        )

    async def history(self, query: str, period: Period) -> QueryHistory:
        """One query through a period; see the port."""
        key = normalised_query(query)
        args = _HISTORY.args(query=key, from_date=period.first, to_date=period.last, z=Z_95)
        rows = await self._database.fetch(_HISTORY.sql, *args)
        return QueryHistory(query=key, period=period, days=[QueryDay(**row) for row in rows])


class PostgresSearchInsightRepository(SearchInsightRepository):
    """Rows of `search_insights`.

    Args:
        database: the pool.
        lock_timeout_s: how long a day's computation waits for those who write to the day. While it
            waits, it keeps others from writing to the day.
    """

    def __init__(self, database: Database, *, lock_timeout_s: float = 2.0) -> None:
        self._database = database
        self._bounded_wait = f"SET LOCAL lock_timeout = {round(lock_timeout_s * 1000)}"

    async def compute(self, day: date, rules: RankingRules, *, now: datetime) -> StoredInsight:
        """Compute one day and store it in one transaction; see the port."""
        try:
            return await self._compute(day, rules, now=now)
        except WriteConflict as error:
            if not isinstance(error.__cause__, asyncpg.UniqueViolationError):
                raise
        return await self._compute(day, rules, now=now)  # the ids go on behind the rows' now

    async def _compute(self, day: date, rules: RankingRules, *, now: datetime) -> StoredInsight:
        async with self.day_alone(day) as connection:
            return await self.compute_on(connection, day, rules, now=now)

    @asynccontextmanager
    async def day_alone(self, day: date) -> AsyncIterator[Connection]:
        """A transaction during which nobody else changes rows of `day`.

        Raises:
            WriteConflict: rows of the day are being written by a transaction that takes long.
        """
        lock = _SQL["lock_day"]
        async with self._database.transaction(isolation="read_committed") as connection:
            await connection.execute(self._bounded_wait)
            try:
                await connection.execute(lock.sql, *lock.args(day=day))
            except asyncpg.LockNotAvailableError as error:
                detail = (
                    f"The searches of {day} are being written; they can be computed after that."
                )
                raise WriteConflict(detail, retry_after_s=10) from error
            yield connection

    async def compute_on(
        self, connection: Connection, day: date, rules: RankingRules, *, now: datetime
    ) -> StoredInsight:
        """Compute one day and store it, in a transaction of `day_alone`."""
        add_up, store, select = (_SQL[name] for name in ("add_up_day", "store_day", "select_day"))
        given = {
            **parameters(Period.of_day(day), rules),
            "definition_version": DEFINITION_VERSION,
            "now": now,
        }
        await connection.execute(add_up.sql, *add_up.args(day=day))
        await connection.execute(store.sql, *store.args(**given))
        row = await connection.fetchrow(select.sql, *select.args(day=day))
        assert row is not None, "the statement before has stored it"
        await enter(connection, "search_insight.compute", f"/search-insights/{day}")
        return _insight(row)

    async def get(self, day: date) -> StoredInsight:
        """Load one day; see the port."""
        select = _SQL["select_day"]
        row = await self._database.fetchrow(select.sql, *select.args(day=day))
        if row is None:
            raise NotFound(f"No insight is stored for {day}.")
        return _insight(row)

    async def page(
        self,
        *,
        limit: int,
        before: date | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> Sequence[StoredInsight]:
        """Up to `limit` days, newest first; see the port."""
        select = _SQL["select_days"]
        args = select.args(limit=limit, before=before, first=first, last=last)
        return [_insight(row) for row in await self._database.fetch(select.sql, *args)]

    async def days_to_compute(self, until: date, *, since: date = FIRST_DAY) -> Sequence[date]:
        """Days whose insight is lacking or stale, oldest first; see the port."""
        select = _SQL["days_to_compute"]
        args = select.args(since=since, until=until, definition_version=DEFINITION_VERSION)
        return [row["day"] for row in await self._database.fetch(select.sql, *args)]

    async def last_computed(self, period: Period) -> datetime | None:
        """The latest `computed_at` of a period; see the port."""
        select = _SQL["last_computed"]
        args = select.args(from_date=period.first, to_date=period.last)
        found: datetime | None = await self._database.fetchval(select.sql, *args)
        return found


def parameters(period: Period, rules: RankingRules) -> Mapping[str, Any]:
    """What the analyses of `sql/queries/insights.sql` are given."""
    return {
        "from_date": period.first,
        "to_date": period.last,
        "z": Z_95,
        "top": rules.top,
        "min_impressions": rules.min_impressions,
        "rank_by": rules.rank_by.value,
        "low_min_impressions": float(rules.low_min_impressions),
        "low_percentile": rules.low_percentile,
        "low_ctr_ratio": rules.low_ctr_ratio,
        "low_limit": rules.low_limit,
    }


def _insight(row: asyncpg.Record) -> StoredInsight:
    members = dict(row)
    for name in ("average_ctr", "overall_ctr"):
        if members[name] is not None and not isfinite(members[name]):
            members[name] = None  # another program's, and no number
    top, wrong_top = read_top_queries(_parsed(members.pop("top_queries")))
    low, wrong_low = read_low_performers(_parsed(members.pop("low_performance_queries")))
    return StoredInsight(
        **members,
        top_queries=top,
        low_performance_queries=low,
        problems=(*wrong_top, *wrong_low),
    )


def _parsed(document: str | None) -> object:
    return None if document is None else json.loads(document)


def _of_list(name: str, ranked: Sequence[asyncpg.Record]) -> Sequence[Mapping[str, Any]]:
    """The rows of one of the two lists; only low performers have lost clicks."""
    without = {"list"} if name == "low" else {"list", "lost_clicks"}
    return [
        {key: value for key, value in row.items() if key not in without}
        for row in ranked
        if row["list"] == name
    ]
