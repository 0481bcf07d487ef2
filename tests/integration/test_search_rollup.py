"""What is added up by day is right in every state, whoever writes and whenever it is added up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal

import asyncpg
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.memory.insights import MemorySearchAnalysis
from adapters.postgres.pool import Database
from adapters.postgres.search_insights import PostgresSearchAnalysis, PostgresSearchInsightStore
from adapters.postgres.search_retention import PostgresSearchRetention
from domain.errors import ChangesCollided
from domain.insights.model import Period, Rules, SearchClick
from domain.insights.rates import daily_ctr, is_usable, normalised_query
from tests.integration.insights import emptied

FIRST = date(2026, 11, 18)
DAYS = [FIRST, FIRST + timedelta(days=1)]  # few, so that histories meet
PERIOD = Period(first=DAYS[0], last=DAYS[-1])
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ALL = Rules(min_impressions=1, top=100, low_min_impressions=1, low_percentile=0.0)
_INSERT = "INSERT INTO search_clicks (search_query, clicks, impressions, search_date)"
_FIVE = "SELECT 'lamp', 1, n, $1 FROM generate_series(1, 5) AS n"
_RAW = """
SELECT search_query, clicks, impressions, search_date, click_through_rate FROM search_clicks
"""

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
rows = st.builds(
    SearchClick,
    search_query=st.sampled_from(["lamp", " Lamp", "sofa", "rug", "", None]),
    clicks=st.none() | st.integers(-1, 9),
    impressions=st.none() | st.integers(0, 30),
    search_date=st.sampled_from([*DAYS, *DAYS, None, date.max]),
    click_through_rate=st.none() | st.sampled_from([0.0, 0.5, float("nan")]),
)
days = st.sampled_from(DAYS)
writers = st.integers(0, 1)


async def rows_in(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
) -> list[SearchClick]:
    return [SearchClick(**row) for row in await connection.fetch(_RAW)]


async def check(database: Database, pruned: Sequence[SearchClick] = ()) -> None:
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


def _added_up(of_day: Sequence[SearchClick]) -> list[tuple[str, int, int, int, Decimal]]:
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


class Writing(RuleBasedStateMachine):
    """Two who write in transactions of their own, and one who adds up in between."""

    loop: asyncio.AbstractEventLoop
    database: Database
    connections: Sequence[asyncpg.pool.PoolConnectionProxy]

    def __init__(self) -> None:
        super().__init__()
        self.open: list[asyncpg.transaction.Transaction | None] = [None, None]
        self.pruned: list[SearchClick] = []
        self.store = PostgresSearchInsightStore(self.database, lock_timeout_s=0.02)
        self.retention = PostgresSearchRetention(self.database, self.store)
        self.run(self.database.execute("TRUNCATE search_clicks, search_pruned_days"))
        self.run(self.database.execute("TRUNCATE search_insights, search_query_days, search_days"))
        self.run(self.database.execute("TRUNCATE search_changed_days"))
        # So that every history finds rows to change, and days that are added up.
        for day in DAYS:
            self.run(self.database.execute(f"{_INSERT} {_FIVE}", day))
            self.run(self.store.compute(day, ALL, now=NOW))

    def run(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    async def write(self, writer: int, statement: str, *args: Any) -> None:
        """By itself, or in the writer's open transaction, which an error ends."""
        try:
            await self.connections[writer].execute(statement, *args)
        except (
            asyncpg.LockNotAvailableError,
            asyncpg.SerializationError,
            asyncpg.RaiseError,
        ):
            await self.end(writer, commit=False)

    async def end(self, writer: int, *, commit: bool) -> None:
        transaction, self.open[writer] = self.open[writer], None
        if transaction is not None:
            try:
                await (transaction.commit() if commit else transaction.rollback())
            except asyncpg.SerializationError:
                await transaction.rollback()

    @rule(
        writer=writers,
        isolation=st.sampled_from(["read_committed", "repeatable_read", "serializable"]),
    )
    def begin(self, writer: int, isolation: Isolation) -> None:
        if self.open[writer] is None:
            transaction = self.connections[writer].transaction(isolation=isolation)
            self.run(transaction.start())
            self.open[writer] = transaction

    @rule(writer=writers, commit=st.booleans())
    def finish(self, writer: int, commit: bool) -> None:
        self.run(self.end(writer, commit=commit))

    @rule(writer=writers, given=st.lists(rows, min_size=1, max_size=4))
    def insert(self, writer: int, given: list[SearchClick]) -> None:
        values = [
            (
                row.search_query,
                row.clicks,
                row.impressions,
                row.search_date,
                row.click_through_rate,
            )
            for row in given
        ]
        try:
            self.run(
                self.connections[writer].copy_records_to_table(
                    "search_clicks",
                    records=values,
                    columns=(
                        "search_query",
                        "clicks",
                        "impressions",
                        "search_date",
                        "click_through_rate",
                    ),
                )
            )
        except asyncpg.LockNotAvailableError:
            self.run(self.end(writer, commit=False))

    @rule(writer=writers, day=days, to=days, query=st.sampled_from(["lamp", "chair"]))
    def update(self, writer: int, day: date, to: date, query: str) -> None:
        statement = """
            UPDATE search_clicks
            SET search_date = $2, search_query = $3, impressions = impressions + 1
            WHERE search_date = $1 AND search_id % 3 > 0
        """
        self.run(self.write(writer, statement, day, to, query))

    @rule(writer=writers, day=days)
    def delete(self, writer: int, day: date) -> None:
        statement = "DELETE FROM search_clicks WHERE search_date = $1 AND search_id % 2 = 0"
        self.run(self.write(writer, statement, day))

    @precondition(lambda self: not any(self.open))  # the check would wait for its lock
    @rule(writer=writers)
    def truncate(self, writer: int) -> None:
        self.run(self.write(writer, "TRUNCATE search_clicks"))

    @rule(writer=writers, row=rows)
    def undo_to_a_savepoint(self, writer: int, row: SearchClick) -> None:
        connection = self.connections[writer]

        async def insert_and_undo() -> None:
            await connection.execute("SAVEPOINT before")
            await connection.execute(
                "INSERT INTO search_clicks (search_query, search_date) VALUES ($1, $2)",
                row.search_query,
                row.search_date,
            )
            await connection.execute("ROLLBACK TO before")

        if self.open[writer] is not None:
            try:
                self.run(insert_and_undo())
            except asyncpg.LockNotAvailableError:
                self.run(self.end(writer, commit=False))

    @rule()
    def add_up(self) -> None:
        for day in DAYS:
            self.add_up_one(day)

    def add_up_one(self, day: date) -> None:
        try:
            stored = self.run(self.store.compute(day, ALL, now=NOW))
        except ChangesCollided:  # a writer holds the day
            assert any(self.open)
            return
        truth = daily_ctr(day, self.run(self.counted_rows()))
        assert (stored.clicks, stored.source_rows) == (truth.clicks, truth.source_rows)

    @rule(day=days)
    def prune(self, day: date) -> None:
        of_day = [row for row in self.run(self.committed_rows()) if row.search_date == day]
        try:
            deleted = self.run(self.retention.prune(day, ALL, now=NOW))
        except ChangesCollided:  # a writer holds the day
            assert any(self.open)
            return
        assert deleted == len(of_day)
        self.pruned += of_day

    async def committed_rows(self) -> list[SearchClick]:
        async with self.database.connection() as connection:
            return await rows_in(connection)

    async def counted_rows(self) -> list[SearchClick]:
        return [*await self.committed_rows(), *self.pruned]

    @precondition(lambda self: not any(self.open))
    @rule()
    def nothing_stays_due(self) -> None:
        for day in self.run(self.store.days_to_compute(DAYS[-1], since=DAYS[0])):
            self.run(self.store.compute(day, ALL, now=NOW))
        assert self.run(self.store.days_to_compute(DAYS[-1], since=DAYS[0])) == []

    @invariant()
    def every_day_without_a_mark_is_added_up_right(self) -> None:
        self.run(check(self.database, self.pruned))

    @invariant()
    def the_analyses_are_right_at_any_time(self) -> None:
        found = self.run(PostgresSearchAnalysis(self.database).analyse(PERIOD, ALL))
        raw = self.run(self.counted_rows())
        assert found == self.run(MemorySearchAnalysis(raw).analyse(PERIOD, ALL))

    def teardown(self) -> None:
        for writer in (0, 1):
            self.run(self.end(writer, commit=False))


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_in_every_history_of_two_writers_what_is_added_up_is_right(
    loop: asyncio.AbstractEventLoop, module_database_url: str
) -> None:
    async def opened(stack: AsyncExitStack) -> None:
        database = await stack.enter_async_context(emptied(module_database_url))
        Writing.database = database
        Writing.connections = [
            await stack.enter_async_context(database.connection()) for _ in range(2)
        ]
        for connection in Writing.connections:
            await connection.execute("SET lock_timeout = '20ms'")

    stack = AsyncExitStack()
    loop.run_until_complete(opened(stack))
    Writing.loop = loop
    try:
        run_state_machine_as_test(
            Writing,
            settings=settings(
                max_examples=40,
                stateful_step_count=20,
                deadline=None,
                phases=(Phase.explicit, Phase.generate),
            ),
        )
    finally:
        loop.run_until_complete(stack.aclose())


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


