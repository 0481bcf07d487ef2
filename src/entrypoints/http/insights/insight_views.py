"""What the stored days of `/search-insights` take and give, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from domain.insights.model import DEFINITION_VERSION, StoredInsight
from entrypoints.http.protocol.answers import DEFAULT_LIMIT, Cursor, Limit

Day = Annotated[date, Meta(description="UTC day", examples=["2026-11-21"])]

TOP_EXAMPLE: Final = {
    "rank": 1,
    "query": "wool blanket",
    "clicks": 412,
    "impressions": 1000,
    "ctr": 0.412,
    "ctr_low": 0.3818,
    "ctr_high": 0.4428,
}
LOW_EXAMPLE: Final = {
    "rank": 1,
    "query": "gift card",
    "clicks": 3,
    "impressions": 900,
    "ctr": 0.0033,
    "ctr_low": 0.0011,
    "ctr_high": 0.0098,
    "lost_clicks": 222.0,
}
COUNTS_EXAMPLE: Final = {
    "clicks": 2500,
    "impressions": 10000,
    "average_ctr": 0.24,
    "overall_ctr": 0.25,
    "source_rows": 700,
    "blank_rows": 2,
    "anomalies": 1,
}
DAY_EXAMPLE: Final = {
    **COUNTS_EXAMPLE,
    "distinct_queries": 180,
    "impossible_rows": 1,
    "contradicting_rows": 0,
}
INSIGHT_EXAMPLE: Final = {
    "insight_date": "2026-11-21",
    **DAY_EXAMPLE,
    "top_queries": [TOP_EXAMPLE],
    "low_performance_queries": [LOW_EXAMPLE],
    "definition_version": DEFINITION_VERSION,
    "computed_at": "2026-11-22T00:20:00Z",
    "problems": [],
}


class TopQueryView(Struct):
    """One of the best queries, with the 95 % interval of its rate."""

    rank: int
    query: str
    clicks: int
    impressions: int
    ctr: float
    ctr_low: float
    ctr_high: float


class LowPerformerView(TopQueryView):
    """A query shown often and clicked too rarely."""

    lost_clicks: float


class ProblemView(Struct):
    """Why a stored list cannot be shown."""

    pointer: str
    detail: str


class InsightView(Struct):
    """One day's insight as stored.

    A row that another program wrote has null for what it does not hold. A list that it stored in
    another shape is null too, and `problems` says where it differs; compute the day to replace it.
    """

    insight_date: Day
    average_ctr: float | None
    overall_ctr: float | None
    clicks: int | None
    impressions: int | None
    source_rows: int | None
    distinct_queries: int | None
    blank_rows: int | None
    anomalies: int | None
    impossible_rows: int | None
    contradicting_rows: int | None
    top_queries: list[TopQueryView] | None
    low_performance_queries: list[LowPerformerView] | None
    definition_version: int | None
    computed_at: datetime | None
    problems: list[ProblemView]


class InsightPage(Struct):
    """One page, newest day first."""

    items: list[InsightView]
    next: str | None


class InsightQuery(Struct, forbid_unknown_fields=True):
    """Days and position of the list."""

    first: Annotated[date, Meta(description="First day")] | None = field(name="from", default=None)
    last: Annotated[date, Meta(description="Last day")] | None = field(name="to", default=None)
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


def insight_view(insight: StoredInsight) -> InsightView:
    """As JSON."""
    top, low = insight.top_queries, insight.low_performance_queries
    return InsightView(
        insight_date=insight.insight_date,
        average_ctr=insight.average_ctr,
        overall_ctr=insight.overall_ctr,
        clicks=insight.clicks,
        impressions=insight.impressions,
        source_rows=insight.source_rows,
        distinct_queries=insight.distinct_queries,
        blank_rows=insight.blank_rows,
        anomalies=insight.anomalies,
        impossible_rows=insight.impossible_rows,
        contradicting_rows=insight.contradicting_rows,
        top_queries=None if top is None else [TopQueryView(**asdict(each)) for each in top],
        low_performance_queries=None
        if low is None
        else [LowPerformerView(**asdict(each)) for each in low],
        definition_version=insight.definition_version,
        computed_at=insight.computed_at,
        problems=[
            ProblemView(pointer=each.pointer, detail=each.detail) for each in insight.problems
        ],
    )
