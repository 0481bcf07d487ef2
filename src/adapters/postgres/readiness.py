"""Whether the database can do its work."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from adapters.postgres.migrations import migration_files
from adapters.postgres.pool import Database
from domain.errors import AppError
from ports.health import ReadinessCheck

_log = logging.getLogger(__name__)
_TIMEOUT_S: Final = 2.0
_WORDS: Final = {
    "database_busy": "is busy",
    "database_unfit": "is not as this version needs it",
}


class PostgresReadiness(ReadinessCheck):
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
