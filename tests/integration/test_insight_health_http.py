"""Late or failed insights are seen, and make no service unready."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from adapters.postgres.insights.scheduled_runs import PostgresScheduledRunRepository
from adapters.postgres.pool import Database, PoolOptions, open_database
from domain.insights.refresher import CATCH_UP, NIGHTLY
from domain.insights.run_history import FinishedRun, RunOutcome
from tests.contracts.insights import row
from tests.integration.answers import sound_api
from tests.integration.api import settings_for
from tests.integration.insights import write_rows
from tests.integration.service_role import service_url


@pytest.fixture
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    async with open_database(service_url(fresh_database_url), PoolOptions()) as opened:
        yield opened


@pytest.fixture
async def api(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    async with sound_api(settings_for(fresh_database_url, redis_url), tmp_path) as client:
        yield client


async def record(
    database: Database, task: str, age: timedelta, error: str | None = None
) -> FinishedRun:
    finished_at = datetime.now(UTC).replace(microsecond=0) - age
    run = FinishedRun(
        task=task,
        started_at=finished_at - timedelta(seconds=2),
        finished_at=finished_at,
        outcome=RunOutcome.FAILED if error else RunOutcome.DONE,
        error=error,
    )
    await PostgresScheduledRunRepository(database).record(run)
    return run


async def test_a_service_without_insights_is_ready_and_says_what_is_pending(
    database: Database, api: httpx2.AsyncClient
) -> None:
    await write_rows(database, [row("lamp", 1, 2, datetime.now(UTC).date() - timedelta(days=9))])
    ready = await api.get("/health/ready")
    assert ready.status_code == 200
    insights = ready.json()["insights"]
    assert insights.pop("next_run_at")[10:] == "T00:20:00Z"
    assert insights == {
        "last_success_at": None,
        "last_success_age_s": None,
        "pending_days": 1,
        "problem": "1 day pending, and no run yet.",
    }


async def test_a_run_that_failed_is_told_until_one_succeeds(
    database: Database, api: httpx2.AsyncClient
) -> None:
    await record(database, NIGHTLY, timedelta(hours=2))
    await record(database, CATCH_UP, timedelta(hours=1), "The database cannot be reached.")
    insights = (await api.get("/health/ready")).json()["insights"]
    assert insights["problem"].endswith("failed: The database cannot be reached.")
    assert 7200 <= insights["last_success_age_s"] < 9000
    run = await record(database, CATCH_UP, timedelta())
    insights = (await api.get("/health/ready")).json()["insights"]
    assert insights["problem"] is None
    assert datetime.fromisoformat(insights["last_success_at"]) == run.finished_at


async def test_prometheus_reads_the_same_of_every_process(
    database: Database, api: httpx2.AsyncClient
) -> None:
    run = await record(database, NIGHTLY, timedelta(hours=2))
    metrics = await api.get("/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = dict(
        line.rsplit(" ", 1) for line in metrics.text.splitlines() if not line.startswith("#")
    )
    last = values["storekeeper_insights_last_success_timestamp_seconds"]
    assert float(last) == run.finished_at.timestamp()
    assert values["storekeeper_insights_pending_days"] == "0"
    done = 'storekeeper_insights_runs_total{task="insights_nightly",outcome="done"}'
    assert values[done] == "1"