async def test_readers_are_right_while_writers_and_those_who_add_up_run(
    database: Database,
) -> None:
    """Each row has one click of two impressions, so that any torn state shows in the sums."""
    store = PostgresSearchInsightStore(database)
    analysis = PostgresSearchAnalysis(database)
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
    store = PostgresSearchInsightStore(database)
    await database.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
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
    store = PostgresSearchInsightStore(database)
    await database.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
    async with database.connection() as writer, writer.transaction(isolation=isolation):
        assert await writer.fetchval("SELECT count(*) FROM search_changed_days") == 1
        await store.compute(DAYS[0], ALL, now=NOW)
        await writer.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
    await check(database)
    assert await store.days_to_compute(DAYS[0]) == [DAYS[0]]


async def test_the_log_is_truncated_in_read_committed_alone(database: Database) -> None:
    store = PostgresSearchInsightStore(database)
    await database.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
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
        await connection.execute(f"{_INSERT} VALUES ('lamp', 1, 2, $1)", DAYS[0])
        assert await connection.fetchval("SELECT count(*) FROM search_changed_days") == 0
        await connection.execute("DROP TABLE search_changed_days")
    marks = await database.fetch("SELECT search_date FROM search_changed_days")
    assert [mark[0] for mark in marks] == [DAYS[0]]


