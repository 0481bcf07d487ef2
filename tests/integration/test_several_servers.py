"""A DATABASE_URL of several servers leads to the one that is wanted, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest

from adapters.embedded.installation import free_port
from adapters.postgres.pool import (
    Connector,
    PoolOptions,
    connect_arguments,
    open_database,
)
from domain.errors import DatabaseUnavailable, StatementTimedOut

SHORT = PoolOptions(acquire_timeout_s=2.0)


class Silent:
    """What listens and says nothing, as a machine behind a cable that was pulled."""

    def __init__(self) -> None:
        self.port = 0
        self.asked = 0

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await reader.read()
        writer.close()


class Cable:
    """What leads to a server, until it is pulled: then nothing comes any more, not even an end."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self._server = host, port
        self._pulled = False

    def pull(self) -> None:
        self._pulled = True

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._pulled:
            await reader.read()
            writer.close()
            return
        there, back = await asyncio.open_connection(*self._server)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if not self._pulled:
                    writer.write(data)
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def cable(url: str) -> AsyncIterator[Cable]:
    parts = urlsplit(url)
    found = Cable(parts.hostname or "", parts.port or 0)
    server = await asyncio.start_server(found.lead, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


@asynccontextmanager
async def silent() -> AsyncIterator[Silent]:
    found = Silent()
    server = await asyncio.start_server(found.hear, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


def several(url: str, *ports: int, **parameters: str) -> str:
    """The URL with more servers before its own."""
    parts = urlsplit(url)
    hosts = ",".join([*(f"127.0.0.1:{port}" for port in ports), f"{parts.hostname}:{parts.port}"])
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://{parts.username}:{parts.password}@{hosts}{parts.path}?{query}"


async def test_a_server_that_is_silent_takes_no_time_from_the_next(database_url: str) -> None:
    async with silent() as other:
        url = several(database_url, other.port)
        connect = Connector(connect_arguments(url, PoolOptions()))
        for _ in range(2):
            connection = await connect()
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
        assert other.asked == 1, "the server that answered is asked first from then on"


async def test_a_server_that_refuses_is_passed_over(database_url: str) -> None:
    url = several(database_url, free_port(), target_session_attrs="primary")
    async with open_database(url, PoolOptions()) as database:
        assert await database.fetchval("SELECT 1") == 1


async def test_where_none_will_do_the_error_says_of_each_why_not(database_url: str) -> None:
    port = free_port()
    async with silent() as other:
        url = several(database_url, other.port, port, target_session_attrs="standby")
        with pytest.raises(ConnectionError) as told:
            await Connector(connect_arguments(url, SHORT))()
    said = str(told.value).split("; ")
    assert said[0] == f"127.0.0.1:{other.port}: no answer within 0.7 s"
    assert said[1].startswith(f"127.0.0.1:{port}: ")
    assert "refused" in said[1] or "Connect call failed" in said[1]
    assert "target attribute requirement" in said[2]
    assert (urlsplit(database_url).password or "") in database_url
    assert f":{urlsplit(database_url).password}" not in str(told.value)


async def test_a_password_that_is_wrong_is_not_tried_at_the_next_server(
    database_url: str,
) -> None:
    parts = urlsplit(database_url)
    url = several(database_url.replace(parts.password or "", "wrong"), parts.port or 0)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await Connector(connect_arguments(url, PoolOptions()))()


async def test_a_server_that_is_silent_is_away_and_not_busy() -> None:
    async with silent() as other:
        url = f"postgresql://shop:secret@127.0.0.1:{other.port}/shop"
        async with open_database(url, SHORT) as database:
            with pytest.raises(DatabaseUnavailable):
                await database.fetchval("SELECT 1")


async def test_a_standby_is_preferred_among_all_where_that_is_asked_for(
    database_url: str,
) -> None:
    url = several(database_url, free_port(), target_session_attrs="prefer-standby")
    connection = await Connector(connect_arguments(url, PoolOptions()))()
    assert await connection.fetchval("SELECT pg_is_in_recovery()") is False
    await connection.close()


async def test_of_the_connections_to_a_server_that_fell_silent_one_is_enough_to_leave_it(
    database_url: str,
) -> None:
    options = PoolOptions(size=4, acquire_timeout_s=4.0, statement_timeout_s=1.0)
    async with (
        cable(database_url) as way,
        open_database(several(database_url, way.port), options) as database,
    ):
        await asyncio.gather(*(database.fetchval("SELECT pg_sleep(0.2)") for _ in range(4)))
        way.pull()
        with pytest.raises(StatementTimedOut):
            await database.fetchval("SELECT 1")
        for _ in range(4):
            assert await database.fetchval("SELECT 1") == 1
