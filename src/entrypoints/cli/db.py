"""`storekeeper db`: the schema of the database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import TypeVar

import click

from domain.errors import AppError
from entrypoints.cli.reading import database_url_or_exit
from entrypoints.container import MigrationError, migrate, migration_status, table_faults

T = TypeVar("T")


@click.group("db")
def command() -> None:
    """Bring the database to this version, or see how it stands."""


@command.command("migrate")
def migrate_command() -> None:
    """Apply what is pending; several processes may do so at once.

    Exit code 1 if a table is not as this version needs it, with the statement that mends it.
    """
    url = database_url_or_exit()
    applied = _run(migrate(url))
    for name in applied:
        click.echo(f"applied {name}")
    _exit_over_faults(url)
    click.echo("The database is up to date.")


@command.command("status")
def status_command() -> None:
    """List the migrations; exit code 1 while some are pending or a table is not as it must be."""
    url = database_url_or_exit()
    migrations = _run(migration_status(url))
    for each in migrations:
        state = f"{each.applied_at:%Y-%m-%d %H:%M:%S}Z" if each.applied_at else "pending"
        click.echo(f"{each.name:<32} {state}")
    if any(each.applied_at is None for each in migrations):
        click.echo("Run `storekeeper db migrate` to apply what is pending.")
        sys.exit(1)
    _exit_over_faults(url)


def _exit_over_faults(url: str) -> None:
    """Name what of the tables is not as it must be, and end the process (1)."""
    faults = _run(table_faults(url))
    for fault in faults:
        click.echo(f"storekeeper db: {fault}.", err=True)
    if faults:
        click.echo("The migrations are applied; the tables are not yet as they must be.", err=True)
        sys.exit(1)


def _run(work: Coroutine[object, object, T]) -> T:
    try:
        return asyncio.run(work)
    except MigrationError as error:
        reason = str(error)
    except (AppError, OSError) as error:
        reason = f"the database of DATABASE_URL cannot be used: {error}"
    click.echo(f"storekeeper db: {reason}", err=True)
    sys.exit(1)
