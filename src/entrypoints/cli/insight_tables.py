"""Search insights as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from domain.insights.model import Analysis, LowPerformer, TopQuery
from domain.insights.stored import StoredInsight


def insight_tables(insight: StoredInsight) -> Sequence[RenderableType]:
    """One stored day: its rates, its best queries, its low performers, what could not be read."""
    computed = f"{insight.computed_at:%Y-%m-%d %H:%M:%S}Z" if insight.computed_at else "unknown"
    heading = Text(
        f"{insight.insight_date}: average CTR {_percent(insight.average_ctr)},"
        f" overall {_percent(insight.overall_ctr)}"
        f" ({_number(insight.clicks)} clicks / {_number(insight.impressions)} impressions),"
        f" rows {_number(insight.source_rows)}, blank {_number(insight.blank_rows)},"
        f" anomalies {_number(insight.anomalies)}, computed {computed}"
    )
    return [
        heading,
        _queries("Top queries", insight.top_queries or ()),
        _queries("Many impressions, few clicks", insight.low_performance_queries or (), lost=True),
        *(Text(f"{each.pointer} {each.detail}") for each in insight.problems),
    ]


def analysis_tables(found: Analysis) -> Sequence[RenderableType]:
    """A period: its rates, every day's, its best queries, its low performers."""
    heading = Text(
        f"{found.period.first} to {found.period.last}: average CTR {_percent(found.average_ctr)},"
        f" overall {_percent(found.overall_ctr)}"
        f" ({_number(found.clicks)} clicks / {_number(found.impressions)} impressions)"
    )
    days = Table(title="Days", title_justify="left")
    for name in ("date", "clicks", "impressions", "average", "overall", "rows", "anomalies"):
        days.add_column(name, justify="left" if name == "date" else "right")
    for day in found.days:
        days.add_row(
            str(day.day),
            _number(day.clicks),
            _number(day.impressions),
            _percent(day.average_ctr),
            _percent(day.overall_ctr),
            _number(day.source_rows),
            _number(day.anomalies),
        )
    return [
        heading,
        days,
        _queries("Top queries", found.top_queries),
        _queries("Many impressions, few clicks", found.low_performance_queries, lost=True),
    ]


def _queries(title: str, queries: Sequence[TopQuery], *, lost: bool = False) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("query", "clicks", "impressions", "CTR", "95 % interval"):
        table.add_column(name, justify="left" if name == "query" else "right")
    if lost:
        table.add_column("clicks lost", justify="right")
    for query in queries:
        table.add_row(
            Text(query.query),
            _number(query.clicks),
            _number(query.impressions),
            _percent(query.ctr),
            f"{_percent(query.ctr_low)} .. {_percent(query.ctr_high)}",
            *([_number(query.lost_clicks)] if isinstance(query, LowPerformer) else []),
        )
    return table


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
