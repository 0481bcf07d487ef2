"""The charts of the dashboard.

Each is made for the width of its place: a picture that shrinks takes its letters with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from domain.insights.model import LowPerformer, PeriodInsights, QueryHistory, TopQuery
from entrypoints.http.dashboard.figures import clicked, count, day, percent, span, weekday
from ports.reports import Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSlot:
    """Where a chart stands.

    Attributes:
        name: class of the element that shows it.
        width: in CSS pixels.
    """

    name: str
    width: int

    @property
    def narrow(self) -> bool:
        """Whether it is the screen of a phone."""
        return self.width < 500


WIDE: Final = ChartSlot(name="wide", width=900)
HALF: Final = ChartSlot(name="wide", width=500)
PHONE: Final = ChartSlot(name="phone", width=350)

PERCENT_AXIS: Final[Mapping[str, Any]] = {"format": "~%", "title": None, "tickCount": 5}


def layered(
    rows: Sequence[Mapping[str, Any]], layers: Sequence[Any], width: int, height: int
) -> dict[str, Any]:
    """A specification of layers over the same rows."""
    return {"width": width, "height": height, "data": {"values": list(rows)}, "layer": list(layers)}


def daily_chart(found: PeriodInsights, slot: ChartSlot) -> Chart:
    """Both rates by day as lines over bars of impressions; days without data are gaps."""
    rows = [
        {
            "day": str(each.day),
            "impressions": each.impressions or None,
            "overall": each.overall_ctr,
            "average": each.average_ctr,
            "tip": _day_tip(each.day, each.clicks, each.impressions, each.overall_ctr)
            + (f", average {percent(each.average_ctr)}" if each.impressions else ""),
        }
        for each in found.days
    ]
    lines = [
        _line("average", "var(--chart-2)", dash=[5, 3]),
        _line("overall", "var(--chart-1)"),
    ]
    label = (
        f"Click-through rate by day, {span(found.period)}. Overall "
        f"{_range([each.overall_ctr for each in found.days])}, average "
        f"{_range([each.average_ctr for each in found.days])}. The table below has every figure."
    )
    lone = [_lone(rows, "average", "var(--chart-2)"), _lone(rows, "overall", "var(--chart-1)")]
    return Chart(spec=_by_day(rows, [*lines, *lone], slot), label=label)


def history_chart(found: QueryHistory, slot: ChartSlot) -> Chart:
    """One query's rate by day with its interval, over bars of impressions."""
    rows = [
        {
            "day": str(each.day),
            "impressions": each.impressions or None,
            "ctr": each.ctr,
            "low": each.ctr_low,
            "high": each.ctr_high,
            "tip": _day_tip(each.day, each.clicks, each.impressions, each.ctr)
            + (
                f" ({percent(each.ctr_low)} to {percent(each.ctr_high)})"
                if each.impressions
                else ""
            ),
        }
        for each in found.days
    ]
    interval = {
        "mark": {"type": "rule", "stroke": "var(--chart-1)", "strokeWidth": 1.5, "opacity": 0.45},
        "transform": [{"filter": "isValid(datum.ctr)"}],
        "encoding": {"y": _rate("low"), "y2": {"field": "high"}},
    }
    point = {
        "mark": {"type": "point", "fill": "var(--chart-1)", "size": 28},
        "transform": [{"filter": "isValid(datum.ctr)"}],
        "encoding": {"y": _rate("ctr")},
    }
    label = (
        f"Click-through rate of this query by day, {span(found.period)}: "
        f"{_range([each.ctr for each in found.days])}. The table below has every figure."
    )
    layers = [interval, _line("ctr", "var(--chart-1)"), point]
    return Chart(spec=_by_day(rows, layers, slot), label=label)


