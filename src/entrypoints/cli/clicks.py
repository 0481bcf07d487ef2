"""`storekeeper clicks`: the search log from files and into files, and kept small."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from domain.errors import DependencyError
from domain.insights.click_rows import COLUMNS, ClickImportState, LoggedRow
from entrypoints.cli.options import (
    STDIN,
    delimiter_of,
    examples,
    help_end,
    inner_suffix,
    input_file,
    keep,
    pipe_name,
)
from entrypoints.cli.process import StopSignal, interrupted_status
from entrypoints.cli.running import over_container
from entrypoints.cli.tables import echo_json
from entrypoints.container.commands import (
    ClickColumnNames,
    ClickFile,
    RejectedRowFile,
    form_of,
    today,
)
from entrypoints.container.services import Container
from entrypoints.logs import configure_logging

_DAY: Final = click.DateTime(["%Y-%m-%d"])
_FORMS: Final = ("csv", "ndjson", "parquet")
_SUFFIXES: Final = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    ".parquet": "parquet",
}
_SOME_REJECTED: Final = 3
_TRY_AGAIN: Final = 75
_GO_ON: Final = "Give the same command again: it goes on from there."


@click.group("clicks", epilog=examples("storekeeper clicks import searches.csv"))
def command() -> None:
    """Bring the log of searches in from files or out into files, and keep it small."""
    # All that is loaded by now stays: looking through it again and again while millions of rows
    # are made cost as much as reading them.
    gc.freeze()


@command.command(
    "import",
    epilog=help_end(
        "storekeeper clicks import searches.csv",
        "storekeeper clicks import log.tsv.gz --column search_query=query --date 2026-11-28",
        "cat searches.ndjson | storekeeper clicks import - --format ndjson",
        codes={
            0: "every row is in the log",
            1: "the file was refused",
            3: "some rows were rejected, the others are in the log",
            75: "the database was away: the same command goes on",
        },
    ),
)
@click.argument("file", type=input_file)
@click.option("--format", "form", type=click.Choice(_FORMS), help="[default: by ending]")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help=f"What the file calls one of {', '.join(COLUMNS)}. Repeatable.",
)
@click.option(
    "--delimiter", help="Of CSV; `tab` for tabs. [default: a comma; in .tsv and .tab a tab]"
)
@click.option("--date", "day", type=_DAY, help="UTC day of the rows that name none.")
@click.option("--again", is_flag=True, help="Import a file that is in the log already once more.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where rejected rows go. [default: FILE.rejects.ndjson]",
)
@click.option("--json", "as_json", is_flag=True, help="What came of it, as one JSON document.")
def import_command(
    *,
    file: str,
    form: str | None,
    columns: Sequence[str],
    delimiter: str | None,
    day: datetime | None,
    again: bool,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Put the rows of FILE into the log (`-` for standard input), each of them once.

    CSV, NDJSON (either may be gzipped) or Parquet. What is wrong with a row goes with it into a
    file of rejected rows; a file that is damaged is refused before its first row. An import that
    was cut short, in whatever way, goes on where it stopped when the same command is given again.
    """
    by = delimiter_of(delimiter, file)
    named = _named(columns)
    on = day.date() if day else None
    configure_logging("warning", "text")
    with _content(file) as (path, name):

        async def run(container: Container) -> int:
            source = ClickFile(
                path,
                name=name,
                form=form or _form_of(path, name),
                columns=ClickColumnNames(named=named, dated=on is None),
                delimiter=by,
            )
            into = rejects or Path(f"{name}.rejects.ndjson")
            stands, code = await _import(container, source, into, day=on, again=again)
            if as_json:
                echo_json(_document(stands, into))
            return code

        code = over_container("clicks import", run, kept=f"What was read is in the log. {_GO_ON}")
    sys.exit(code)


async def _import(
    container: Container, source: ClickFile, rejects: Path, *, day: date | None, again: bool
) -> tuple[ClickImportState | None, int]:
    """How the import stands, None of one that did not begin, and the exit code."""
    stop = StopSignal()
    console = Console(stderr=True)
    service = container.click_import_service()
    sink = RejectedRowFile(rejects)
    try:
        current = await service.start(source, sink, day=day, again=again)
    except DependencyError as error:
        click.echo(f"{error} Nothing has been read; give the same command again.", err=True)
        return None, _TRY_AGAIN
    if unread := await asyncio.to_thread(lambda: source.unread):
        click.echo(f"Not read: {', '.join(unread)}.", err=True)
    if current.position.line:
        click.echo(f"Going on after line {current.position.line:,}.", err=True)
    columns = (TextColumn("{task.fields[rows]:,} rows"), BarColumn(), TaskProgressColumn())
    bar = Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )
    task = bar.add_task("", total=source.size, rows=current.accepted)

    def show(stands: ClickImportState, read: int) -> None:
        nonlocal current
        current = stands
        bar.update(task, completed=read, rows=stands.accepted)

    try:
        with bar:
            current = await service.run(current, source, sink, day=day, progress=show, stop=stop)
    except DependencyError as error:
        click.echo(f"{error} {_so_far(current, rejects)} {_GO_ON}", err=True)
        return current, _TRY_AGAIN
    if current.finished_at is None:
        click.echo(f"Stopped. {_so_far(current, rejects)} {_GO_ON}", err=True)
        return current, interrupted_status()
    click.echo(_so_far(current, rejects), err=True)
    return current, _SOME_REJECTED if current.rejected else 0


def _document(stands: ClickImportState | None, rejects: Path) -> dict[str, object]:
    """What `--json` says of an import."""
    if stands is None:
        return {"accepted": 0, "rejected": 0, "rejects": None, "line": 0, "finished": False}
    return {
        "accepted": stands.accepted,
        "rejected": stands.rejected,
        "rejects": str(rejects) if stands.rejected else None,
        "line": stands.position.line,
        "finished": stands.finished_at is not None,
    }


