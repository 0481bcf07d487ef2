"""The asyncpg pool, bounded in size and in every wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.transaction import Transaction

from adapters.postgres.errors import (
    CONNECTION_FAULTS,
    RETRYABLE,
    cannot_be_reached,
    connection_died,
    translated,
)
from adapters.postgres.moments import tell_moments
from adapters.postgres.schema import numbered
from adapters.postgres.sequences import catch_up
from adapters.postgres.urls import read_database_url
from domain.errors import DatabaseBusy, WriteConflict
from ports.health import ConnectionPool, PoolUsage

_log = logging.getLogger(__name__)
T = TypeVar("T")
Connection = PoolConnectionProxy
_TRIES: Final = 3
_RELEASE_S: Final = 2.0
"""How long a statement that was given up may take to be cancelled at the server."""
CANNOT_CONNECT: Final = (ValueError, *CONNECTION_FAULTS)
"""All that making a connection may raise."""


class SqlExecutor(Protocol):
    """What a repository needs: a pool (each statement its own transaction) or one transaction."""

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""
        ...

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row."""
        ...

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row."""
        ...

    async def execute(self, sql: str, *args: Any) -> str:
        """The command tag, such as `DELETE 1`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How connections are made and held.

    Attributes:
        size: connections, at most.
        acquire_timeout_s: longest wait for a free connection, connecting included.
        statement_timeout_s: longest run of one statement.
        idle_transaction_timeout_s: longest pause between two statements of a transaction. Then the
            server undoes it: the machine that began it is gone, and would hold what it locked
            until TCP notices, which takes hours.
        transaction_pooler: a pooler in transaction mode stands between (PgBouncer, Supabase's
            port 6543), where prepared statements and session settings do not survive.
    """

    size: int = 8
    acquire_timeout_s: float = 5.0
    statement_timeout_s: float = 10.0
    idle_transaction_timeout_s: float = 30.0
    transaction_pooler: bool = False


def connect_arguments(url: str, options: PoolOptions) -> dict[str, Any]:
    """Keyword arguments of `asyncpg.connect` for `url`; it and `options` may each name a pooler.

    `timeout` is that of one server, where there are several; see `Connector`.

    Raises:
        DatabaseUrlError: the URL cannot be used.
    """
    address = read_database_url(url)
    where = address.connect_arguments()
    servers = len(where["host"] or [None])
    pooled = options.transaction_pooler or address.pooled
    settings = {"timezone": "UTC", **address.startup}
    if not pooled:  # a pooler knows no other start-up parameter
        settings["statement_timeout"] = str(round(options.statement_timeout_s * 1000))
    return {
        **where,
        "timeout": address.connect_timeout_s or options.acquire_timeout_s / servers,
        # Past the server's own timeout, so that it speaks first; alone behind a pooler.
        "command_timeout": options.statement_timeout_s + (0 if pooled else 1),
        "statement_cache_size": 200 if address.keeps_statements and not pooled else 0,
        "server_settings": settings,
    }


class Connector:
    """Makes connections to the server that a DATABASE_URL names, or to one of several.

    The driver has one timeout for all servers together, which the first takes whole when its
    machine is gone, so that nothing even refuses. Here each has its share of the wait, and the one
    that was connected to last is asked first.

    Args:
        arguments: of `connect_arguments`.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        hosts, ports = arguments["host"] or [None], arguments["port"] or [None]
        ports = ports * len(hosts) if len(ports) == 1 else ports
        self._servers = list(zip(hosts, ports, strict=True))
        if "target_session_attrs=prefer-standby" in arguments["dsn"]:
            # The driver chooses among all: a server that stands alone would always do.
            self._servers = [(arguments["host"], arguments["port"])]
        self._arguments = arguments

    async def __call__(self, _: object = None, /, **more: Any) -> asyncpg.Connection:
        """A new connection.

        Args:
            more: what a pool says besides; of it too is the address, which it does not know.

        Raises:
            ConnectionError: no server was reached that is as `target_session_attrs` wants it; the
                message says of each why not.
            ValueError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError: another fault.
        """
        faults = []
        for server in tuple(self._servers):
            host, port = server
            try:
                connection: asyncpg.Connection = await asyncpg.connect(
                    **{**self._arguments, "host": host, "port": port, **more}
                )
            except TimeoutError:
                faults.append((server, f"no answer within {self._arguments['timeout']:.1f} s"))
            except _NOT_THIS_ONE as error:
                if len(self._servers) == 1:
                    raise
                faults.append((server, str(error)))
            else:
                self._servers.remove(server)
                self._servers.insert(0, server)
                return connection
        told = (
            f"{host or 'server'}{f':{port}' if port else ''}: {why}" for (host, port), why in faults
        )
        raise ConnectionError("; ".join(told))


_NOT_THIS_ONE: Final = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.exceptions.TargetServerAttributeNotMatched,
)
"""Upon which the next server is asked, as libpq does."""


