"""`storekeeper insights run` and `catch-up`: for people, cron and systemd alike."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, NoReturn

import click
import msgspec

from domain.insights.model import Period
from domain.insights.refreshing import InsightRefresher, Tell
from domain.insights.runs import DayOutcome, DayResult, RunReport
from domain.scheduling.model import Outcome
from entrypoints.cli.running import over_container
from entrypoints.container.commands import insight_procedures
from entrypoints.container.services import Container
from entrypoints.settings import InsightSettings

_DAY = click.DateTime(["%Y-%m-%d"])

SOME_FAILED: Final = 3
TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h."""

_CODES = """
    \b
    Exit code: 0 every day is stored, 1 none is, 2 bad usage or settings,
    3 some days failed and the others are stored, 75 the database was away:
    what was stored is stored, try again.
"""

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")


@click.command("run", epilog=_CODES)
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
        _carry_out("run", lambda refresher, tell: refresher.refresh(tell), as_json=as_json)

    async def these(refresher: InsightRefresher, tell: Tell) -> RunReport:
        period = Period(first=start.date(), last=end.date())
        days = [period.first + timedelta(days=n) for n in range(period.days)]
        return await refresher.compute(days, tell)

    _carry_out("run", these, as_json=as_json)


@click.command("catch-up", epilog=_CODES)
@_as_json
def catch_up_command(*, as_json: bool) -> None:
    """Compute what is left undone: days whose insight is missing or stale.

    If the nightly run of INSIGHTS_AT has not succeeded since it was due, this is it. Costs next to
    nothing when nothing is to be done, so it may be called as often as you like.
    """
    _carry_out("catch-up", lambda refresher, tell: refresher.catch_up(tell), as_json=as_json)


def _plain_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w{0,62}", value, re.ASCII):
        raise click.BadParameter("must be a name of letters, digits and _")
    return value


@click.command("sql")
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
    work: Callable[[InsightRefresher, Tell], Awaitable[RunReport]],
    *,
    as_json: bool,
) -> NoReturn:
    """Do the work and say what became of each day; ends the process with the code for it."""

    async def over(container: Container) -> RunReport:
        return await work(container.insight_refresher(), _in_silence if as_json else _say_day)

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


def _in_silence(_: DayResult) -> None: ...


def _say_day(result: DayResult) -> None:
    words = result.outcome.value.replace("_", " ")
    click.echo(f"{result.day}  {words}" + (f": {result.error}" if result.error else ""))


def _say_whole(report: RunReport) -> None:
    done = sum(day.outcome in {DayOutcome.STORED, DayOutcome.UNCHANGED} for day in report.days)
    total = len(report.days)
    if not total and report.run.outcome is Outcome.DONE:
        click.echo("Nothing was left to do.")
    else:
        click.echo(f"{done} of {total} {'day' if total == 1 else 'days'} computed.")
    if report.outage is not None:
        click.echo(f"{report.outage} Try again.", err=True)


def _document(report: RunReport) -> dict[str, object]:
    return {
        "outcome": report.run.outcome,
        "started_at": report.run.started_at,
        "finished_at": report.run.finished_at,
        "error": report.run.error,
        "days": report.days,
    }


def _code(report: RunReport) -> int:
    if report.outage is not None:
        return TRY_AGAIN
    return {Outcome.DONE: 0, Outcome.PARTLY_FAILED: SOME_FAILED, Outcome.FAILED: 1}[
        report.run.outcome
    ]
