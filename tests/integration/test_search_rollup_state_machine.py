"""Two who write in transactions of their own, and one who adds up, in random histories."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

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

from adapters.postgres.insights.search_clicks import PostgresSearchClickPruner
from adapters.postgres.insights.search_insights import (
    PostgresSearchAnalyser,
    PostgresSearchInsightRepository,
)
from adapters.postgres.pool import Database
from domain.errors import WriteConflict
from domain.insights.model import SearchClickRow
from tests.fakes.insight_rates import daily_ctr
from tests.fakes.insights import MemorySearchAnalyser
from tests.integration.insights import emptied
from tests.integration.search_rollup import (
    ALL,
    DAYS,
    FIVE,
    INSERT,
    NOW,
    PERIOD,
    Isolation,
    check,
    rows_in,
)

rows = st.builds(
    SearchClickRow,
    search_query=st.sampled_from(["lamp", " Lamp", "sofa", "rug", "", None]),
    clicks=st.none() | st.integers(-1, 9),
    impressions=st.none() | st.integers(0, 30),
    search_date=st.sampled_from([*DAYS, *DAYS, None, date.max]),
    click_through_rate=st.none() | st.sampled_from([0.0, 0.5, float("nan")]),
)
days = st.sampled_from(DAYS)
writers = st.integers(0, 1)


class Writing(RuleBasedStateMachine):
    """Two who write in transactions of their own, and one who adds up in between."""

    loop: asyncio.AbstractEventLoop
    database: Database
    connections: Sequence[asyncpg.pool.PoolConnectionProxy]

    def __init__(self) -> None:
        super().__init__()
        self.open: list[asyncpg.transaction.Transaction | None] = [None, None]
        self.pruned: list[SearchClickRow] = []
        self.store = PostgresSearchInsightRepository(self.database, lock_timeout_s=0.02)
        self.retention = PostgresSearchClickPruner(self.database, self.store)
        self.run(self.database.execute("TRUNCATE search_clicks, search_pruned_days"))
        self.run(self.database.execute("TRUNCATE search_insights, search_query_days, search_days"))
        self.run(self.database.execute("TRUNCATE search_changed_days"))
        # So that every history finds rows to change, and days that are added up.
        for day in DAYS:
            self.run(self.database.execute(f"{INSERT} {FIVE}", day))
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
    def insert(self, writer: int, given: list[SearchClickRow]) -> None:
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
    def undo_to_a_savepoint(self, writer: int, row: SearchClickRow) -> None:
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
        except WriteConflict:  # a writer holds the day
            assert any(self.open)
            return
        truth = daily_ctr(day, self.run(self.counted_rows()))
        assert (stored.clicks, stored.source_rows) == (truth.clicks, truth.source_rows)

    @rule(day=days)
    def prune(self, day: date) -> None:
        of_day = [row for row in self.run(self.committed_rows()) if row.search_date == day]
        try:
            deleted = self.run(self.retention.prune(day, ALL, now=NOW))
        except WriteConflict:  # a writer holds the day
            assert any(self.open)
            return
        assert deleted == len(of_day)
        self.pruned += of_day

    async def committed_rows(self) -> list[SearchClickRow]:
        async with self.database.connection() as connection:
            return await rows_in(connection)

    async def counted_rows(self) -> list[SearchClickRow]:
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
        found = self.run(PostgresSearchAnalyser(self.database).analyse(PERIOD, ALL))
        raw = self.run(self.counted_rows())
        assert found == self.run(MemorySearchAnalyser(raw).analyse(PERIOD, ALL))

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
        database = await stack.enter_async_context(emptied(module_database_url, as_owner=True))
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
