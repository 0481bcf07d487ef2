"""What is added up by day is right in every state, whoever writes and whenever it is added up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import asyncpg
import pytest

from adapters.postgres.insights.search_insights import (
    PostgresSearchAnalyser,
    PostgresSearchInsightRepository,
)
from adapters.postgres.pool import Database
from tests.integration.insights import emptied, write_log
from tests.integration.search_rollup import (
    ALL,
    DAYS,
    INSERT,
    NOW,
    PERIOD,
    Isolation,
    check,
)


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url, as_owner=True) as opened:
        yield opened


async def test_readers_are_right_while_writers_and_those_who_add_up_run(
    database: Database,
) -> None:
    """Each row has one click of two impressions, so that any torn state shows in the sums."""
    store = PostgresSearchInsightRepository(database)
    analysis = PostgresSearchAnalyser(database)
    done = asyncio.Event()

    async def write(seed: int) -> int:
        rng = Random(seed)
        written = 0
        for _ in range(60):
            many = rng.randint(1, 4)
            values = [("lamp", 1, 2, rng.choice(DAYS)) for _ in range(many)]
            async with database.transaction() as connection:
                await connection.copy_records_to_table(
                    "search_clicks",
                    records=values,
                    columns=("search_query", "clicks", "impressions", "search_date"),
                )
                if rng.random() < 0.3:
                    await asyncio.sleep(0.002)
            written += many
        return written

    async def add_up() -> None:
        while not done.is_set():
            for day in DAYS:
                await store.compute(day, ALL, now=NOW)

    async def read() -> None:
        seen = 0
        while not done.is_set():
            found = await analysis.analyse(PERIOD, ALL)
            assert found.impressions == 2 * found.clicks
            assert found.clicks == sum(each.clicks for each in found.top_queries)
            assert found.clicks >= seen
            seen = found.clicks

    async with asyncio.TaskGroup() as group:
        others = [group.create_task(each) for each in (add_up(), add_up(), read())]
        writers = [group.create_task(write(seed)) for seed in range(3)]
        written = sum([await writer for writer in writers])
        done.set()
    assert all(other.done() for other in others)
    assert (await analysis.analyse(PERIOD, ALL)).clicks == written
    for day in DAYS:
        await store.compute(day, ALL, now=NOW)
    assert await database.fetchval("SELECT count(*) FROM search_changed_days") == 0
    assert (await analysis.analyse(PERIOD, ALL)).clicks == written
    await check(database)


async def test_a_row_that_moves_to_another_day_marks_both(database: Database) -> None:
    store = PostgresSearchInsightRepository(database)
    await database.execute(f"{INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
    for day in DAYS:
        await store.compute(day, ALL, now=NOW)
    await database.execute("UPDATE search_clicks SET search_date = $1", DAYS[1])
    assert await store.days_to_compute(DAYS[1]) == DAYS
    await check(database)
    for day in DAYS:
        await store.compute(day, ALL, now=NOW)
    assert (await store.get(DAYS[0])).source_rows == 0
    assert (await store.get(DAYS[1])).source_rows == 1
    await check(database)


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_one_who_looks_at_an_old_snapshot_marks_the_day_all_the_same(
    database: Database, isolation: Isolation
) -> None:
    store = PostgresSearchInsightRepository(database)
    await database.execute(f"{INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
    async with database.connection() as writer, writer.transaction(isolation=isolation):
        assert await writer.fetchval("SELECT count(*) FROM search_changed_days") == 1
        await store.compute(DAYS[0], ALL, now=NOW)
        await writer.execute(f"{INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
    await check(database)
    assert await store.days_to_compute(DAYS[0]) == [DAYS[0]]


async def test_the_log_is_truncated_in_read_committed_alone(database: Database) -> None:
    store = PostgresSearchInsightRepository(database)
    await database.execute(f"{INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
    await store.compute(DAYS[0], ALL, now=NOW)
    async with database.connection() as writer:
        with pytest.raises(asyncpg.RaiseError, match="in a READ COMMITTED transaction only"):
            async with writer.transaction(isolation="serializable"):
                await writer.execute("TRUNCATE search_clicks")
    await database.execute("TRUNCATE search_clicks")
    assert await store.days_to_compute(DAYS[0]) == [DAYS[0]]
    assert (await store.compute(DAYS[0], ALL, now=NOW)).source_rows == 0
    await check(database)


async def test_a_temporary_table_of_the_same_name_takes_no_marks(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("CREATE TEMP TABLE search_changed_days (search_date DATE)")
        await connection.execute(f"{INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
        assert await connection.fetchval("SELECT count(*) FROM search_changed_days") == 0
        await connection.execute("DROP TABLE search_changed_days")
    marks = await database.fetch("SELECT search_date FROM search_changed_days")
    assert [mark[0] for mark in marks] == [DAYS[0]]


async def test_rows_of_very_many_days_take_no_more_locks_than_a_server_has(
    database: Database,
) -> None:
    many = "SELECT 'lamp', 1, 2, $1::date + n FROM generate_series(0, 9999) AS n"
    async with database.transaction() as connection:
        await connection.execute(f"{INSERT} {many}", DAYS[0])
        held = await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
    assert held == 256
    assert await database.fetchval("SELECT count(*) FROM search_changed_days") == 10_000


async def test_the_longest_keys_are_added_up(database: Database) -> None:
    """Some characters stand for many in a key: 255 of them are more than an index takes raw."""
    store = PostgresSearchInsightRepository(database)
    rng = Random(1)
    signs = [
        "\ufdfa",
        "\ufdfb",
        *map(chr, range(0x3300, 0x3358)),
        *map(chr, range(0x1F600, 0x1F640)),
    ]
    queries = ["".join(rng.choices(signs, k=255)) for _ in range(30)]
    queries += [sign * 255 for sign in signs[:3]]
    await write_log(
        database,
        ("search_query", "clicks", "impressions", "search_date"),
        [(query, 1, 2, DAYS[0]) for query in queries],
    )
    stored = await store.compute(DAYS[0], ALL, now=NOW)
    assert stored.distinct_queries == len(set(queries)) == 33
    await check(database)
