"""`storekeeper clicks prune`."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import click

from entrypoints.cli.running import over_container
from entrypoints.container.commands import today
from entrypoints.container.services import Container

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("prune")
@click.option("--before", type=_DAY, help="First day (UTC) whose rows are kept.")
@click.option("--keep-days", type=click.IntRange(1, 100_000), help="Days kept, today included.")
@click.option("--dry-run", is_flag=True, help="Say which days it would be.")
def command(*, before: datetime | None, keep_days: int | None, dry_run: bool) -> None:
    """Delete the rows of old days, and keep every figure.

    Analyses, stored insights and histories of queries stay as they are, and rows that come late
    are counted. What is gone is each row by itself: `storekeeper clicks export` keeps it. Goes on
    where it was cut short when it is run again.
    """
    if (before is None) == (keep_days is None):
        raise click.UsageError("give --before or --keep-days")
    first_kept = _first_kept(before, keep_days)

    async def run(container: Container) -> int:
        service = container.retention_service()
        if dry_run:
            days = await service.days_to_prune(first_kept)
            for day in days:
                click.echo(f"{day}")
            return len(days)
        rows: int = await service.prune(
            first_kept, progress=lambda day, deleted: click.echo(f"{day}: {deleted:,} rows")
        )
        return rows

    count = over_container(
        "clicks prune",
        run,
        kept="The days named above are done; the same command goes on.",
    )
    if dry_run:
        click.echo(f"{count:,} days have rows from before {first_kept}.")
    else:
        click.echo(f"Deleted {count:,} rows from before {first_kept}; their figures stay.")


def _first_kept(before: datetime | None, keep_days: int | None) -> date:
    if before is not None:
        return before.date()
    assert keep_days is not None, "one of the two is given"
    return today() - timedelta(days=keep_days - 1)
