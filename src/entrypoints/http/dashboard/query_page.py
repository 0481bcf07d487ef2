"""What the page of one query says, ready for its template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.insights.history import QueryHistory
from domain.insights.model import Period
from domain.statistics import wilson_interval
from entrypoints.http.dashboard.figures import count, percent
from entrypoints.http.dashboard.links import Links
from entrypoints.http.dashboard.picker import picker


def query_page(found: QueryHistory, links: Links, standard: Period) -> Mapping[str, Any]:
    """The names that `query.html` uses, but for the chart; see `overview_page`."""
    clicks = sum(each.clicks for each in found.days)
    impressions = sum(each.impressions for each in found.days)
    searches = sum(each.searches for each in found.days)
    active = sum(1 for each in found.days if each.searches)
    rate = clicks / impressions if impressions else None
    low, high = wilson_interval(clicks, impressions) if impressions else (None, None)
    interval = "" if rate is None else f"95 % interval {percent(low)} to {percent(high)}"
    lead = (
        "It was searched for, but no results were shown, so there is no rate."
        if rate is None
        else f"Of {count(impressions)} impressions, {count(clicks)} were clicked: {percent(rate)}."
    )
    return {
        "history": found,
        "period": found.period,
        "picker": picker(links, standard, page="/dashboard/query"),
        "empty": searches == 0,
        "lead": lead,
        "kpis": [
            {"label": "CTR", "value": rate, "rate": True, "note": interval},
            {"label": "Clicks", "value": clicks, "rate": False, "note": ""},
            {"label": "Impressions", "value": impressions, "rate": False, "note": ""},
            {
                "label": "Days with searches",
                "value": active,
                "rate": False,
                "note": f"of {found.period.days}",
            },
        ],
    }
