"""Charts that show nothing but their label."""

from __future__ import annotations

from html import escape
from typing import Final

from domain.errors import ChartFailed
from ports.chart_renderer import Chart, ChartRenderer

_VARIABLES: Final = (
    *("--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-quiet", "--chart-good"),
    *("--chart-bad", "--chart-text", "--chart-axis", "--chart-grid", "--chart-surface"),
)


class LabelChartRenderer(ChartRenderer):
    """Takes any specification with a mark for right; `charts` holds those it was asked for."""

    def __init__(self) -> None:
        self.charts: list[Chart] = []

    @property
    def stylesheet(self) -> str:
        """See the port."""
        return ":root {" + "".join(f"{name}: gray;" for name in _VARIABLES) + "}"

    async def render(self, chart: Chart) -> str:
        """See the port."""
        self.charts.append(chart)
        if not {"mark", "layer", "hconcat", "vconcat"} & chart.spec.keys():
            raise ChartFailed("A chart could not be drawn.")
        label = escape(chart.label).encode(errors="replace").decode()
        return f'<svg viewBox="0 0 1 1" role="img" aria-label="{label}"></svg>'
