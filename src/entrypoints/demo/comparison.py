"""`make compare-sample`: the embedded model against regular expressions, on a stack of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from entrypoints.demo.journal import DemoFailed
from entrypoints.demo.stack import demo_stack

_CONTESTANTS: Final = "local,plain=local?shots=0&reasks=0,regex"


@click.command("compare-sample")
@click.option("--texts", default=40, show_default=True, help="How many messages are compared.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/comparison"),
    show_default=True,
    help="Folder of dataset, results and reports.",
)
def command(*, texts: int, out: Path) -> None:
    """Make messages, have them read, and write the report; a run that broke off goes on."""
    out.mkdir(parents=True, exist_ok=True)
    dataset = out / "messages.ndjson"
    try:
        with demo_stack(click.echo) as stack:
            if not dataset.exists():
                _storekeeper(stack.env, "dataset", "messages", f"--out={dataset.absolute()}")
            _storekeeper(
                stack.env,
                *("compare", f"--providers={_CONTESTANTS}", f"--dataset={dataset.absolute()}"),
                *(f"--limit={texts}", f"--out={out.absolute()}"),
            )
    except DemoFailed as error:
        click.echo(f"compare-sample: {error}", err=True)
        sys.exit(1)
    click.echo(f"Open {out / 'report.html'} in a browser.")


def _storekeeper(env: Mapping[str, str], *arguments: str) -> None:
    """Run a command that shows its own progress.

    Raises:
        DemoFailed: it ended with another status than 0.
    """
    click.echo(f"$ storekeeper {' '.join(arguments)}")
    code = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "entrypoints.cli.main", *arguments],
        check=False,
        env=dict(env),
        cwd=env["STATE_DIR"],  # away from a .env file of the person who calls
    ).returncode
    if code != 0:
        raise DemoFailed(f"storekeeper {arguments[0]} ended with status {code}; see above.")


if __name__ == "__main__":
    command()
