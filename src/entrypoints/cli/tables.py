"""What commands print for people as plain columns, and for programs as JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import click

from entrypoints.logs import harmless

_UNITS: Final = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def echo_json(document: Any) -> None:
    """One document; nothing but ASCII reaches a terminal, whatever the stored texts hold."""
    click.echo(json.dumps(document))


def echo_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows as lines, each column as wide as its widest cell.

    What comes last in a line may be long: a terminal that is too narrow shows its beginning. A
    file or a pipe gets all of it.
    """
    plain = [[harmless(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in plain:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line = "  ".join(cells).rstrip()
        cut = room is not None and len(line) > room > 1
        click.echo(f"{line[: room - 1]}…" if cut and room else line)


def echo_members(view: dict[str, Any]) -> None:
    """Each member on a line of its own."""
    width = max(map(len, view))
    for name, value in view.items():
        click.echo(f"{name:<{width}}  {_in_words(value)}")


def age_of(span: timedelta) -> str:
    """A time, in the greatest unit of which there is at least one."""
    unit, length = next((each for each in _UNITS if span >= each[1]), _UNITS[-1])
    return f"{max(span // length, 0)} {unit}"


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_words, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else harmless(str(value))
