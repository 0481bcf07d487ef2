"""`storekeeper insights`: shown at the prompt; computed for people, cron and systemd alike."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

import click
import msgspec
from rich.console import Console

from domain.insights.model import MAX_COUNT, Period, RankBy, RankingRules, StoredInsight
from domain.insights.period_over_period import PeriodOverPeriod
from domain.insights.refresher import InsightRefresher, Progress
from domain.insights.run_history import DayOutcome, DayResult, RefreshReport, RunOutcome
from entrypoints.cli.insight_tables import analysis_tables, first_of, insight_tables
from entrypoints.cli.options import FiniteRange, examples, help_end
from entrypoints.cli.running import over_container
from entrypoints.container.commands import insight_procedures
from entrypoints.container.services import Container
from entrypoints.http.insights.insight_views import insight_view, period_over_period_view
from entrypoints.settings import InsightSettings

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("insights", epilog=examples("storekeeper insights show"))
def command() -> None:
    """Compute and show the search insights."""


@command.command(
    "show",
    epilog=help_end(
        "storekeeper insights show", "storekeeper insights show --date 2026-11-28 --json"
    ),
)
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


@command.command(
    "analyse",
    epilog=help_end(
        "storekeeper insights analyse --top 3",
        "storekeeper insights analyse --from 2026-11-01 --to 2026-11-28 --rank-by ctr_low",
    ),
)
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

    async def analyse(container: Container) -> PeriodOverPeriod:
        service = container.insight_service()
        period = service.period(first and first.date(), last and last.date())
        found: PeriodOverPeriod = await service.period_over_period(
            period, RankingRules(rank_by=RankBy(rank_by), **rules)
        )
        return found

    found = over_container("insights analyse", analyse, InsightSettings)
    if as_json:
        click.echo(msgspec.json.encode(period_over_period_view(found)))
    else:
        Console().print(*analysis_tables(found), sep="\n")


SOME_FAILED: Final = 3
TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h."""

_CODES: Final = {
    0: "every day is stored",
    1: "no day is stored",
    3: "some days failed, the others are stored",
    75: "the database was away: what was stored is stored, try again",
}

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")


@command.command(
    "run",
    epilog=help_end(
        "storekeeper insights run",
        "storekeeper insights run --from 2026-11-01 --to 2026-11-28 --json",
        codes=_CODES,
    ),
)
@click.option("--date", "day", type=_DAY, help="One day (UTC).")
@click.option("--from", "first", type=_DAY, help="First of several days.")
@click.option("--to", "last", type=_DAY, help="Last of several days.")
@_as_json
def run_command(
    *, day: datetime | None, first: datetime | None, last: datetime | None, as_json: bool
) -> None:
    """Compute and store insights; without a day, the nightly run.

    That is the last 3 days, and every earlier day whose insight is missing or stale. A day that
    fails does not stop the others.
    """
    if (day is not None and (first or last)) or (first is None) != (last is None):
        raise click.UsageError("give --date alone, or --from and --to, or none of them")
    start, end = (day, day) if day else (first, last)
    if start is None or end is None:
        _carry_out("run", lambda refresher, progress: refresher.refresh(progress), as_json=as_json)

    async def these(refresher: InsightRefresher, progress: Progress) -> RefreshReport:
        period = Period(first=start.date(), last=end.date())
        days = [period.first + timedelta(days=n) for n in range(period.days)]
        return await refresher.compute(days, progress)

    _carry_out("run", these, as_json=as_json)


@command.command("catch-up", epilog=help_end("storekeeper insights catch-up", codes=_CODES))
@_as_json
def catch_up_command(*, as_json: bool) -> None:
    """Compute what is left undone: days whose insight is missing or stale.

    If the nightly run of INSIGHTS_AT has not succeeded since it was due, this is it. Costs next to
    nothing when nothing is to be done, so it may be called as often as you like.
    """
    _carry_out(
        "catch-up", lambda refresher, progress: refresher.catch_up(progress), as_json=as_json
    )


def _plain_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w{0,62}", value, re.ASCII):
        raise click.BadParameter("must be a name of letters, digits and _")
    return value


@command.command("sql", epilog=help_end("storekeeper insights sql --schema shop > insights.sql"))
@click.option(
    "--schema",
    default="public",
    show_default=True,
    callback=_plain_name,
    help="Where the tables are, in letter case too.",
)
def sql_command(*, schema: str) -> None:
    """Print SQL that computes the insights inside the database, for pg_cron.

    It makes a function for one day and a procedure for a run over days, with the statements that
    this version itself runs. Who calls them by their whole names, such as
    public.refresh_search_insights, may have any search_path. Needs no settings.
    """
    click.echo(insight_procedures(schema))


def _carry_out(
    name: str,
    work: Callable[[InsightRefresher, Progress], Awaitable[RefreshReport]],
    *,
    as_json: bool,
) -> NoReturn:
    """Do the work and say what became of each day; ends the process with the code for it."""

    async def over(container: Container) -> RefreshReport:
        return await work(container.insight_refresher(), _no_progress if as_json else _say_day)

    report = over_container(
        f"insights {name}",
        over,
        InsightSettings,
        kept="What was stored stays stored; the same command goes on.",
    )
    if as_json:
        click.echo(msgspec.json.encode(_document(report)))
    else:
        _say_whole(report)
    sys.exit(_code(report))


def _no_progress(_: DayResult) -> None: ...


def _say_day(result: DayResult) -> None:
    words = result.outcome.value.replace("_", " ")
    click.echo(f"{result.day}  {words}" + (f": {result.error}" if result.error else ""))


def _say_whole(report: RefreshReport) -> None:
    done = sum(day.outcome in {DayOutcome.STORED, DayOutcome.UNCHANGED} for day in report.days)
    total = len(report.days)
    if not total and report.run.outcome is RunOutcome.DONE:
        click.echo("Nothing was left to do.")
    else:
        click.echo(f"{done} of {total} {'day' if total == 1 else 'days'} computed.")
    if report.outage is not None:
        click.echo(f"{report.outage} Try again.", err=True)


def _document(report: RefreshReport) -> dict[str, object]:
    return {
        "outcome": report.run.outcome,
        "started_at": report.run.started_at,
        "finished_at": report.run.finished_at,
        "error": report.run.error,
        "days": report.days,
    }


def _code(report: RefreshReport) -> int:
    if report.outage is not None:
        return TRY_AGAIN
    return {RunOutcome.DONE: 0, RunOutcome.PARTLY_FAILED: SOME_FAILED, RunOutcome.FAILED: 1}[
        report.run.outcome
    ]
