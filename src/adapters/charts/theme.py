"""How charts look: one Vega-Lite configuration for all, and the CSS with its colours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

_AXIS: Final[dict[str, Any]] = {
    "domain": False,
    "ticks": False,
    "gridColor": "var(--chart-grid)",
    "labelColor": "var(--chart-text)",
    "labelFontSize": 12,
    "labelPadding": 8,
    "titleColor": "var(--chart-text)",
    "titleFontSize": 12,
    "titleFontWeight": 400,
    "titlePadding": 10,
}

CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "padding": {"left": 2, "right": 6, "top": 6, "bottom": 2},
    "autosize": {"type": "fit", "contains": "padding"},
    # What a screen reader should know stands in the label; a mark is told of only where a chart
    # asks for it.
    "mark": {"aria": False},
    "axis": {**_AXIS, "aria": False},
    "axisX": {"grid": False, "domain": True, "domainColor": "var(--chart-axis)"},
    "legend": {
        "aria": False,
        "labelColor": "var(--chart-text)",
        "labelFontSize": 12,
        "titleColor": "var(--chart-text)",
        "titleFontSize": 12,
        "titleFontWeight": 400,
        "orient": "top",
        "symbolStrokeWidth": 2,
    },
    "bar": {"fill": "var(--chart-quiet)"},
    "line": {"stroke": "var(--chart-1)", "strokeWidth": 2, "strokeJoin": "round"},
    "point": {"filled": True, "fill": "var(--chart-1)", "opacity": 1, "size": 40},
    "rule": {"stroke": "var(--chart-axis)"},
    "text": {"fill": "var(--chart-text)", "fontSize": 12},
    "range": {"category": [f"var(--chart-{number})" for number in range(1, 5)]},
    "view": {"stroke": None},
}
"""For every chart; numbers are CSS pixels."""


@cache
def stylesheet() -> str:
    """The text of `theme.css`."""
    return Path(__file__).with_name("theme.css").read_text("utf-8")
