"""A server that runs nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from domain.errors import Unavailable
from ports.server_process import ServerProcess


class MemoryServerProcess(ServerProcess):
    """Starts and ends as it is told.

    Args:
        name: what messages call it.
        failures: how many of its next starts fail.
    """

    def __init__(self, name: str, *, failures: int = 0) -> None:
        self._name = name
        self._failures = failures
        self._ended: asyncio.Future[str] | None = None
        self.starts = 0

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    @property
    def pid(self) -> int | None:
        """See the port; the number of its starts."""
        running = self._ended is not None and not self._ended.done()
        return self.starts if running else None

    @property
    def log(self) -> Path:
        """See the port."""
        return Path(f"{self._name}.log")

    async def start(self) -> None:
        """See the port."""
        if self.pid is not None:
            return
        if self._failures:
            self._failures -= 1
            raise Unavailable(f"{self._name} cannot start")
        self.starts += 1
        self._ended = asyncio.get_running_loop().create_future()

    async def wait(self) -> str:
        """See the port."""
        return "not started" if self._ended is None else await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """See the port."""
        self.end("SIGTERM")

    def end(self, how: str) -> None:
        """Have it end."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(how)

    def fail_next(self, failures: int) -> None:
        """Have its next starts fail."""
        self._failures = failures
