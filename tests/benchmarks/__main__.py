"""`python -m tests.benchmarks`: run benchmarks, print tables, say which targets are missed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import click

from tests.benchmarks import faults, kills, memory, outage, quota, storm, throughput
from tests.benchmarks.harness import ROOT, Options
from tests.benchmarks.results import Report
from tests.benchmarks.writing import as_text, conditions_of, write_files, write_page

Benchmark: TypeAlias = Callable[[Options], Report]

_ALL: Final[dict[str, Benchmark]] = {
    "a": throughput.run,
    "b": faults.run,
    "c": storm.run,
    "d": kills.run,
    "e": memory.run,
    "f": outage.run,
    "g": quota.run,
}


@click.command()
@click.option("--only", metavar="LETTERS", help="Some of them, such as a,b; all by default.")
@click.option("--quick", is_flag=True, help="Few documents, one repeat: does it run at all?")
@click.option("--repeats", type=click.IntRange(min=1), help="Of each comparison; 3 by default.")
@click.option("--outage", "outage_s", type=float, help="Seconds of (f); 60 by default.")
@click.option("--documents", type=int, help="Documents of (e); 100000 by default.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "out",
    help="Folder for benchmarks.json and benchmarks.md; out/ by default.",
)
@click.option("--write-docs", is_flag=True, help="Renew docs/reference/benchmarks.md too.")
def main(
    only: str | None,
    quick: bool,
    repeats: int | None,
    outage_s: float | None,
    documents: int | None,
    out: Path,
    write_docs: bool,
) -> None:
    """Measure the extraction against the promises made for it; exit code 1 when one is broken."""
    letters = only.replace(" ", "").split(",") if only else list(_ALL)
    unknown = sorted(set(letters) - set(_ALL))
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(_ALL)}", param_hint="only")
    if write_docs and only:
        raise click.UsageError("--write-docs puts down all figures of one run: leave out --only")
    options = Options(
        quick=quick,
        repeats=repeats or (1 if quick else 3),
        outage_s=outage_s or (5 if quick else 60),
        documents=documents or (5_000 if quick else 100_000),
    )
    arguments = " ".join(sys.argv[1:])
    command = f'make bench ARGS="{arguments}"' if arguments else "make bench"
    conditions = conditions_of(options, command, os.getloadavg()[0])
    reports: list[Report] = []
    for letter in letters:
        started = time.monotonic()
        report = replace(_ALL[letter](options), took_s=time.monotonic() - started)
        reports.append(report)
        click.echo(as_text(report))
        write_files(reports, conditions, out)
    if write_docs:
        write_page(reports, conditions)
    missed = [f"({r.key}) {t.name}" for r in reports for t in r.targets if not t.met]
    if missed:
        raise click.ClickException(f"targets missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
