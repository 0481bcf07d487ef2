"""The forms of a comparison report."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.reports.comparison.data import CsvComparison, JsonComparison
from adapters.reports.comparison.page import HtmlComparison
from adapters.reports.comparison.text import MarkdownComparison
from ports.chart_renderer import ChartRenderer
from ports.comparison import ComparisonWriter


def comparison_writers(charts: ChartRenderer) -> Mapping[str, ComparisonWriter]:
    """By the ending of their files, the one for readers first."""
    return {
        ".html": HtmlComparison(charts),
        ".md": MarkdownComparison(),
        ".csv": CsvComparison(),
        ".json": JsonComparison(),
    }
