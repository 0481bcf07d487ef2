"""Charts by day: rates as lines or points over bars of impressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from domain.insights.history import QueryHistory
from domain.insights.model import Analysis
from entrypoints.http.dashboard.charts import PERCENT_AXIS, Place, layered
from entrypoints.http.dashboard.figures import clicked, day, percent, span, weekday
from ports.reports import Chart


def daily_chart(found: Analysis, place: Place) -> Chart:
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
    return Chart(spec=_by_day(rows, [*lines, *lone], place), label=label)


def history_chart(found: QueryHistory, place: Place) -> Chart:
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
    return Chart(spec=_by_day(rows, layers, place), label=label)


def _by_day(rows: Sequence[Mapping[str, Any]], layers: list[Any], place: Place) -> dict[str, Any]:
    """Layers of rates over bars of impressions, with a tip for every day."""
    most = 6 if place.narrow else 12
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
    spec = layered(rows, [bars, rates, targets], place.width, 240 if place.narrow else 300)
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
        for place, row in enumerate(rows, start=1)
        if padded[place] and not padded[place - 1] and not padded[place + 1]
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
