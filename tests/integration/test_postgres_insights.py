"""Searches and insights in PostgreSQL are what the ports promise, and what the arithmetic says."""

from __future__ import annotations

import asyncio
import sys
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.migrations import MigrationError, migrate
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.queries import load_queries
from domain.errors import WriteConflict
from domain.insights.model import Period, RankBy, RankingRules, SearchClickRow, normalised_query
from tests.contracts.insights import (
    DAY,
    NOW,
    AnalyserContract,
    ClickWriterContract,
    InsightRepositoryContract,
    PrunerContract,
    Searches,
    row,
)
from tests.fakes.insights import searches_in_memory
from tests.integration.insights import emptied, searches_in
from tests.integration.owners_database import OWNERS_TABLES, execute


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


class InPostgres:
    @pytest.fixture
    def searches(self, database: Database) -> Searches:
        return searches_in(database)


class TestPostgresAnalysis(InPostgres, AnalyserContract):
    pass


class TestPostgresInsightStore(InPostgres, InsightRepositoryContract):
    pass


class TestPostgresClickLog(InPostgres, ClickWriterContract):
    pass


class TestPostgresRetention(InPostgres, PrunerContract):
    pass


# Letters whose case PostgreSQL and Python map alike whatever their version of Unicode, spaces of
# many kinds, composed and decomposed accents, wide and narrow forms.
_LETTERS = "abAB éÉñΣσςЖӝ́ｗＷﾌﾟ①½ ßİ\u00a0\u3000\t\u2028\u1680\u0085\u200b-"
_QUERIES = st.none() | st.text(alphabet=_LETTERS, max_size=6)
_COUNTS = st.none() | st.integers(-2, 3000)
_ROWS = st.lists(
    st.builds(
        SearchClickRow,
        search_query=_QUERIES | st.sampled_from(["sofa", "Sofa ", "lamp", "bed"]),
        clicks=_COUNTS | st.integers(0, 40),
        impressions=_COUNTS | st.integers(40, 2000),
        search_date=st.none() | st.dates(DAY - timedelta(days=2), DAY + timedelta(days=2)),
    ),
    max_size=40,
)
_RULES = st.builds(
    RankingRules,
    top=st.integers(1, 8),
    min_impressions=st.integers(1, 200),
    rank_by=st.sampled_from(RankBy),
    low_min_impressions=st.integers(1, 200),
    low_percentile=st.floats(0, 1),
    low_ctr_ratio=st.floats(0, 1),
    low_limit=st.integers(1, 8),
)


@given(rows=_ROWS, rules=_RULES)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_sql_and_arithmetic_give_the_same_answers(
    database: Database, rows: list[SearchClickRow], rules: RankingRules
) -> None:
    await database.execute("DELETE FROM search_clicks")
    await database.execute("DELETE FROM search_insights")
    in_sql, in_python = searches_in(database), searches_in_memory()
    period = Period(first=DAY - timedelta(days=1), last=DAY + timedelta(days=1))
    stored = []
    for searches in (in_sql, in_python):
        await searches.write_rows(rows)
        stored.append(await searches.insights.compute(DAY, rules, now=NOW))
    found = await in_sql.analysis.analyse(period, rules)
    assert found == await in_python.analysis.analyse(period, rules)
    assert stored[0] == stored[1]


@given(query=st.text(alphabet=_LETTERS, max_size=12))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_stored_key_is_the_normalised_query(database: Database, query: str) -> None:
    stored = await database.fetchval(
        "INSERT INTO search_clicks (search_query) VALUES ($1) RETURNING query_norm", query
    )
    assert stored == normalised_query(query)


async def test_every_character_has_the_same_key_in_sql_and_in_python(database: Database) -> None:
    """Each that this Python's Unicode knows, between two letters; a later Unicode may know more."""
    said = await database.fetchval(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute"
        " ON attrelid = adrelid AND attnum = adnum AND attname = 'query_norm'"
    )
    known = (chr(n) for n in range(1, sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF)
    queries = [f"a{each}B" for each in known if unicodedata.category(each) != "Cn"]
    sql = f"SELECT search_query, {said} FROM unnest($1::text[]) AS given (search_query)"  # noqa: S608
    rows = []
    for first in range(0, len(queries), 10_000):  # each within the statement timeout
        rows += await database.fetch(sql, queries[first : first + 10_000])
    assert len(rows) > 280_000
    assert [query for query, key in rows if key != normalised_query(query)] == []
    assert [query for query, key in rows if normalised_query(key) != key] == []


async def test_the_rate_of_a_row_is_stored_and_never_read(database: Database) -> None:
    searches = searches_in(database)
    await searches.log.append([row("lamp", 1, 4), row("sofa", 0, 0)])
    rates = await database.fetch("SELECT click_through_rate FROM search_clicks ORDER BY search_id")
    assert [each[0] for each in rates] == [0.25, None]
    await database.execute("UPDATE search_clicks SET click_through_rate = 77")
    found = await searches.analysis.analyse(Period.of_day(DAY), RankingRules(min_impressions=1))
    assert found.average_ctr == 0.25


async def test_a_row_without_date_gets_the_utc_day_whatever_the_session_thinks(
    database: Database,
) -> None:
    async with database.connection() as connection:
        for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL timezone = '{zone}'")
                before = datetime.now(UTC).date()
                append = load_queries("search_clicks")["append_clicks"]
                await connection.execute(
                    append.sql,
                    *append.args(
                        search_queries=["lamp"], clicks=[1], impressions=[2], search_dates=[None]
                    ),
                )
                after = datetime.now(UTC).date()
    days = await database.fetch("SELECT search_date FROM search_clicks")
    assert {each[0] for each in days} <= {before, after}


async def test_the_columns_defaults_and_a_short_insert_of_another_program_are_counted(
    database: Database,
) -> None:
    await database.execute("INSERT INTO search_clicks (search_query) VALUES ('lamp')")
    today = await database.fetchval("SELECT CURRENT_DATE")
    (day,) = (
        await searches_in(database).analysis.analyse(Period.of_day(today), RankingRules())
    ).days
    assert (day.source_rows, day.impressions, day.average_ctr) == (1, 0, None)


_INSERT = "INSERT INTO search_clicks (search_query, clicks, impressions, search_date)"
_WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"


async def test_a_day_is_computed_after_those_who_write_to_it_are_done(database: Database) -> None:
    searches = searches_in(database)
    await searches.log.append([row("lamp", 1, 2)])
    async with database.transaction() as writer:
        await writer.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAY)
        other = asyncio.create_task(searches.insights.compute(DAY, RankingRules(), now=NOW))
        while not await database.fetchval(_WAITING):
            await asyncio.sleep(0.01)
        assert not other.done()
    # It waited for the lock before it looked, so it saw the row that came meanwhile.
    assert (await other).clicks == 2


