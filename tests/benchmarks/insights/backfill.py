"""(i) A hundred days that nobody computed yet, against one sequential scan of the log."""

from __future__ import annotations

from typing import Final

from adapters.postgres.insights.search_insights import PostgresSearchInsightRepository
from adapters.postgres.pool import Database
from domain.insights.model import RankingRules
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.day import NOW
from tests.benchmarks.insights.history import long_history, over, seconds, settle
from tests.benchmarks.results import Report, at_most, spread

_SCANS: Final = {
    "count and sums": "SELECT count(*), sum(clicks), sum(impressions) FROM search_clicks",
    "by day": (
        "SELECT search_date, count(*), sum(clicks), sum(impressions) FROM search_clicks"
        " GROUP BY search_date"
    ),
    "by day and query": (
        "SELECT count(*) FROM (SELECT search_date, query_norm, count(*), sum(clicks),"
        " sum(impressions) FROM search_clicks GROUP BY search_date, query_norm) AS queries"
    ),
}
_ONE_PROCESS: Final = "SET LOCAL max_parallel_workers_per_gather = 0"


def run(options: Options) -> Report:
    """Forget all insights, compute them; repeat."""
    history = long_history(options)
    figures: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        over(history.url, _forget)
        settle()
        for what, took_s in over(history.url, _measured).items():
            figures.setdefault(what, []).append(took_s)
    names = {
        **{what: f"sequential scan: {what}" for what in _SCANS},
        "backfill": f"backfill of {history.log.days} days",
    }
    ratios = {
        scan: [a / b for a, b in zip(figures["backfill"], figures[scan], strict=True)]
        for scan in _SCANS
    }
    return Report(
        key="i",
        title="Backfill",
        setting=(
            f"{history.log.rows:,} rows in {history.log.days} days, none computed yet. The scans "
            "read the whole table once in one process (max_parallel_workers_per_gather = 0): "
            "`count(*), sum(clicks), sum(impressions)`, the same by day, and by day and query. "
            "The backfill is what the nightly job does: it finds the days, builds their rollup "
            "and stores their insights, a transaction a day, so that it may be cut short and "
            "taken up again anywhere."
        ),
        columns=("", "s", "backfill to it"),
        rows=tuple(
            (words, spread(figures[what]), spread(ratios[what]) if what in ratios else "")
            for what, words in names.items()
        ),
        targets=tuple(
            at_most(f"backfill to the scan: {scan}", ratios[scan], 3.0, digits=2) for scan in _SCANS
        ),
        data=figures,
    )


async def _forget(database: Database) -> None:
    await database.execute(
        "TRUNCATE search_query_days, search_days, search_insights, search_changed_days"
    )
    await database.execute(
        "INSERT INTO search_changed_days (search_date)"
        " SELECT DISTINCT search_date FROM search_clicks WHERE search_date IS NOT NULL"
    )


async def _measured(database: Database) -> dict[str, float]:
    found = {}
    for what, sql in _SCANS.items():
        async with database.transaction() as connection:
            await connection.execute(_ONE_PROCESS)
            found[what] = await seconds(connection.fetch(sql))
    found["backfill"] = await seconds(backfilled(database))
    return found


async def backfilled(database: Database) -> None:
    """Compute every day that lacks its insight, as the nightly job does."""
    store = PostgresSearchInsightRepository(database)
    for day in await store.days_to_compute(NOW.date()):
        await store.compute(day, RankingRules(), now=NOW)
