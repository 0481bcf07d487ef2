"""(j) Ninety days analysed from the rollup, against DuckDB from raw rows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click

from adapters.postgres.insights.search_insights import PostgresSearchAnalyser
from adapters.postgres.pool import Database
from domain.insights.model import Period, PeriodInsights, RankingRules
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.backfill import backfilled
from tests.benchmarks.insights.duck import EXPORT, DuckLog, differences, figures_of
from tests.benchmarks.insights.history import long_history, over, seconds, settle
from tests.benchmarks.results import Report, at_most, spread

_DAYS: Final = 90
_MARK: Final = (
    "INSERT INTO search_changed_days (search_date)"
    " SELECT $1::date - n FROM generate_series(0, $2::int - 1) AS n"
)
_MARKED: Final = 3
_QUERY: Final = "wool blanket"


def run(options: Options) -> Report:
    """Equal answers first, then both in turn."""
    history = long_history(options)
    period = Period(
        first=max(
            history.log.last_day - timedelta(days=_DAYS - 1),
            history.log.last_day - timedelta(days=history.log.days - 1),
        ),
        last=history.log.last_day,
    )
    rules = RankingRules()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="storekeeper-bench-") as folder:
        csv = Path(folder) / "raw.csv"
        over(history.url, partial(_prepare, csv=csv))
        duck = DuckLog(csv)
    settle()
    try:
        found = over(history.url, partial(_analysed, period=period, rules=rules))
        differing = differences(figures_of(found), duck.analyse(period, rules))
        if differing:
            raise click.ClickException("DuckDB disagrees:\n" + "\n".join(differing[:9]))
        for _ in range(options.repeats):
            began_s = time.perf_counter()
            duck.analyse(period, rules)
            measured = {"duckdb": time.perf_counter() - began_s}
            for workers, what in ((0, _measured), (2, _measured_in_parallel)):
                over(history.url, partial(_set_workers, count=workers))
                measured |= over(history.url, partial(what, period=period, rules=rules))
            for name, took_s in measured.items():
                figures.setdefault(name, []).append(took_s)
    finally:
        duck.close()
    return _report(figures, period, len(figures_of(found)[0]), options)


async def _prepare(database: Database, *, csv: Path) -> None:
    """Every day computed; the raw rows in a file."""
    await backfilled(database)
    await database.execute("VACUUM ANALYZE search_query_days")
    async with database.connection() as connection:
        await connection.copy_from_query(EXPORT, output=csv, format="csv")


async def _analysed(database: Database, *, period: Period, rules: RankingRules) -> PeriodInsights:
    return await PostgresSearchAnalyser(database).analyse(period, rules)


async def _measured(database: Database, *, period: Period, rules: RankingRules) -> dict[str, float]:
    """One day first, because the first use of a connection plans and prepares."""
    analysis = PostgresSearchAnalyser(database)
    await analysis.analyse(Period.of_day(period.last), rules)
    found = {"rollup": await seconds(analysis.analyse(period, rules))}
    await analysis.history(_QUERY, Period.of_day(period.last))
    found["history"] = await seconds(analysis.history(_QUERY, period))
    await database.execute(_MARK, period.last, _MARKED)
    found["marked"] = await seconds(analysis.analyse(period, rules))
    await database.execute(_MARK, period.last, period.days)
    found["raw"] = await seconds(analysis.analyse(period, rules))
    await database.execute("TRUNCATE search_changed_days")
    return found


async def _measured_in_parallel(
    database: Database, *, period: Period, rules: RankingRules
) -> dict[str, float]:
    analysis = PostgresSearchAnalyser(database)
    await analysis.analyse(Period.of_day(period.last), rules)
    return {"parallel": await seconds(analysis.analyse(period, rules))}


async def _set_workers(database: Database, *, count: int) -> None:
    """How many processes help with one statement, of connections made from now on."""
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET max_parallel_workers_per_gather = {count}")


def _report(figures: dict[str, list[float]], period: Period, days: int, options: Options) -> Report:
    ratios = {
        what: [a / b for a, b in zip(times, figures["duckdb"], strict=True)]
        for what, times in figures.items()
    }
    names = {
        "duckdb": "DuckDB from raw rows, 1 thread",
        "rollup": "from the rollup, one process",
        "parallel": "from the rollup, with PostgreSQL's default of two helpers",
        "marked": f"in one process, with {_MARKED} days that changed since",
        "raw": "in one process, with all days changed: from raw rows alone",
        "history": "the days of one query, from the rollup",
    }
    rows: Sequence[tuple[str, ...]] = [
        (words, spread(figures[what], digits=3), spread(ratios[what]))
        for what, words in names.items()
    ]
    return Report(
        key="j",
        title="A period",
        setting=(
            f"The three analyses over {period.days} days ({days} with rows) of a log of "
            f"{options.rows:,} rows, by "
            "`PostgresSearchAnalyser`: CTR by day with all counts, top queries, low performers. "
            "DuckDB has the raw rows in a table of its own in memory, the query key included, so "
            "that it need not normalise texts, and runs SQL of its own; its answers were compared "
            "first and are the same."
        ),
        columns=("", "s", "to DuckDB"),
        rows=tuple(rows),
        targets=(at_most("from the rollup to DuckDB", ratios["rollup"], 1.0, digits=2),),
        data={**figures, "options": str(options)},
    )
