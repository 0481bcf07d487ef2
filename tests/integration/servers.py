"""Servers that only some machines have: another PostgreSQL, a transaction pooler."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from adapters.embedded.installation import (
    ServerAccount,
    free_port,
    own_directory,
    unprivileged_account,
)
from adapters.embedded.process import ChildProcess, ProcessCommand, launched


@asynccontextmanager
async def debian_postgres(version: int, directory: Path) -> AsyncIterator[str]:
    """URL of a new cluster's superuser, from Debian's package of that major version."""
    binaries = Path(f"/usr/lib/postgresql/{version}/bin")
    if not (binaries / "initdb").exists():
        pytest.skip(f"{binaries} has no PostgreSQL {version} (Debian: postgresql-{version})")
    account = unprivileged_account()
    data, port = directory / "data", free_port()
    own_directory(data, account)
    await _run(
        (
            *(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        ),
        account,
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "timezone": "Asia/Kathmandu",  # ours must not matter
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    server = ChildProcess(
        ProcessCommand(
            name=f"postgres {version}",
            argv=(str(binaries / "postgres"), "-D", str(data), *words),
            log=directory / "postgres.log",
            account=account,
        )
    )
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    async with _running(server, url):
        yield url


@asynccontextmanager
async def transaction_pooler(
    database_url: str,
    directory: Path,
    *,
    connections: int = 3,
    all_databases: bool = False,
    ignored: str = "",
) -> AsyncIterator[str]:
    """URL of the same database through PgBouncer in transaction mode.

    Args:
        database_url: what is to be reached.
        directory: of the pooler's own.
        connections: that it holds to a database at most.
        all_databases: whether it leads to the others of the server too.
        ignored: parameters of the session that it takes without a word, with commas.
    """
    binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        pytest.skip("there is no pgbouncer on this machine (Debian: pgbouncer)")
    account = unprivileged_account()
    parts, port = urlsplit(database_url), free_port()
    name = parts.path.lstrip("/")
    own_directory(directory, account)
    server = f"host={parts.hostname} port={parts.port}"
    (directory / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"""
        [databases]
        {f"* = {server}" if all_databases else f"{name} = {server} dbname={name}"}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = scram-sha-256
        auth_file = {directory}/users.txt
        pool_mode = transaction
        default_pool_size = {connections}
        max_client_conn = 500
        {"" if not ignored else f"ignore_startup_parameters = {ignored}"}
        """.replace("\n        ", "\n")
    )
    if account is not None:
        for path in directory.iterdir():
            os.chown(path, account.uid, account.gid)
    pooler = ChildProcess(
        ProcessCommand(
            name="pgbouncer",
            argv=(binary, str(directory / "pgbouncer.ini")),
            log=directory.with_suffix(".log"),
            account=account,
        )
    )
    url = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
    async with _running(pooler, url):
        yield f"{url}?pooler=transaction"


@asynccontextmanager
async def _running(server: ChildProcess, url: str) -> AsyncIterator[None]:
    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    await server.spawn()
    try:
        await server.wait_ready(answers, timeout_s=60)
        yield
    finally:
        await server.stop()


async def _run(argv: tuple[str, ...], account: ServerAccount | None) -> None:
    process = await asyncio.create_subprocess_exec(
        *launched(argv, account),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd="/",
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
