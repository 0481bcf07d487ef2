"""`storekeeper insights`: the search insights at the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
import msgspec
from rich.console import Console

from domain.insights.model import Analysis, RankBy, Rules
from domain.insights.stored import StoredInsight
from entrypoints.cli.insight_runs import catch_up_command, run_command, sql_command
from entrypoints.cli.insight_tables import analysis_tables, insight_tables
from entrypoints.cli.running import over_container
from entrypoints.container import Container

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("insights")
def command() -> None:
    """Compute and show the search insights."""


command.add_command(run_command)
command.add_command(catch_up_command)
command.add_command(sql_command)


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
