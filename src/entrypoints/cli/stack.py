"""`storekeeper status`, `stop` and `reset`: the stack that `up` runs, or ran, in a folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn

import click
import msgspec
from dotenv import dotenv_values

from entrypoints.addresses import reachable
from entrypoints.cli.environment import environment
from entrypoints.cli.options import help_end, state_dir_option
from entrypoints.cli.process import end_interrupted
from entrypoints.cli.tables import echo_columns, echo_json
from entrypoints.container.embedded import answers_http, process_identity, remembered_process
from entrypoints.settings import SettingsError
from entrypoints.up.state import (
    ProcessRecord,
    StackRecord,
    StateDirectory,
    StateDirectoryError,
    default_state_directory,
)

LOG_NAMES: Final = ("up", "postgres", "valkey", "web", "worker", "model", "sample-data")
"""What writes a log: the servers, the supervisor of `up --detach`, the filling at first."""

_NOT_RUNNING: Final = 3
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.05
_HEADING: Final = ("NAME", "STATE", "PID", "SINCE", "ADDRESS")
# What goes with the data, and then what opens it: no start finds databases that it cannot open.
_FOLDERS: Final = ("postgres", "valkey")
_FILES: Final = ("sample-data", "env", "processes.json", "secrets.json")
_DELETED: Final = ".storekeeper-deleted"


def state_directory_or_exit(name: str, state_dir: Path | None) -> StateDirectory:
    """The folder of a stack; ends the process where it cannot be known or looked into.

    Args:
        name: of the command, as it is typed.
        state_dir: that the command line names.
    """
    try:
        state = StateDirectory(state_dir or default_state_directory(environment()))
    except SettingsError as error:
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(2)
    except StateDirectoryError as error:
        _fail(name, str(error))
    refuse_closed(name, state.path)
    return state


def refuse_closed(name: str, folder: Path) -> None:
    """End the process where a folder is there that another account keeps closed.

    Args:
        name: of the command, as it is typed.
        folder: which.
    """
    try:
        closed = folder.exists() and not os.access(folder, os.R_OK | os.X_OK)
    except PermissionError:
        closed = True
    if closed:
        _fail(name, f"{folder} is another account's: run this as that account.")


@click.command(
    "status",
    epilog=help_end(
        "storekeeper status",
        "storekeeper status --json | python -m json.tool",
        codes={0: "all is ready", 1: "something is not ready (yet)", 3: "nothing runs"},
    ),
)
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status_command(*, state_dir: Path | None, as_json: bool) -> None:
    """See what `storekeeper up` runs here: each server, and whether it is ready.

    The web server is asked; the others are as the supervisor saw them last.
    """
    state = state_directory_or_exit("status", state_dir)
    running = state.is_held()
    record = _record_or_exit("status", state) if running else None
    processes = () if record is None else _asked(state, record.processes)
    ready = record is not None and record.ready and all(p.ready for p in processes)
    if as_json:
        document = {
            "state_dir": str(state.path),
            "running": running,
            "ready": ready,
            "url": None if record is None else record.url,
            "pid": None if record is None else record.pid,
            "since": None if record is None else record.since,
            "processes": processes,
        }
        echo_json(msgspec.to_builtins(document))
    elif record is not None:
        how = "runs" if record.ready else "starts or stops"
        click.echo(
            f"Storekeeper {how} at {record.url}, process {record.pid}, since"
            f" {_time(record.since)}, in {state.path}"
        )
        echo_columns([_HEADING, *map(_row, processes)])
    else:
        click.echo(f"The stack of {state.path} is starting." if running else _nothing_runs(state))
    sys.exit(0 if ready else 1 if running else _NOT_RUNNING)


@click.command(
    "stop",
    epilog=help_end(
        "storekeeper stop",
        "storekeeper stop --state-dir /srv/shop",
        codes={0: "it has stopped, or nothing ran"},
    ),
)
@state_dir_option
def stop_command(*, state_dir: Path | None) -> None:
    """Stop what `storekeeper up` runs here, and wait until it has ended; the data stays."""
    state = state_directory_or_exit("stop", state_dir)
    if not state.is_held():
        click.echo(f"Nothing runs in {state.path}.")
        return
    record = _record_or_exit("stop", state)
    if record is None:
        _fail("stop", f"The stack of {state.path} is only starting: try again in a moment.")
    try:
        os.kill(record.pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE_S
        while process_identity(record.pid) == record.identity:
            if time.monotonic() > deadline:
                _fail(
                    "stop",
                    f"The stack of {state.path} has not ended within {_PATIENCE_S:.0f} s: look at"
                    f" `storekeeper logs{state.option}`. `kill -9 {record.pid}` ends it"
                    " at once; the data stays then, too.",
                )
            time.sleep(_POLL_S)
    except PermissionError:
        _fail("stop", f"The stack of {state.path} is another account's: run this as that account.")
    except ProcessLookupError:
        pass  # it has just ended
    except KeyboardInterrupt:
        end_interrupted("stop", "The stack goes on stopping.")
    click.echo(f"Stopped the stack of {state.path}; the data stays.")


@click.command(
    "reset",
    epilog=help_end(
        "storekeeper stop && storekeeper reset",
        "storekeeper reset --yes --state-dir /srv/shop",
        codes={
            1: "it could not be done, or the question was answered with no",
            2: "bad usage or settings, or nobody can be asked and --yes is missing",
        },
    ),
)
@state_dir_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_command(*, state_dir: Path | None, yes: bool) -> None:
    """Delete what `storekeeper up` keeps here: databases, queue, passwords, keys, logs.

    The stack must be stopped. The next `storekeeper up` starts anew. Kept is the local
    certificate authority (tls/), which browsers may trust by now, and everything else in the
    folder. A database of DATABASE_URL is not touched.
    """
    state = state_directory_or_exit("reset", state_dir)
    if state.is_held():
        _fail(
            "reset",
            f"The stack of {state.path} runs: stop it with `storekeeper stop{state.option}` first.",
        )
    if not state.was_used() and not (state.path / _DELETED).exists():
        click.echo(f"There is nothing to delete in {state.path}.")
        return
    try:
        if not yes:
            _confirm(state)
        state.acquire()
        try:
            _refuse_survivors(state)
            _delete(state.path)
        finally:
            state.release()
    except StateDirectoryError as error:
        _fail("reset", str(error))
    except OSError as error:
        _fail(
            "reset",
            f"{error.filename or state.path}: {error.strerror}. What is left goes with the next"
            " `storekeeper reset`.",
        )
    except KeyboardInterrupt:
        end_interrupted("reset", "What is left goes with the next `storekeeper reset`.")
    click.echo(f"Deleted the data of {state.path}; the certificate authority stays.")


def _nothing_runs(state: StateDirectory) -> str:
    return f"Nothing runs here: start `storekeeper up{state.option}`."


def _record_or_exit(name: str, state: StateDirectory) -> StackRecord | None:
    """What the running stack tells, if it is a process of this machine that we see."""
    try:
        record = state.recorded()
    except StateDirectoryError as error:
        _fail(name, str(error))
    if record is not None and process_identity(record.pid) != record.identity:
        if not state.is_held():  # it has ended meanwhile
            click.echo(_nothing_runs(state))
            sys.exit(_NOT_RUNNING)
        _fail(
            name,
            f"The stack of {state.path} is no process of this machine: it runs on another one that"
            " has this folder too, or in a container. Give the command there.",
        )
    return record


def _asked(state: StateDirectory, known: Sequence[ProcessRecord]) -> Sequence[ProcessRecord]:
    """The servers, of which the web server says itself whether it is ready."""
    settings = dotenv_values(state.env_file)
    host, port = settings.get("HOST"), settings.get("PORT")
    if host is None or port is None:
        return known
    is_ready = answers_http(
        reachable(host), int(port), "/health/ready", trusted=settings.get("TLS_CERT_FILE")
    )

    async def ask() -> bool:
        return await is_ready()

    return [
        replace(each, ready=asyncio.run(ask())) if each.name == "web" and each.ready else each
        for each in known
    ]


def _row(process: ProcessRecord) -> Sequence[str]:
    pid = "-" if process.pid is None else str(process.pid)
    state = "ready" if process.ready else "not ready"
    return process.name, state, pid, _time(process.since), process.address or "-"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _confirm(state: StateDirectory) -> None:
    """Ask; ends the process where nobody can be asked, or says no."""
    if not sys.stdin.isatty():
        click.echo(
            f"storekeeper reset: This deletes the data of {state.path}, and nobody can be asked"
            " here: say --yes.",
            err=True,
        )
        sys.exit(2)
    if not click.confirm(f"Delete the databases, passwords and logs of {state.path}?", err=True):
        click.echo("Nothing was deleted.", err=True)
        sys.exit(1)


def _refuse_survivors(state: StateDirectory) -> None:
    """See that no server of a killed supervisor still writes.

    Raises:
        StateDirectoryError: one does.
    """
    for file in sorted((state.path / "log").glob("*.pid")):
        deadline = time.monotonic() + _PATIENCE_S / 10
        while (pid := remembered_process(file)) is not None:
            if time.monotonic() > deadline:
                raise StateDirectoryError(
                    f"{file.stem} (process {pid}) of a stack that was killed still runs: start"
                    f" `storekeeper up{state.option}`, which ends it, and stop that."
                )
            time.sleep(_POLL_S)


def _delete(folder: Path) -> None:
    """Delete the stack's own names; moved aside first, so that no half of a database is left.

    Raises:
        StateDirectoryError: one is a link, whose target is not ours to delete.
    """
    logs = [
        folder / "log" / f"{name}{end}" for name in LOG_NAMES for end in (".log", ".log.1", ".pid")
    ]
    files = [*logs, *(folder / name for name in _FILES)]
    found = [folder / name for name in _FOLDERS if (folder / name).exists()]
    found += [each for each in files if each.is_file()]
    for each in found:
        if each.is_symlink():
            raise StateDirectoryError(
                f"{each} is a link, and nothing was deleted: delete it, and what it leads to,"
                " yourself."
            )
    aside = folder / _DELETED
    if aside.exists():
        shutil.rmtree(aside)
    aside.mkdir(mode=0o700)
    for each in found:
        each.rename(aside / each.name)
    shutil.rmtree(aside)


def _fail(name: str, why: str) -> NoReturn:
    click.echo(f"storekeeper {name}: {why}", err=True)
    sys.exit(1)
