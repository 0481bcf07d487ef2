"""`storekeeper worker`."""

from __future__ import annotations

import click

from entrypoints.cli.environment import settings_or_exit
from entrypoints.cli.options import help_end
from entrypoints.cli.running import over_container
from entrypoints.logs import configure_logging
from entrypoints.settings import WorkerSettings
from entrypoints.worker.process import run_worker


@click.command(
    "worker",
    epilog=help_end(
        "storekeeper worker",
        "LLM_CONCURRENCY=16 storekeeper worker",
        codes={0: "it was told to stop", 1: "it could not start"},
    ),
)
def command() -> None:
    """Run the jobs of the queue, and those of the clock, until Ctrl-C or SIGTERM."""
    settings = settings_or_exit(WorkerSettings)
    configure_logging(settings.log_level, settings.log_format)
    over_container("worker", run_worker, WorkerSettings)
