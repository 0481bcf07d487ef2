"""The whole dashboard as JSON, for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Final

from msgspec import Struct, convert

from domain.insights.trend import Overview
from entrypoints.http.insights.insight_views import (
    AnalysisView,
    analysis_view,
    overview_view,
)

DASHBOARD_EXAMPLE: Final = {
    "current": AnalysisView.EXAMPLE,
    "previous": {**AnalysisView.EXAMPLE, "from": "2026-11-20", "to": "2026-11-20"},
    "freshness": {"pending_days": ["2026-11-21"], "computed_at": "2026-11-21T00:20:00Z"},
}


class FreshnessView(Struct):
    """How far the stored insights are behind the rows; the figures here are not."""

    pending_days: list[date]
    computed_at: datetime | None


class DashboardView(Struct):
    """The whole page; `current` is what `/search-insights/live` answers to `compare=previous`."""

    current: AnalysisView
    previous: AnalysisView
    freshness: FreshnessView


def dashboard_view(found: Overview) -> DashboardView:
    """As JSON."""
    return DashboardView(
        current=overview_view(found),
        previous=analysis_view(found.previous),
        freshness=convert(asdict(found.freshness), FreshnessView),
    )