def _so_far(current: ClickImportState, rejects: Path) -> str:
    more = f", {current.rejected:,} rejected: see {rejects}" if current.rejected else ""
    end = "" if current.finished_at else f" up to line {current.position.line:,}"
    rows = "1 row is" if current.accepted == 1 else f"{current.accepted:,} rows are"
    return f"{rows} in the log{end}{more}."


@command.command(
    "export",
    epilog=help_end(
        "storekeeper clicks export > searches.csv",
        "storekeeper clicks export --from 2026-11-01 --to 2026-11-30 --out november.parquet",
    ),
)
@click.option("--from", "first", type=_DAY, help="First day (UTC).")
@click.option("--to", "last", type=_DAY, help="Last day (UTC).")
@click.option("--format", "form", type=click.Choice(_FORMS), help="[default: by --out, or csv]")
@click.option("--out", default=STDIN, show_default=True, help="File; `.gz` packs it.")
def export_command(
    *, first: datetime | None, last: datetime | None, form: str | None, out: str
) -> None:
    """Write the log into a file or to standard output, in the order in which it came.

    A file has its name once it is whole. `storekeeper clicks import` reads it back.
    """
    form = form or _SUFFIXES.get(inner_suffix(out), "csv")
    packed = out != STDIN and Path(out).suffix.lower() == ".gz"
    if form == "parquet" and (out == STDIN or packed):
        raise click.UsageError("Parquet goes to a file, and packs itself: name one by --out")
    configure_logging("warning", "text")
    days = [each.date() if each else None for each in (first, last)]

    async def run(container: Container) -> int:
        encoder = container.click_encoders()[form]
        encoder.check()
        count = 0

        async def counted() -> AsyncIterator[Sequence[LoggedRow]]:
            nonlocal count
            async with aclosing(container.click_export().rows(*days)) as rows:
                async for some in rows:
                    count += len(some)
                    yield some

        packer = zlib.compressobj(wbits=31) if packed else None
        with _out(out) as file:
            async for piece in encoder.encode(counted()):
                file.write(packer.compress(piece) if packer else piece)
            file.write(packer.flush() if packer else b"")
        return count

    count = over_container("clicks export", run, kept="No file was made.")
    rows = "1 row" if count == 1 else f"{count:,} rows"
    click.echo(f"Exported {rows}{'' if out == STDIN else f': {out}'}.", err=True)


@contextmanager
def _out(name: str) -> Iterator[BinaryIO]:
    """The standard output, or a file that gets its name when it is whole."""
    if name == STDIN:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(f"{name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(name)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _content(name: str) -> Iterator[tuple[Path, str]]:
    """The file and what it is called. What comes by a pipe is kept in one, to be read again."""
    pipe = pipe_name(name)
    if pipe is None:
        yield Path(name), name
        return
    with NamedTemporaryFile(prefix="storekeeper-") as file:
        keep(name, file)
        yield Path(file.name), pipe


def _form_of(path: Path, name: str) -> str:
    """By the name's ending; without a known one, by how the file begins."""
    return _SUFFIXES.get(inner_suffix(name)) or form_of(path, name)


def _named(pairs: Sequence[str]) -> Mapping[str, str]:
    named = {}
    for pair in pairs:
        name, _, column = pair.partition("=")
        if name not in COLUMNS or not column:
            raise click.UsageError(
                f"--column {pair}: give NAME=COLUMN, where NAME is one of {', '.join(COLUMNS)}"
            )
        named[name] = column
    return named


@command.command(
    "prune",
    epilog=help_end(
        "storekeeper clicks prune --keep-days 400 --dry-run",
        "storekeeper clicks prune --before 2026-01-01",
    ),
)
@click.option("--before", type=_DAY, help="First day (UTC) whose rows are kept.")
@click.option("--keep-days", type=click.IntRange(1, 100_000), help="Days kept, today included.")
@click.option("--dry-run", is_flag=True, help="Say which days it would be.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
def prune_command(
    *, before: datetime | None, keep_days: int | None, dry_run: bool, as_json: bool
) -> None:
    """Delete the rows of old days, and keep every figure.

    Analyses, stored insights and histories of queries stay as they are, and rows that come late
    are counted. What is gone is each row by itself: `storekeeper clicks export` keeps it. Goes on
    where it was cut short when it is run again.
    """
    if (before is None) == (keep_days is None):
        raise click.UsageError("give --before or --keep-days")
    first_kept = _first_kept(before, keep_days)

    days: list[date] = []

    def say(day: date, deleted: int | None = None) -> None:
        days.append(day)
        if not as_json:
            click.echo(f"{day}" if deleted is None else f"{day}: {deleted:,} rows")

    async def run(container: Container) -> int:
        service = container.click_retention_service()
        if dry_run:
            for day in await service.days_to_prune(first_kept):
                say(day)
            return 0
        rows: int = await service.prune(first_kept, progress=say)
        return rows

    rows = over_container(
        "clicks prune",
        run,
        kept="The days named above are done; the same command goes on.",
    )
    if as_json:
        listed = [str(day) for day in days]
        told = {"first_kept": str(first_kept), "dry_run": dry_run, "days": listed, "rows": rows}
        echo_json(told)
    elif dry_run:
        click.echo(f"{len(days):,} days have rows from before {first_kept}.")
    else:
        click.echo(f"Deleted {rows:,} rows from before {first_kept}; their figures stay.")


def _first_kept(before: datetime | None, keep_days: int | None) -> date:
    if before is not None:
        return before.date()
    assert keep_days is not None, "one of the two is given"
    return today() - timedelta(days=keep_days - 1)
