"""How long the rows of the log are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from domain.errors import InvalidInput, Violation
from domain.insights.model import RankingRules
from ports.clock import Clock
from ports.insights import SearchClickPruner

Progress = Callable[[date, int], None]
"""Is told a day and how many of its rows were deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickRetentionService:
    """Decides which days give their rows up."""

    pruner: SearchClickPruner
    clock: Clock

    async def days_to_prune(self, before: date) -> Sequence[date]:
        """The days before `before` that still have rows, oldest first.

        Raises:
            InvalidInput: `before` is after today, so that days to come would be among them.
        """
        today = self.clock.now().date()
        if before > today:
            detail = f"must not be after today, {today} (UTC)"
            raise InvalidInput.of([Violation(pointer="before", detail=detail)])
        return await self.pruner.days_with_rows(before)

    async def prune(self, before: date, *, progress: Progress) -> int:
        """Delete the rows of all days before `before`; every figure stays.

        Each day is done by itself: what is done stays done when this is cut short, and the next
        run does the rest.

        Args:
            progress: called after each day.

        Returns:
            How many rows were deleted.

        Raises:
            InvalidInput: `before` is after today.
        """
        total = 0
        for day in await self.days_to_prune(before):
            deleted = await self.pruner.prune(day, RankingRules(), now=self.clock.now())
            progress(day, deleted)
            total += deleted
        return total
