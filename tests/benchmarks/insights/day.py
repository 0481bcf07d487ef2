"""(h) One day in ten million rows: computed and stored, against an indexed scan of the day."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

from adapters.postgres.insights.search_insights import PostgresSearchInsightRepository
from adapters.postgres.pool import Database
from domain.insights.model import RankingRules
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.history import (
    History,
    long_history,
    over,
    seconds,
    settings_of,
    settle,
    short_history,
)
from tests.benchmarks.results import Report, at_most, spread

NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
SCAN: Final = (
    "SELECT count(*), sum(clicks), sum(impressions) FROM search_clicks WHERE search_date = $1"
)
GROUPED_SCAN: Final = """
SELECT count(*) FROM (
    SELECT query_norm, count(*), sum(clicks), sum(impressions)
    FROM search_clicks WHERE search_date = $1 GROUP BY query_norm
) AS queries
"""
_SCANS: Final = {"scan": SCAN, "scan by query": GROUPED_SCAN}
_FORGET: Final = (
    "DELETE FROM search_insights WHERE insight_date = $1",
    "DELETE FROM search_query_days WHERE search_date = $1",
    "DELETE FROM search_days WHERE search_date = $1",
    "INSERT INTO search_changed_days (search_date) VALUES ($1)",
)
_LATE_ROW: Final = (
    "INSERT INTO search_clicks (search_query, clicks, impressions, search_date)"
    " VALUES ('late', 1, 2, $1)"
)


def run(options: Options) -> Report:
    """Long and short log in turn, a day after the other."""
    histories = {"long": long_history(options), "short": short_history(options)}
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in histories}
    for repeat in range(options.repeats + 1):
        for name, history in histories.items():
            settle()
            back = 1 + repeat % (history.log.days - 1)
            day = history.log.last_day - timedelta(days=back)
            once = over(history.url, partial(_measured, day=day))
            if repeat:  # the first warms the caches
                for what, took_s in once.items():
                    figures[name].setdefault(what, []).append(took_s)
    settings = over(histories["long"].url, settings_of)
    return _report(figures, histories, settings)


async def _measured(database: Database, *, day: date) -> dict[str, float]:
    """Seconds of each piece of work, one after the other."""
    store = PostgresSearchInsightRepository(database)

    def compute() -> Awaitable[object]:
        return store.compute(day, RankingRules(), now=NOW)

    found = {}
    await store.compute(day, RankingRules(), now=NOW)  # a new connection plans its statements first
    for what, sql in _SCANS.items():
        await database.fetch(sql, day)
        found[what] = await seconds(database.fetch(sql, day))
    for statement in _FORGET:
        await database.execute(statement, day)
    await database.execute("VACUUM search_query_days")
    found["new day"] = await seconds(compute())
    await database.execute(_LATE_ROW, day)
    found["late row"] = await seconds(compute())
    found["again"] = await seconds(compute())
    return found


def _ratios(times: Mapping[str, Sequence[float]], what: str, against: str) -> list[float]:
    return [a / b for a, b in zip(times[what], times[against], strict=True)]


_WORDS: Final[Mapping[str, str]] = {
    "scan": "indexed scan of the day",
    "scan by query": "the same scan, grouped by query",
    "new day": "compute a new day",
    "late row": "compute it after a late row",
    "again": "compute it again, nothing changed",
}


def _report(
    figures: Mapping[str, Mapping[str, list[float]]],
    histories: Mapping[str, History],
    settings: Mapping[str, str],
) -> Report:
    long, short = figures["long"], figures["short"]
    rows = [
        (
            words,
            spread([1000 * each for each in long[what]], digits=1),
            spread([1000 * each for each in short[what]], digits=1),
            spread(_ratios(long, what, "scan")),
            spread(_ratios(long, what, "scan by query")),
        )
        for what, words in _WORDS.items()
    ]
    flat = [a / b for a, b in zip(long["new day"], short["new day"], strict=True)]
    log = histories["long"].log
    return Report(
        key="h",
        title="One day",
        setting=(
            f"{log.rows:,} rows in {log.days} days against "
            f"{histories['short'].log.rows:,} rows in {histories['short'].log.days}, "
            f"{log.rows_a_day:,} rows a day in both. The scan counts the rows of the day by its "
            "index and adds their clicks and impressions up; by query, it does so for each. To "
            "compute a new day is to read its rows, write its rows of "
            "the rollup, and store its insight, in one transaction through "
            "`PostgresSearchInsightRepository`. PostgreSQL: "
            + ", ".join(f"{name} {value}" for name, value in settings.items())
            + "."
        ),
        columns=("", "long log, ms", "short log, ms", "to the scan", "to the scan by query"),
        rows=tuple(rows),
        targets=(
            at_most("a new day to the scan", _ratios(long, "new day", "scan"), 1.5, digits=2),
            at_most(
                "a new day to the scan by query",
                _ratios(long, "new day", "scan by query"),
                1.5,
                digits=2,
            ),
            at_most("a day again to the scan", _ratios(long, "again", "scan"), 1.5, digits=2),
            at_most("a new day in the long log to one in the short", flat, 1.25, digits=2),
        ),
        data=figures,
    )
