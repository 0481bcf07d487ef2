"""`sql/optional/partition_search_clicks.sql`, on the oldest and the newest PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from adapters.postgres.migrations import migrate
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.queries import SQL_DIR
from domain.insights.model import Period, RankingRules
from tests.contracts.contract import Contract
from tests.contracts.insights import ALL, NOW, row
from tests.integration.insights import searches_in
from tests.integration.servers import debian_postgres

_SCRIPT = (SQL_DIR / "optional" / "partition_search_clicks.sql").read_text("utf-8")
_WHERE = "SELECT tableoid::regclass::text, count(*) FROM search_clicks GROUP BY 1 ORDER BY 1"
AUGUST, SEPTEMBER = date(2026, 8, 31), date(2026, 9, 1)
PERIOD = Period(first=AUGUST, last=SEPTEMBER + timedelta(days=1))


@pytest.fixture(scope="module")
async def oldest_server(server_directory: Path) -> AsyncIterator[str]:
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    async with debian_postgres(15, directory) as url:
        yield url


@asynccontextmanager
async def filled(url: str) -> AsyncIterator[Database]:
    """The migrated database behind `url`, with rows in two months; the first day is computed."""
    async with open_database(url, PoolOptions()) as opened:
        searches = searches_in(opened)
        await searches.log.append([row("Lamp", 9, 100, AUGUST), row("sofa", 1, 200, AUGUST)])
        await searches.log.append([row("lamp", 2, 10, SEPTEMBER)])
        await searches.write_rows([row("", 1, 1, SEPTEMBER), row("rug", 9, 1, SEPTEMBER)])
        await searches.insights.compute(AUGUST, ALL, now=NOW)
        yield opened


async def partition(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(_SCRIPT)


async def places(database: Database) -> dict[str, int]:
    return {each[0]: each[1] for each in await database.fetch(_WHERE)}


class Partitioning(Contract):
    """A suite over `database`, which is `filled`."""

    async def test_every_row_and_figure_is_there_after_it_and_no_day_has_changed(
        self, database: Database
    ) -> None:
        searches = searches_in(database)
        found = await searches.analysis.analyse(PERIOD, ALL)
        ids = "SELECT array_agg(search_id ORDER BY search_id) FROM search_clicks"
        before = await database.fetchval(ids)
        await partition(database)
        assert await places(database) == {"search_clicks_2026_08": 2, "search_clicks_2026_09": 3}
        assert await database.fetchval(ids) == before
        assert await searches.analysis.analyse(PERIOD, ALL) == found
        # As before it: the one that was not computed yet.
        assert await searches.insights.days_to_compute(PERIOD.last) == [SEPTEMBER]

    async def test_writing_marks_days_as_before(self, database: Database) -> None:
        searches = searches_in(database)
        await partition(database)
        for day in (AUGUST, SEPTEMBER):
            await searches.insights.compute(day, ALL, now=NOW)
        assert await searches.insights.days_to_compute(PERIOD.last) == []
        await searches.log.append([row("lamp", 1, 1, PERIOD.last)])
        await database.execute("UPDATE search_clicks SET search_date = $1", SEPTEMBER)
        assert await searches.insights.days_to_compute(PERIOD.last) == [
            AUGUST,
            SEPTEMBER,
            PERIOD.last,
        ]
        (august, september, _) = (await searches.analysis.analyse(PERIOD, ALL)).days
        assert (august.source_rows, september.source_rows) == (0, 4)
        await database.execute("TRUNCATE search_clicks")
        assert (await searches.analysis.analyse(PERIOD, ALL)).source_rows == 0

    async def test_days_of_months_without_a_partition_are_taken_and_move_when_it_is_made(
        self, database: Database
    ) -> None:
        searches = searches_in(database)
        await partition(database)
        far = date(2031, 5, 9)
        await searches.log.append([row("lamp", 1, 2, far), row("lamp", 1, 2, date(1999, 1, 1))])
        assert (await places(database))["search_clicks_other_months"] == 2
        await searches.insights.compute(far, ALL, now=NOW)
        for _ in range(2):
            await database.execute("SELECT make_search_clicks_month($1)", far)
        found = await places(database)
        assert (found["search_clicks_other_months"], found["search_clicks_2031_05"]) == (1, 1)
        assert far not in await searches.insights.days_to_compute(far)

    async def test_a_month_whose_rows_are_pruned_may_be_dropped(self, database: Database) -> None:
        searches = searches_in(database)
        await partition(database)
        found = await searches.analysis.analyse(PERIOD, ALL)
        assert await searches.retention.days_with_rows(SEPTEMBER) == [AUGUST]
        assert await searches.retention.prune(AUGUST, RankingRules(), now=NOW) == 2
        await database.execute("DROP TABLE search_clicks_2026_08")
        assert await searches.analysis.analyse(PERIOD, ALL) == found
        await searches.log.append([row("lamp", 1, 10, AUGUST)])
        assert (await searches.insights.compute(AUGUST, ALL, now=NOW)).clicks == 11

    async def test_rows_without_a_day_stop_it_and_nothing_has_changed(
        self, database: Database
    ) -> None:
        await searches_in(database).write_rows([row("lamp", 1, 2, None)])
        with pytest.raises(asyncpg.RaiseError, match="rows without search_date") as refusal:
            await partition(database)
        assert "Give them a day" in (refusal.value.hint or "")
        await database.execute("UPDATE search_clicks SET search_date = $1", AUGUST)
        await partition(database)
        assert await places(database) == {"search_clicks_2026_08": 6}


class TestOnTheNewest(Partitioning):
    @pytest.fixture
    async def database(self, fresh_database_url: str) -> AsyncIterator[Database]:
        async with filled(fresh_database_url) as database:
            yield database


class TestOnPostgres15(Partitioning):
    @pytest.fixture
    async def database(self, oldest_server: str) -> AsyncIterator[Database]:
        name = f"shop_{secrets.token_hex(4)}"
        connection = await asyncpg.connect(oldest_server)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        url = urlunsplit(urlsplit(oldest_server)._replace(path=f"/{name}"))
        await migrate(url)
        async with filled(url) as database:
            yield database
