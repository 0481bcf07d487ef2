"""Whether the database can do its work: in a word for machines, and closely for a person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import asyncpg

from adapters.postgres.errors import CONNECTION_FAULTS, SAY_POOLER
from adapters.postgres.migrations import MigrationError, faults, migration_files, status
from adapters.postgres.pool import CANNOT_CONNECT, Database, PoolOptions, connect_arguments
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
    """Reached, of a supported version, in UTC, writable, migrated, its tables as they must be.

    Args:
        url: of the database.
        options: how connections are made.
    """

    def __init__(self, url: str, options: PoolOptions) -> None:
        self._url = url
        self._options = options

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        try:
            connection = await asyncpg.connect(**connect_arguments(self._url, self._options))
        except CANNOT_CONNECT as error:
            why = str(error) or type(error).__name__
            # PgBouncer's words for the statement timeout, which is not sent to a known pooler.
            remedy = SAY_POOLER if "startup parameter: statement" in why else "look at DATABASE_URL"
            return [_result("database", bad=f"cannot be reached: {why}: {remedy}.")]
        try:
            return [
                *await self._server(connection),
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
