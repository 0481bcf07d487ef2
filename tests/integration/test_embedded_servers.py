from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from domain.errors import Unavailable


def a_postgres(directory: Path, port: int) -> EmbeddedPostgres:
    return EmbeddedPostgres(
        directory=directory / "postgres",
        log=directory / "log" / "postgres.log",
        port=port,
        password="a" * 32,
        admin_password="b" * 32,
        settings={"fsync": "off"},
    )


def a_valkey(directory: Path, port: int) -> EmbeddedValkey:
    return EmbeddedValkey(
        directory=directory / "valkey",
        log=directory / "log" / "valkey.log",
        port=port,
        password="c" * 32,
    )


@pytest.fixture
def place(server_directory: Path) -> Path:
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    return directory


async def answer(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_postgres_keeps_what_was_committed_when_it_is_killed(place: Path) -> None:
    server = a_postgres(place, free_port())
    await server.start()
    try:
        await answer(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
        assert server.pid is not None
        os.kill(server.pid, 9)
        assert await server.wait() == "SIGKILL"
        await server.start()
        assert await answer(server.url, "SELECT n FROM kept") == 42
        assert await answer(server.url, "SHOW timezone") == "UTC"
        assert str(await answer(server.url, "SHOW server_version")).startswith("18.")
    finally:
        await server.stop()
    assert server.pid is None


async def test_the_application_is_no_superuser_and_passwords_are_asked_for(place: Path) -> None:
    server = a_postgres(place, free_port())
    await server.start()
    try:
        assert await answer(server.url, "SELECT current_user::text") == "storekeeper"
        assert await answer(server.url, "SHOW is_superuser") == "off"
        assert await answer(server.admin_url, "SHOW is_superuser") == "on"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await answer(server.url.replace("a" * 32, "wrong"), "SELECT 1")
    finally:
        await server.stop()


async def test_valkey_keeps_what_it_synced_when_it_is_killed(place: Path) -> None:
    server = a_valkey(place, free_port())
    await server.start()
    try:
        async with Redis.from_url(server.url) as client:
            await client.set("kept", "yes")
            await client.waitaof(1, 0, 5000)
        assert server.pid is not None
        os.kill(server.pid, 9)
        assert await server.wait() == "SIGKILL"
        await server.start()
        async with Redis.from_url(server.url) as client:
            assert await client.get("kept") == b"yes"
    finally:
        await server.stop()


async def test_the_password_of_valkey_is_on_no_command_line_and_in_no_open_file(
    place: Path,
) -> None:
    server = a_valkey(place, free_port())
    await server.start()
    try:
        ps = await asyncio.create_subprocess_exec(
            *("ps", "-ww", "-o", "args=", "-p", str(server.pid)), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await ps.communicate()
        assert b"valkey-server" in output
        assert b"c" * 32 not in output
        (configuration,) = place.rglob("valkey.conf")
        assert configuration.stat().st_mode & 0o077 == 0
    finally:
        await server.stop()


async def test_a_server_that_does_not_come_up_quotes_its_log(place: Path) -> None:
    blocker = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", free_port())
    port: int = blocker.sockets[0].getsockname()[1]
    try:
        for server in (a_postgres(place, port), a_valkey(place, port)):
            with pytest.raises(Unavailable, match=r"(?i)address already in use"):
                await server.start()
            await server.stop()
    finally:
        blocker.close()


async def test_a_cluster_of_another_version_is_left_alone(place: Path) -> None:
    data = place / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(Unavailable, match="belongs to PostgreSQL 17"):
        await a_postgres(place, free_port()).start()
