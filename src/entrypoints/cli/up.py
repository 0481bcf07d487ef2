"""`storekeeper up`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

import click

from domain.access.audit import acting_as
from domain.errors import Unavailable
from entrypoints.addresses import AddressUnusable
from entrypoints.cli.environment import command_actor, environment
from entrypoints.cli.options import help_end
from entrypoints.container.embedded import COMMAND, MigrationError, open_log
from entrypoints.settings import SettingsError
from entrypoints.up.overview import overview
from entrypoints.up.stack import Stack, StackError, StackOptions
from entrypoints.up.state import (
    StackRecord,
    StateDirectory,
    StateDirectoryError,
    default_state_directory,
)

_POLL_S: Final = 0.1


@click.command(
    "up",
    epilog=help_end(
        "storekeeper up",
        "storekeeper up --detach --port 9443",
        "storekeeper up --model ~/models/qwen3-4b.gguf --no-sample-data",
        codes={0: "it ran and was stopped, or with --detach: it is ready"},
    ),
)
@click.option("--state-dir", type=click.Path(path_type=Path), help="Folder of data, keys and logs.")
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on. [default: 8443]")
@click.option("--workers", type=click.IntRange(1, 64), help="HTTP processes. [default: 2]")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Serve this model file (GGUF, LOCAL_LLM_FILE)."
)
@click.option(
    "--adapter",
    type=click.Path(path_type=Path),
    help="With this adapter (LoRA, GGUF, LOCAL_LLM_ADAPTER).",
)
@click.option("--no-sample-data", is_flag=True, help="Start with an empty database.")
@click.option("--detach", "-d", is_flag=True, help="Come back once it is ready; it runs on.")
@click.option("--detached", is_flag=True, hidden=True)  # how --detach starts it
def command(
    *,
    state_dir: Path | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    model: Path | None,
    adapter: Path | None,
    no_sample_data: bool,
    detach: bool,
    detached: bool,
) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C or `storekeeper stop`.

    PostgreSQL, Valkey, a local certificate authority, the HTTPS server, the worker and a small
    language model, or the one of a file (`storekeeper models`). Where DATABASE_URL or REDIS_URL is
    set, that server is used instead.

    With --detach, `storekeeper logs up` has what it says from then on.
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
        model=model,
        adapter=adapter,
        sample_data=not no_sample_data,
        detached=detached,
    )
    try:
        state = StateDirectory(state_dir or default_state_directory(given))
    except StateDirectoryError as error:
        click.echo(f"storekeeper up: {error}", err=True)
        sys.exit(1)
    try:
        state.acquire()
        if detach:
            state.release()
            _detach(state, options)
            return
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


def _detach(state: StateDirectory, options: StackOptions) -> None:
    """Start the stack in a process of its own, and come back when it is ready.

    It keeps none of our files: whoever reads what this command prints comes to its end. What it
    says until then goes to standard error; ends the process as it ended if it does.
    """
    chosen = {
        "--host": options.host,
        "--port": options.port,
        "--workers": options.workers,
        "--model": options.model,
        "--adapter": options.adapter,
    }
    words = [f"{name}={value}" for name, value in chosen.items() if value is not None]
    log = state.log("up")
    with open_log(log) as written, log.open("rb") as said:
        said.seek(0, os.SEEK_END)
        process = subprocess.Popen(  # noqa: S603 (this program)
            [
                *(*COMMAND, "up", "--detached"),
                *("--state-dir", str(state.path), *words),
                *([] if options.sample_data else ["--no-sample-data"]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
        try:
            record = _awaited(state, process, said)
        except BaseException:  # Ctrl-C, and whatever hinders us from telling how to stop it
            process.terminate()
            process.wait()
            raise
    if record is None:
        click.echo(
            f"storekeeper up: It ended before it was ready; its log: {log}",
            err=True,
        )
        sys.exit(process.returncode if process.returncode > 0 else 1)
    click.echo(overview(state, record))


def _awaited(
    state: StateDirectory, process: subprocess.Popen[bytes], said: BinaryIO
) -> StackRecord | None:
    """What a stack tells once it is ready, whose lines are shown until then; None if it ended."""
    while True:
        ended = process.poll() is not None
        record = None if ended else state.recorded()
        click.echo(said.read().decode(errors="replace"), nl=False, err=True)
        if ended:
            return None
        if record is not None and record.pid == process.pid and record.ready:
            return record
        time.sleep(_POLL_S)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
