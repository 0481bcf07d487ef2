"""What can be done with search insights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from domain.errors import InvalidInput, Violation
from domain.insights.model import FIRST_DAY, InsightFreshness, Period, RankingRules, StoredInsight
from domain.insights.period_over_period import PeriodOverPeriod, RankChanges
from ports.clock import Clock
from ports.insights import SearchAnalyser, SearchInsightRepository

DEFAULT_PERIOD_DAYS: Final = 28
"""The period of an analysis that names none: that many days up to yesterday."""

MAX_PERIOD_DAYS: Final = 366
"""The longest period of one analysis, in days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightService:
    """Decides which days are computed, and when, and what a period is compared with."""

    insights: SearchInsightRepository
    analyser: SearchAnalyser
    clock: Clock

    async def compute(self, day: date) -> StoredInsight:
        """Compute one day by the standard rules and store it; again is the same.

        Raises:
            InvalidInput: the day has not begun, or cannot be analysed.
        """
        self.refuse_unbegun(day)
        return await self.insights.compute(day, RankingRules(), now=self.clock.now())

    def refuse_unbegun(self, day: date) -> None:
        """A day can be computed once it has begun.

        Raises:
            InvalidInput: it has not, or cannot be analysed.
        """
        today = self.clock.now().date()
        if not FIRST_DAY <= day <= today:
            detail = f"must be from {FIRST_DAY} to today, {today} (UTC)"
            raise InvalidInput.of([Violation(pointer="insight_date", detail=detail)])

    async def period_over_period(self, period: Period, rules: RankingRules) -> PeriodOverPeriod:
        """The analyses of `period` and of the period of the same length before it.

        Raises:
            InvalidInput: there is no such period before.
        """
        before = period.previous()
        current = await self.analyser.analyse(period, rules)
        previous = await self.analyser.analyse(before, rules)
        return PeriodOverPeriod(
            current=current,
            previous=previous,
            rank_changes=RankChanges.between(current, previous),
            freshness=await self.freshness(period),
        )

    async def freshness(self, period: Period) -> InsightFreshness:
        """How far the stored insights of `period` are behind; today's is not due yet."""
        yesterday = self.clock.now().date() - timedelta(days=1)
        until = min(period.last, yesterday)
        return InsightFreshness(
            pending_days=await self.insights.days_to_compute(until, since=period.first),
            computed_at=await self.insights.last_computed(period),
        )

    def period(self, first: date | None, last: date | None) -> Period:
        """The period from `first` to `last` for an analysis.

        Without `last` it ends yesterday (or with `first`, if that is later); without `first` it
        has 28 days.

        Raises:
            InvalidInput: `first` is after `last`, or the period is longer than 366 days.
        """
        if last is None:
            yesterday = self.clock.now().date() - timedelta(days=1)
            last = yesterday if first is None else max(first, yesterday)
        if first is None:
            span = timedelta(days=DEFAULT_PERIOD_DAYS - 1)
            first = last - span if last - FIRST_DAY >= span else min(last, FIRST_DAY)
        period = Period(first=first, last=last)
        if period.days > MAX_PERIOD_DAYS:
            detail = f"makes {period.days} days with `to`; at most {MAX_PERIOD_DAYS} are allowed"
            raise InvalidInput.of([Violation(pointer="from", detail=detail)])
        return period
