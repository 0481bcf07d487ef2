"""Runs over days: what is kept of them, and the same as SQL for the database's own scheduler."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Final

from adapters.postgres.insights.search_insights import parameters
from adapters.postgres.pool import Database
from adapters.postgres.queries import load_queries
from domain.insights.model import DEFINITION_VERSION, FIRST_DAY, Period, RankingRules
from domain.insights.refresher import CATCH_UP, LOOKBACK_DAYS, MAX_LOOKBACK_DAYS, NIGHTLY
from domain.insights.run_history import FinishedRun, RunHistory, RunOutcome
from ports.insights import ScheduledRunRepository

_SQL: Final = load_queries("scheduled_runs")


class PostgresScheduledRunRepository(ScheduledRunRepository):
    """Rows of `scheduled_runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, run: FinishedRun) -> None:
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
        newest: defaultdict[str, dict[RunOutcome, FinishedRun]] = defaultdict(dict)
        counts: defaultdict[str, dict[RunOutcome, int]] = defaultdict(dict)
        for row in await self._database.fetch(_SQL["select_runs"].sql):
            outcome = RunOutcome(row["outcome"])
            counts[row["task"]][outcome] = row["runs"]
            newest[row["task"]][outcome] = FinishedRun(
                task=row["task"],
                started_at=row["started_at"],
                finished_at=row["finished_at"],
                outcome=outcome,
                error=row["error"],
            )
        return {task: RunHistory(newest=runs, counts=counts[task]) for task, runs in newest.items()}


_HEAD: Final = """\
-- Computes the search insights inside the database. Made by `storekeeper insights sql`: make it
-- anew after each upgrade of Storekeeper, for it holds the statements of this version.
"""
_TAIL: Final = """\
-- Nobody but the owner may call them. Supabase grants new ones to its Data API's roles by name.
REVOKE ALL ON ROUTINE @schema.compute_search_insight, @schema.refresh_search_insights FROM PUBLIC;
DO $storekeeper$
DECLARE
    role_name TEXT;
BEGIN
    FOR role_name IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format(
            'REVOKE ALL ON ROUTINE @schema.compute_search_insight, @schema.refresh_search_insights'
            ' FROM %I',
            role_name
        );
    END LOOP;
END
$storekeeper$;
"""


def insight_procedures(schema: str = "public") -> str:
    """A script that makes, or replaces, `compute_search_insight` and `refresh_search_insights`.

    Args:
        schema: where the tables are, of letters, digits and `_` alone; the two are made there, and
            work under any `search_path`.
    """
    queries = load_queries("insight_procedures")
    constants: Mapping[str, object] = {
        **parameters(Period.of_day(FIRST_DAY), RankingRules()),
        "definition_version": DEFINITION_VERSION,
        "since": FIRST_DAY,
        "lookback_days": LOOKBACK_DAYS,
        "max_lookback_days": MAX_LOOKBACK_DAYS,
        "nightly": NIGHTLY,
        "catch_up": CATCH_UP,
    }
    texts = {name: _literal(value) for name, value in constants.items()} | {
        "day": "the_day",
        "from_date": "the_day",
        "to_date": "the_day",
        "until": "yesterday",
        "now": "clock_timestamp()",
        "task": "run_task",
        "outcome": "CASE WHEN days_failed = 0 THEN 'done' WHEN days_done > 0 THEN 'partly_failed'"
        " ELSE 'failed' END",
        "started_at": "run_start",
        "finished_at": "clock_timestamp()",
        "error": "first_failure",
    }
    parts = (queries[name].filled(texts) for name in ("compute_day", "run_over_days"))
    script = "\n".join([_HEAD, *(f"{part};\n" for part in parts), _TAIL])
    return script.replace("@schema", schema if schema == "public" else f'"{schema}"')


def _literal(value: object) -> str:
    if isinstance(value, date):
        return f"DATE '{value}'"
    return f"'{value}'" if isinstance(value, str) else repr(value)
