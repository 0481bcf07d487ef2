"""A program of this project, such as the HTTPS server, as our own child."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from adapters.embedded.process import ChildProcess, ProcessCommand
from ports.server_process import ServerProcess

_READY_TIMEOUT_S: Final = 60.0
_STOP_PATIENCE_S: Final = 4.5
_ANSWER_TIMEOUT_S: Final = 5.0


class RunningProgram(ServerProcess):
    """A program that runs in our account and working directory.

    Args:
        name: what messages call it.
        argv: absolute path of the program and its arguments.
        log: the file that its output is appended to.
        env: its whole environment.
        is_ready: asked again and again after the start; None where starting is all.
        ready_timeout_s: how long that may take.
    """

    def __init__(
        self,
        *,
        name: str,
        argv: tuple[str, ...],
        log: Path,
        env: Mapping[str, str],
        is_ready: Callable[[], Awaitable[bool]] | None = None,
        ready_timeout_s: float = _READY_TIMEOUT_S,
    ) -> None:
        self._name = name
        self._log = log.resolve()
        self._is_ready = is_ready
        self._ready_timeout_s = ready_timeout_s
        self._child = ChildProcess(
            ProcessCommand(
                name=name,
                argv=argv,
                log=self._log,
                env=env,
                cwd=Path.cwd(),
                stop_signals=((signal.SIGTERM, _STOP_PATIENCE_S),),
            )
        )

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    @property
    def pid(self) -> int | None:
        """See the port."""
        return self._child.pid

    @property
    def log(self) -> Path:
        """See the port."""
        return self._log

    async def start(self) -> None:
        """See the port."""
        if self.pid is not None:
            return
        await self._child.spawn()
        if self._is_ready is not None:
            await self._child.wait_ready(self._is_ready, timeout_s=self._ready_timeout_s)

    async def wait(self) -> str:
        """See the port."""
        return await self._child.wait()

    async def stop(self) -> None:
        """See the port."""
        await self._child.stop()


def answers_http(
    host: str, port: int, path: str, *, trusted: str | None = None
) -> Callable[[], Awaitable[bool]]:
    """A question that is answered yes when `GET path` is answered 200.

    Args:
        host: name or address to connect to.
        port: TCP port.
        path: such as `/health/live`.
        trusted: PEM file of the authority, or of the certificate itself, to accept; it need not
            name `host`. None speaks plain HTTP.
    """

    async def ask() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                context = _context(trusted) if trusted else None
                reader, writer = await asyncio.open_connection(host, port, ssl=context)
                try:
                    writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                    return (await reader.readline()).split(b" ")[1:2] == [b"200"]
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):  # ValueError: a line without an end
            return False

    return ask


def _context(trusted: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
