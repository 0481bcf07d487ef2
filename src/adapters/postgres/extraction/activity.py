"""What extraction is busy with, as PostgreSQL has it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.postgres.pool import SqlExecutor
from adapters.postgres.queries import load_queries
from domain.extraction.activity import CallFigures, ExtractionActivity
from domain.extraction.calls import FailureKind, current_name
from domain.extraction.jobs.model import JobStatus
from ports.extraction_jobs import ExtractionActivityReader

_QUERIES: Final = load_queries("extraction_activity")
_WORKERS: Final = load_queries("extraction_jobs")["workers"]


class PostgresExtractionActivityReader(ExtractionActivityReader):
    """One statement for each kind of figure."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def activity(self, back: timedelta) -> ExtractionActivity:
        """See the port."""
        calls, costs = _QUERIES["calls"], _QUERIES["costs"]
        called = await self._executor.fetch(calls.sql, *calls.args(back=back))
        paid = await self._executor.fetch(costs.sql, *costs.args(back=back))
        jobs = await self._executor.fetch(_QUERIES["jobs"].sql)
        return ExtractionActivity(
            calls=[
                CallFigures(
                    provider=current_name(row["provider"]),
                    model=row["model"],
                    outcome=None if row["outcome"] is None else FailureKind(row["outcome"]),
                    calls=row["calls"],
                    latency_s=row["latency_s"],
                )
                for row in called
            ],
            cost_usd={
                (current_name(row["provider"]), row["model"]): row["cost_usd"] for row in paid
            },
            jobs={JobStatus(row["status"]): row["jobs"] for row in jobs},
            open_texts=sum(int(row["open_texts"]) for row in jobs),
            oldest_waiting_s=await self._executor.fetchval(_QUERIES["waiting"].sql),
            workers=await self._executor.fetchval(_WORKERS.sql),
        )
