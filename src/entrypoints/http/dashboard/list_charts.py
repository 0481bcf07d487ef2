"""Charts of the two lists: what sells, what fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from domain.insights.model import Analysis, LowPerformer, TopQuery
from entrypoints.http.dashboard.charts import PERCENT_AXIS, Place, layered
from entrypoints.http.dashboard.figures import clicked, count, percent
from ports.reports import Chart

Link = Callable[[str], str]
"""From a query to the path of its page."""


def top_chart(found: Analysis, link: Link, place: Place) -> Chart:
    """The best queries with their intervals, and the rate of all queries to measure them by."""
    rows = [
        {
            "name": f"{each.rank}. {each.query}",
            "ctr": each.ctr,
            "low": each.ctr_low,
            "high": each.ctr_high,
            "href": link(each.query),
            "tip": _query_tip(each),
        }
        for each in found.top_queries
    ]
    order = [row["name"] for row in rows]
    y = {
        "field": "name",
        "type": "nominal",
        "sort": order,
        "axis": {"title": None, "grid": False, **_names(130 if place.narrow else 215)},
    }
    x = {"type": "quantitative", "axis": {**PERCENT_AXIS, "grid": True, "domain": False}}
    interval = {
        "mark": {"type": "rule", "stroke": "var(--chart-1)", "strokeWidth": 6, "opacity": 0.3},
        "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}},
    }
    point = {
        "mark": {"type": "point", "aria": True, "size": 90, "fill": "var(--chart-1)"},
        "encoding": {
            "y": y,
            "x": {**x, "field": "ctr"},
            "href": {"field": "href"},
            "description": {"field": "tip"},
        },
    }
    layers = [_level("x", found.overall_ctr), interval, point]
    label = "Click-through rates of the top queries with their 95 % intervals: " + "; ".join(
        f"{each.query} {percent(each.ctr)} ({percent(each.ctr_low)} to {percent(each.ctr_high)})"
        for each in found.top_queries
    )
    height = 60 + 34 * len(rows)
    return Chart(spec=layered(rows, layers, place.width, height), label=f"{label}.")


def low_chart(found: Analysis, link: Link, place: Place) -> Chart:
    """Low performers by impressions and rate; the further below the baseline, the more is lost."""
    rows = [
        {
            "rank": str(each.rank),
            "impressions": each.impressions,
            "ctr": each.ctr,
            "lost": each.lost_clicks,
            "href": link(each.query),
            "tip": f"{_query_tip(each)}; {count(each.lost_clicks)} clicks lost",
        }
        for each in reversed(found.low_performance_queries)  # the first lies on top
    ]
    shown = [each.impressions for each in found.low_performance_queries]
    ticks = log_ticks(min(shown), max(shown))
    x = {
        "field": "impressions",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [ticks[0], ticks[-1]], "nice": False},
        "axis": {"values": ticks, "format": ",", "title": "impressions (logarithmic)"},
    }
    y = {
        "field": "ctr",
        "type": "quantitative",
        "axis": {**PERCENT_AXIS, "title": None},
        "scale": {"domainMin": 0, "domainMax": (found.overall_ctr or 0) * 1.12, "nice": False},
    }
    point = {
        "mark": {"type": "point", "aria": True, "fill": "var(--chart-bad)", "opacity": 0.9},
        "encoding": {
            "x": x,
            "y": y,
            "size": {
                "field": "lost",
                "type": "quantitative",
                "legend": None,
                "scale": {"range": [290, 640]},
            },
            "href": {"field": "href"},
            "description": {"field": "tip"},
        },
    }
    rank = {
        "mark": {"type": "text", "fill": "var(--chart-surface)", "fontSize": 11, "fontWeight": 600},
        "encoding": {"x": x, "y": y, "text": {"field": "rank"}},
    }
    listed_below = (found.overall_ctr or 0) * found.rules.low_ctr_ratio
    layers = [
        _level("y", found.overall_ctr, text=f"all queries: {percent(found.overall_ctr)}"),
        _level("y", listed_below, text=f"listed below {percent(listed_below)}", faint=True),
        point,
        rank,
    ]
    label = (
        f"{len(rows)} low performers by impressions and click-through rate, all below the "
        f"{percent(found.overall_ctr)} of all queries. The table below has every figure."
    )
    height = 280 if place.narrow else 320
    return Chart(spec=layered(rows, layers, place.width, height), label=label)


def log_ticks(least: int, most: int) -> Sequence[int]:
    """1, 2, 5, 10, ... from at or below `least` (1 and up) to at or above `most`; two at least."""
    steps = [step * 10**power for power in range(len(str(most)) + 1) for step in (1, 2, 5)]
    first = max(step for step in steps if step <= least)
    last = min(step for step in steps if step >= most and step > first)
    return [step for step in steps if first <= step <= last]


def _level(
    channel: str, rate: float | None, *, text: str | None = None, faint: bool = False
) -> dict[str, Any]:
    """A line across the chart at a rate, with its words at the right."""
    colour = "var(--chart-axis)" if faint else "var(--chart-text)"
    once: dict[str, Any] = {"data": {"values": [{}]}}
    line = {
        "mark": {"type": "rule", "strokeDash": [2, 4] if faint else [5, 4], "stroke": colour},
        "encoding": {channel: {"datum": rate, "type": "quantitative"}},
    }
    if text is None:
        return {**once, **line}
    words = {
        "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -4},
        "encoding": {
            channel: {"datum": rate, "type": "quantitative"},
            "x": {"value": "width"},
            "text": {"value": text},
        },
    }
    return {**once, "layer": [line, words]}


def _names(width: int) -> dict[str, int]:
    """An axis of names so wide. What draws does not know the letters of who looks: leave room."""
    return {"minExtent": width, "maxExtent": width, "labelLimit": width * 3 // 4}


def _query_tip(each: TopQuery | LowPerformer) -> str:
    return f"{each.query}: {percent(each.ctr)}, {clicked(each.clicks, each.impressions)}"