async def test_one_who_writes_for_long_keeps_the_day_from_being_computed_and_nothing_else(
    database: Database,
) -> None:
    searches = searches_in(database)
    next_day = DAY + timedelta(days=1)
    async with database.transaction() as writer:
        await writer.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAY)
        with pytest.raises(WriteConflict, match="2026-11-20 are being written"):
            await searches.insights.compute(DAY, RankingRules(), now=NOW)
        await searches.log.append([row("lamp", 1, 2), row("lamp", 1, 2, next_day)])
        assert (await searches.insights.compute(next_day, RankingRules(), now=NOW)).clicks == 1
    assert (await searches.insights.compute(DAY, RankingRules(), now=NOW)).clicks == 2


async def test_the_three_queries_run_alone_with_named_parameters(database: Database) -> None:
    await searches_in(database).log.append([row("lamp", 9, 100)])
    queries = load_queries("insights")
    given_ = {
        "from_date": DAY,
        "to_date": DAY,
        "z": 1.96,
        "top": 5,
        "min_impressions": 20,
        "rank_by": "ctr",
        "low_min_impressions": 100.0,
        "low_percentile": 0.75,
        "low_ctr_ratio": 0.5,
        "low_limit": 20,
    }
    counts = {}
    for name in ("average_ctr_by_day", "top_queries", "low_performance_queries"):
        query = queries[name]
        counts[name] = len(await database.fetch(query.sql, *query.args(**given_)))
    assert counts == {"average_ctr_by_day": 1, "top_queries": 1, "low_performance_queries": 0}


async def test_a_day_is_found_by_index_and_not_by_reading_the_whole_log(
    database: Database, module_database_url: str
) -> None:
    searches = searches_in(database)
    rows = [row("lamp", 1, 2, date(2026, 1, 1) + timedelta(days=n // 50)) for n in range(10_000)]
    await searches.log.append(rows)
    # As their owner: for others PostgreSQL leaves tables out, and says so in a warning alone.
    await execute(module_database_url, "ANALYZE")
    query = load_queries("insights")["average_ctr_by_day"]
    day = date(2026, 3, 1)
    plan = await database.fetch(f"EXPLAIN {query.sql}", *query.args(from_date=day, to_date=day))
    text = "\n".join(line[0] for line in plan)
    assert "search_clicks_search_date_idx" in text
    assert "Seq Scan on search_clicks" not in text


_OWNERS_CLICKS = """
INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
VALUES (' Lamp', 1, 4, '2026-11-20'), ('LAMP', 1, 4, '2026-11-20'), (NULL, NULL, NULL, NULL);
"""


async def test_tables_that_their_owner_made_and_filled_are_taken_over(
    empty_database_url: str,
) -> None:
    await execute(
        empty_database_url,
        OWNERS_TABLES,
        _OWNERS_CLICKS,
        "INSERT INTO search_insights (insight_date, average_ctr)"
        " VALUES ('2026-11-19', 0.5), (NULL, 1), (NULL, 2)",
    )
    await migrate(empty_database_url)
    async with open_database(empty_database_url, PoolOptions()) as database:
        searches = searches_in(database)
        assert await searches.insights.days_to_compute(DAY) == [DAY]
        insight = await searches.insights.compute(DAY, RankingRules(min_impressions=1), now=NOW)
        assert insight.average_ctr == 0.25
        assert [query.query for query in insight.top_queries or ()] == ["lamp"]
        stored = await searches.insights.page(limit=9)
        assert [(each.insight_date, each.average_ctr) for each in stored] == [
            (DAY, 0.25),
            (date(2026, 11, 19), 0.5),
        ]


async def test_two_insights_for_one_day_stop_the_migration_with_a_remedy(
    empty_database_url: str,
) -> None:
    await execute(
        empty_database_url,
        OWNERS_TABLES,
        "INSERT INTO search_insights (insight_date) VALUES ('2026-11-19'), ('2026-11-19')",
    )
    with pytest.raises(MigrationError, match="several rows for one insight_date") as refusal:
        await migrate(empty_database_url)
    assert "Keep one row for each day" in str(refusal.value)
    await execute(empty_database_url, "DELETE FROM search_insights WHERE id = 1")
    assert "0005_search_insights" in await migrate(empty_database_url)
