"""Search insights as tables and sparklines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from domain.insights.model import FIRST_DAY, LowPerformer, PeriodInsights, StoredInsight, TopQuery
from domain.insights.period_over_period import PeriodOverPeriod, RankChange, RankMovement

_BARS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = "·"
_LINES: Final = (("average CTR", "average_ctr"), ("overall CTR", "overall_ctr"))
_COUNTS: Final = (("impressions", "impressions"), ("clicks", "clicks"))


def sparkline(values: Sequence[float | None]) -> str:
    """One sign a value, from nought at the bottom to the greatest at the top; a gap for None."""
    most = max((value for value in values if value is not None), default=0.0)
    return "".join(
        _GAP
        if value is None
        else _BARS[min(int(value / most * len(_BARS)), len(_BARS) - 1) if most else 0]
        for value in values
    )


def first_of(last: date, days: int) -> date:
    """The first of so many days up to `last`, if there are so many."""
    return last - timedelta(days=min(days - 1, (last - FIRST_DAY).days))


def insight_tables(found: Sequence[StoredInsight], days: int) -> Sequence[RenderableType]:
    """The newest stored day: its rates, queries, and what could not be read; and `days` up to it.

    Args:
        found: newest first, at least one.
        days: how many days the sparklines tell.
    """
    insight = found[0]
    computed = f"{insight.computed_at:%Y-%m-%d %H:%M:%S}Z" if insight.computed_at else "unknown"
    heading = Text(
        f"{insight.insight_date}: average CTR {_percent(insight.average_ctr)},"
        f" overall {_percent(insight.overall_ctr)}"
        f" ({_number(insight.clicks)} clicks / {_number(insight.impressions)} impressions),"
        f" rows {_number(insight.source_rows)}, blank {_number(insight.blank_rows)},"
        f" anomalies {_number(insight.anomalies)}, computed {computed}"
    )
    by_day = {each.insight_date: each for each in found}
    first = first_of(insight.insight_date, days)
    span = [first + timedelta(days=n) for n in range((insight.insight_date - first).days + 1)]
    lines = [
        (name, [getattr(by_day.get(day), member, None) for day in span])
        for name, member in (*_LINES, *_COUNTS)
    ]
    return [
        heading,
        _sparklines(f"{first} to {insight.insight_date}", lines),
        _queries("Top queries", insight.top_queries or ()),
        _queries("Many impressions, few clicks", insight.low_performance_queries or ()),
        *(Text(f"{each.pointer} {each.detail}") for each in insight.problems),
    ]


def analysis_tables(found: PeriodOverPeriod) -> Sequence[RenderableType]:
    """A period beside the one before it: rates, days, queries, and what changed."""
    current, pending = found.current, found.freshness.pending_days
    lines = [
        (name, [getattr(day, member) for day in current.days])
        for name, member in (*_LINES, *_COUNTS)
    ]
    stale = f"{len(pending)} stored days are behind these figures: `storekeeper insights catch-up`."
    return [
        _heading(current),
        _heading(found.previous),
        _sparklines("Days", lines),
        _days(current),
        _queries("Top queries", current.top_queries, found.rank_changes.top_queries),
        _queries(
            "Many impressions, few clicks",
            current.low_performance_queries,
            found.rank_changes.low_performance_queries,
        ),
        *([Text(stale)] if pending else []),
    ]


def _heading(found: PeriodInsights) -> Text:
    return Text(
        f"{found.period.first} to {found.period.last}: average CTR {_percent(found.average_ctr)},"
        f" overall {_percent(found.overall_ctr)}"
        f" ({_number(found.clicks)} clicks / {_number(found.impressions)} impressions),"
        f" rows {_number(found.source_rows)}, blank {_number(found.blank_rows)},"
        f" anomalies {_number(found.anomalies)}"
    )


def _sparklines(title: str, lines: Sequence[tuple[str, Sequence[float | None]]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    for name, values in lines:
        most = max((value for value in values if value is not None), default=None)
        shown = _percent(most) if "CTR" in name else _number(most)
        table.add_row(name, sparkline(values), f"up to {shown or '-'}")
    return table


def _days(found: PeriodInsights) -> Table:
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
    return days


def _queries(
    title: str, queries: Sequence[TopQuery], changes: Sequence[RankChange] = ()
) -> RenderableType:
    """Ranked queries with, where `changes` are given, what each did; then those that left."""
    lost = any(isinstance(query, LowPerformer) for query in queries)
    table = Table(title=title, title_justify="left")
    table.add_column("query", overflow="fold")  # the one that may take several lines
    for name in ("clicks", "impressions", "CTR", "95 % within", *(["lost"] if lost else [])):
        table.add_column(name, justify="right", no_wrap=True)
    if changes:
        table.add_column("before", no_wrap=True)
    for query in queries:
        change = next((each for each in changes if each.query == query.query), None)
        table.add_row(
            Text(query.query),
            _number(query.clicks),
            _number(query.impressions),
            _percent(query.ctr),
            f"{query.ctr_low * 100:.1f}..{_percent(query.ctr_high)}",
            *([_number(query.lost_clicks)] if isinstance(query, LowPerformer) else []),
            *([] if change is None else [_told(change)]),
        )
    gone = [each.query for each in changes if each.change is RankMovement.LEFT]
    if gone:
        table.caption = Text(f"Left: {'; '.join(gone)}", justify="left")
    return table


def _told(change: RankChange) -> str:
    if change.change is RankMovement.MOVED and change.rank is not None:
        arrow = "↑" if change.rank < (change.previous_rank or 0) else "↓"
        return f"{arrow} {change.previous_rank}"
    return "new" if change.change is RankMovement.ENTERED else "="


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
