"""What the insights mean, as arithmetic. `sql/queries/insights.sql` says the same in SQL.

Both give the same answers on the same rows: an integration test compares them on random ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import fmean
from typing import Final

from domain.insights.model import (
    DailyCtr,
    LowPerformer,
    RankBy,
    Rules,
    SearchClick,
    TopQuery,
)
from domain.statistics import percentile, wilson_interval

CTR_TOLERANCE: Final = 0.005
"""How far a stored rate may be from clicks / impressions: it was rounded to two decimals."""

# Spelled out, because what a database calls a space depends on its locale. NFKC has turned the
# other spaces of Unicode into plain ones.
_SPACES: Final = re.compile("[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+")


def normalised_query(text: str) -> str:
    """The key under which spellings of one query meet: NFKC, lower case, single spaces, trimmed.

    Letter case goes one character at a time, as in PostgreSQL: a final sigma stays a sigma.
    """
    lowered = "".join(
        "i" if character == "\u0130" else character.lower()
        for character in unicodedata.normalize("NFKC", text)
    )
    return _SPACES.sub(" ", lowered).strip(" ")


def is_usable(row: SearchClick) -> bool:
    """Whether a row can be counted: a query that is not blank, 0 <= clicks <= impressions."""
    return (
        row.search_query is not None
        and row.clicks is not None
        and row.impressions is not None
        and 0 <= row.clicks <= row.impressions
        and normalised_query(row.search_query) != ""
    )


def contradicts(click_through_rate: float | None, clicks: int, impressions: int) -> bool:
    """Whether a stated rate is not that of its counts; None states nothing.

    Without impressions there is no rate, so that any is a contradiction; NaN always is.
    """
    if click_through_rate is None:
        return False
    if impressions == 0:
        return True
    return not abs(click_through_rate - clicks / impressions) <= CTR_TOLERANCE


def daily_ctr(day: date, rows: Iterable[SearchClick]) -> DailyCtr:
    """The rate of `day` over those of `rows` that are of that day."""
    of_day = [row for row in rows if row.search_date == day]
    usable = [_counts(row) for row in of_day if is_usable(row)]
    clicks = sum(c for c, _ in usable)
    impressions = sum(n for _, n in usable)
    rates = [c / n for c, n in usable if n > 0]
    return DailyCtr(
        day=day,
        clicks=clicks,
        impressions=impressions,
        average_ctr=clicks / impressions if impressions else None,
        mean_row_ctr=round(fmean(rates), 12) if rates else None,
        source_rows=len(usable),
        excluded_rows=len(of_day) - len(usable),
    )


def query_totals(rows: Iterable[SearchClick]) -> Mapping[str, tuple[int, int]]:
    """Clicks and impressions by normalised query, of the usable rows; none without impressions."""
    totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if is_usable(row):
            clicks, impressions = _counts(row)
            total = totals[normalised_query(row.search_query or "")]
            total[0] += clicks
            total[1] += impressions
    return {query: (c, n) for query, (c, n) in totals.items() if n > 0}


def top_queries(totals: Mapping[str, tuple[int, int]], rules: Rules) -> Sequence[TopQuery]:
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


def low_performers(totals: Mapping[str, tuple[int, int]], rules: Rules) -> Sequence[LowPerformer]:
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


def _counts(row: SearchClick) -> tuple[int, int]:
    return row.clicks or 0, row.impressions or 0
