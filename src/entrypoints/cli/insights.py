"""`storekeeper insights`: the search insights at the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import click
import msgspec
from rich.console import Console

from domain.insights.model import Analysis, Period, RankBy, Rules
from domain.insights.stored import StoredInsight
from entrypoints.cli.insight_tables import analysis_tables, insight_tables
from entrypoints.cli.running import over_container
from entrypoints.container import Container

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("insights")
def command() -> None:
    """Compute and show the search insights."""


@command.command("run")
@click.option("--date", "day", type=_DAY, help="One day (UTC).")
@click.option("--from", "first", type=_DAY, help="First of several days.")
@click.option("--to", "last", type=_DAY, help="Last of several days.")
def run_command(*, day: datetime | None, first: datetime | None, last: datetime | None) -> None:
    """Compute and store insights; without a day, what the nightly job would.

    That is the last 3 days, and every earlier day that has searches and no insight yet.
    """
    if (day is not None and (first or last)) or (first is None) != (last is None):
        raise click.UsageError("give --date alone, or --from and --to, or none of them")

    async def run(container: Container) -> Sequence[date]:
        service = container.insight_service()
        if day is None and (first is None or last is None):
            refreshed: Sequence[date] = await service.refresh()
            return refreshed
        period = (
            Period.of_day(day.date())
            if day is not None
            else Period(first=_of(first), last=_of(last))
        )
        days = [period.first + timedelta(days=n) for n in range(period.days)]
        for each in days:
            await service.compute(each)
        return days

    computed = over_container("insights run", run)
    span = f": {computed[0]} to {computed[-1]}" if computed else ""
    click.echo(f"Computed {len(computed)} {'day' if len(computed) == 1 else 'days'}{span}.")


@command.command("show")
@click.option("--date", "day", type=_DAY, help="One day (UTC). [default: the newest stored]")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show_command(*, day: datetime | None, as_json: bool) -> None:
    """Show the stored insight of a day."""

    async def show(container: Container) -> StoredInsight | None:
        store = container.search_insights()
        found: Sequence[StoredInsight]
        found = [await store.get(day.date())] if day else await store.page(limit=1)
        return found[0] if found else None

    insight = over_container("insights show", show)
    if insight is None:
        click.echo("No insight is stored yet; `storekeeper insights run` computes them.")
    elif as_json:
        click.echo(msgspec.json.encode(insight))
    else:
        Console().print(*insight_tables(insight), sep="\n")


@command.command("analyse")
@click.option("--from", "first", type=_DAY, help="First day (UTC). [default: 28 days]")
@click.option("--to", "last", type=_DAY, help="Last day (UTC). [default: yesterday]")
@click.option("--top", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--min-impressions", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--rank-by",
    type=click.Choice([each.value for each in RankBy]),
    default=RankBy.CTR.value,
    show_default=True,
    help="`ctr_low` ranks by the lower bound of the rate: 990 of 1000 before 20 of 20.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def analyse_command(
    *,
    first: datetime | None,
    last: datetime | None,
    top: int,
    min_impressions: int,
    rank_by: str,
    as_json: bool,
) -> None:
    """Analyse any period from the searches themselves."""
    rules = Rules(top=top, min_impressions=min_impressions, rank_by=RankBy(rank_by))

    async def analyse(container: Container) -> Analysis:
        period = container.insight_service().period(
            first.date() if first else None, last.date() if last else None
        )
        found: Analysis = await container.search_analysis().analyse(period, rules)
        return found

    found = over_container("insights analyse", analyse)
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        Console().print(*analysis_tables(found), sep="\n")


def _of(moment: datetime | None) -> date:
    assert moment is not None
    return moment.date()
