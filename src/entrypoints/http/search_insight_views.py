"""What `/search-insights` takes and gives, as JSON."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, field

from domain.insights.model import (
    DEFINITION_VERSION,
    MAX_COUNT,
    Analysis,
    DailyCtr,
    RankBy,
    Rules,
)
from domain.insights.stored import StoredInsight
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
_COUNTS_EXAMPLE: Final = {
    "clicks": 2500,
    "impressions": 10000,
    "average_ctr": 0.24,
    "overall_ctr": 0.25,
    "source_rows": 700,
    "blank_rows": 2,
    "anomalies": 1,
}
_DAY_EXAMPLE: Final = {
    **_COUNTS_EXAMPLE,
    "distinct_queries": 180,
    "impossible_rows": 1,
    "contradicting_rows": 0,
}
INSIGHT_EXAMPLE: Final = {
    "insight_date": "2026-11-21",
    **_DAY_EXAMPLE,
    "top_queries": [_TOP_EXAMPLE],
    "low_performance_queries": [_LOW_EXAMPLE],
    "definition_version": DEFINITION_VERSION,
    "computed_at": "2026-11-22T00:20:00Z",
    "problems": [],
}
ANALYSIS_EXAMPLE: Final = {
    "from": "2026-11-21",
    "to": "2026-11-21",
    **_COUNTS_EXAMPLE,
    "undated_rows": 0,
    "rules": asdict(Rules()),
    "days": [{"date": "2026-11-21", **_DAY_EXAMPLE}],
    "top_queries": [_TOP_EXAMPLE],
    "low_performance_queries": [_LOW_EXAMPLE],
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
        int, Meta(ge=1, le=MAX_COUNT, description="Fewest of a ranked query; 20 if not given")
    ] = 20
    rank_by: Annotated[
        RankBy,
        Meta(description="`ctr`, the plain rate, if not given; `ctr_low`, its lower bound"),
    ] = RankBy.CTR
    low_min_impressions: Annotated[
        int, Meta(ge=1, le=MAX_COUNT, description="Fewest of a low performer; 100 if not given")
    ] = 100
    low_percentile: Annotated[
        float,
        Meta(ge=0, le=1, description="Low performers are shown as often as that share; 0.75"),
    ] = 0.75
    low_ctr_ratio: Annotated[
        float,
        Meta(ge=0, le=1, description="Their rate is below that share of the period's; 0.5"),
    ] = 0.5
    low_limit: Annotated[
        int, Meta(ge=1, le=1000, description="Low performers; 20 if not given")
    ] = 20


class DayView(Struct):
    """One day; rates are null without impressions."""

    date: Day
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    source_rows: int
    distinct_queries: int
    blank_rows: int
    anomalies: int
    impossible_rows: int
    contradicting_rows: int


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
    overall_ctr: float | None
    source_rows: int
    blank_rows: int
    anomalies: int
    undated_rows: int
    rules: RulesView
    days: list[DayView]
    top_queries: list[TopQueryView]
    low_performance_queries: list[LowPerformerView]


def rules_of(query: LiveQuery) -> Rules:
    """The rules that a query string asks for."""
    given = msgspec.structs.asdict(query)
    return Rules(**{each.name: given[each.name] for each in fields(Rules)})


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


def analysis_view(found: Analysis) -> AnalysisView:
    """As JSON."""
    return AnalysisView(
        first=found.period.first,
        last=found.period.last,
        clicks=found.clicks,
        impressions=found.impressions,
        average_ctr=found.average_ctr,
        overall_ctr=found.overall_ctr,
        source_rows=found.source_rows,
        blank_rows=found.blank_rows,
        anomalies=found.anomalies,
        undated_rows=found.undated_rows,
        rules=RulesView(**asdict(found.rules)),
        days=[_day_view(day) for day in found.days],
        top_queries=[TopQueryView(**asdict(query)) for query in found.top_queries],
        low_performance_queries=[
            LowPerformerView(**asdict(query)) for query in found.low_performance_queries
        ],
    )


def _day_view(day: DailyCtr) -> DayView:
    return DayView(
        date=day.day,
        clicks=day.clicks,
        impressions=day.impressions,
        average_ctr=day.average_ctr,
        overall_ctr=day.overall_ctr,
        source_rows=day.source_rows,
        distinct_queries=day.distinct_queries,
        blank_rows=day.blank_rows,
        anomalies=day.anomalies,
        impossible_rows=day.impossible_rows,
        contradicting_rows=day.contradicting_rows,
    )
