"""Searches and insights in memory, for tests; held to the same contracts as PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta

from domain.errors import NotFound
from domain.insights.model import (
    DEFINITION_VERSION,
    FIRST_DAY,
    Analysis,
    Period,
    Rules,
    SearchClick,
    StoredInsight,
)
from domain.insights.rates import daily_ctr, low_performers, query_totals, top_queries
from ports.clock import Clock
from ports.search_clicks import SearchClickLog
from ports.search_insights import SearchAnalysis, SearchInsightStore


class MemorySearchClickLog(SearchClickLog):
    """Rows in a list, to which a test may add what another program would write."""

    def __init__(
        self,
        clock: Clock,
        rows: list[SearchClick],
        undo: list[Callable[[], object]] | None = None,
    ) -> None:
        self._clock = clock
        self._rows = rows
        self._undo = [] if undo is None else undo

    async def append(self, clicks: Sequence[SearchClick]) -> int:
        """Write all rows; see the port."""
        today = self._clock.now().date()
        added = [replace(row, search_date=row.search_date or today) for row in clicks]
        self._rows += added
        self._undo.append(lambda: self._take_back(added))
        return len(added)

    def _take_back(self, added: Sequence[SearchClick]) -> None:
        for row in added:
            self._rows.remove(row)


class MemorySearchAnalysis(SearchAnalysis):
    """The arithmetic of `domain.insights.rates` over a list of rows."""

    def __init__(self, rows: list[SearchClick]) -> None:
        self._rows = rows

    async def analyse(self, period: Period, rules: Rules) -> Analysis:
        """All three analyses; see the port."""
        rows = [
            row
            for row in self._rows
            if row.search_date is not None and period.first <= row.search_date <= period.last
        ]
        totals = query_totals(rows)
        return Analysis(
            period=period,
            rules=rules,
            days=[
                daily_ctr(period.first + timedelta(days=offset), rows)
                for offset in range(period.days)
            ],
            top_queries=top_queries(totals, rules),
            low_performance_queries=low_performers(totals, rules),
        )


class MemorySearchInsightStore(SearchInsightStore):
    """Insights by day; tests may put into `stored` what another program would write."""

    def __init__(self, rows: list[SearchClick]) -> None:
        self._rows = rows
        self.stored: dict[date, StoredInsight] = {}

    async def compute(self, day: date, rules: Rules, *, now: datetime) -> StoredInsight:
        """Compute one day and store it; see the port."""
        found = await MemorySearchAnalysis(self._rows).analyse(Period.of_day(day), rules)
        (daily,) = found.days
        fresh = StoredInsight(
            insight_date=day,
            average_ctr=daily.average_ctr,
            top_queries=[asdict(query) for query in found.top_queries],
            low_performance_queries=[asdict(query) for query in found.low_performance_queries],
            mean_row_ctr=daily.mean_row_ctr,
            clicks=daily.clicks,
            impressions=daily.impressions,
            source_rows=daily.source_rows,
            excluded_rows=daily.excluded_rows,
            definition_version=DEFINITION_VERSION,
            computed_at=now,
        )
        old = self.stored.get(day)
        if old is None or replace(old, computed_at=now) != fresh:
            self.stored[day] = fresh
        return self.stored[day]

    async def get(self, day: date) -> StoredInsight:
        """Load one day; see the port."""
        try:
            return self.stored[day]
        except KeyError:
            raise NotFound(f"No insight is stored for {day}.") from None

    async def page(
        self,
        *,
        limit: int,
        before: date | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> Sequence[StoredInsight]:
        """Up to `limit` days, newest first; see the port."""
        days = [
            day
            for day in sorted(self.stored, reverse=True)
            if (before is None or day < before)
            and (first is None or day >= first)
            and (last is None or day <= last)
        ]
        return [self.stored[day] for day in days[:limit]]

    async def days_to_compute(self, until: date) -> Sequence[date]:
        """Days with rows and no insight, oldest first; see the port."""
        searched = {row.search_date for row in self._rows if row.search_date is not None}
        return sorted(day for day in searched if FIRST_DAY <= day <= until and self._lacks(day))

    def _lacks(self, day: date) -> bool:
        insight = self.stored.get(day)
        if insight is None:
            return True
        version = insight.definition_version
        return version is not None and version < DEFINITION_VERSION
