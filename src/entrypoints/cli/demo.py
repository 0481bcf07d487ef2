"""`storekeeper demo`."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Final

import click
import httpx2

from entrypoints.container.commands import today
from entrypoints.demo import walk
from entrypoints.demo.journal import DemoFailed, Journal
from entrypoints.demo.stack import demo_stack

_TIMEOUT_S: Final = 330.0


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder of the sample outputs.",
)
def command(*, out: Path) -> None:
    """Start a stack of its own, walk through all three jobs over HTTPS, and stop it again.

    Nothing of yours is touched: free ports, a temporary folder, sample data. Exit code 1 if a
    step does not end as it should.
    """
    try:
        with demo_stack(click.echo) as stack:
            trusted = ssl.create_default_context(cafile=stack.ca_file)
            with httpx2.Client(base_url=stack.url, verify=trusted, timeout=_TIMEOUT_S) as client:
                journal = Journal(client, stack.env, out, click.echo)
                walk.records(journal)
                walk.extraction(journal)
                walk.insights(journal, today())
                walk.commands(journal)
    except DemoFailed as error:
        click.echo(f"storekeeper demo: {error}", err=True)
        sys.exit(1)
    click.echo(f"All steps ended as they should; the samples are in {out}/.")
