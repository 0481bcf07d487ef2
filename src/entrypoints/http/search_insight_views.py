"""What `/search-insights` takes and gives, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from domain.insights.model import Analysis, RankBy, Rules, StoredInsight
from domain.orders.model import MAX_INT
from entrypoints.http.answers import DEFAULT_LIMIT, Cursor, Limit

Day = Annotated[date, Meta(description="UTC day", examples=["2026-11-21"])]

_TOP_EXAMPLE: Final = {
    "rank": 1,
    "query": "wool blanket",
    "clicks": 412,
    "impressions": 1000,
    "ctr": 0.412,
    "ctr_low": 0.3818,
    "ctr_high": 0.4428,
}
_LOW_EXAMPLE: Final = {
    "rank": 1,
    "query": "gift card",
    "clicks": 3,
    "impressions": 900,
    "ctr": 0.0033,
    "ctr_low": 0.0011,
    "ctr_high": 0.0098,
    "lost_clicks": 222.0,
}
_COUNTS_EXAMPLE: Final = {"clicks": 2500, "impressions": 10000, "average_ctr": 0.25}
INSIGHT_EXAMPLE: Final = {
    "insight_date": "2026-11-21",
    **_COUNTS_EXAMPLE,
    "mean_row_ctr": 0.24,
    "source_rows": 700,
    "excluded_rows": 2,
    "top_queries": [_TOP_EXAMPLE],
    "low_performance_queries": [_LOW_EXAMPLE],
    "definition_version": 1,
    "computed_at": "2026-11-22T00:20:00Z",
}
ANALYSIS_EXAMPLE: Final = {
    "from": "2026-11-21",
    "to": "2026-11-21",
    **_COUNTS_EXAMPLE,
    "rules": asdict(Rules()),
    "days": [
        {
            "date": "2026-11-21",
            **_COUNTS_EXAMPLE,
            "mean_row_ctr": 0.24,
            "source_rows": 700,
            "excluded_rows": 2,
        }
    ],
    "top_queries": [_TOP_EXAMPLE],
    "low_performance_queries": [_LOW_EXAMPLE],
}


class InsightView(Struct):
    """One day's insight as stored; a row of another program has null for what it does not know."""

    insight_date: Day
    average_ctr: float | None
    mean_row_ctr: float | None
    clicks: int | None
    impressions: int | None
    source_rows: int | None
    excluded_rows: int | None
    top_queries: Any
    low_performance_queries: Any
    definition_version: int | None
    computed_at: datetime | None


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


class LiveQuery(Struct, forbid_unknown_fields=True):
    """Period and rules of an analysis."""

    first: Annotated[date, Meta(description="First day; 28 days if not given")] | None = field(
        name="from", default=None
    )
    last: Annotated[date, Meta(description="Last day; yesterday if not given")] | None = field(
        name="to", default=None
    )
    top: Annotated[int, Meta(ge=1, le=100, description="Best queries; 5 if not given")] = 5
    min_impressions: Annotated[
        int, Meta(ge=1, le=MAX_INT, description="Fewest of a ranked query; 20 if not given")
    ] = 20
    rank_by: Annotated[
        RankBy,
        Meta(description="`wilson`, the rate's lower bound, if not given; `ctr`, the plain rate"),
    ] = RankBy.WILSON


class DayView(Struct):
    """One day; rates are null without impressions."""

    date: Day
    clicks: int
    impressions: int
    average_ctr: float | None
    mean_row_ctr: float | None
    source_rows: int
    excluded_rows: int


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


class RulesView(Struct):
    """The rules that the analysis went by."""

    top: int
    min_impressions: int
    rank_by: RankBy
    low_min_impressions: int
    low_percentile: float
    low_ctr_ratio: float
    low_limit: int


class AnalysisView(Struct):
    """The three analyses of a period."""

    first: Day = field(name="from")
    last: Day = field(name="to")
    clicks: int
    impressions: int
    average_ctr: float | None
    rules: RulesView
    days: list[DayView]
    top_queries: list[TopQueryView]
    low_performance_queries: list[LowPerformerView]


def insight_view(insight: StoredInsight) -> InsightView:
    """As JSON."""
    return InsightView(**asdict(insight))


def analysis_view(found: Analysis) -> AnalysisView:
    """As JSON."""
    return AnalysisView(
        first=found.period.first,
        last=found.period.last,
        clicks=found.clicks,
        impressions=found.impressions,
        average_ctr=found.average_ctr,
        rules=RulesView(**asdict(found.rules)),
        days=[
            DayView(
                date=day.day,
                clicks=day.clicks,
                impressions=day.impressions,
                average_ctr=day.average_ctr,
                mean_row_ctr=day.mean_row_ctr,
                source_rows=day.source_rows,
                excluded_rows=day.excluded_rows,
            )
            for day in found.days
        ],
        top_queries=[TopQueryView(**asdict(query)) for query in found.top_queries],
        low_performance_queries=[
            LowPerformerView(**asdict(query)) for query in found.low_performance_queries
        ],
    )
