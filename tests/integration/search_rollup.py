"""What the tests of the sums by day share: few days, and a check of what is added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

import asyncpg

from adapters.postgres.pool import Database
from domain.insights.model import Period, RankingRules, SearchClickRow, normalised_query
from tests.fakes.insight_rates import daily_ctr, is_usable

FIRST = date(2026, 11, 18)
DAYS = [FIRST, FIRST + timedelta(days=1)]  # few, so that histories meet
PERIOD = Period(first=DAYS[0], last=DAYS[-1])
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ALL = RankingRules(min_impressions=1, top=100, low_min_impressions=1, low_percentile=0.0)
INSERT = "INSERT INTO search_clicks (search_query, clicks, impressions, search_date)"
FIVE = "SELECT 'lamp', 1, n, $1 FROM generate_series(1, 5) AS n"
_RAW = """
SELECT search_query, clicks, impressions, search_date, click_through_rate FROM search_clicks
"""

Isolation = Literal["read_committed", "repeatable_read", "serializable"]


async def rows_in(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
) -> list[SearchClickRow]:
    return [SearchClickRow(**row) for row in await connection.fetch(_RAW)]


async def check(database: Database, pruned: Sequence[SearchClickRow] = ()) -> None:
    """In one snapshot, a day without a mark is added up as its rows are, with the pruned ones."""
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        raw = [*await rows_in(connection), *pruned]
        marked = {row[0] for row in await connection.fetch("SELECT * FROM search_changed_days")}
        by_query = await connection.fetch("SELECT * FROM search_query_days ORDER BY 1, 2")
        by_day = {row[0]: row for row in await connection.fetch("SELECT * FROM search_days")}
    for day in {*DAYS, *by_day, *(row["search_date"] for row in by_query)} - marked:
        of_day = [row for row in raw if row.search_date == day]
        kept = [tuple(row)[1:] for row in by_query if row["search_date"] == day]
        assert kept == _added_up(of_day), day
        assert (day in by_day) == bool(of_day), day
        if of_day:
            truth, total = daily_ctr(day, of_day), by_day[day]
            assert (total["source_rows"], total["rated_rows"]) == (
                truth.source_rows,
                truth.rated_rows,
            )
            assert (total["clicks"], total["impressions"]) == (truth.clicks, truth.impressions)
            assert total["ctr_sum"] == sum(each[-1] for each in kept)
            assert [total[name] for name in _COUNTED] == [getattr(truth, name) for name in _COUNTED]


_COUNTED = ("distinct_queries", "blank_rows", "impossible_rows", "contradicting_rows")


def _added_up(of_day: Sequence[SearchClickRow]) -> list[tuple[str, int, int, int, Decimal]]:
    searches: Counter[str] = Counter()
    clicks: Counter[str] = Counter()
    impressions: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for row in of_day:
        if is_usable(row):
            key = normalised_query(row.search_query or "")
            shown, clicked = row.impressions or 0, row.clicks or 0
            searches[key] += 1
            clicks[key] += clicked
            impressions[key] += shown
            parts[key] += round(clicked / shown * 10**12) if shown else 0
    return [
        (key, searches[key], clicks[key], impressions[key], Decimal(parts[key]) / 10**12)
        for key in sorted(searches)
    ]
