"""`make demo` and `make compare-sample`: what people try first, on a stack of its own."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import httpx2

from demo import walk
from demo.stack import demo_stack
from demo.walk import DemoFailed, StepRunner

_TIMEOUT_S: Final = 330.0
_CONTESTANTS: Final = "local,plain=local?shots=0&reasks=0,regex"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show Storekeeper at work."""


@command.command("walk")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder of the sample outputs.",
)
def walk_command(*, out: Path) -> None:
    """Start a stack of its own, walk through all three jobs over HTTPS, and stop it again.

    Nothing of yours is touched: free ports, a temporary folder, sample data. Exit code 1 if a
    step does not end as it should.
    """
    try:
        with demo_stack(click.echo) as stack:
            trusted = ssl.create_default_context(cafile=stack.ca_file)
            with httpx2.Client(base_url=stack.url, verify=trusted, timeout=_TIMEOUT_S) as client:
                steps = StepRunner(client, stack.env, out, click.echo)
                walk.records(steps)
                walk.extraction(steps)
                walk.insights(steps, datetime.now(UTC).date())
                walk.commands(steps)
    except DemoFailed as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(1)
    click.echo(f"All steps ended as they should; the samples are in {out}/.")


@command.command("compare-sample")
@click.option("--texts", default=40, show_default=True, help="How many messages are compared.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/comparison"),
    show_default=True,
    help="Folder of dataset, results and reports.",
)
def compare_command(*, texts: int, out: Path) -> None:
    """Make messages, have them read, and write the report; a run that broke off goes on."""
    out.mkdir(parents=True, exist_ok=True)
    dataset = out / "messages.ndjson"
    try:
        with demo_stack(click.echo) as stack:
            if not dataset.exists():
                _run(stack.env, "labelled_messages", f"--out={dataset.absolute()}")
            _run(
                stack.env,
                *("entrypoints.cli.main", "compare", f"--providers={_CONTESTANTS}"),
                *(f"--dataset={dataset.absolute()}", f"--limit={texts}", f"--out={out.absolute()}"),
            )
    except DemoFailed as error:
        click.echo(f"compare-sample: {error}", err=True)
        sys.exit(1)
    click.echo(f"Open {out / 'report.html'} in a browser.")


_TYPED: Final = {
    "entrypoints.cli.main": "storekeeper",
    "labelled_messages": "labelled-messages",
}
"""Modules that are run, as a person types them."""


def _run(env: Mapping[str, str], module: str, *arguments: str) -> None:
    """Run a command that shows its own progress.

    Raises:
        DemoFailed: it ended with another status than 0.
    """
    typed = " ".join((_TYPED[module], *arguments))
    click.echo(f"$ {typed}")
    code = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", module, *arguments],
        check=False,
        env=dict(env),
        cwd=env["STATE_DIR"],  # away from a .env file of the person who calls
    ).returncode
    if code != 0:
        raise DemoFailed(f"{typed.partition(' --')[0]} ended with status {code}; see above.")
