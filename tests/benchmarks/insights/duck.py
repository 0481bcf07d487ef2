"""The three analyses once more, by DuckDB from raw rows: another program's SQL and arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from domain.insights.model import Period, PeriodInsights, RankingRules
from domain.statistics import Z_95

EXPORT: Final = (
    "SELECT query_norm, clicks, impressions, click_through_rate, search_date FROM search_clicks"
)
"""What PostgreSQL is asked for to make the file."""
_LOAD: Final = """
CREATE TABLE search_clicks AS
SELECT * FROM read_csv(?, header = false, columns = {
    'query_norm': 'VARCHAR', 'clicks': 'INTEGER', 'impressions': 'INTEGER',
    'click_through_rate': 'DOUBLE', 'search_date': 'DATE'
})
"""
_USABLE: Final = "query_norm <> '' AND clicks BETWEEN 0 AND impressions"
_DAYS: Final = f"""
SELECT
    search_date,
    coalesce(sum(clicks) FILTER ({_USABLE}), 0),
    coalesce(sum(impressions) FILTER ({_USABLE}), 0),
    avg(clicks / nullif(impressions, 0)) FILTER ({_USABLE}),
    count(*) FILTER ({_USABLE}),
    count(DISTINCT query_norm) FILTER ({_USABLE}),
    count(*) FILTER (coalesce(query_norm, '') = ''),
    count(*) FILTER (query_norm <> '' AND NOT coalesce(clicks BETWEEN 0 AND impressions, false)),
    count(*) FILTER ({_USABLE} AND click_through_rate IS NOT NULL AND (
        impressions = 0 OR abs(click_through_rate - clicks / impressions) > 0.005
    ))
FROM search_clicks
WHERE search_date BETWEEN $first AND $last
GROUP BY search_date
ORDER BY search_date
"""  # noqa: S608 (no input in it)
_TOTALS: Final = f"""
SELECT
    query_norm, sum(clicks)::DOUBLE AS c, sum(impressions)::DOUBLE AS n, c / n AS ctr,
    {Z_95}::DOUBLE AS z,
    (ctr + z * z / (2 * n) - z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
        / (1 + z * z / n) AS low,
    (ctr + z * z / (2 * n) + z * sqrt(ctr * (1 - ctr) / n + z * z / (4 * n * n)))
        / (1 + z * z / n) AS high
FROM search_clicks
WHERE search_date BETWEEN $first AND $last AND {_USABLE}
GROUP BY query_norm
HAVING sum(impressions) > 0
"""  # noqa: S608
_TOP: Final = f"""
SELECT query_norm, c::BIGINT, n::BIGINT, ctr, greatest(low, 0), least(high, 1)
FROM ({_TOTALS})
WHERE n >= $fewest
ORDER BY CASE $rank_by WHEN 'ctr_low' THEN greatest(low, 0) ELSE ctr END DESC, c DESC, query_norm
LIMIT $top
"""  # noqa: S608
_LOW: Final = f"""
WITH totals AS MATERIALIZED ({_TOTALS}),
whole AS (
    SELECT sum(c) / sum(n) AS baseline, greatest($fewest, quantile_cont(n, $percentile)) AS often
    FROM totals
)
SELECT
    query_norm, c::BIGINT, n::BIGINT, ctr, greatest(low, 0), least(high, 1),
    n * baseline - c AS lost
FROM totals, whole
WHERE n >= often AND ctr < $ratio * baseline AND high < baseline
ORDER BY lost DESC, query_norm
LIMIT $limit
"""  # noqa: S608


class DuckLog:
    """The raw rows in a table of DuckDB's own, and one thread to read them.

    Args:
        csv: query_norm, clicks, impressions, click_through_rate and search_date, without a head.
    """

    def __init__(self, csv: Path) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1")
        self._connection.execute(_LOAD, [str(csv)])

    def analyse(self, period: Period, rules: RankingRules) -> Sequence[Sequence[tuple[Any, ...]]]:
        """Days with rows, top queries and low performers, as `figures_of` puts them."""
        span = {"first": period.first, "last": period.last}
        top = {"fewest": rules.min_impressions, "top": rules.top, "rank_by": rules.rank_by.value}
        low = {
            "fewest": float(rules.low_min_impressions),
            "percentile": rules.low_percentile,
            "ratio": rules.low_ctr_ratio,
            "limit": rules.low_limit,
        }
        return [
            self._connection.execute(_DAYS, span).fetchall(),
            self._connection.execute(_TOP, span | top).fetchall(),
            self._connection.execute(_LOW, span | low).fetchall(),
        ]

    def close(self) -> None:
        """Give the rows up."""
        self._connection.close()


def figures_of(found: PeriodInsights) -> Sequence[Sequence[tuple[Any, ...]]]:
    """Ours in the shape of DuckDB's."""
    return [
        [
            (
                *(day.day, day.clicks, day.impressions, day.average_ctr, day.source_rows),
                *(day.distinct_queries, day.blank_rows),
                *(day.impossible_rows, day.contradicting_rows),
            )
            for day in found.days
            if day.source_rows + day.blank_rows + day.impossible_rows
        ],
        [
            (each.query, each.clicks, each.impressions, each.ctr, each.ctr_low, each.ctr_high)
            for each in found.top_queries
        ],
        [
            (
                *(each.query, each.clicks, each.impressions, each.ctr),
                *(each.ctr_low, each.ctr_high, each.lost_clicks),
            )
            for each in found.low_performance_queries
        ],
    ]


def differences(
    ours: Sequence[Sequence[tuple[Any, ...]]], theirs: Sequence[Sequence[tuple[Any, ...]]]
) -> list[str]:
    """Where the two disagree: anywhere for counts and texts, beyond 1e-9 for rates."""
    found = []
    for part, mine, other in zip(("days", "top", "low"), ours, theirs, strict=True):
        if len(mine) != len(other):
            found.append(f"{part}: {len(mine)} against {len(other)}")
        for a, b in zip(mine, other, strict=False):
            if any(not _same(x, y) for x, y in zip(a, b, strict=True)):
                found.append(f"{part}: {a} against {b}")
    return found


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        return abs(ours - theirs) <= 1e-9 * max(1.0, abs(ours))
    return ours == theirs
