"""Real servers for the integration tests: those named by the environment, or embedded ones.

`TEST_DATABASE_URL` names a PostgreSQL server whose role may create databases (and roles: otherwise
the owner of the tables serves them in the tests too); `TEST_REDIS_URL` a
Valkey or Redis whose database is emptied. Without them, servers are started for the session in a
temporary directory, and the kernel ends them with the session even if that is killed.

`TEST_TRANSACTION_POOLER=1` has all that is under test come through PgBouncer in transaction mode.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.asyncio import Redis

from adapters.embedded.postgres import ROLE, EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.migrations import migrate
from tests.integration import service_role
from tests.integration.owners_database import drop_database, execute
from tests.integration.servers import transaction_pooler

# Nothing here has to outlive a power cut, and databases are dropped once autovacuum has left them.
_HASTY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_vacuum_cost_delay": "0",
}


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A directory that other accounts can enter: as root, the servers run in one."""
    parent = "/var/tmp" if os.geteuid() == 0 else None  # noqa: S108 (TMPDIR may be closed to them)
    with tempfile.TemporaryDirectory(prefix="storekeeper-", dir=parent) as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="session")
async def postgres_server(server_directory: Path) -> AsyncIterator[str]:
    """URL of a PostgreSQL server, as a role that may create databases."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    server = EmbeddedPostgres(
        directory=server_directory / "postgres",
        log=server_directory / "log" / "postgres.log",
        password=secrets.token_hex(16),
        admin_password=secrets.token_hex(16),
        settings=_HASTY,
    )
    try:
        await server.start()
        await execute(server.admin_url, f"ALTER ROLE {ROLE} CREATEROLE")
        yield server.url
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def redis_url(server_directory: Path) -> AsyncIterator[str]:
    """URL of a Valkey or Redis that starts empty."""
    if url := os.environ.get("TEST_REDIS_URL"):
        async with Redis.from_url(url) as client:
            await client.flushdb()
        yield url
        return
    server = EmbeddedValkey(
        directory=server_directory / "valkey",
        log=server_directory / "log" / "valkey.log",
        password=secrets.token_hex(16),
        settings={"appendonly": "no"},
    )
    try:
        await server.start()
        yield server.url
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def _template(postgres_server: str, server_directory: Path) -> AsyncIterator[str]:
    """Name of a migrated database without connections: copying it is faster than migrating."""
    async with (
        _database(postgres_server, f"template_{secrets.token_hex(6)}") as url,
        AsyncExitStack() as stack,
    ):
        await migrate(url)
        await service_role.let_in(url)
        if os.environ.get("TEST_TRANSACTION_POOLER"):
            address = service_role.service_url(url)
            assert address != url, "a pooler knows the service's role alone, and there is none"
            # Nobody may be connected to what is copied: it is tried with another database.
            elsewhere = urlsplit(address)._replace(path=urlsplit(postgres_server).path)
            pooler = transaction_pooler(
                urlunsplit(elsewhere),
                server_directory / "pooler",
                connections=20,
                all_databases=True,
            )
            pooled = await stack.enter_async_context(pooler)
            service_role.pool(_server(url), _server(pooled))
            # The pooler keeps connections: who drops a database has to end those of the role.
            await execute(postgres_server, f"GRANT {service_role.ROLE} TO CURRENT_USER")
        yield urlsplit(url).path.lstrip("/")
    await execute(postgres_server, f"DROP ROLE IF EXISTS {service_role.ROLE}")


@pytest.fixture(scope="session")
async def database_url(postgres_server: str, _template: str) -> AsyncIterator[str]:
    """URL of one migrated database, shared by the whole session."""
    async with _database(postgres_server, f"shared_{secrets.token_hex(6)}", _template) as url:
        yield url


@pytest.fixture(scope="module")
async def module_database_url(postgres_server: str, _template: str) -> AsyncIterator[str]:
    """URL of a migrated, empty database of the module's own."""
    async with _database(postgres_server, f"module_{secrets.token_hex(6)}", _template) as url:
        yield url


@pytest.fixture
async def fresh_database_url(postgres_server: str, _template: str) -> AsyncIterator[str]:
    """URL of a migrated, empty database of the test's own."""
    async with _database(postgres_server, f"test_{secrets.token_hex(6)}", _template) as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_server: str) -> AsyncIterator[str]:
    """URL of a database of the test's own without any table."""
    async with _database(postgres_server, f"empty_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture(scope="session")
def copy_of(postgres_server: str) -> Callable[[str], AbstractAsyncContextManager[str]]:
    """Makes a copy of a migrated database, to which nobody may be connected, by its URL."""

    def copy(url: str) -> AbstractAsyncContextManager[str]:
        name = urlsplit(url).path.lstrip("/")
        return _database(postgres_server, f"copy_{secrets.token_hex(6)}", name)

    return copy


@asynccontextmanager
async def _database(server: str, name: str, template: str = "template1") -> AsyncIterator[str]:
    """A new database, dropped at the end whoever is still connected."""
    await execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    if service_role.is_served(urlunsplit(urlsplit(server)._replace(path=f"/{template}"))):
        service_role.serve(url)
    try:
        yield url
    finally:
        await drop_database(server, name)


def _server(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
