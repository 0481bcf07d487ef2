from __future__ import annotations

import asyncio

import pytest

from domain.errors import Unavailable
from entrypoints.up.supervisor import Supervisor, restart_delay_s
from ports.server_process import ServerProcess
from tests.contracts.server_process import ServerProcessContract
from tests.fakes.system import MemoryServerProcess


class TestMemoryServerProcess(ServerProcessContract):
    @pytest.fixture
    def server(self) -> ServerProcess:
        return MemoryServerProcess("web")

    @pytest.fixture
    def broken(self) -> ServerProcess:
        return MemoryServerProcess("web", failures=1)


class Watched:
    """A supervisor whose waits take no time and are noted."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.waits_s: list[float] = []
        self.supervisor = Supervisor(self.said.append, self._sleep)

    async def _sleep(self, delay_s: float) -> None:
        self.waits_s.append(delay_s)
        await asyncio.sleep(0)

    async def until(self, server: MemoryServerProcess, starts: int) -> None:
        async with asyncio.timeout(120):
            while server.starts < starts or server.pid is None:
                await asyncio.sleep(0)


def test_each_restart_waits_twice_as_long_up_to_half_a_minute() -> None:
    assert [restart_delay_s(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert restart_delay_s(10_000) == 30


async def test_a_server_that_ends_is_started_again_and_that_is_said() -> None:
    watched, server = Watched(), MemoryServerProcess("web")
    await watched.supervisor.start(server)
    server.end("SIGKILL")
    await watched.until(server, 2)
    await watched.supervisor.stop()
    assert watched.said == [
        "web ended (SIGKILL); its log: web.log",
        "web starts again in 0.5 s",
        "web is running again (process 2)",
    ]


async def test_a_server_that_ends_again_and_again_is_started_later_each_time() -> None:
    watched, server = Watched(), MemoryServerProcess("web")
    await watched.supervisor.start(server)
    for start in range(2, 6):
        server.end("exit status 1")
        await watched.until(server, start)
    await watched.supervisor.stop()
    assert watched.waits_s == [0.5, 1, 2, 4]


async def test_a_restart_that_fails_is_tried_again() -> None:
    watched, server = Watched(), MemoryServerProcess("web")
    await watched.supervisor.start(server)
    server.fail_next(2)
    server.end("SIGKILL")
    await watched.until(server, 2)
    await watched.supervisor.stop()
    assert watched.waits_s == [0.5, 1, 2]
    assert "web cannot start" in watched.said
    assert "web cannot start, as before (3 times in a row)" in watched.said


async def test_a_first_start_that_fails_is_the_callers_to_handle() -> None:
    watched = Watched()
    with pytest.raises(Unavailable, match="web cannot start"):
        await watched.supervisor.start(MemoryServerProcess("web", failures=1))
    await watched.supervisor.stop()


async def test_a_server_that_may_come_later_is_tried_until_it_starts() -> None:
    watched, server = Watched(), MemoryServerProcess("model", failures=2)
    watched.supervisor.start_later(server)
    await watched.until(server, 1)
    await watched.supervisor.stop()
    assert watched.waits_s == [0.5, 1]
    assert server.pid is None


async def test_the_stores_are_stopped_when_what_uses_them_has_ended() -> None:
    watched, order = Watched(), list[str]()

    class Noted(MemoryServerProcess):
        async def stop(self) -> None:
            await asyncio.sleep(0)
            order.append(self.name)
            await super().stop()

    store, web, worker = Noted("store"), Noted("web"), Noted("worker")
    for server in (store, web, worker):
        await watched.supervisor.start(server)
    await watched.supervisor.stop(last=[store])
    assert order == ["web", "worker", "store"]
    assert watched.said == []
