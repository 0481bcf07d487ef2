"""The nightly job, run by real arq workers over a real queue and database."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from arq.worker import Worker
from redis.asyncio import Redis

from adapters.arq.queue import decode_job, encode_job
from adapters.postgres.pool import Database
from entrypoints.container.services import Container, daily_at, open_container
from entrypoints.worker.jobs import GRACE_S, MAX_TRIES, build_worker
from tests.integration.api import settings_for
from tests.integration.insights import emptied

# arq closes its connection by redis-py's old name for it.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

_PATIENCE_S = 180


@pytest.fixture
async def database(module_database_url: str, redis_url: str) -> AsyncIterator[Database]:
    async with Redis.from_url(redis_url) as queue:
        await queue.flushdb()
    async with emptied(module_database_url) as opened:
        yield opened


def ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


async def stored_days(database: Database) -> list[date]:
    rows = await database.fetch("SELECT insight_date FROM search_insights ORDER BY insight_date")
    return [each[0] for each in rows]


async def until_stored(database: Database, days: list[date]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not set(days) <= set(await stored_days(database)):
        assert time.monotonic() < deadline, "the worker did not store the days in time"
        await asyncio.sleep(0.05)


def insight_worker(container: Container) -> Worker:
    """A worker whose clock knows the job of the insights alone."""
    worker = build_worker(container, handle_signals=False)
    worker.cron_jobs = [job for job in worker.cron_jobs if job.name == "cron:refresh_insights"]
    return worker


@asynccontextmanager
async def worker_process(
    database_url: str, redis_url: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`storekeeper worker` as its own process; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "entrypoints.cli.main",
        "worker",
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a secret of forty characters, for the tests",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("at", ["00:20", "23:05"])
async def test_the_clock_runs_it_when_the_schedule_says_wherever_the_machine_stands(
    database: Database, module_database_url: str, redis_url: str, at: str
) -> None:
    settings = settings_for(module_database_url, redis_url, insights_at=at)
    async with open_container(settings) as container:
        schedule = container.insight_schedule()
        worker = insight_worker(container)
        (job,) = worker.cron_jobs
        now = datetime(2026, 3, 28, 12, tzinfo=UTC)  # a night on which Europe changes its clocks
        for _ in range(3):
            job.calculate_next(now)
            assert job.next_run is not None
            assert job.next_run.replace(microsecond=0) == schedule.next_after(now)
            now = job.next_run
        await worker.close()
    assert schedule == daily_at(at)


async def test_nothing_of_the_queue_is_left_to_its_defaults_that_lose_runs(
    module_database_url: str, redis_url: str
) -> None:
    async with open_container(settings_for(module_database_url, redis_url)) as container:
        worker = insight_worker(container)
        (job,) = worker.cron_jobs
        await worker.close()
    assert (job.unique, job.run_at_startup) == (True, False)
    assert (job.max_tries, job.timeout_s) == (MAX_TRIES, 600)
    assert (worker.max_tries, worker.job_timeout_s) == (MAX_TRIES, 600)
    assert worker.timezone is UTC
    assert worker._job_completion_wait == GRACE_S
    assert worker.health_check_interval == 30
    assert (worker.job_serializer, worker.job_deserializer) == (encode_job, decode_job)


async def test_the_job_of_the_clock_runs_once_though_two_workers_see_it_due(
    database: Database, module_database_url: str, redis_url: str
) -> None:
    due = datetime.now(UTC)
    async with (
        open_container(settings_for(module_database_url, redis_url)) as one,
        open_container(settings_for(module_database_url, redis_url)) as other,
    ):
        workers = [insight_worker(each) for each in (one, other)]
        for worker in workers:
            (job,) = worker.cron_jobs
            job.next_run = due  # as when the time has come; no start any more
        tasks = [asyncio.create_task(worker.async_run()) for worker in workers]
        try:
            await until_stored(database, [ago(3), ago(2), ago(1)])
            while not sum(worker.jobs_complete for worker in workers):
                await asyncio.sleep(0.02)
            await asyncio.sleep(1.5)  # two more turns of either worker
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for worker in workers:
                await worker.close()
    assert sum(worker.jobs_complete for worker in workers) == 1
    assert sum(worker.jobs_failed for worker in workers) == 0


async def test_a_worker_without_a_queue_says_so_and_waits_for_it(
    module_database_url: str,
) -> None:
    async with worker_process(module_database_url, "redis://127.0.0.1:1/0") as process:
        assert process.stderr is not None
        said = await asyncio.wait_for(
            process.stderr.readuntil(b"the queue of REDIS_URL is away"), _PATIENCE_S
        )
        assert process.returncode is None
        process.terminate()
        _, rest = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    assert process.returncode == 0
    assert b"Traceback" not in said + rest
