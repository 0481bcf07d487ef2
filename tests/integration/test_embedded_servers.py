from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import on_free_port
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.program import RunningProgram
from adapters.embedded.valkey import EmbeddedValkey
from domain.errors import Unavailable
from ports.server_process import ServerProcess
from tests.contracts.server_process import ServerProcessContract
from tests.integration.stack import PATIENCE_S, processes, wait_for


def a_postgres(directory: Path, port: int | None = None) -> EmbeddedPostgres:
    return EmbeddedPostgres(
        directory=directory / "postgres",
        log=directory / "log" / "postgres.log",
        port=port,
        password="a" * 32,
        admin_password="b" * 32,
        settings={"fsync": "off"},
    )


def a_valkey(directory: Path, port: int | None = None) -> EmbeddedValkey:
    return EmbeddedValkey(
        directory=directory / "valkey",
        log=directory / "log" / "valkey.log",
        port=port,
        password="c" * 32,
    )


def a_program(directory: Path, code: str, *, ready: bool = True) -> RunningProgram:
    async def is_ready() -> bool:
        return ready

    return RunningProgram(
        name="program",
        argv=(sys.executable, "-c", code),
        log=directory / "log" / "program.log",
        env=dict(os.environ),
        is_ready=is_ready,
    )


@pytest.fixture
async def taken_port() -> AsyncIterator[int]:
    blocker = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield blocker.sockets[0].getsockname()[1]
    blocker.close()


@pytest.fixture
def place(server_directory: Path) -> Path:
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    return directory


class TestEmbeddedPostgres(ServerProcessContract):
    @pytest.fixture
    def server(self, place: Path) -> ServerProcess:
        return a_postgres(place)

    @pytest.fixture
    def broken(self, place: Path, taken_port: int) -> ServerProcess:
        return a_postgres(place, taken_port)


class TestEmbeddedValkey(ServerProcessContract):
    @pytest.fixture
    def server(self, place: Path) -> ServerProcess:
        return a_valkey(place)

    @pytest.fixture
    def broken(self, place: Path, taken_port: int) -> ServerProcess:
        return a_valkey(place, taken_port)


class TestProgram(ServerProcessContract):
    @pytest.fixture
    def server(self, place: Path) -> ServerProcess:
        return a_program(place, "import time; time.sleep(600)")

    @pytest.fixture
    def broken(self, place: Path) -> ServerProcess:
        return a_program(place, "raise SystemExit(3)", ready=False)


async def answer(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_postgres_keeps_what_was_committed_when_it_is_killed(place: Path) -> None:
    server = a_postgres(place)
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
    server = a_postgres(place)
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
    server = a_valkey(place)
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
    server = a_valkey(place)
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


async def test_a_server_that_does_not_come_up_quotes_its_log(place: Path, taken_port: int) -> None:
    for server in (a_postgres(place, taken_port), a_valkey(place, taken_port)):
        with pytest.raises(Unavailable, match=r"(?i)address already in use"):
            await server.start()
        await server.stop()


async def test_a_process_left_behind_is_ended_before_the_next_start(place: Path) -> None:
    left_behind, successor = (a_program(place, "import time; time.sleep(600)") for _ in range(2))
    await left_behind.start()
    waiting = asyncio.create_task(left_behind.wait())
    await successor.start()
    assert await waiting == "SIGTERM"
    assert successor.pid is not None
    await successor.stop()


async def test_a_log_that_has_grown_large_is_moved_aside_at_a_start(place: Path) -> None:
    (place / "log").mkdir()
    (place / "log" / "program.log").write_bytes(b"x" * 10_000_001)
    program = a_program(place, "print('hello')")
    await program.start()
    assert await program.wait() == "exit status 0"
    assert (place / "log" / "program.log").read_text() == "hello\n"
    assert (place / "log" / "program.log.1").stat().st_size == 10_000_001


async def test_what_a_program_started_ends_with_it(place: Path) -> None:
    sleeper = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    program = a_program(place, sleeper)
    await program.start()
    await program.wait()
    pid = int(program.log.read_text())
    wait_for(lambda: pid not in {p.pid for p in processes()}, lambda: f"{pid} runs", PATIENCE_S)


async def test_a_cluster_of_another_version_is_left_alone(place: Path) -> None:
    data = place / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(Unavailable, match="belongs to PostgreSQL 17"):
        await a_postgres(place).start()


async def test_another_port_is_taken_where_somebody_was_quicker() -> None:
    others, tried = AsyncExitStack(), list[int]()

    async def start(port: int) -> None:
        tried.append(port)
        if len(tried) == 1:
            quicker = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
            await others.enter_async_context(quicker)
            raise Unavailable("address already in use")

    async with others:
        assert await on_free_port(start) == tried[1] != tried[0]


async def test_a_server_that_fails_on_a_free_port_is_not_tried_on_others() -> None:
    tried = list[int]()

    async def start(port: int) -> None:
        tried.append(port)
        raise Unavailable("out of memory")

    with pytest.raises(Unavailable, match="out of memory"):
        await on_free_port(start)
    assert len(tried) == 1
