"""The whole dashboard as JSON, for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Final

from msgspec import Struct, convert

from domain.insights.trend import Overview
from entrypoints.http.live_insight_views import (
    ANALYSIS_EXAMPLE,
    AnalysisView,
    RankChangeView,
    analysis_view,
)

_CHANGES_EXAMPLE: Final = [
    {"query": "wool blanket", "change": "moved", "rank": 1, "previous_rank": 3},
    {"query": "candle holder", "change": "left", "rank": None, "previous_rank": 1},
]
OVERVIEW_EXAMPLE: Final = {
    "current": ANALYSIS_EXAMPLE,
    "previous": {**ANALYSIS_EXAMPLE, "from": "2026-11-20", "to": "2026-11-20"},
    "trend": {"top_queries": _CHANGES_EXAMPLE, "low_performance_queries": []},
    "freshness": {"pending_days": ["2026-11-21"], "computed_at": "2026-11-21T00:20:00Z"},
}


class TrendView(Struct):
    """What changed in the two lists."""

    top_queries: list[RankChangeView]
    low_performance_queries: list[RankChangeView]


class FreshnessView(Struct):
    """How far the stored insights are behind the rows; the figures here are not."""

    pending_days: list[date]
    computed_at: datetime | None


class OverviewView(Struct):
    """The whole page."""

    current: AnalysisView
    previous: AnalysisView
    trend: TrendView
    freshness: FreshnessView


def overview_view(found: Overview) -> OverviewView:
    """As JSON."""
    return OverviewView(
        current=analysis_view(found.current),
        previous=analysis_view(found.previous),
        trend=convert(asdict(found.trend), TrendView),
        freshness=convert(asdict(found.freshness), FreshnessView),
    )
