"""What the dashboard shows as files: tables for spreadsheets, the whole as JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from litestar import Response
from msgspec import Struct, convert

from domain.insights.model import LowPerformer, Period, QueryHistory, TopQuery
from domain.insights.period_over_period import PeriodOverPeriod, RankChange
from domain.text import inert_cell
from entrypoints.http.insights.insight_views import (
    PeriodInsightsView,
    period_insights_view,
    period_over_period_view,
)
from entrypoints.http.protocol.answers import Instant

CSV: Final = "text/csv"
# Excel takes a file for UTF-8 only where it begins so.
_ENCODING: Final = "utf-8-sig"
_RANKED: Final = ("rank", "change", "previous_rank", "query", "clicks", "impressions")
_RATES: Final = ("ctr", "ctr_low", "ctr_high")


DAYS_EXAMPLE: Final = (
    "date,overall_ctr,average_ctr,clicks,impressions,distinct_queries,source_rows,blank_rows,"
    "impossible_rows,contradicting_rows\r\n2026-11-21,0.25,0.24,2500,10000,180,700,2,1,0\r\n"
)
HISTORY_EXAMPLE: Final = (
    "date,searches,clicks,impressions,ctr,ctr_low,ctr_high\r\n"
    "2026-11-21,3,9,40,0.225,0.123,0.375\r\n"
)


def days_table(found: PeriodOverPeriod) -> Iterable[Sequence[Any]]:
    """A heading, and a row for each day."""
    names = (
        *("overall_ctr", "average_ctr", "clicks", "impressions", "distinct_queries"),
        *("source_rows", "blank_rows", "impossible_rows", "contradicting_rows"),
    )
    yield ("date", *names)
    for each in found.current.days:
        yield (each.day, *(getattr(each, name) for name in names))


def top_table(found: PeriodOverPeriod) -> Iterable[Sequence[Any]]:
    """A heading, a row for each top query, and one for each that left the list."""
    yield (*_RANKED, *_RATES)
    yield from _ranked(found.current.top_queries, found.rank_changes.top_queries, _RATES)


def low_table(found: PeriodOverPeriod) -> Iterable[Sequence[Any]]:
    """As `top_table`, of the low performers."""
    names = (*_RATES, "lost_clicks")
    yield (*_RANKED, *names)
    current, changes = found.current, found.rank_changes
    yield from _ranked(current.low_performance_queries, changes.low_performance_queries, names)


def history_table(found: QueryHistory) -> Iterable[Sequence[Any]]:
    """A heading, and a row for each day of one query."""
    names = ("searches", "clicks", "impressions", *_RATES)
    yield ("date", *names)
    for each in found.days:
        yield (each.day, *(getattr(each, name) for name in names))


TABLES: Final[Mapping[str, Callable[[PeriodOverPeriod], Iterable[Sequence[Any]]]]] = {
    "days.csv": days_table,
    "top-queries.csv": top_table,
    "low-performers.csv": low_table,
}
"""The tables of the overview, by the name of their file."""


def csv_file(table: Iterable[Sequence[Any]], name: str, period: Period) -> Response[bytes]:
    """A table as a file to save; what would run as a formula is led by an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in table:
        writer.writerow(inert_cell(each) if isinstance(each, str) else each for each in row)
    content = buffer.getvalue().encode(_ENCODING)
    return Response(content, media_type=CSV, headers=saved_as(f"{name}.csv", period))


def saved_as(name: str, period: Period) -> dict[str, str]:
    """Headers of a file to save."""
    stem, _, ending = name.rpartition(".")
    filename = f"search-insights-{stem}-{period.first}-{period.last}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{filename}"'}


def _ranked(
    listed: Sequence[TopQuery | LowPerformer],
    changes: Sequence[RankChange],
    names: Sequence[str],
) -> Iterable[Sequence[Any]]:
    by_rank = {each.rank: each for each in listed}
    for each in changes:
        known = None if each.rank is None else by_rank[each.rank]
        figures = [getattr(known, name, None) for name in ("clicks", "impressions", *names)]
        yield (each.rank, each.change.value, each.previous_rank, each.query, *figures)


DASHBOARD_EXAMPLE: Final = {
    "current": PeriodInsightsView.EXAMPLE,
    "previous": {**PeriodInsightsView.EXAMPLE, "from": "2026-11-20", "to": "2026-11-20"},
    "freshness": {"pending_days": ["2026-11-21"], "computed_at": "2026-11-21T00:20:00Z"},
}


class FreshnessView(Struct):
    """How far the stored insights are behind the rows; the figures here are not."""

    pending_days: list[date]
    computed_at: Instant | None


class DashboardExport(Struct):
    """The whole page; `current` is what `/search-insights/live` answers to `compare=previous`."""

    current: PeriodInsightsView
    previous: PeriodInsightsView
    freshness: FreshnessView


def dashboard_view(found: PeriodOverPeriod) -> DashboardExport:
    """As JSON."""
    return DashboardExport(
        current=period_over_period_view(found),
        previous=period_insights_view(found.previous),
        freshness=convert(asdict(found.freshness), FreshnessView),
    )
