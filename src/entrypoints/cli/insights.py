"""`storekeeper insights`: the search insights at the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.console import Console

from domain.insights.model import MAX_COUNT, RankBy, Rules
from domain.insights.stored import StoredInsight
from domain.insights.trend import Overview
from entrypoints.cli.insight_runs import catch_up_command, run_command, sql_command
from entrypoints.cli.insight_tables import analysis_tables, first_of, insight_tables
from entrypoints.cli.options import FiniteRange
from entrypoints.cli.running import over_container
from entrypoints.container.services import Container
from entrypoints.http.insights.insight_views import insight_view, overview_view
from entrypoints.settings import InsightSettings

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("insights")
def command() -> None:
    """Compute and show the search insights."""


command.add_command(run_command)
command.add_command(catch_up_command)
command.add_command(sql_command)


@command.command("show")
@click.option("--date", "day", type=_DAY, help="One day (UTC). [default: the newest stored]")
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    default=28,
    show_default=True,
    help="How many stored days up to it the sparklines tell.",
)
@click.option("--json", "as_json", is_flag=True, help="The day alone, as the API gives it.")
def show_command(*, day: datetime | None, days: int, as_json: bool) -> None:
    """Show the stored insight of a day, and how the days before it went."""

    async def show(container: Container) -> Sequence[StoredInsight]:
        store = container.search_insights()
        newest: Sequence[StoredInsight]
        newest = [await store.get(day.date())] if day else await store.page(limit=1)
        if not newest:
            return []
        last = newest[0].insight_date
        before = await store.page(
            limit=days - 1, before=last, first=first_of(last, days), last=last
        )
        return [*newest, *before]

    found = over_container("insights show", show, InsightSettings)
    if not found:
        click.echo("No insight is stored yet; `storekeeper insights run` computes them.")
    elif as_json:
        click.echo(msgspec.json.encode(insight_view(found[0])))
    else:
        Console().print(*insight_tables(found, days), sep="\n")


@command.command("analyse")
@click.option("--from", "first", type=_DAY, help="First day (UTC). [default: 28 days]")
@click.option("--to", "last", type=_DAY, help="Last day (UTC). [default: yesterday]")
@click.option("--top", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--min-impressions", type=click.IntRange(1, MAX_COUNT), default=20, show_default=True)
@click.option(
    "--rank-by",
    type=click.Choice([each.value for each in RankBy]),
    default=RankBy.CTR.value,
    show_default=True,
    help="`ctr_low` ranks by the lower bound of the rate: 990 of 1000 before 20 of 20.",
)
@click.option(
    "--low-min-impressions",
    type=click.IntRange(1, MAX_COUNT),
    default=100,
    show_default=True,
    help="Fewest impressions of a low performer.",
)
@click.option(
    "--low-percentile",
    type=FiniteRange(0, 1),
    default=0.75,
    show_default=True,
    help="A low performer is shown at least as often as this share of the queries.",
)
@click.option(
    "--low-ctr-ratio",
    type=FiniteRange(0, 1),
    default=0.5,
    show_default=True,
    help="Its rate is below this share of the period's.",
)
@click.option("--low-limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As the API gives it, the trend included.")
def analyse_command(
    *, first: datetime | None, last: datetime | None, rank_by: str, as_json: bool, **rules: Any
) -> None:
    """Analyse any period from the searches themselves, beside the period before it."""

    async def analyse(container: Container) -> Overview:
        service = container.insight_service()
        period = service.period(first and first.date(), last and last.date())
        found: Overview = await service.overview(period, Rules(rank_by=RankBy(rank_by), **rules))
        return found

    found = over_container("insights analyse", analyse, InsightSettings)
    if as_json:
        click.echo(msgspec.json.encode(overview_view(found)))
    else:
        Console().print(*analysis_tables(found), sep="\n")
