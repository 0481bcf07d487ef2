"""What the insights mean, as arithmetic. `sql/queries/insights.sql` says the same in SQL.

Both give the same answers on the same rows: an integration test compares them on random ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from domain.insights.model import (
    DailyCtr,
    LowPerformer,
    Period,
    QueryDay,
    QueryHistory,
    RankBy,
    RankingRules,
    SearchClickRow,
    TopQuery,
    contradicts,
    normalised_query,
)
from domain.statistics import percentile, wilson_interval

_UNIT: Final = 10**12
"""Rates of rows are added up in this many parts, as integers: no order of rows changes the sum."""


def is_blank(row: SearchClickRow) -> bool:
    """Whether a row has no query to be counted under."""
    return row.search_query is None or normalised_query(row.search_query) == ""


def is_usable(row: SearchClickRow) -> bool:
    """Whether a row can be counted: a query that is not blank, 0 <= clicks <= impressions."""
    return (
        row.clicks is not None
        and row.impressions is not None
        and 0 <= row.clicks <= row.impressions
        and not is_blank(row)
    )


def daily_ctr(day: date, rows: Iterable[SearchClickRow]) -> DailyCtr:
    """The rate of `day` over those of `rows` that are of that day."""
    of_day = [row for row in rows if row.search_date == day]
    usable = [row for row in of_day if is_usable(row)]
    blank = sum(is_blank(row) for row in of_day)
    counts = [_counts(row) for row in usable]
    clicks = sum(c for c, _ in counts)
    impressions = sum(n for _, n in counts)
    parts = [round(c / n * _UNIT) for c, n in counts if n > 0]
    return DailyCtr(
        day=day,
        clicks=clicks,
        impressions=impressions,
        # The nearest part to the mean, the upper one of two.
        average_ctr=(2 * sum(parts) + len(parts)) // (2 * len(parts)) / _UNIT if parts else None,
        overall_ctr=clicks / impressions if impressions else None,
        source_rows=len(usable),
        rated_rows=len(parts),
        distinct_queries=len({normalised_query(row.search_query or "") for row in usable}),
        blank_rows=blank,
        impossible_rows=len(of_day) - len(usable) - blank,
        contradicting_rows=sum(
            contradicts(row.click_through_rate, *_counts(row)) for row in usable
        ),
    )


def query_history(query: str, period: Period, rows: Iterable[SearchClickRow]) -> QueryHistory:
    """Each day of `period` for one query, in whatever spelling."""
    key = normalised_query(query)
    of_query = [
        row for row in rows if is_usable(row) and normalised_query(row.search_query or "") == key
    ]
    days = [period.first + timedelta(days=offset) for offset in range(period.days)]
    return QueryHistory(
        query=key,
        period=period,
        days=[_query_day(day, [row for row in of_query if row.search_date == day]) for day in days],
    )


def _query_day(day: date, rows: Sequence[SearchClickRow]) -> QueryDay:
    clicks = sum(_counts(row)[0] for row in rows)
    impressions = sum(_counts(row)[1] for row in rows)
    low, high = wilson_interval(clicks, impressions) if impressions else (None, None)
    return QueryDay(
        day=day,
        searches=len(rows),
        clicks=clicks,
        impressions=impressions,
        ctr=clicks / impressions if impressions else None,
        ctr_low=low,
        ctr_high=high,
    )


def query_totals(rows: Iterable[SearchClickRow]) -> Mapping[str, tuple[int, int]]:
    """Clicks and impressions by normalised query, of the usable rows; none without impressions."""
    totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if is_usable(row):
            clicks, impressions = _counts(row)
            total = totals[normalised_query(row.search_query or "")]
            total[0] += clicks
            total[1] += impressions
    return {query: (c, n) for query, (c, n) in totals.items() if n > 0}


def top_queries(totals: Mapping[str, tuple[int, int]], rules: RankingRules) -> Sequence[TopQuery]:
    """The best queries: ties go to more clicks, then to the query that sorts first."""

    def order(entry: tuple[str, tuple[int, int]]) -> tuple[float, int, str]:
        query, (clicks, impressions) = entry
        by_rate = rules.rank_by is RankBy.CTR
        score = clicks / impressions if by_rate else wilson_interval(clicks, impressions)[0]
        return -score, -clicks, query

    eligible = [entry for entry in totals.items() if entry[1][1] >= rules.min_impressions]
    found = []
    for rank, (query, (clicks, impressions)) in enumerate(
        sorted(eligible, key=order)[: rules.top], start=1
    ):
        low, high = wilson_interval(clicks, impressions)
        found.append(
            TopQuery(
                rank=rank,
                query=query,
                clicks=clicks,
                impressions=impressions,
                ctr=clicks / impressions,
                ctr_low=low,
                ctr_high=high,
            )
        )
    return found


def low_performers(
    totals: Mapping[str, tuple[int, int]], rules: RankingRules
) -> Sequence[LowPerformer]:
    """The queries that are shown often and clicked too rarely, most clicks lost first."""
    if not totals:
        return []
    baseline = sum(c for c, _ in totals.values()) / sum(n for _, n in totals.values())
    shown_often = max(
        float(rules.low_min_impressions),
        percentile([float(n) for _, n in totals.values()], rules.low_percentile),
    )
    low = []
    for query, (clicks, impressions) in totals.items():
        lower, upper = wilson_interval(clicks, impressions)
        rate = clicks / impressions
        if (
            impressions >= shown_often
            and rate < rules.low_ctr_ratio * baseline
            and upper < baseline
        ):
            lost = impressions * baseline - clicks
            low.append((lost, query, clicks, impressions, rate, lower, upper))
    low.sort(key=lambda entry: (-entry[0], entry[1]))
    return [
        LowPerformer(
            rank=rank,
            query=query,
            clicks=clicks,
            impressions=impressions,
            ctr=rate,
            ctr_low=lower,
            ctr_high=upper,
            lost_clicks=lost,
        )
        for rank, (lost, query, clicks, impressions, rate, lower, upper) in enumerate(
            low[: rules.low_limit], start=1
        )
    ]


def _counts(row: SearchClickRow) -> tuple[int, int]:
    return row.clicks or 0, row.impressions or 0