async def test_rows_of_very_many_days_take_no_more_locks_than_a_server_has(
    database: Database,
) -> None:
    many = "SELECT 'lamp', 1, 2, $1::date + n FROM generate_series(0, 9999) AS n"
    async with database.transaction() as connection:
        await connection.execute(f"{_INSERT} {many}", DAYS[0])
        held = await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
    assert held == 256
    assert await database.fetchval("SELECT count(*) FROM search_changed_days") == 10_000


async def test_the_longest_keys_are_added_up(database: Database) -> None:
    """Some characters stand for many in a key: 255 of them are more than an index takes raw."""
    store = PostgresSearchInsightStore(database)
    rng = Random(1)
    signs = [
        "\ufdfa",
        "\ufdfb",
        *map(chr, range(0x3300, 0x3358)),
        *map(chr, range(0x1F600, 0x1F640)),
    ]
    queries = ["".join(rng.choices(signs, k=255)) for _ in range(30)]
    queries += [sign * 255 for sign in signs[:3]]
    await database.copy_rows(
        "search_clicks",
        ("search_query", "clicks", "impressions", "search_date"),
        [(query, 1, 2, DAYS[0]) for query in queries],
    )
    stored = await store.compute(DAYS[0], ALL, now=NOW)
    assert stored.distinct_queries == len(set(queries)) == 33
    await check(database)
