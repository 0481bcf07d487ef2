"""Keeps servers running: one that ends is started again, later each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from domain.errors import Unavailable
from ports.server_process import ServerProcess

_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 30.0
_STABLE_AFTER_S: Final = 60.0


def restart_delay_s(failures: int) -> float:
    """The wait before a restart, after `failures` (>= 1) ends in a row: 0.5, 1, 2 ... 30 s."""
    exponent = min(failures - 1, 16)
    return min(_FIRST_DELAY_S * 2.0**exponent, _LONGEST_DELAY_S)


class Supervisor:
    """Watches servers from their start to the stop of all.

    Args:
        say: told in a line what happens.
        sleep: waits for a number of seconds.
        note: told of a server whether it is ready, each time that this changes.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        note: Callable[[ServerProcess, bool], None] = lambda _, __: None,
    ) -> None:
        self._say = say
        self._sleep = sleep
        self._note = note
        self._watches: list[asyncio.Task[None]] = []
        self._started: list[ServerProcess] = []
        self._told: dict[str, str] = {}

    async def start(self, server: ServerProcess) -> None:
        """Start `server`, and from then on keep it running.

        Raises:
            Unavailable: its first start failed; `stop` still ends what is left of it.
        """
        self._started.append(server)
        self._note(server, False)
        await server.start()
        self._note(server, True)
        self._watches.append(asyncio.create_task(self._keep(server)))

    def start_later(self, server: ServerProcess) -> asyncio.Event:
        """Start `server` without waiting for it, trying until it succeeds, and keep it running.

        Returns:
            Set when the first try has ended, whether or not it runs then.
        """
        self._started.append(server)
        tried = asyncio.Event()
        self._watches.append(asyncio.create_task(self._start_and_keep(server, tried)))
        return tried

    async def stop(self, *, last: Collection[ServerProcess] = ()) -> None:
        """Stop everything that was started; those of `last` when the others have ended."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await self._stop_all([server for server in self._started if server not in last])
        await self._stop_all([server for server in self._started if server in last])
        self._started.clear()
        self._watches.clear()

    async def _stop_all(self, servers: list[ServerProcess]) -> None:
        for error in await asyncio.gather(*(s.stop() for s in servers), return_exceptions=True):
            if isinstance(error, BaseException):
                self._say(f"Stopping failed: {error}")

    async def _start_and_keep(self, server: ServerProcess, tried: asyncio.Event) -> None:
        self._note(server, False)
        try:
            await server.start()
        except Unavailable as error:
            self._tell(server, str(error), failures=1)
            tried.set()
            await self._restart(server, failures=1)
        else:
            self._note(server, True)
            self._say(f"{server.name} is ready")
            tried.set()
        await self._keep(server)

    async def _keep(self, server: ServerProcess) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            how = await server.wait()
            self._note(server, False)
            failures = 1 if loop.time() - began > _STABLE_AFTER_S else failures + 1
            often = f", {failures} times in a row" if failures > 1 else ""
            self._say(f"{server.name} ended ({how}){often}; its log: {server.log}")
            failures = await self._restart(server, failures)

    def _tell(self, server: ServerProcess, why: str, failures: int) -> None:
        """Say why a start failed; the same reason once more in a line."""
        if self._told.get(server.name) == why:
            why = f"{server.name} cannot start, as before ({failures} times in a row)"
        else:
            self._told[server.name] = why
        self._say(why)

    async def _restart(self, server: ServerProcess, failures: int) -> int:
        """Start `server` again, however often it takes; returns the failures in a row by then."""
        while True:
            delay_s = restart_delay_s(failures)
            self._say(f"{server.name} starts again in {delay_s:g} s")
            await self._sleep(delay_s)
            try:
                await server.stop()
                await server.start()
            except Unavailable as error:
                failures += 1
                self._tell(server, str(error), failures)
            else:
                self._note(server, True)
                self._say(f"{server.name} is running again (process {server.pid})")
                return failures