def _by_day(
    rows: Sequence[Mapping[str, Any]], layers: list[Any], slot: ChartSlot
) -> dict[str, Any]:
    """Layers of rates over bars of impressions, with a tip for every day."""
    most = 6 if slot.narrow else 12
    step = -(-len(rows) // most)
    shown = [row["day"] for row in rows[::step]]
    x = {
        "field": "day",
        "type": "ordinal",
        "scale": {"paddingInner": 0.25, "paddingOuter": 0.1},
        "axis": {
            "title": None,
            "values": shown,
            "labelAngle": 0,
            "labelExpr": "utcFormat(toDate(datum.value), '%-d %b')",
        },
    }
    bars = {
        "mark": {
            "type": "bar",
            "fill": "var(--chart-quiet)",
            "stroke": "var(--chart-axis)",  # the fill alone is too faint for some eyes
            "strokeWidth": 0.75,
            **_bar_width(len(rows)),
        },
        "encoding": {
            "y": {
                "field": "impressions",
                "type": "quantitative",
                "axis": {
                    "orient": "right",
                    "title": None,
                    "labelExpr": "format(datum.value, '~s')",
                    "tickCount": 4,
                    "grid": False,
                },
                # The bars stay in the lower part, so that the lines are read against the ground.
                "scale": {"domainMax": 2 * max((row["impressions"] or 1) for row in rows)},
            }
        },
    }
    rates = {"layer": layers}
    targets = {
        "mark": {"type": "bar", "aria": True, "fill": "transparent", "width": {"band": 1.3}},
        "encoding": {
            "y": {"value": 0},
            "y2": {"value": "height"},
            "description": {"field": "tip"},
        },
    }
    spec = layered(rows, [bars, rates, targets], slot.width, 240 if slot.narrow else 300)
    return {**spec, "encoding": {"x": x}, "resolve": {"scale": {"y": "independent"}}}


def _bar_width(days: int) -> dict[str, int]:
    """None of its own for many days; a few would make blocks."""
    return {"width": 48} if days < 7 else {}


def _line(field: str, colour: str, *, dash: Sequence[int] = (1, 0)) -> dict[str, Any]:
    return {
        "mark": {"type": "line", "stroke": colour, "strokeDash": list(dash)},
        "encoding": {"y": _rate(field)},
    }


def _lone(rows: Sequence[Mapping[str, Any]], field: str, colour: str) -> dict[str, Any]:
    """Points for the days whose neighbours have no rate: no line would show them."""
    known = [row[field] is not None for row in rows]
    padded = [False, *known, False]
    lone = [
        row["day"]
        for at, row in enumerate(rows, start=1)
        if padded[at] and not padded[at - 1] and not padded[at + 1]
    ]
    return {
        "mark": {"type": "point", "fill": colour, "size": 30},
        "transform": [{"filter": {"field": "day", "oneOf": lone}}],
        "encoding": {"y": _rate(field)},
    }


def _rate(field: str) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "axis": dict(PERCENT_AXIS),
        "scale": {"domainMin": 0},
    }


def _range(rates: Sequence[float | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    return f"between {percent(min(known))} and {percent(max(known))}" if known else "without data"


def _day_tip(of: date, clicks: int, impressions: int, rate: float | None) -> str:
    if not impressions:
        return f"{weekday(of)}, {day(of)}: no impressions"
    return f"{weekday(of)}, {day(of)}: {percent(rate)}, {clicked(clicks, impressions)}"


Link = Callable[[str], str]
"""From a query to the path of its page."""


def top_chart(found: PeriodInsights, link: Link, slot: ChartSlot) -> Chart:
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
        "axis": {"title": None, "grid": False, **_names(130 if slot.narrow else 215)},
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
    return Chart(spec=layered(rows, layers, slot.width, height), label=f"{label}.")


def low_chart(found: PeriodInsights, link: Link, slot: ChartSlot) -> Chart:
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
    height = 280 if slot.narrow else 320
    return Chart(spec=layered(rows, layers, slot.width, height), label=label)


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
