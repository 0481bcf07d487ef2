"""Whether the database can do its work: in a word for machines, and closely for a person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import asyncpg

from adapters.postgres.errors import CONNECTION_FAULTS, SAY_POOLER
from adapters.postgres.migrations import MigrationError, faults, migration_files, status
from adapters.postgres.pool import (
    CANNOT_CONNECT,
    Connector,
    Database,
    PoolOptions,
    connect_arguments,
)
from adapters.postgres.role_checks import role_checks
from adapters.postgres.urls import read_database_url
from domain.errors import AppError
from ports.health import CheckResult, DiagnosticCheck, ReadinessProbe

_log = logging.getLogger(__name__)
_TIMEOUT_S: Final = 2.0
_WORDS: Final = {
    "database_busy": "is busy",
    "database_unfit": "is not as this version needs it",
}
_OLDEST: Final = 150_000
_MB: Final = 1024 * 1024  # as PostgreSQL, and those who rent it out, count it
_SUPABASE: Final = (".supabase.co", ".supabase.com")
_SUPABASE_FREE_MB: Final = 500
_NEARLY_FULL: Final = 0.8


class SizeLimit(NamedTuple):
    """What a database may grow to, in MB, and who says so."""

    mb: int
    whose: str


def size_limit(url: str, setting: int | None) -> SizeLimit | None:
    """What the database of `url` may grow to: as the setting says, or by where it is."""
    if setting is not None:
        return SizeLimit(setting, "DATABASE_SIZE_LIMIT_MB")
    hosts = read_database_url(url).parameters.get("host", "").split(",")
    if any(host.endswith(_SUPABASE) for host in hosts):
        whose = "Supabase's free plan; DATABASE_SIZE_LIMIT_MB says that of another"
        return SizeLimit(_SUPABASE_FREE_MB, whose)
    return None


class PostgresReadiness(ReadinessProbe):
    """Answers, and is migrated to this version."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest = migration_files()[-1].name

    async def problem(self) -> str | None:
        """See the port."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                migrated = await self._database.fetchval(
                    "SELECT EXISTS (SELECT FROM schema_migrations WHERE name = $1)", self._newest
                )
        except TimeoutError:
            return "does not answer in time"
        except AppError as error:
            cause = error.__cause__
            why = next(iter(str(cause).splitlines()), "")
            _log.warning("database is not ready: %s (%s: %s)", error, type(cause).__name__, why)
            return _WORDS.get(error.code, "does not answer")
        return None if migrated else "is not migrated to this version"


class PostgresDiagnosticCheck(DiagnosticCheck):
    """Reached, of a supported version, in UTC, writable, with room, its tables as they must be.

    Args:
        url: of the database.
        options: how connections are made.
        processes: how many will hold a pool each.
        size_limit_mb: what the database may grow to; None where nothing says.
    """

    def __init__(
        self,
        url: str,
        options: PoolOptions,
        *,
        processes: int = 1,
        size_limit_mb: int | None = None,
    ) -> None:
        self._url = url
        self._options = options
        self._processes = processes
        self._size_limit_mb = size_limit_mb

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        try:
            connection = await Connector(connect_arguments(self._url, self._options))()
        except CANNOT_CONNECT as error:
            why = str(error) or type(error).__name__
            # PgBouncer's words for the statement timeout, which is not sent to a known pooler.
            remedy = SAY_POOLER if "startup parameter: statement" in why else "look at DATABASE_URL"
            return [_result("database", bad=f"cannot be reached: {why}: {remedy}.")]
        try:
            return [
                *await self._server(connection),
                await self._space(connection),
                *await self._connections(connection),
                *await self._tables(),
                *await role_checks(connection),
            ]
        except (AppError, *CONNECTION_FAULTS) as error:
            return [_result("database", bad=f"was lost while it was examined: {error}")]
        finally:
            with suppress(*CONNECTION_FAULTS):
                await connection.close(timeout=self._options.acquire_timeout_s)

    async def _server(self, connection: asyncpg.Connection) -> Sequence[CheckResult]:
        row = await connection.fetchrow(
            """
            SELECT current_setting('server_version') AS version,
                   current_setting('server_version_num')::int AS number,
                   current_setting('TimeZone') AS zone,
                   current_setting('transaction_read_only') = 'on' AS read_only
            """
        )
        assert row is not None
        version, zone = row["version"], row["zone"]
        dropped = ", ".join(read_database_url(self._url).dropped)
        told = f"; of DATABASE_URL without effect: {dropped}" if dropped else ""
        old = f"PostgreSQL {version}: 15 or newer is needed"
        return [
            _result("database", f"PostgreSQL {version}{told}", bad=row["number"] < _OLDEST and old),
            _result(
                "database time zone",
                zone,
                bad=zone not in {"UTC", "Etc/UTC"}
                and f"sessions run in {zone}: let the role or the pooler set TimeZone to UTC",
            ),
            _result(
                "database writes",
                "accepted",
                bad=row["read_only"] and "refused: DATABASE_URL names a read-only server",
            ),
        ]

    async def _space(self, connection: asyncpg.Connection) -> CheckResult:
        """How much is taken of what the database may grow to, and by what."""
        taken = await connection.fetchval("SELECT pg_database_size(current_database())") / _MB
        largest = await connection.fetch(
            """
            SELECT coalesce(pg_partition_root(oid), oid)::regclass::text AS name,
                   sum(pg_total_relation_size(oid)) / $1 AS mb,
                   -- Of the last ANALYZE, or counted since; a table that was just filled has one.
                   sum(greatest(reltuples, pg_stat_get_live_tuples(oid), 0))::bigint AS rows
            FROM pg_class
            WHERE relkind = 'r' AND pg_table_is_visible(oid)
              AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3
            """,
            _MB,
        )
        most = ", ".join(
            f"{each['name']} {each['mb']:,.0f} MB"
            + (f" in about {each['rows']:,} rows" if each["rows"] else "")
            for each in largest
            if each["mb"] >= 1
        )
        limit = size_limit(self._url, self._size_limit_mb)
        if limit is None:
            said = f"{taken:,.0f} MB"
        else:
            said = f"{taken:,.0f} of {limit.mb:,} MB ({limit.whose})"
        said += f"; most of it: {most}" if most else ""
        full = limit is not None and taken >= limit.mb
        nearly = limit is not None and taken >= _NEARLY_FULL * limit.mb
        less = "prune with `storekeeper clicks prune`, or take a larger plan"
        return CheckResult(
            subject="database space",
            good=not full,
            detail=f"{said}: {less}" if nearly else said,
            warns=nearly and not full,
        )

    async def _connections(self, connection: asyncpg.Connection) -> Sequence[CheckResult]:
        """Whether the server grants what all processes may hold; a pooler hides what it grants."""
        if self._options.transaction_pooler or read_database_url(self._url).pooled:
            return []
        row = await connection.fetchrow(
            """
            SELECT least(
                       current_setting('max_connections')::int
                       - current_setting('superuser_reserved_connections')::int
                       - coalesce(current_setting('reserved_connections', true)::int, 0),
                       nullif(datconnlimit, -1),
                       nullif(rolconnlimit, -1)
                   ),
                   (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
            FROM pg_database, pg_roles
            WHERE datname = current_database() AND rolname = current_user
            """
        )
        assert row is not None
        granted, opened = row
        wanted = self._options.size * self._processes
        said = (
            f"{wanted} wanted (DATABASE_POOL_SIZE {self._options.size} in {self._processes} "
            f"processes), {granted} granted, {opened} open now"
        )
        return [
            _result(
                "database connections",
                said,
                bad=wanted > granted
                and f"{said}: lower DATABASE_POOL_SIZE or WORKERS, or stand a pooler before it",
            )
        ]

    async def _tables(self) -> Sequence[CheckResult]:
        try:
            migrations, named = await status(self._url), await faults(self._url)
        except MigrationError as error:
            return [_result("migrations", bad=str(error))]
        pending = [each.name for each in migrations if each.applied_at is None]
        return [
            _result(
                "migrations",
                f"all {len(migrations)} applied",
                bad=pending and f"pending: {', '.join(pending)}; run `storekeeper db migrate`",
            ),
            *(_result("tables", bad=fault) for fault in named),
            *([] if named else [_result("tables", "as this version needs them")]),
        ]


def _result(subject: str, good: str = "", *, bad: str | bool | list[str] = False) -> CheckResult:
    return CheckResult(subject=subject, good=not bad, detail=str(bad) if bad else good)
