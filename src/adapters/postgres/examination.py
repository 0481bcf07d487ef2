"""A close look at the database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import asyncpg

from adapters.postgres.errors import CONNECTION_FAULTS
from adapters.postgres.migrations import MigrationError, status
from adapters.postgres.pool import PoolOptions, connect_arguments
from domain.errors import AppError
from ports.examination import Examination, Finding

_OLDEST: Final = 150_000


class PostgresExamination(Examination):
    """Reached, of a supported version, in UTC, writable, migrated.

    Args:
        url: of the database.
        options: how connections are made.
    """

    def __init__(self, url: str, options: PoolOptions) -> None:
        self._url = url
        self._options = options

    async def findings(self) -> Sequence[Finding]:
        """See the port."""
        try:
            connection = await asyncpg.connect(**connect_arguments(self._url, self._options))
        except (ValueError, *CONNECTION_FAULTS) as error:
            why = str(error) or type(error).__name__
            return [_finding("database", bad=f"cannot be reached: {why}. Look at DATABASE_URL.")]
        try:
            return [*await self._server(connection), await self._migrations()]
        except (AppError, *CONNECTION_FAULTS) as error:
            return [_finding("database", bad=f"was lost while it was examined: {error}")]
        finally:
            with suppress(*CONNECTION_FAULTS):
                await connection.close(timeout=self._options.acquire_timeout_s)

    async def _server(self, connection: asyncpg.Connection) -> Sequence[Finding]:
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
        old = f"PostgreSQL {version}: 15 or newer is needed"
        return [
            _finding("database", f"PostgreSQL {version}", bad=row["number"] < _OLDEST and old),
            _finding(
                "database time zone",
                zone,
                bad=zone not in {"UTC", "Etc/UTC"}
                and f"sessions run in {zone}: let the role or the pooler set TimeZone to UTC",
            ),
            _finding(
                "database writes",
                "accepted",
                bad=row["read_only"] and "refused: DATABASE_URL names a read-only server",
            ),
        ]

    async def _migrations(self) -> Finding:
        try:
            migrations = await status(self._url)
        except MigrationError as error:
            return _finding("migrations", bad=str(error))
        pending = [each.name for each in migrations if each.applied_at is None]
        return _finding(
            "migrations",
            f"all {len(migrations)} applied",
            bad=pending and f"pending: {', '.join(pending)}; run `storekeeper db migrate`",
        )


def _finding(subject: str, good: str = "", *, bad: str | bool | list[str] = False) -> Finding:
    return Finding(subject=subject, good=not bad, detail=str(bad) if bad else good)
