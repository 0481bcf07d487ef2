"""Connections that break in the middle of anything: only the application's own errors come out."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from adapters.postgres.inserts import insert_rows
from adapters.postgres.insights import search_clicks
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.unit_of_work import PostgresUnitOfWorkFactory
from domain.errors import DatabaseBusy, DatabaseUnavailable, NotFound, StatementTimedOut
from domain.records.users import UserId
from tests.integration.insights import write_log

_OPTIONS = PoolOptions(size=4, acquire_timeout_s=10, statement_timeout_s=10)
_COLUMNS = ("search_query", "clicks", "impressions")
_ROWS = [("oat milk", 1, 2)] * 5_000
_CALLERS, _CALLS = 6, 40
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@asynccontextmanager
async def terminated(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A database of which all connections are ended again and again, and how to stop that."""

    async def end_all() -> None:
        connection = await asyncpg.connect(url)
        try:
            while True:
                await connection.execute(_END)
                await asyncio.sleep(chance.random() * 0.03)
        finally:
            await connection.close()

    def stop() -> None:
        ending.cancel()

    chance = random.Random(1)
    ending = asyncio.create_task(end_all())
    try:
        yield url, stop
    finally:
        ending.cancel()
        await asyncio.wait([ending])


@asynccontextmanager
async def cut(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A way to a database that breaks after some bytes, in any message; and how to mend it."""
    parts, chance, mended = urlsplit(url), random.Random(2), asyncio.Event()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(parts.hostname, parts.port)
        left = 600 + chance.expovariate(1 / 3_000)
        end = "close" if chance.random() < 0.5 else "abort"

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            nonlocal left
            try:
                while data := await source.read(65_536):
                    if not mended.is_set():
                        sink.write(data[: int(left)])
                        left -= len(data)
                        if left <= 0:
                            break
                    else:
                        sink.write(data)
                    await sink.drain()
            except OSError:
                pass
            for each in (writer, other_writer):
                getattr(each.transport, end)()

        await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    async with server:
        yield urlunsplit(parts._replace(netloc=netloc)), mended.set


def calls(database: Database, chance: random.Random) -> list[Callable[[], Awaitable[object]]]:
    """Every way in which statements reach the pool; each is undone or harmless."""
    units = PostgresUnitOfWorkFactory(database)

    async def transaction() -> None:
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL statement_timeout = '9s'")
            await connection.fetch("SELECT generate_series(1, 3000)")
            await insert_rows(connection, "search_clicks", _COLUMNS, _ROWS)

    async def unit() -> None:
        async with units() as opened:
            await opened.users.get(UserId(1))
            await opened.commit()

    async def given_up() -> None:
        async with asyncio.timeout(chance.random() * 0.01):
            await transaction()

    return [
        lambda: database.fetch("SELECT generate_series(1, 3000), repeat('x', 50)"),
        lambda: database.execute("SELECT pg_sleep(0.002)"),
        lambda: database.fetchval("SELECT $1::int", 3),
        lambda: write_log(database, _COLUMNS, _ROWS),
        transaction,
        unit,
        given_up,
    ]


@pytest.mark.parametrize("broken", [terminated, cut])
async def test_whenever_a_connection_breaks_the_database_is_unavailable_and_then_works_again(
    fresh_database_url: str,
    broken: Callable[[str], Any],
) -> None:
    outcomes: Counter[str] = Counter()

    async def caller(database: Database, number: int) -> None:
        chance = random.Random(number)
        possible = calls(database, chance)
        for _ in range(_CALLS):
            try:
                await chance.choice(possible)()
            except (
                DatabaseUnavailable,
                DatabaseBusy,
                NotFound,
                StatementTimedOut,
                TimeoutError,
            ) as error:
                outcomes[type(error).__name__] += 1

    async with broken(fresh_database_url) as (url, mend), open_database(url, _OPTIONS) as database:
        await asyncio.gather(*(caller(database, number) for number in range(_CALLERS)))
        assert outcomes["DatabaseUnavailable"] > _CALLERS
        assert outcomes["NotFound"] > 0  # some come through
        mend()
        for _ in range(_OPTIONS.size):  # what broke before it was mended may lie in the pool
            try:
                await database.fetchval("SELECT 1")
            except DatabaseUnavailable:
                continue
        found = await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(20)))
        assert found == [1] * 20


async def test_a_commit_that_the_server_refuses_is_told_as_what_it_is(
    fresh_database_url: str,
) -> None:
    async with open_database(fresh_database_url, _OPTIONS) as database:
        await database.execute(
            "CREATE TABLE late"
            " (id INT, CONSTRAINT late_key UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        with pytest.raises(asyncpg.UniqueViolationError):
            async with PostgresUnitOfWorkFactory(database)() as unit:
                await unit._connection.execute("INSERT INTO late VALUES (1), (1)")
                await unit.commit()
        assert await database.fetchval("SELECT count(*) FROM late") == 0


async def test_who_falls_silent_in_a_transaction_gives_back_what_it_locked(
    fresh_database_url: str,
) -> None:
    """Its machine may be gone: a retry elsewhere would find its key in use for hours."""
    hasty = PoolOptions(idle_transaction_timeout_s=0.2)
    async with (
        open_database(fresh_database_url, hasty) as silent,
        open_database(fresh_database_url, PoolOptions()) as other,
    ):
        assert await other.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"
        with pytest.raises(DatabaseUnavailable):
            async with silent.transaction() as connection:
                await connection.execute("SELECT pg_advisory_xact_lock(4711)")
                async with asyncio.timeout(60):
                    while not await other.fetchval("SELECT pg_try_advisory_xact_lock(4711)"):
                        await asyncio.sleep(0.05)
                await connection.fetchval("SELECT 1")
        assert await silent.fetchval("SELECT 1") == 1


async def test_an_owner_may_choose_how_long_a_transaction_rests(fresh_database_url: str) -> None:
    url = f"{fresh_database_url}?options=-c%20idle_in_transaction_session_timeout%3D7s"
    async with open_database(url, PoolOptions()) as database:
        assert await database.fetchval("SHOW idle_in_transaction_session_timeout") == "7s"


async def test_who_takes_an_export_may_be_slow(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_clicks, "_FETCH_ROWS", 1)
    hasty = PoolOptions(idle_transaction_timeout_s=0.2)
    async with open_database(fresh_database_url, hasty) as database:
        await database.execute("INSERT INTO search_clicks (search_query) VALUES ('rug'), ('mug')")
        async with aclosing(search_clicks.PostgresSearchClickExport(database).rows()) as blocks:
            taken = 0
            async for block in blocks:
                taken += len(block)
                await asyncio.sleep(0.5)
    assert taken == 2
