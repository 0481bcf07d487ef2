"""Searches, insights and imports of searches in memory; held to the contracts of PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from domain.errors import Conflict, NotFound
from domain.insights.click_rows import (
    AcceptedRow,
    ClickImportState,
    ClickImportTotals,
    ReadPosition,
)
from domain.insights.model import (
    DEFINITION_VERSION,
    FIRST_DAY,
    Period,
    PeriodInsights,
    QueryHistory,
    RankingRules,
    SearchClickRow,
    StoredInsight,
)
from ports.click_files import ClickImportRepository
from ports.clock import Clock
from ports.insights import (
    SearchAnalyser,
    SearchClickPruner,
    SearchClickWriter,
    SearchInsightRepository,
)
from tests.contracts.insights import Searches
from tests.fakes.insight_rates import (
    daily_ctr,
    low_performers,
    query_history,
    query_totals,
    top_queries,
)
from tests.fakes.system import StandingClock


class MemorySearchClickWriter(SearchClickWriter):
    """Rows in a list, to which a test may add what another program would write."""

    def __init__(
        self,
        clock: Clock,
        rows: list[SearchClickRow],
        undo: list[Callable[[], object]] | None = None,
    ) -> None:
        self._clock = clock
        self._rows = rows
        self._undo = [] if undo is None else undo

    async def append(self, clicks: Sequence[SearchClickRow]) -> int:
        """Write all rows; see the port."""
        today = self._clock.now().date()
        added = [replace(row, search_date=row.search_date or today) for row in clicks]
        self._rows += added
        self._undo.append(lambda: self._take_back(added))
        return len(added)

    def _take_back(self, added: Sequence[SearchClickRow]) -> None:
        for row in added:
            self._rows.remove(row)


class MemorySearchAnalyser(SearchAnalyser):
    """The arithmetic of `tests.fakes.insight_rates` over a list of rows."""

    def __init__(self, rows: list[SearchClickRow]) -> None:
        self._rows = rows

    async def analyse(self, period: Period, rules: RankingRules) -> PeriodInsights:
        """All three analyses; see the port."""
        rows = [
            row
            for row in self._rows
            if row.search_date is not None and period.first <= row.search_date <= period.last
        ]
        totals = query_totals(rows)
        return PeriodInsights(
            period=period,
            rules=rules,
            days=[
                daily_ctr(period.first + timedelta(days=offset), rows)
                for offset in range(period.days)
            ],
            top_queries=top_queries(totals, rules),
            low_performance_queries=low_performers(totals, rules),
            undated_rows=sum(row.search_date is None for row in self._rows),
        )

    async def history(self, query: str, period: Period) -> QueryHistory:
        """One query through a period; see the port."""
        return query_history(query, period, self._rows)


class MemorySearchInsightRepository(SearchInsightRepository):
    """Insights by day; tests may put into `stored` what another program would write."""

    def __init__(self, rows: list[SearchClickRow]) -> None:
        self._rows = rows
        self._computed_from: dict[date, Counter[SearchClickRow]] = {}
        self.stored: dict[date, StoredInsight] = {}

    async def compute(self, day: date, rules: RankingRules, *, now: datetime) -> StoredInsight:
        """Compute one day and store it; see the port."""
        found = await MemorySearchAnalyser(self._rows).analyse(Period.of_day(day), rules)
        (daily,) = found.days
        fresh = StoredInsight(
            insight_date=day,
            average_ctr=daily.average_ctr,
            overall_ctr=daily.overall_ctr,
            clicks=daily.clicks,
            impressions=daily.impressions,
            source_rows=daily.source_rows,
            distinct_queries=daily.distinct_queries,
            blank_rows=daily.blank_rows,
            impossible_rows=daily.impossible_rows,
            contradicting_rows=daily.contradicting_rows,
            top_queries=found.top_queries,
            low_performance_queries=found.low_performance_queries,
            definition_version=DEFINITION_VERSION,
            computed_at=now,
        )
        self._computed_from[day] = self._rows_of(day)
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

    async def days_to_compute(self, until: date, *, since: date = FIRST_DAY) -> Sequence[date]:
        """Days whose insight is lacking or stale, oldest first; see the port."""
        searched = {row.search_date for row in self._rows if row.search_date is not None}
        days = sorted(searched | set(self._computed_from))
        return [day for day in days if since <= day <= until and self._is_due(day)]

    async def last_computed(self, period: Period) -> datetime | None:
        """The latest `computed_at` of a period; see the port."""
        found = [
            insight.computed_at
            for day, insight in self.stored.items()
            if period.first <= day <= period.last and insight.computed_at is not None
        ]
        return max(found, default=None)

    def _is_due(self, day: date) -> bool:
        insight = self.stored.get(day)
        if insight is None:
            return True
        version = insight.definition_version
        if version is None:
            return False
        return version < DEFINITION_VERSION or self._computed_from.get(day) != self._rows_of(day)

    def _rows_of(self, day: date) -> Counter[SearchClickRow]:
        return Counter(row for row in self._rows if row.search_date == day)


class MemorySearchClickPruner(SearchClickPruner):
    """Rows that are gone stay in the list, so that they add up, and are no longer found."""

    def __init__(self, rows: list[SearchClickRow], insights: MemorySearchInsightRepository) -> None:
        self._rows = rows
        self._insights = insights
        self._gone: Counter[SearchClickRow] = Counter()

    async def days_with_rows(self, before: date) -> Sequence[date]:
        """Days with rows, oldest first; see the port."""
        present = Counter(self._rows) - self._gone
        days = {row.search_date for row in present if row.search_date is not None}
        return sorted(day for day in days if FIRST_DAY <= day < before)

    async def prune(self, day: date, rules: RankingRules, *, now: datetime) -> int:
        """Have the rows of a day gone; see the port."""
        of_day = Counter(row for row in self._rows if row.search_date == day)
        gone = of_day - self._gone
        self._gone += gone
        await self._insights.compute(day, rules, now=now)
        return gone.total()


class MemoryClickImportRepository(ClickImportRepository):
    """Rows in a list and imports by number, which tests may look at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: list[AcceptedRow] = []
        self.imports: dict[int, ClickImportState] = {}

    async def latest(self, fingerprint: bytes) -> ClickImportState | None:
        """The newest import of a file; see the port."""
        found = [each for each in self.imports.values() if each.fingerprint == fingerprint]
        return found[-1] if found else None

    async def last_named(self, name: str) -> ClickImportState | None:
        """The newest import of a file of that name; see the port."""
        found = [each for each in self.imports.values() if each.name == name]
        return found[-1] if found else None

    async def totals(self) -> ClickImportTotals:
        """All imports together; see the port."""
        return ClickImportTotals(
            unfinished=sum(each.finished_at is None for each in self.imports.values()),
            accepted=sum(each.accepted for each in self.imports.values()),
            rejected=sum(each.rejected for each in self.imports.values()),
        )

    async def begin(self, fingerprint: bytes, *, name: str, options: str) -> ClickImportState:
        """Begin to import a file; see the port."""
        latest = await self.latest(fingerprint)
        if latest is not None and latest.finished_at is None:
            raise _elsewhere()
        begun = ClickImportState(
            id=len(self.imports) + 1,
            fingerprint=fingerprint,
            name=name,
            options=options,
            position=ReadPosition(),
            accepted=0,
            rejected=0,
            rejects_bytes=0,
            started_at=self._clock.now(),
            finished_at=None,
        )
        self.imports[begun.id] = begun
        return begun

    async def append(
        self, before: ClickImportState, after: ClickImportState, rows: Sequence[AcceptedRow]
    ) -> None:
        """Write all rows and move on; see the port."""
        self._check(before)
        self.rows += rows
        self.imports[after.id] = after

    async def finish(self, at: ClickImportState) -> ClickImportState:
        """The file is read to its end; see the port."""
        self._check(at)
        self.imports[at.id] = replace(at, finished_at=self._clock.now())
        return self.imports[at.id]

    def _check(self, at: ClickImportState) -> None:
        found = self.imports[at.id]
        if found.finished_at is not None or found.position != at.position:
            raise _elsewhere()


def _elsewhere() -> Conflict:
    return Conflict("Another process is importing this file now.")


def searches_in_memory() -> Searches:
    """A store that starts empty."""
    rows: list[SearchClickRow] = []
    store = MemorySearchInsightRepository(rows)

    async def write_rows(more: Sequence[SearchClickRow]) -> None:
        rows.extend(more)

    async def write_insight(insight: StoredInsight) -> None:
        store.stored[insight.insight_date] = insight

    return Searches(
        log=MemorySearchClickWriter(StandingClock(), rows),
        analysis=MemorySearchAnalyser(rows),
        insights=store,
        retention=MemorySearchClickPruner(rows, store),
        write_rows=write_rows,
        write_insight=write_insight,
    )
