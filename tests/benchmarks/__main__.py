"""`python -m tests.benchmarks`: run benchmarks, print tables, say which targets are missed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from tests.benchmarks.groups import GROUPS, Group, chosen
from tests.benchmarks.harness import ROOT, Options
from tests.benchmarks.results import Report
from tests.benchmarks.writing import as_text, conditions_of, write_files, write_page


@click.command()
@click.option(
    "--only",
    metavar="LIST",
    help="Letters such as a,b, and groups: extraction, insights, access; all by default.",
)
@click.option("--quick", is_flag=True, help="Few documents and rows, one repeat: does it run?")
@click.option("--repeats", type=click.IntRange(min=1), help="Of each comparison; 3 by default.")
@click.option("--outage", "outage_s", type=float, help="Seconds of (f); 60 by default.")
@click.option("--documents", type=int, help="Documents of (e); 100000 by default.")
@click.option("--rows", type=int, help="Rows of searches of the insights; 10000000 by default.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "out",
    help="Folder for the figures, as JSON and as Markdown; out/ by default.",
)
@click.option("--write-docs", is_flag=True, help="Renew the page in docs/reference of each group.")
def main(
    only: str | None,
    quick: bool,
    repeats: int | None,
    outage_s: float | None,
    documents: int | None,
    rows: int | None,
    out: Path,
    write_docs: bool,
) -> None:
    """Measure against the promises made; exit code 1 when one is broken."""
    try:
        letters_by_group = chosen(only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None
    groups = [group for group in GROUPS if group.name in letters_by_group]
    if write_docs and any(len(letters_by_group[g.name]) < len(g.benchmarks) for g in groups):
        raise click.UsageError("--write-docs puts down all figures of a group: name no letters")
    options = Options(
        quick=quick,
        repeats=repeats or (1 if quick else 3),
        outage_s=outage_s or (5 if quick else 60),
        documents=documents or (5_000 if quick else 100_000),
        rows=rows or (200_000 if quick else 10_000_000),
        days=20 if quick else 100,
    )
    missed = []
    for group in groups:
        reports = _run(group, letters_by_group[group.name], options, out, write_docs=write_docs)
        missed += [f"({r.key}) {t.name}" for r in reports for t in r.targets if not t.met]
    if missed:
        raise click.ClickException(f"targets missed: {'; '.join(missed)}")


def _run(
    group: Group, letters: Sequence[str], options: Options, out: Path, *, write_docs: bool
) -> Sequence[Report]:
    arguments = " ".join(sys.argv[1:])
    command = f'make bench ARGS="{arguments}"' if arguments else "make bench"
    conditions = conditions_of(group, options, command, os.getloadavg()[0])
    reports: list[Report] = []
    for letter in letters:
        started = time.monotonic()
        report = replace(group.benchmarks[letter](options), took_s=time.monotonic() - started)
        reports.append(report)
        click.echo(as_text(report))
        write_files(group, reports, conditions, out)
    if write_docs:
        write_page(group, reports, conditions)
    return reports


if __name__ == "__main__":
    main()
