"""A million rows: DuckDB, with SQL and arithmetic of its own, finds the same in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from adapters.postgres.pool import Database, PoolOptions, open_database
from domain.insights.model import Period, RankBy, RankingRules
from tests.benchmarks.insights.duck import EXPORT, DuckLog, differences, figures_of
from tests.contracts.insights import NOW
from tests.integration.insights import searches_in

ROWS = 1_000_000
FIRST = date(2026, 10, 1)
PERIOD = Period(first=FIRST, last=FIRST + timedelta(days=19))
# Seeded, so that every run has the same rows: few queries make most of the searches, each has a
# rate of its own, one row in eight is spelt in another way, one in a thousand cannot be counted or
# contradicts itself.
_FILL = """
SELECT setseed(0.5);
INSERT INTO search_clicks (search_query, clicks, impressions, click_through_rate, search_date)
SELECT
    CASE
        WHEN odd < 0.0003 THEN '  '
        WHEN odd > 0.875 THEN upper('  Query   no ' || number)
        ELSE 'query no ' || number
    END,
    CASE
        WHEN odd BETWEEN 0.0003 AND 0.0006 THEN shown + 1
        ELSE least(shown, round(shown * rate))
    END,
    shown,
    CASE WHEN odd BETWEEN 0.0006 AND 0.001 THEN 0.987 END,
    DATE '2026-10-01' + (n % 20)
FROM (
    SELECT
        n,
        random()                                   AS odd,
        floor(30000 * power(random(), 4))::int     AS number,
        floor(-14 * ln(1 - random()))::int         AS shown,
        random()                                   AS luck
    FROM generate_series(1, 1000000) AS n
) AS drawn, LATERAL (SELECT luck * ((number * 7919) % 100) / 100 AS rate) AS rates
"""


@pytest.fixture
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    options = PoolOptions(statement_timeout_s=300)
    async with open_database(fresh_database_url, options) as opened:
        async with opened.connection() as connection:
            await connection.execute(_FILL)
        yield opened


async def test_duckdb_agrees_on_a_million_rows_read_and_added_up(
    database: Database, tmp_path: Path
) -> None:
    searches = searches_in(database)
    csv = tmp_path / "raw.csv"
    async with database.connection() as connection:
        await connection.copy_from_query(EXPORT, output=csv, format="csv")
    duck = DuckLog(csv)
    half = Period(first=FIRST + timedelta(days=5), last=FIRST + timedelta(days=14))

    async def compare(period: Period, rank_by: RankBy) -> None:
        rules = RankingRules(rank_by=rank_by, top=50, low_limit=50)
        found = await searches.analysis.analyse(period, rules)
        assert differences(figures_of(found), duck.analyse(period, rules)) == []

    await compare(half, RankBy.CTR)
    for number in range(PERIOD.days):
        await searches.insights.compute(FIRST + timedelta(days=number), RankingRules(), now=NOW)
    assert await searches.insights.days_to_compute(PERIOD.last) == []
    await compare(PERIOD, RankBy.CTR)
    await compare(PERIOD, RankBy.CTR_LOW)
    found = await searches.analysis.analyse(PERIOD, RankingRules())
    impossible = sum(day.impossible_rows for day in found.days)
    assert found.source_rows + found.blank_rows + impossible == ROWS
    assert found.blank_rows > 0 < impossible < found.anomalies
    assert (len(found.top_queries), len(found.low_performance_queries)) == (5, 20)
