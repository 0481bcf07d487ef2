"""`storekeeper doctor`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from entrypoints.cli.reading import REMEDY, read_settings
from entrypoints.container import examinations, open_container
from entrypoints.settings import Settings, SettingsError
from ports.examination import Finding


@click.command("doctor")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Folder of the `storekeeper up` to look at, where no DATABASE_URL or REDIS_URL is set.",
)
def command(*, state_dir: Path | None) -> None:
    """Check settings, database, queue, worker, providers and certificate, and say what to do.

    Each provider of LLM_PROVIDER is asked for a real answer. Exit code 1 if anything is wrong.
    """
    try:
        settings = read_settings(state_dir)
    except SettingsError as error:
        for line in str(error).splitlines():
            _report(Finding(subject="settings", good=False, detail=line))
        click.echo(f"{REMEDY} The rest was not checked.")
        sys.exit(1)
    _report(Finding(subject="settings", good=True, detail="complete"))
    failures = asyncio.run(_examine(settings))
    click.echo("Everything is well." if not failures else f"{failures} to mend.")
    sys.exit(1 if failures else 0)


async def _examine(settings: Settings) -> int:
    """Report each finding as it comes; returns how many are not good."""
    failures = 0
    async with open_container(settings) as container:
        for part in examinations(settings, container):
            for finding in await part.findings():
                _report(finding)
                failures += not finding.good
    return failures


def _report(finding: Finding) -> None:
    mark = "ok  " if finding.good else "FAIL"
    click.echo(f"{mark}  {finding.subject}: {finding.detail}")
