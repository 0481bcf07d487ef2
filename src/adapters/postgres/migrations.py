"""Applies `sql/migrations/*.sql` in order, each once and in a transaction of its own."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from adapters.postgres.audit import enter
from adapters.postgres.errors import CONNECTION_FAULTS, translated
from adapters.postgres.inspection import table_faults
from adapters.postgres.pool import Connector, PoolOptions, connect_arguments
from adapters.postgres.privileges import repairs
from adapters.postgres.queries import SQL_DIR

LOCK = 7_300_001  # any number that no other program on this database takes

HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
)
"""
"""Where the migrations that were applied are entered."""


class MigrationError(Exception):
    """The database cannot be brought to this version; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file.

    Attributes:
        name: the file's name without `.sql`; the order is by name.
        checksum: SHA-256 of the text, in hex.
        applied_at: when it was applied, aware; None while it is pending.
    """

    name: str
    checksum: str
    sql: str
    applied_at: datetime | None = None


def migration_files() -> Sequence[Migration]:
    """All migrations of this version, in order, as pending."""
    found = []
    for path in sorted((SQL_DIR / "migrations").glob("*.sql")):
        sql = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        found.append(Migration(name=path.stem, checksum=checksum, sql=sql))
    return found


async def status(url: str) -> Sequence[Migration]:
    """All migrations of this version with the time at which each was applied.

    Raises:
        MigrationError: the database holds a migration that this version does not know, or one
            whose text was changed after it was applied; or it refuses the connection.
        OSError: the database cannot be reached.
        DatabaseUnavailable: it went away in the meantime; and all else of `translated`.
    """
    async with unhurried(url) as connection:
        return await _compare(connection)


async def migrate(url: str, *, service_roles: Collection[str] = ()) -> Sequence[str]:
    """Apply what is pending; returns the names of what was applied, in order.

    Then tables that are new, or came from a dump, are closed to all but the owner and the service's
    roles: those that the database has policies for, and `service_roles`.

    Safe to run from several processes at once: an advisory lock of each transaction lets one
    through, and the others find the work done. Works through a transaction pooler too.

    Raises:
        MigrationError: as `status`, or a file failed (it and what follows are not applied).
        OSError: the database cannot be reached.
        DatabaseUnavailable: it went away in the meantime; and all else of `translated`.
    """
    done = []
    async with unhurried(url) as connection:
        for migration in migration_files():
            try:
                if await _applied_now(connection, migration):
                    done.append(migration.name)
            except asyncpg.PostgresError as error:
                named = await table_faults(connection, migrated=False)
                raise MigrationError(
                    f"migration {migration.name} failed and was undone: {str(error).rstrip('.')}."
                    " Mend what it names, then run `storekeeper db migrate` again."
                    + "".join(f"\n{fault}" for fault in named)
                ) from error
        await _wall_off(connection, service_roles)
    return done


async def faults(url: str) -> Sequence[str]:
    """What of the tables is not as this version needs it, each with the remedy.

    Raises:
        MigrationError, OSError: as `status`.
    """
    async with unhurried(url) as connection:
        applied = [each.applied_at for each in await _compare(connection)]
        return await table_faults(connection, migrated=None not in applied)


async def _applied_now(connection: asyncpg.Connection, migration: Migration) -> bool:
    """Apply one, unless it is applied."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        current = {each.name: each for each in await _compare(connection)}
        if current[migration.name].applied_at is not None:
            return False
        await connection.execute(HISTORY)
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )
        if await connection.fetchval("SELECT to_regclass('audit_log')") is not None:
            await enter(connection, "database.migrate", f"/migrations/{migration.name}")
    return True


async def _wall_off(connection: asyncpg.Connection, service_roles: Collection[str]) -> None:
    """Let nobody but the owner and the service's roles have a right on anything of ours."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute("SET LOCAL lock_timeout = '4s'")
        for statement in await repairs(connection, service_roles=service_roles):
            try:
                await connection.execute(statement)
            except asyncpg.PostgresError as error:
                raise MigrationError(
                    f"the migrations are applied, but the tables are not closed to other roles:"
                    f" {str(error).rstrip('.')}. As their owner, run: {statement}"
                ) from error


async def _compare(connection: asyncpg.Connection) -> Sequence[Migration]:
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return migration_files()
    rows = await connection.fetch("SELECT name, checksum, applied_at FROM schema_migrations")
    if not rows and await connection.fetchval("SELECT row_security_active('schema_migrations')"):
        role = await connection.fetchval("SELECT current_user")
        raise MigrationError(
            f"role {role} sees no row of the tables, because row level security binds it and no"
            f" policy lets it in: as the owner of the tables, run `storekeeper db grant {role}`"
        )
    applied = {row["name"]: row for row in rows}
    found = []
    for migration in migration_files():
        row = applied.pop(migration.name, None)
        if row is not None and row["checksum"] != migration.checksum:
            raise MigrationError(
                f"migration {migration.name} was changed after it was applied to this database:"
                " restore the file, and put the change into a new migration"
            )
        found.append(
            Migration(
                name=migration.name,
                checksum=migration.checksum,
                sql=migration.sql,
                applied_at=None if row is None else row["applied_at"],
            )
        )
    if applied:
        raise MigrationError(
            f"the database holds migrations that this version does not know: {sorted(applied)};"
            " run the version that made them, or a newer one"
        )
    return found


@asynccontextmanager
async def unhurried(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection whose statements may take their time.

    Raises:
        MigrationError, OSError, DatabaseUnavailable: as `migrate`.
    """
    arguments = connect_arguments(url, PoolOptions())
    arguments["command_timeout"] = None  # each migration sets its own timeouts
    arguments["server_settings"].pop("statement_timeout", None)
    try:
        connection = await Connector(arguments)()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        why = str(error).rstrip(".")
        raise MigrationError(f"the database refuses: {why}. Look at DATABASE_URL.") from error
    try:
        with translated():
            yield connection
    except asyncpg.PostgresError as error:
        raise MigrationError(f"the database refuses: {str(error).rstrip('.')}.") from error
    finally:
        with suppress(*CONNECTION_FAULTS):
            await connection.close(timeout=arguments["timeout"])