class _Connection(asyncpg.Connection):
    """A connection that is closed, whether or not its server still says so."""

    __slots__ = ()

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 (the driver's)
        """Close it; where the server does not answer in `timeout` seconds, at once.

        The pool does this in a task that nobody waits for.
        """
        with suppress(TimeoutError):
            await super().close(timeout=timeout)


class Database(ConnectionPool):
    """A pool of connections; each method runs one statement in its own transaction.

    A statement that the server undid (serialization, deadlock) is run again, 3 times in all.

    Raises (each method):
        DatabaseBusy: no connection was free in time.
        WriteConflict, DatabaseReadOnly, DatabaseUnavailable, StatementTimedOut: see `translated`.
    """

    def __init__(self, pool: asyncpg.Pool, options: PoolOptions) -> None:
        self._pool = pool
        self._options = options

    def usage(self) -> PoolUsage:
        """See the port."""
        idle = self._pool.get_idle_size()
        return PoolUsage(
            busy=self._pool.get_size() - idle, idle=idle, most=self._pool.get_max_size()
        )

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""
        return await self._run(lambda connection: connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row."""
        return await self._run(lambda connection: connection.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row."""
        return await self._run(lambda connection: connection.fetchval(sql, *args))

    async def execute(self, sql: str, *args: Any) -> str:
        """The command tag, such as `DELETE 1`."""
        return await self._run(lambda connection: connection.execute(sql, *args))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection, for as long as the block runs."""
        try:
            connection = await self._pool.acquire(timeout=self._options.acquire_timeout_s)
        except TimeoutError as error:
            if self._pool.get_size() < self._options.size:  # it waited for a server
                raise cannot_be_reached() from error
            raise DatabaseBusy(
                "No database connection was free: try again.", retry_after_s=1
            ) from error
        except CANNOT_CONNECT as error:
            raise cannot_be_reached() from error
        try:
            yield connection
        except TimeoutError:
            # A server that lives speaks before the driver gives up. Its machine may be gone, and
            # every other open connection to it would have to be found out in the same way.
            await self._pool.expire_connections()
            raise
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            if connection_died(error):
                _terminate(connection)
            raise
        finally:
            await self._release(connection)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Literal["read_committed"] | None = None
    ) -> AsyncIterator[Connection]:
        """One transaction: committed when the block ends, undone when it raises.

        Args:
            isolation: what it needs, whatever the database's default is; None for the default.
        """
        with translated():
            async with self.ids_in_step(), self.connection() as connection:
                transaction = connection.transaction(isolation=isolation)
                await transaction.start()
                try:
                    yield connection
                except BaseException:
                    await roll_back(connection, transaction)
                    raise
                await transaction.commit()

    async def _release(self, connection: Connection) -> None:
        """Give a connection back; asyncpg closes one that it cannot clean."""
        try:
            await self._pool.release(connection, timeout=_RELEASE_S)
        except CONNECTION_FAULTS as error:
            _log.info("a database connection was closed: %s", error)

    @asynccontextmanager
    async def ids_in_step(self) -> AsyncIterator[None]:
        """What is undone inside over an id that a row has already can be done again.

        Raises:
            WriteConflict: so it was; the ids go on behind those of all rows now.
        """
        try:
            yield
        except asyncpg.UniqueViolationError as error:
            if not await self._caught_up(error):
                raise
            detail = "Rows came with ids of their own; new ids go on behind them now."
            raise WriteConflict(detail, retry_after_s=1) from error

    async def _run(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        with translated():
            for _ in range(_TRIES - 1):
                try:
                    async with self.connection() as connection:
                        return await operation(connection)
                except RETRYABLE:
                    continue
                except asyncpg.UniqueViolationError as error:
                    if not await self._caught_up(error):
                        raise
            async with self.connection() as connection:
                return await operation(connection)

    async def _caught_up(self, error: asyncpg.UniqueViolationError) -> bool:
        """Whether a sequence was behind the rows; it is not then any more."""
        key = error.constraint_name
        if key is None or key not in numbered():
            return False
        async with self.connection() as connection, connection.transaction():
            return await catch_up(connection, key)


async def roll_back(connection: Connection, transaction: Transaction) -> None:
    """Undo a transaction; where that fails, close the connection, upon which the server undoes it.

    Raises nothing but cancellation, so that the error that led here stays the one that is told.
    """
    try:
        await transaction.rollback()
    except CONNECTION_FAULTS:
        _terminate(connection)


def _terminate(connection: Connection) -> None:
    """Close a connection at once, or the pool takes it for a sound one."""
    with suppress(asyncpg.InterfaceError):  # it died, and the pool has seen it
        connection.terminate()


_IDLE: Final = "idle_in_transaction_session_timeout"


@asynccontextmanager
async def open_database(url: str, options: PoolOptions) -> AsyncIterator[Database]:
    """A database that connects when it is first asked, so that a service starts without it."""
    arguments = connect_arguments(url, options)

    async def begin_session(connection: asyncpg.Connection) -> None:
        await tell_moments(connection)
        # Not at the start, where poolers of sessions refuse what they do not know.
        said = arguments["server_settings"]
        if "statement_timeout" in said and _IDLE not in str(said):  # also within `options`
            longest_ms = round(options.idle_transaction_timeout_s * 1000)
            await connection.execute(f"SET {_IDLE} = {longest_ms}")

    pool = await asyncpg.create_pool(
        min_size=0,
        max_size=options.size,
        init=begin_session,
        reset=_keep_session,
        connect=Connector(arguments),
        connection_class=_Connection,
    )
    try:
        yield Database(pool, options)
    finally:
        try:
            await asyncio.wait_for(pool.close(), options.acquire_timeout_s)
        except CONNECTION_FAULTS:
            pool.terminate()


async def _keep_session(_: asyncpg.Connection) -> None:
    """Nothing to reset: no statement of ours sets session state, and a reset costs a round trip.

    asyncpg itself still rolls back a transaction that was left open.
    """
