"""The first page: what this is, what runs here, and what to do next.

`storekeeper` alone prints it, and so does `storekeeper up` once all is ready. Loads neither the
settings nor a server's library: it is there at once.
"""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from entrypoints.up.state import StackRecord, StateDirectory

_WHAT: Final = (
    "the back office of an online shop over its own PostgreSQL.\n"
    "Users and orders over HTTPS, customers' messages as records, and what people search for."
)
_OPEN: Final = "this machine needs no key, until you make the first: storekeeper keys create"
_MESSAGE: Final = "echo 'Tom Becker here: 2 desk lamps' | "


def overview(
    state: StateDirectory, record: StackRecord | None, *, own_servers: bool = False
) -> str:
    """The page as text, with colours where a terminal shows them.

    Args:
        state: the folder of the stack.
        record: what the stack tells that runs there; None where none does.
        own_servers: whether the settings name a database, so that nobody needs a stack.
    """
    version = importlib.metadata.version("storekeeper")
    head = ["", f"{styled(f'Storekeeper {version}', bold=True)}: {_WHAT}", ""]
    if record is not None and record.ready:
        body = _running(state, record)
    elif record is not None or state.is_held():
        body = _starting(state)
    elif own_servers:
        body = _own_servers()
    else:
        body = _stopped(state)
    return "\n".join([*head, *body, ""])


def styled(text: str, **how: Any) -> str:
    """The text as a terminal shows it so; unchanged where nobody looks at one, or wants no colours.

    See https://no-color.org.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return text if plain or not sys.stdout.isatty() else click.style(text, **how)


def _running(state: StateDirectory, record: StackRecord) -> Sequence[str]:
    url = record.url
    parts = [each.name + ("" if each.ready else " (not ready yet)") for each in record.processes]
    trust = f"--cacert '{record.ca_file}' " if record.ca_file else ""
    end = f"storekeeper stop{state.option}"
    # Commands on the data take the folder from the environment alone.
    place = f"STATE_DIR={shlex.quote(str(state.path))} " if state.option else ""
    lines = [
        styled(f"Storekeeper is ready: {url}", bold=True, fg="green"),
        "",
        *_steps(
            ("See the dashboard", _link(f"{url}/dashboard")),
            ("Turn a text into a record", f"{_MESSAGE}{place}storekeeper extract -"),
            ("Read and try the API", _link(f"{url}/docs")),
        ),
        "",
        f"  runs       {', '.join(parts)}",
        f"  start page {_link(f'{url}/')}",
        f"  sign in    {_link(f'{url}/sign-in')} ({'with a key' if record.needs_key else _OPEN})",
        f"  terminal   curl {trust}{url}/health/ready",
    ]
    if record.ca_file:
        lines += [
            f"  CA file    {record.ca_file}",
            f"             (browsers warn until: storekeeper tls trust{state.option})",
        ]
    return [
        *lines,
        f"  settings   {state.env_file} (for psql and the storekeeper command)",
        f"  logs       {state.log('web').parent}/*.log",
        f"{end if record.detached else f'Ctrl-C, or {end},'} stops everything; the data stays.",
    ]


def _starting(state: StateDirectory) -> Sequence[str]:
    return [
        styled("Storekeeper is starting or stopping.", bold=True, fg="yellow"),
        "",
        *_steps(
            ("See each server", f"storekeeper status{state.option}"),
            ("Read what they write", f"storekeeper logs{state.option}"),
            ("Stop everything", f"storekeeper stop{state.option}"),
        ),
    ]


def _own_servers() -> Sequence[str]:
    return [
        styled("The settings name servers of your own (DATABASE_URL).", bold=True),
        "",
        *_steps(
            ("Bring the database to this version", "storekeeper db migrate"),
            ("Check all of it", "storekeeper doctor"),
            ("Serve the API", "storekeeper serve"),
        ),
        "",
        "All commands: storekeeper --help",
    ]


def _stopped(state: StateDirectory) -> Sequence[str]:
    used = state.was_used()
    what = "Storekeeper has stopped; the data is kept." if used else "Nothing runs here yet."
    again = "Start it again" if used else "Start everything on this machine"
    return [
        styled(what, bold=True, fg="yellow"),
        "",
        *_steps(
            (again, f"storekeeper up{state.option}"),
            ("Or use servers of your own", "DATABASE_URL=... storekeeper doctor"),
            ("See all commands", "storekeeper --help"),
        ),
    ]


def _steps(*steps: tuple[str, str]) -> Sequence[str]:
    width = max(len(what) for what, _ in steps)
    return [f"  {nth}. {what:<{width}}   {how}" for nth, (what, how) in enumerate(steps, 1)]


def _link(address: str) -> str:
    return styled(address, fg="cyan", underline=True)
