"""Search insights as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from domain.insights.model import Analysis, StoredInsight


def insight_tables(insight: StoredInsight) -> Sequence[RenderableType]:
    """One stored day: its rate, its best queries, its low performers."""
    computed = f"{insight.computed_at:%Y-%m-%d %H:%M:%S}Z" if insight.computed_at else "unknown"
    heading = Text(
        f"{insight.insight_date}: CTR {_percent(insight.average_ctr)}"
        f" ({_number(insight.clicks)} clicks / {_number(insight.impressions)} impressions),"
        f" mean of rows {_percent(insight.mean_row_ctr)}, rows {_number(insight.source_rows)}"
        f" and {_number(insight.excluded_rows)} left out, computed {computed}"
    )
    return [
        heading,
        _queries("Top queries", insight.top_queries),
        _queries("Many impressions, few clicks", insight.low_performance_queries, lost=True),
    ]


def analysis_tables(found: Analysis) -> Sequence[RenderableType]:
    """A period: its rate, every day's, its best queries, its low performers."""
    heading = Text(
        f"{found.period.first} to {found.period.last}: CTR {_percent(found.average_ctr)}"
        f" ({_number(found.clicks)} clicks / {_number(found.impressions)} impressions)"
    )
    days = Table(title="Days", title_justify="left")
    for name in ("date", "clicks", "impressions", "CTR", "mean of rows", "rows", "left out"):
        days.add_column(name, justify="left" if name == "date" else "right")
    for day in found.days:
        days.add_row(
            str(day.day),
            _number(day.clicks),
            _number(day.impressions),
            _percent(day.average_ctr),
            _percent(day.mean_row_ctr),
            _number(day.source_rows),
            _number(day.excluded_rows),
        )
    return [
        heading,
        days,
        _queries("Top queries", [asdict(query) for query in found.top_queries]),
        _queries(
            "Many impressions, few clicks",
            [asdict(query) for query in found.low_performance_queries],
            lost=True,
        ),
    ]


def _queries(title: str, rows: object, *, lost: bool = False) -> Table:
    """Ranked queries; another program may have stored any JSON, of which objects are shown."""
    table = Table(title=title, title_justify="left")
    for name in ("query", "clicks", "impressions", "CTR", "95 % interval"):
        table.add_column(name, justify="left" if name == "query" else "right")
    if lost:
        table.add_column("clicks lost", justify="right")
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        interval = f"{_percent(row.get('ctr_low'))} .. {_percent(row.get('ctr_high'))}"
        table.add_row(
            Text(str(row.get("query", ""))),
            _number(row.get("clicks")),
            _number(row.get("impressions")),
            _percent(row.get("ctr")),
            interval,
            *([_number(row.get("lost_clicks"))] if lost else []),
        )
    return table


def _percent(rate: object) -> str:
    return f"{rate:.1%}" if isinstance(rate, (int, float)) else "-"


def _number(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, (int, float)) else ""
