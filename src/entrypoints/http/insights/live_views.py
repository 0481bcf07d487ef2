"""What the analyses of any period take and give, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from domain.insights.model import MAX_COUNT, Analysis, DailyCtr, QueryHistory, RankBy, Rules
from domain.insights.overview import Change, Overview, RankChange
from entrypoints.http.insights.insight_views import (
    COUNTS_EXAMPLE,
    DAY_EXAMPLE,
    LOW_EXAMPLE,
    TOP_EXAMPLE,
    Day,
    LowPerformerView,
    TopQueryView,
)

MAX_KEY: Final = 4590
"""No key is longer: 255 characters, each of which stands for 18 at most."""

ANALYSIS_EXAMPLE: Final = {
    "from": "2026-11-21",
    "to": "2026-11-21",
    **COUNTS_EXAMPLE,
    "undated_rows": 0,
    "rules": asdict(Rules()),
    "days": [{"date": "2026-11-21", **DAY_EXAMPLE}],
    "top_queries": [TOP_EXAMPLE],
    "low_performance_queries": [LOW_EXAMPLE],
}
HISTORY_EXAMPLE: Final = {
    "query": "wool blanket",
    "from": "2026-11-21",
    "to": "2026-11-21",
    "days": [
        {
            "date": "2026-11-21",
            "searches": 40,
            "clicks": 412,
            "impressions": 1000,
            "ctr": 0.412,
            "ctr_low": 0.3818,
            "ctr_high": 0.4428,
        }
    ],
}


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


class ComparedQuery(LiveQuery, forbid_unknown_fields=True, kw_only=True):
    """The same, with what to compare the period with."""

    compare: (
        Annotated[
            Literal["previous"],
            Meta(description="`previous`: the period of the same length before; adds `trend`"),
        ]
        | None
    ) = None


class HistoryQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    """One query and a period."""

    query: Annotated[
        str,
        Meta(min_length=1, max_length=MAX_KEY, description="In any spelling", examples=["rug"]),
    ]
    first: Annotated[date, Meta(description="First day; 28 days if not given")] | None = field(
        name="from", default=None
    )
    last: Annotated[date, Meta(description="Last day; yesterday if not given")] | None = field(
        name="to", default=None
    )


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


class RankChangeView(Struct):
    """What a query did in a list since the period before; a rank is null where it was not in it."""

    query: str
    change: Change
    rank: int | None
    previous_rank: int | None


class TrendView(Struct):
    """What changed in the two lists since the period before, whose figures stand here too."""

    first: Day = field(name="from")
    last: Day = field(name="to")
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    top_queries: list[RankChangeView]
    low_performance_queries: list[RankChangeView]


class AnalysisView(Struct):
    """The three analyses of a period; with a trend where it is asked for."""

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
    trend: TrendView | UnsetType = UNSET


class QueryDayView(Struct):
    """One query on one day; rates are null without impressions."""

    date: Day
    searches: int
    clicks: int
    impressions: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


class QueryHistoryView(Struct):
    """One query through a period."""

    query: str
    first: Day = field(name="from")
    last: Day = field(name="to")
    days: list[QueryDayView]


def rules_of(query: LiveQuery) -> Rules:
    """The rules that a query string asks for."""
    given = msgspec.structs.asdict(query)
    return Rules(**{each.name: given[each.name] for each in fields(Rules)})


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


def overview_view(found: Overview) -> AnalysisView:
    """As JSON: the current period, with the trend."""
    before = found.previous
    view = analysis_view(found.current)
    view.trend = TrendView(
        first=before.period.first,
        last=before.period.last,
        clicks=before.clicks,
        impressions=before.impressions,
        average_ctr=before.average_ctr,
        overall_ctr=before.overall_ctr,
        top_queries=change_views(found.rank_changes.top_queries),
        low_performance_queries=change_views(found.rank_changes.low_performance_queries),
    )
    return view


def change_views(changes: Sequence[RankChange]) -> list[RankChangeView]:
    """As JSON."""
    return [RankChangeView(**asdict(each)) for each in changes]


def history_view(found: QueryHistory) -> QueryHistoryView:
    """As JSON."""
    return QueryHistoryView(
        query=found.query,
        first=found.period.first,
        last=found.period.last,
        days=[
            QueryDayView(
                date=day.day,
                searches=day.searches,
                clicks=day.clicks,
                impressions=day.impressions,
                ctr=day.ctr,
                ctr_low=day.ctr_low,
                ctr_high=day.ctr_high,
            )
            for day in found.days
        ],
    )
