"""What `/search-insights` takes and gives, as JSON: the stored days, and analyses of any period."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from domain.insights.model import (
    DEFINITION_VERSION,
    RULE_BOUNDS,
    PeriodInsights,
    QueryHistory,
    RankBy,
    RankingRules,
    StoredInsight,
)
from domain.insights.period_over_period import PeriodOverPeriod, RankMovement
from entrypoints.http.protocol.answers import Instant, shown
from entrypoints.http.protocol.pages import ListQuery, Page

MAX_KEY: Final = 4590
"""No key is longer: 255 characters, each of which stands for 18 at most."""

Day = Annotated[date, Meta(description="UTC day", examples=["2026-11-21"])]
FirstDay = Annotated[date, Meta(description="First day; 28 days if not given")]
LastDay = Annotated[date, Meta(description="Last day; yesterday if not given")]
_RULES: Final = RankingRules()
_COUNTS: Final = {
    "clicks": 2500,
    "impressions": 10000,
    "average_ctr": 0.24,
    "overall_ctr": 0.25,
    "source_rows": 700,
    "blank_rows": 2,
    "anomalies": 1,
}
_DAY: Final = {
    **_COUNTS,
    "distinct_queries": 180,
    "impossible_rows": 1,
    "contradicting_rows": 0,
}


def _rule(name: str, meaning: str) -> Meta:
    """The bounds of a rule, and what it is if it is not given."""
    least, most = next((low, high) for each, low, high in RULE_BOUNDS if each == name)
    usual = getattr(_RULES, name)
    return Meta(ge=least, le=most, description=f"{meaning}; {usual} if not given")


class LiveQuery(Struct, forbid_unknown_fields=True):
    """Period and rules of an analysis."""

    first: FirstDay | None = field(name="from", default=None)
    last: LastDay | None = field(name="to", default=None)
    top: Annotated[int, _rule("top", "Best queries")] = _RULES.top
    min_impressions: Annotated[int, _rule("min_impressions", "Fewest of a ranked query")] = (
        _RULES.min_impressions
    )
    rank_by: Annotated[
        RankBy,
        Meta(description="`ctr`, the plain rate, if not given; `ctr_low`, its lower bound"),
    ] = _RULES.rank_by
    low_min_impressions: Annotated[
        int, _rule("low_min_impressions", "Fewest of a low performer")
    ] = _RULES.low_min_impressions
    low_percentile: Annotated[
        float, _rule("low_percentile", "Low performers are shown as often as that share")
    ] = _RULES.low_percentile
    low_ctr_ratio: Annotated[
        float, _rule("low_ctr_ratio", "Their rate is below that share of the period's")
    ] = _RULES.low_ctr_ratio
    low_limit: Annotated[int, _rule("low_limit", "Low performers")] = _RULES.low_limit

    def rules(self) -> RankingRules:
        """The rules that it asks for."""
        return msgspec.convert(self, RankingRules, from_attributes=True)


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
    first: FirstDay | None = field(name="from", default=None)
    last: LastDay | None = field(name="to", default=None)


class InsightListQuery(ListQuery, forbid_unknown_fields=True):
    """Days and position of the list."""

    first: Annotated[date, Meta(description="First day")] | None = field(name="from", default=None)
    last: Annotated[date, Meta(description="Last day")] | None = field(name="to", default=None)


class TopQueryView(Struct):
    """One of the best queries, with the 95 % interval of its rate."""

    EXAMPLE: ClassVar = {
        "rank": 1,
        "query": "wool blanket",
        "clicks": 412,
        "impressions": 1000,
        "ctr": 0.412,
        "ctr_low": 0.3818,
        "ctr_high": 0.4428,
    }

    rank: int
    query: str
    clicks: int
    impressions: int
    ctr: float
    ctr_low: float
    ctr_high: float


class LowPerformerView(TopQueryView):
    """A query shown often and clicked too rarely."""

    EXAMPLE: ClassVar = {
        "rank": 1,
        "query": "gift card",
        "clicks": 3,
        "impressions": 900,
        "ctr": 0.0033,
        "ctr_low": 0.0011,
        "ctr_high": 0.0098,
        "lost_clicks": 222.0,
    }

    lost_clicks: float


class ProblemView(Struct):
    """Why a stored list cannot be shown."""

    pointer: str
    detail: str


class DailyInsightView(Struct):
    """One day's insight as stored.

    A row that another program wrote has null for what it does not hold. A list that it stored in
    another shape is null too, and `problems` says where it differs; compute the day to replace it.
    """

    EXAMPLE: ClassVar = {
        "insight_date": "2026-11-21",
        **_DAY,
        "top_queries": [TopQueryView.EXAMPLE],
        "low_performance_queries": [LowPerformerView.EXAMPLE],
        "definition_version": DEFINITION_VERSION,
        "computed_at": "2026-11-22T00:20:00Z",
        "problems": [],
    }

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
    computed_at: Instant | None
    problems: list[ProblemView]


class InsightPage(Page[DailyInsightView]):
    """One page, newest day first."""


class DayView(Struct):
    """One day; rates are null without impressions."""

    day: Day = field(name="date")
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
    change: RankMovement
    rank: int | None
    previous_rank: int | None


class ChangesView(Struct):
    """What changed in the two lists since the period before, whose figures stand here too."""

    first: Day = field(name="from")
    last: Day = field(name="to")
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    top_queries: list[RankChangeView]
    low_performance_queries: list[RankChangeView]


class PeriodInsightsView(Struct):
    """The three analyses of a period; with a trend where it is asked for."""

    EXAMPLE: ClassVar = {
        "from": "2026-11-21",
        "to": "2026-11-21",
        **_COUNTS,
        "undated_rows": 0,
        "rules": asdict(_RULES),
        "days": [{"date": "2026-11-21", **_DAY}],
        "top_queries": [TopQueryView.EXAMPLE],
        "low_performance_queries": [LowPerformerView.EXAMPLE],
    }

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
    trend: ChangesView | UnsetType = UNSET


class QueryDayView(Struct):
    """One query on one day; rates are null without impressions."""

    day: Day = field(name="date")
    searches: int
    clicks: int
    impressions: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


class QueryHistoryView(Struct):
    """One query through a period."""

    EXAMPLE: ClassVar = {
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

    query: str
    first: Day = field(name="from")
    last: Day = field(name="to")
    days: list[QueryDayView]


def insight_view(insight: StoredInsight) -> DailyInsightView:
    """As JSON."""
    return shown(DailyInsightView, insight)


def period_insights_view(found: PeriodInsights) -> PeriodInsightsView:
    """As JSON."""
    return shown(PeriodInsightsView, found, found.period)


def period_over_period_view(found: PeriodOverPeriod) -> PeriodInsightsView:
    """As JSON: the current period, with the trend."""
    before = found.previous
    view = period_insights_view(found.current)
    view.trend = shown(ChangesView, found.rank_changes, before, before.period)
    return view


def history_view(found: QueryHistory) -> QueryHistoryView:
    """As JSON."""
    return shown(QueryHistoryView, found, found.period)
