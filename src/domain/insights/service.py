"""What can be done with search insights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from domain.errors import InvalidInput, Violation
from domain.insights.model import FIRST_DAY, Freshness, Period, Rules
from domain.insights.stored import StoredInsight
from domain.insights.trend import Overview, trend
from ports.clock import Clock
from ports.search_insights import SearchAnalysis, SearchInsightStore

LOOKBACK_DAYS: Final = 3
"""How many past days every refresh computes anew, so that rows that arrive late are counted."""

DEFAULT_PERIOD_DAYS: Final = 28
"""The period of an analysis that names none: that many days up to yesterday."""

MAX_PERIOD_DAYS: Final = 366
"""The longest period of one analysis, in days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightService:
    """Decides which days are computed, and when, and what a period is compared with."""

    insights: SearchInsightStore
    analysis: SearchAnalysis
    clock: Clock

    async def compute(self, day: date) -> StoredInsight:
        """Compute one day by the standard rules and store it; again is the same.

        Raises:
            InvalidInput: the day has not begun, or cannot be analysed.
        """
        now = self.clock.now()
        if not FIRST_DAY <= day <= now.date():
            detail = f"must be from {FIRST_DAY} to today, {now.date()} (UTC)"
            raise InvalidInput.of([Violation(pointer="insight_date", detail=detail)])
        return await self.insights.compute(day, Rules(), now=now)

    async def refresh(self) -> Sequence[date]:
        """Compute the last 3 days, and every earlier day that lacks its insight.

        Each day is stored by itself: what is done stays done when this is cut short, and the
        next run finds the rest. Days without any row are stored too, so that "no searches" and
        "not computed" differ.

        Returns:
            The days computed, oldest first.
        """
        yesterday = self.clock.now().date() - timedelta(days=1)
        lacking = await self.insights.days_to_compute(yesterday)
        recent = (yesterday - timedelta(days=back) for back in range(LOOKBACK_DAYS))
        days = sorted({*lacking, *recent})
        for day in days:
            await self.insights.compute(day, Rules(), now=self.clock.now())
        return days

    async def overview(self, period: Period, rules: Rules) -> Overview:
        """The analyses of `period` and of the period of the same length before it.

        Raises:
            InvalidInput: there is no such period before.
        """
        before = period.previous()
        current = await self.analysis.analyse(period, rules)
        previous = await self.analysis.analyse(before, rules)
        return Overview(
            current=current,
            previous=previous,
            trend=trend(current, previous),
            freshness=await self.freshness(period),
        )

    async def freshness(self, period: Period) -> Freshness:
        """How far the stored insights of `period` are behind; today's is not due yet."""
        yesterday = self.clock.now().date() - timedelta(days=1)
        until = min(period.last, yesterday)
        return Freshness(
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
