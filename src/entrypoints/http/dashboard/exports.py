"""What the dashboard shows, as files: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final

from litestar import Response
from msgspec import Struct, convert

from domain.insights.model import LowPerformer, Period, QueryHistory, TopQuery
from domain.insights.trend import Change, Overview, RankChange
from domain.text import inert_cell
from entrypoints.http.search_insight_views import AnalysisView, analysis_view

# Excel takes a file for UTF-8 only where it begins so.
_ENCODING: Final = "utf-8-sig"
_RANKED: Final = ("rank", "change", "previous_rank", "query", "clicks", "impressions")
_RATES: Final = ("ctr", "ctr_low", "ctr_high")


class RankChangeView(Struct):
    """What a query did in a list since the period before; a rank is null where it was not in it."""

    query: str
    change: Change
    rank: int | None
    previous_rank: int | None


class TrendView(Struct):
    """What changed in the two lists."""

    top_queries: list[RankChangeView]
    low_performance_queries: list[RankChangeView]


class FreshnessView(Struct):
    """How far the stored insights are behind the rows; the figures here are not."""

    pending_days: list[date]
    computed_at: datetime | None


class OverviewView(Struct):
    """The whole page."""

    current: AnalysisView
    previous: AnalysisView
    trend: TrendView
    freshness: FreshnessView


def overview_view(found: Overview) -> OverviewView:
    """As JSON."""
    return OverviewView(
        current=analysis_view(found.current),
        previous=analysis_view(found.previous),
        trend=convert(asdict(found.trend), TrendView),
        freshness=convert(asdict(found.freshness), FreshnessView),
    )


def days_table(found: Overview) -> Iterable[Sequence[Any]]:
    """A heading, and a row for each day."""
    names = (
        *("overall_ctr", "average_ctr", "clicks", "impressions", "distinct_queries"),
        *("source_rows", "blank_rows", "impossible_rows", "contradicting_rows"),
    )
    yield ("date", *names)
    for each in found.current.days:
        yield (each.day, *(getattr(each, name) for name in names))


def top_table(found: Overview) -> Iterable[Sequence[Any]]:
    """A heading, a row for each top query, and one for each that left the list."""
    yield (*_RANKED, *_RATES)
    yield from _ranked(found.current.top_queries, found.trend.top_queries, _RATES)


def low_table(found: Overview) -> Iterable[Sequence[Any]]:
    """As `top_table`, of the low performers."""
    names = (*_RATES, "lost_clicks")
    yield (*_RANKED, *names)
    current, trend = found.current, found.trend
    yield from _ranked(current.low_performance_queries, trend.low_performance_queries, names)


def history_table(found: QueryHistory) -> Iterable[Sequence[Any]]:
    """A heading, and a row for each day of one query."""
    names = ("searches", "clicks", "impressions", *_RATES)
    yield ("date", *names)
    for each in found.days:
        yield (each.day, *(getattr(each, name) for name in names))


TABLES: Final[Mapping[str, Callable[[Overview], Iterable[Sequence[Any]]]]] = {
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
    return Response(content, media_type="text/csv", headers=saved_as(f"{name}.csv", period))


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
