"""What Click lacks: finite numbers, pipes, dividers of tables, examples and exit codes in help."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final, cast

import click

from domain.strict_json import NotStrictJson, read_number

STDIN: Final = "-"
_PIECE_BYTES: Final = 1_048_576
_SPAN: Final = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}

state_dir_option: Final = click.option(
    "--state-dir",
    type=click.Path(path_type=Path, readable=False),
    help="Folder of the `storekeeper up`. [default: that of this account, or STATE_DIR]",
)
"""Which stack of this machine a command is about."""


def one_of(*names: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """What a shell offers for a value that may be other than these, or a list with commas."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in names if name.startswith(begun)]

    return complete


input_file: Final = click.Path(exists=True, dir_okay=False, readable=False, allow_dash=True)
"""A file that is read, or `-`: bad usage where it is missing, so for all commands."""

_USUAL_CODES: Final = {0: "done", 1: "it could not be done", 2: "bad usage or settings"}


def examples(*lines: str) -> str:
    """What stands below the options of a group: lines for a shell that can be typed so."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def help_end(*lines: str, codes: Mapping[int, str] | None = None) -> str:
    """What stands below the options of a command: examples and exit codes.

    Args:
        lines: as those of `examples`.
        codes: exit codes that only this command has, or that mean more than usual here. Those that
            every command has are in docs/reference/cli.md.
    """
    said = {**_USUAL_CODES, **(codes or {})}
    listed = "; ".join(f"{code} {said[code]}" for code in sorted(said))
    return f"{examples(*lines)}\n\nExit codes: {listed}."


class FiniteRange(click.FloatRange):
    """A finite number as JSON writes it: `nan`, which no bound stops, and `inf` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See Click."""
        if isinstance(value, str):
            try:
                value = float(read_number(value))
            except NotStrictJson as error:
                self.fail(f"{value[:40]!r} {error}.", param, ctx)
        return super().convert(value, param, ctx)


def span_of(value: str) -> timedelta | None:
    """What `30m`, `12h` or `90d` means; None for another text."""
    found = _SPAN.fullmatch(value)
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})


def dollars_of(text: str | None) -> Decimal | None:
    """What `--max-cost` says; None where it is not given.

    Raises:
        click.UsageError: it is no number of US dollars.
    """
    if text is None:
        return None
    number = text.removeprefix("$")
    with suppress(NotStrictJson, InvalidOperation):  # the latter of one too long to be rounded
        read_number(number)
        return round(Decimal(number), 9)
    raise click.UsageError("--max-cost is a number of US dollars, such as 2.50")


def pipe_name(name: str) -> str | None:
    """What a file is called that can be read only once; None for one that lies on a disk."""
    if name == STDIN:
        return "stdin"
    path = Path(name)
    return None if path.is_file() or path.is_dir() or not path.exists() else "pipe"


def keep(name: str, file: IO[bytes]) -> None:
    """Write what comes from a pipe, to its end, into a file, so that it can be read again."""
    with ExitStack() as stack:
        standard = name == STDIN
        named = None if standard else stack.enter_context(Path(name).open("rb"))
        pipe = cast(BufferedReader, named or sys.stdin.buffer)
        while piece := pipe.read1(_PIECE_BYTES):  # read() would not look for a signal between two
            file.write(piece)
    file.flush()


def inner_suffix(name: str) -> str:
    """The ending of a file's name in lower case, without the `.gz` behind it."""
    path = Path(name)
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def delimiter_of(given: str | None, name: str) -> str:
    """The character between the fields of a CSV file: what is given, or by the file's ending.

    Raises:
        click.UsageError: it is none.
    """
    if given is None:
        return "\t" if inner_suffix(name) in {".tsv", ".tab"} else ","
    found = {"tab": "\t", "\\t": "\t"}.get(given, given)
    if len(found) != 1 or found in '"\r\n\x00':
        raise click.UsageError("--delimiter is one character, or `tab`")
    return found
