"""A close look at the insights, for the person who has to mend it."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import AppError
from domain.insights.refresher import InsightRefresher
from ports.health import CheckResult, HealthCheck


class InsightHealthCheck(HealthCheck):
    """Runs succeed, and lately."""

    def __init__(self, refresher: InsightRefresher) -> None:
        self._refresher = refresher

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        try:
            state = await self._refresher.state()
        except AppError as error:
            return [CheckResult(subject="search insights", good=False, detail=f"unknown: {error}")]
        due = f"{state.pending_days} days pending, next run at {state.next_run_at:%Y-%m-%d %H:%M}Z"
        remedy = "Look at the worker's log, or run `storekeeper insights catch-up`."
        problem = state.problem
        detail = due if problem is None else f"{problem} {remedy}"
        return [CheckResult(subject="search insights", good=problem is None, detail=detail)]
