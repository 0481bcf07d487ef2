"""`storekeeper sample-data`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from entrypoints.cli.options import help_end
from entrypoints.cli.running import or_exit, over_container
from entrypoints.container.commands import now, sample_files, today
from entrypoints.container.services import Container
from entrypoints.up.sample_data.filling import SampleFiller
from entrypoints.up.sample_data.rows import DAYS, SampleSpec


@click.command(
    "sample-data",
    epilog=help_end(
        "storekeeper sample-data",
        "storekeeper sample-data --users 10 --orders 50 --clicks 500 --seed 7",
        "storekeeper sample-data --out samples",
    ),
)
@click.option("--users", default=1_000, show_default=True, help="People.")
@click.option("--orders", default=5_000, show_default=True, help="Orders, over two years.")
@click.option("--clicks", default=50_000, show_default=True, help="Rows of searches, over 90 days.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same rows.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day of the data (UTC), at most today, which has rows up to now. [default: today]",
)
@click.option("--append", is_flag=True, help="Add to a database that holds rows already.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write CSV files into this folder, not into the database.",
)
def command(
    *,
    users: int,
    orders: int,
    clicks: int,
    seed: int,
    until: datetime | None,
    append: bool,
    out: Path | None,
) -> None:
    """Fill the database of DATABASE_URL, or a folder, with a made-up shop.

    Goes into empty tables only, unless --append is given, and all of it or nothing. Then the
    search insights of its days are computed.
    """
    if append and out is not None:
        raise click.UsageError("--append is for a database; --out makes new files")

    def size() -> SampleSpec:
        at = now()
        return SampleSpec(
            users=users,
            orders=orders,
            clicks=clicks,
            seed=seed,
            until=until.date() if until else at.date(),
            now=at,
        )

    if out is not None:
        folder = out

        async def write() -> None:
            await _fill(sample_files(folder), size(), append=False)

        or_exit("sample-data", write)
        return

    async def load(container: Container) -> int:
        made = size()
        await _fill(container.sample_service(), made, append=append)
        # Each day of the data, not only those without an insight: rows may have been added.
        days = [made.until - timedelta(days=back) for back in range(DAYS)]
        service = container.insight_service()
        past = [day for day in days if day < today()] if made.clicks else []
        for day in past:
            await service.compute(day)
        return len(past)

    click.echo(f"Computed the search insights of {over_container('sample-data', load)} days.")


async def _fill(service: SampleFiller, size: SampleSpec, *, append: bool) -> None:
    """Fill with a bar for each kind of row."""
    wanted = {
        "users": size.users,
        "orders": size.orders,
        "clicks": size.clicks,
    }
    with Progress(
        TextColumn("{task.description:<7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bars:
        tasks = {
            kind: bars.add_task(kind, total=count, start=False, visible=False)
            for kind, count in wanted.items()
            if count
        }

        def progress(kind: str, count: int) -> None:
            if kind in tasks:
                bars.start_task(tasks[kind])
                bars.update(tasks[kind], advance=count, visible=True)

        await service.fill(size, append=append, progress=progress)
