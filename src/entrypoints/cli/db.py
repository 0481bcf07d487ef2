"""`storekeeper db`: the schema of the database, and what is in it as a file; `storekeeper psql`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import TextIO, TypeVar

import click
import msgspec

from domain.errors import AppError
from entrypoints.cli.environment import database_url_or_exit, settings_or_exit
from entrypoints.cli.options import examples, help_end, state_dir_option
from entrypoints.cli.running import or_exit
from entrypoints.cli.tables import echo_json
from entrypoints.container.commands import (
    DumpError,
    GrantError,
    MigrationError,
    ProgramMissing,
    SnapshotError,
    address_for,
    dump,
    grant,
    look_at_database,
    migrate,
    migration_status,
    restore,
    run_psql,
    table_faults,
)
from entrypoints.container.services import open_container
from entrypoints.settings import DatabaseSettings

T = TypeVar("T")


@click.group("db", epilog=examples("storekeeper db status"))
def command() -> None:
    """Bring the database to this version, see how it stands, let the service in, back it up."""


@click.command(
    "psql",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog=help_end(
        "storekeeper psql",
        "storekeeper psql -c 'SELECT count(*) FROM orders'",
        codes={
            0: "done",
            1: "psql is missing, or reports an error of its own",
            2: "bad usage or settings, or no connection; else as psql exits",
        },
    ),
)
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@state_dir_option
def psql_command(*, arguments: tuple[str, ...], state_dir: Path | None) -> None:
    """Open psql at the database of DATABASE_URL, or of the stack that `storekeeper up` runs here.

    Each ARGUMENT goes to psql, as in `storekeeper psql -c 'SELECT count(*) FROM orders'`. The
    password stands on no command line. The exit code is that of psql.
    """
    settings = settings_or_exit(DatabaseSettings, state_dir=state_dir)
    try:
        status = run_psql(settings.database_url.get_secret_value(), arguments)
    except ProgramMissing as error:
        click.echo(f"storekeeper psql: {error}", err=True)
        sys.exit(1)
    sys.exit(status if status >= 0 else 128 - status)


@command.command(
    "migrate",
    epilog=help_end(
        "storekeeper db migrate",
        codes={1: "it could not be done, or a table is not as this version needs it"},
    ),
)
def migrate_command() -> None:
    """Apply what is pending; several processes may do so at once.

    Exit code 1 if a table is not as this version needs it, with the statement that mends it.
    """
    url = database_url_or_exit()
    applied = or_exit(
        "db migrate",
        lambda: _refusing(migrate(url)),
        kept="A migration is applied whole or not at all; the same command goes on.",
    )
    for name in applied:
        click.echo(f"applied {name}")
    _exit_over_faults("db migrate", url)
    click.echo("The database is up to date.")


@command.command(
    "status",
    epilog=help_end(
        "storekeeper db status",
        "storekeeper db status --json",
        codes={
            0: "the database is as this version needs it",
            1: "it could not be asked, migrations are pending, or a table is not as it must be",
        },
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status_command(*, as_json: bool) -> None:
    """List the migrations; exit code 1 while some are pending or a table is not as it must be."""
    url = database_url_or_exit()
    migrations = or_exit("db status", lambda: _refusing(migration_status(url)))
    if as_json:
        pending = any(each.applied_at is None for each in migrations)
        faults = () if pending else or_exit("db status", lambda: _refusing(table_faults(url)))
        echo_json(
            {
                "up_to_date": not pending and not faults,
                "migrations": [
                    {"name": each.name, "applied_at": msgspec.to_builtins(each.applied_at)}
                    for each in migrations
                ],
                "faults": [str(each) for each in faults],
            }
        )
        sys.exit(1 if pending or faults else 0)
    for each in migrations:
        state = f"{each.applied_at:%Y-%m-%d %H:%M:%S}Z" if each.applied_at else "pending"
        click.echo(f"{each.name:<32} {state}")
    if any(each.applied_at is None for each in migrations):
        click.echo("Run `storekeeper db migrate` to apply what is pending.")
        sys.exit(1)
    _exit_over_faults("db status", url)


def _exit_over_faults(command: str, url: str) -> None:
    """Name what of the tables is not as it must be, and end the process (1)."""
    faults = or_exit(command, lambda: _refusing(table_faults(url)))
    for fault in faults:
        click.echo(f"storekeeper {command}: {fault}.", err=True)
    if faults:
        click.echo("The migrations are applied; the tables are not yet as they must be.", err=True)
        sys.exit(1)


@command.command(
    "grant",
    epilog=help_end(
        "storekeeper db grant", "storekeeper db grant shop_service --password-file password.txt"
    ),
)
@click.argument("role", default="storekeeper_service")
@click.option(
    "--password-file",
    type=click.File("r"),
    help="Read the role's new password from the first line of this file; - is standard input.",
)
@click.option(
    "--new-password", is_flag=True, help="Give a role that exists a new password, and print it."
)
@click.option(
    "--no-password", is_flag=True, help="Leave the password alone; the role must exist then."
)
def grant_command(
    *, role: str, password_file: TextIO | None, new_password: bool, no_password: bool
) -> None:
    """Let ROLE do the service's work with the tables, and no more.

    DATABASE_URL is that of the owner of the tables, who goes on to migrate, dump and restore;
    `serve` and `worker` get that of ROLE. It may read and write rows, but not change tables,
    disable triggers, TRUNCATE or read other schemas. Run it again at will, after a restore into
    another database too: it brings the role to what it should be.

    A role that is missing is made (that needs CREATEROLE), with the password of --password-file or
    one that is made and printed, as DATABASE_URL, on standard output, once.
    """
    if sum([password_file is not None, new_password, no_password]) > 1:
        raise click.UsageError("take one of --password-file, --new-password, --no-password")
    url = database_url_or_exit()
    password = None if password_file is None else password_file.readline().rstrip("\r\n")
    done = or_exit(
        "db grant",
        lambda: _refusing(grant(url, role, password=password, anew=new_password, keep=no_password)),
    )
    what = "Made role" if done.is_new else "Role"
    click.echo(f"{what} {role}: {done.statements} grants and policies were lacking.", err=True)
    if done.made_password is not None:
        click.echo(f"DATABASE_URL={address_for(url, role, done.made_password)}")


@command.command("dump", epilog=help_end("storekeeper db dump shop-2026-11-29.dump"))
@click.argument("file", type=click.Path(path_type=Path))
def dump_command(*, file: Path) -> None:
    """Write everything of Storekeeper in the database into the new file FILE.

    It is pg_dump's custom format, of one moment, and its owner alone can read it; requests go on
    meanwhile. Other tables of the same database, owners and grants are not in it. FILE has its
    name once it is whole.
    """
    url = database_url_or_exit()

    async def run() -> tuple[str, int]:
        place = await look_at_database(url)
        return place.name, await dump(place, file)

    place, size = or_exit("db dump", lambda: _refusing(run()), kept="No file was made.")
    click.echo(f"Dumped {place}, into {file} ({size:,} bytes).")


@command.command(
    "restore",
    epilog=help_end(
        "storekeeper db restore shop-2026-11-29.dump",
        "storekeeper db restore shop-2026-11-29.dump --replace",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--replace", is_flag=True, help="Delete what the database holds; without it, data is refused."
)
def restore_command(*, file: Path, replace: bool) -> None:
    """Put what the dump FILE holds into the database, all of it or nothing, and migrate it.

    The database of DATABASE_URL is named before it is written to. It may hold the tables of
    Storekeeper without data, and anything else. Stop `storekeeper serve` and `worker` before
    --replace.
    """
    url = database_url_or_exit()

    async def run() -> tuple[str, list[str]]:
        place = await look_at_database(url)
        click.echo(f"Restoring {file} into {place.name} ...", err=True)
        migrated = list(await restore(place, file, replace=replace))
        # The log was restored too, so this cannot be in the same transaction.
        async with open_container(settings_or_exit(DatabaseSettings)) as container:
            await container.audit_log().note("database.restore", "/")
        return place.name, migrated

    place, applied = or_exit("db restore", lambda: _refusing(run()), kept="Nothing was changed.")
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"Restored {place}.")


async def _refusing(work: Awaitable[T]) -> T:
    """Let every refusal name the database's setting."""
    try:
        return await work
    except (DumpError, GrantError, MigrationError, SnapshotError) as error:
        raise AppError(str(error)) from error
    except OSError as error:
        raise AppError(f"the database of DATABASE_URL cannot be used: {error}") from error
