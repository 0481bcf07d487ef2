"""Runs by the clock in memory, for tests; held to the same contract as PostgreSQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from domain.insights.scheduled_runs import Outcome, Run, RunHistory
from ports.insights import ScheduledRuns


class MemoryScheduledRuns(ScheduledRuns):
    """Newest runs and counts in dictionaries."""

    def __init__(self) -> None:
        self._newest: defaultdict[str, dict[Outcome, Run]] = defaultdict(dict)
        self._counts: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)

    async def record(self, run: Run) -> None:
        """Write down a run; see the port."""
        self._newest[run.task][run.outcome] = run
        self._counts[run.task][run.outcome] += 1

    async def histories(self) -> Mapping[str, RunHistory]:
        """The history of each task; see the port."""
        return {
            task: RunHistory(newest=dict(newest), counts=dict(self._counts[task]))
            for task, newest in self._newest.items()
        }
