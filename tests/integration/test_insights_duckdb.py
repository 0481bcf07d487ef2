"""DuckDB, with SQL and arithmetic of its own, finds the same in made rows, pruned or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.pool import Database
from domain.insights.model import Period, RankBy, RankingRules
from tests.benchmarks.insights.duck import EXPORT, DuckLog, differences, figures_of
from tests.benchmarks.insights.rows import COLUMNS, FIRST_DAY, Log, csv_blocks
from tests.contracts.insights import NOW, Searches
from tests.integration.insights import emptied, searches_in

LOG = Log(days=20, rows_a_day=2_000)
WHOLE = Period(first=FIRST_DAY, last=LOG.last_day)
PART = Period(first=FIRST_DAY + timedelta(days=3), last=FIRST_DAY + timedelta(days=9))


@pytest.fixture(scope="module")
async def database(module_database_url: str) -> AsyncIterator[Database]:
    """Forty thousand rows, none added up yet."""

    async def blocks() -> AsyncIterator[bytes]:
        for block in csv_blocks(LOG):
            yield block

    async with emptied(module_database_url) as opened:
        connection = await asyncpg.connect(module_database_url)
        await connection.copy_to_table(
            "search_clicks", source=blocks(), columns=COLUMNS, format="csv"
        )
        await connection.close()
        yield opened


@pytest.fixture(scope="module")
async def searches(database: Database) -> Searches:
    return searches_in(database)


@pytest.fixture(scope="module")
async def duck(database: Database, tmp_path_factory: pytest.TempPathFactory) -> DuckLog:
    csv: Path = tmp_path_factory.mktemp("duckdb") / "raw.csv"
    async with database.connection() as connection:
        await connection.copy_from_query(EXPORT, output=csv, format="csv")
    return DuckLog(csv)


@pytest.mark.parametrize("rank_by", list(RankBy))
async def test_duckdb_agrees_whether_days_are_added_up_or_not_or_pruned(
    searches: Searches, duck: DuckLog, rank_by: RankBy
) -> None:
    rules = RankingRules(rank_by=rank_by, top=50, low_limit=50)
    states = ["raw", "half added up", "one pruned"]
    for state in states:
        if state == "half added up":
            for number in range(0, LOG.days, 2):
                day = FIRST_DAY + timedelta(days=number)
                await searches.insights.compute(day, rules, now=NOW)
        if state == "one pruned":
            await searches.retention.prune(FIRST_DAY + timedelta(days=4), rules, now=NOW)
        for period in (WHOLE, PART, Period.of_day(FIRST_DAY + timedelta(days=4))):
            found = await searches.analysis.analyse(period, rules)
            ours, theirs = figures_of(found), duck.analyse(period, rules)
            assert [len(part) for part in ours] == [len(part) for part in theirs]
            assert len(ours[1]) == 50
            assert differences(ours, theirs) == [], (state, period)


def test_a_longer_log_begins_with_the_shorter_one_and_a_seed_makes_one_log() -> None:
    few, many = Log(days=2, rows_a_day=50), Log(days=3, rows_a_day=50)
    assert list(csv_blocks(many))[:2] == list(csv_blocks(few)) == list(csv_blocks(few))
    assert list(csv_blocks(few)) != list(csv_blocks(Log(days=2, rows_a_day=50, seed=2)))
    assert sum(block.count(b"\n") for block in csv_blocks(many)) == many.rows
