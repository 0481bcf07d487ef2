"""`storekeeper logs`: what the servers of a stack wrote."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

import click

from entrypoints.cli.options import help_end, state_dir_option
from entrypoints.cli.stack import LOG_NAMES, refuse_closed, state_directory_or_exit
from entrypoints.logs import harmless

_POLL_S: Final = 0.2
_BLOCK_BYTES: Final = 65_536
# A line without an end does not fill the memory.
_LONGEST_LINE_BYTES: Final = 1_048_576


@click.command(
    "logs",
    epilog=help_end(
        "storekeeper logs",
        "storekeeper logs web worker --follow",
        "storekeeper logs postgres -n 20",
        codes={0: "done, and after Ctrl-C of --follow", 1: "there is no such log"},
    ),
)
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(LOG_NAMES))
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 1_000_000),
    default=100,
    show_default=True,
    help="The last lines of each log.",
)
@state_dir_option
def command(*, names: tuple[str, ...], follow: bool, lines: int, state_dir: Path | None) -> None:
    """Read the logs of the servers that `storekeeper up` runs, or ran, here.

    NAME is one of postgres, valkey, web, worker, model, sample-data, and up for what `up --detach`
    says; all if none is given, one after the other. Control characters are escaped.
    """
    state = state_directory_or_exit("logs", state_dir)
    folder = state.log("up").parent
    refuse_closed("logs", folder)
    chosen = list(dict.fromkeys(names)) or LOG_NAMES
    if not follow and not any((folder / f"{name}.log").exists() for name in chosen):
        what = " and ".join(names) or "anything"
        start = f"`storekeeper up{state.option}`"
        click.echo(
            f"storekeeper logs: There is no log of {what} in {folder}; {start} writes them.",
            err=True,
        )
        sys.exit(1)
    width = 0 if len(chosen) == 1 else max(map(len, chosen))
    prefixes = {name: f"{name:<{width}} | " if width else "" for name in chosen}
    tails = [Tail(folder / f"{name}.log", prefix) for name, prefix in prefixes.items()]
    try:
        for tail in tails:
            tail.show_last(lines)
        while follow:
            time.sleep(_POLL_S)
            for tail in tails:
                tail.show_new()
    except KeyboardInterrupt:
        if not follow:
            raise
    finally:
        for tail in tails:
            tail.close()


class Tail:
    """One log, read to its end again and again, whatever becomes of the file.

    Args:
        path: the log.
        prefix: stands before each line.
    """

    def __init__(self, path: Path, prefix: str) -> None:
        self._path = path
        self._prefix = prefix
        self._file: BinaryIO | None = None
        self._rest = b""

    def show_last(self, lines: int) -> None:
        """Show the last lines; what is written later is new."""
        self._open()
        if self._file is None:
            return
        end = self._file.seek(0, os.SEEK_END)
        start, breaks = end, 0
        # The end of the last line ends no line before it.
        while start > 0 and breaks <= lines:
            size = min(_BLOCK_BYTES, start)
            start -= size
            self._file.seek(start)
            breaks += self._file.read(size).count(b"\n")
        self._file.seek(start)
        found = self._file.read(end - start).splitlines(keepends=True)
        for line in found[-lines:] if lines else []:
            self._take(line)
        self._flush()

    def show_new(self) -> None:
        """Show what was written since."""
        if self._file is None:
            self._open()
        if self._file is None:
            return
        self._read()
        try:
            now = self._path.stat()
        except FileNotFoundError:  # it is being moved aside
            return
        ours = os.fstat(self._file.fileno())
        if (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino):
            self._read()  # what came between the two looks
            self._flush()
            self.close()
            self._open()
            self._read()
        elif now.st_size < self._file.tell():  # somebody emptied it
            self._flush()
            self._file.seek(0)
            self._read()

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            self._file = None

    def _read(self) -> None:
        while self._file is not None and (piece := self._file.read(_BLOCK_BYTES)):
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._rest) > _LONGEST_LINE_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Show a line that has no end."""
        if self._rest:
            self._say(self._rest)
            self._rest = b""

    def _say(self, line: bytes) -> None:
        cells = line.decode(errors="replace").rstrip("\r").split("\t")
        click.echo(self._prefix + "\t".join(map(harmless, cells)))
        sys.stdout.flush()
