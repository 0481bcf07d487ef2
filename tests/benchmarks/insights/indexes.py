"""(m) Indexes of the log by day: what each costs and brings. ADR 0021 draws the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Final

from adapters.postgres.pool import Database
from tests.benchmarks.harness import Options
from tests.benchmarks.insights.day import GROUPED_SCAN
from tests.benchmarks.insights.history import (
    long_history,
    new_database,
    over,
    seconds,
    settle,
)
from tests.benchmarks.insights.rows import FIRST_DAY
from tests.benchmarks.results import Report, at_most, spread

_INDEXES: Final[Mapping[str, str | None]] = {
    "none": None,
    "BRIN": "USING brin (search_date)",
    "BRIN, 16 pages a range": "USING brin (search_date) WITH (pages_per_range = 16)",
    "btree": "(search_date)",
    "covering": "(search_date) INCLUDE (query_norm, clicks, impressions, click_through_rate)",
}
_OLDEST: Final = "SELECT min(search_date) FROM search_clicks WHERE search_date > $1"
_BATCH: Final = """
INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
SELECT 'query ' || n, 1, 10, $1::date FROM generate_series(1, 1000) AS n
"""
_LATE: Final = """
INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
SELECT 'late ' || n, 1, 10, $1::date + n % $2::int FROM generate_series(1, $3::int) AS n
"""


def run(options: Options) -> Report:
    """A copy of the long log for all; each index in turn."""
    history = long_history(options)
    rows, figures = [], {}
    for name, definition in _INDEXES.items():
        url = new_database("indexes", like=history.url)
        settle()
        found = over(
            url,
            partial(
                _measured,
                definition=definition,
                day=FIRST_DAY + timedelta(days=history.log.days // 2),
                days=history.log.days,
                late=history.log.rows // 100,
                repeats=options.repeats,
            ),
        )
        figures[name] = found
        rows.append(
            (
                name,
                f"{found['build'][0]:.1f}",
                f"{found['size'][0] / 1e6:,.1f}",
                *(
                    spread([1000 * each for each in found[what]], digits=1)
                    for what in ("day", "day late", "next day", "batch")
                ),
            )
        )
    table_mb = figures["none"]["table"][0] / 1e6
    btree, brin = figures["btree"]["day late"], figures["BRIN"]["day late"]
    return Report(
        key="m",
        title="Indexes of the log",
        setting=(
            f"`search_clicks` with {history.log.rows:,} rows ({table_mb:,.0f} MB, its key "
            f"{figures['none']['key'][0] / 1e6:,.0f} MB), in order of days, with one index by day "
            "in turn. Day: the rows of one day grouped by query. Then the same after 1 % more "
            "rows of all days came late; the first day after another, of which the search for "
            "missing days is made; and an INSERT of 1,000 rows."
        ),
        columns=(
            *("index", "build, s", "MB", "day, ms"),
            *("day, after late rows, ms", "next day, ms", "insert, ms"),
        ),
        rows=tuple(rows),
        targets=(
            at_most(
                "a day by the btree that is in use to one by BRIN, after late rows",
                [a / b for a, b in zip(btree, brin, strict=True)],
                1.1,
                digits=2,
            ),
        ),
        data=figures,
    )


async def _measured(
    database: Database, *, definition: str | None, day: date, days: int, late: int, repeats: int
) -> Mapping[str, Sequence[float]]:
    found: dict[str, list[float]] = {"build": [0.0], "size": [0.0]}

    async def repeat(what: str, sql: str, *args: object) -> None:
        await database.fetch(sql, *args)
        found[what] = [await seconds(database.fetch(sql, *args)) for _ in range(repeats)]

    await database.execute("DROP INDEX search_clicks_search_date_idx")
    if definition:
        create = f"CREATE INDEX by_day ON search_clicks {definition}"
        found["build"] = [await seconds(database.execute(create))]
        found["size"] = [await database.fetchval("SELECT pg_relation_size('by_day')")]
    found["table"] = [await database.fetchval("SELECT pg_relation_size('search_clicks')")]
    found["key"] = [await database.fetchval("SELECT pg_relation_size('search_clicks_pkey')")]
    await database.execute("VACUUM ANALYZE search_clicks")
    await repeat("day", GROUPED_SCAN, day)
    await repeat("next day", _OLDEST, day)
    await repeat("batch", _BATCH, day)
    await database.execute(_LATE, FIRST_DAY, days, late)
    await database.execute("VACUUM ANALYZE search_clicks")
    await repeat("day late", GROUPED_SCAN, day)
    return found
