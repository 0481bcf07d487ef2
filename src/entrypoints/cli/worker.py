"""`storekeeper worker`."""

from __future__ import annotations

import sys

import click
from redis.exceptions import RedisError

from entrypoints.cli.reading import settings_or_exit
from entrypoints.cli.running import over_container
from entrypoints.logs import configure_logging
from entrypoints.worker.settings import run_worker


@click.command("worker")
def command() -> None:
    """Run the jobs of the queue, and those of the clock, until Ctrl-C or SIGTERM."""
    settings = settings_or_exit()
    configure_logging(settings.log_level, settings.log_format)
    try:
        over_container("worker", run_worker)
    except RedisError as error:
        click.echo(f"storekeeper worker: the queue of REDIS_URL was lost: {error}", err=True)
        sys.exit(1)
