"""`storekeeper up`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from domain.access.audit import acting_as
from domain.errors import Unavailable
from entrypoints.addresses import AddressUnusable
from entrypoints.cli.environment import command_actor, environment
from entrypoints.container.embedded import MigrationError
from entrypoints.settings import SettingsError
from entrypoints.up.stack import Stack, StackError, StackOptions
from entrypoints.up.state import StateDirectory, StateDirectoryError, default_state_directory


@click.command("up")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Folder of data, keys and logs.")
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on. [default: 8443]")
@click.option("--workers", type=click.IntRange(1, 64), help="HTTP processes. [default: 2]")
@click.option("--no-sample-data", is_flag=True, help="Start with an empty database.")
def command(
    *,
    state_dir: Path | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    no_sample_data: bool,
) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C.

    PostgreSQL, Valkey, a local certificate authority, the HTTPS server, the worker and a small
    language model. Where DATABASE_URL or REDIS_URL is set, that server is used instead.
    """
    try:
        given = environment()
    except SettingsError as error:
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(2)
    options = StackOptions(
        environment=given,
        host=host,
        port=port,
        workers=workers,
        sample_data=not no_sample_data,
    )
    state = StateDirectory(state_dir or default_state_directory(given))
    try:
        state.acquire()
        with acting_as(command_actor()):
            asyncio.run(Stack(state, options, _say).run())
    except SettingsError as error:
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(2)
    except (AddressUnusable, MigrationError, StackError, StateDirectoryError, Unavailable) as error:
        click.echo(f"storekeeper up: {error}", err=True)
        sys.exit(1)
    finally:
        state.release()


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
