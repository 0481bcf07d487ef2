"""Runs by the clock in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from adapters.postgres.pool import Database
from adapters.postgres.queries import load_queries
from domain.scheduling.model import Outcome, Run, RunHistory
from ports.scheduled_runs import ScheduledRuns

_SQL: Final = load_queries("scheduled_runs")


class PostgresScheduledRuns(ScheduledRuns):
    """Rows of `scheduled_runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, run: Run) -> None:
        """Write down a run; see the port."""
        record = _SQL["record_run"]
        args = record.args(
            task=run.task,
            outcome=run.outcome.value,
            started_at=run.started_at,
            finished_at=run.finished_at,
            error=run.error,
        )
        await self._database.execute(record.sql, *args)

    async def histories(self) -> Mapping[str, RunHistory]:
        """The history of each task; see the port."""
        newest: defaultdict[str, dict[Outcome, Run]] = defaultdict(dict)
        counts: defaultdict[str, dict[Outcome, int]] = defaultdict(dict)
        for row in await self._database.fetch(_SQL["select_runs"].sql):
            outcome = Outcome(row["outcome"])
            counts[row["task"]][outcome] = row["runs"]
            newest[row["task"]][outcome] = Run(
                task=row["task"],
                started_at=row["started_at"],
                finished_at=row["finished_at"],
                outcome=outcome,
                error=row["error"],
            )
        return {task: RunHistory(newest=runs, counts=counts[task]) for task, runs in newest.items()}
