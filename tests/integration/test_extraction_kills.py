"""Workers, queue and database are killed in the middle of a job: nothing is lost or paid twice.

The stores are servers of the test's own, durable as in production; the workers are processes; what
they asked is read from the provider's ledger.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.embedded.installation import free_port
from adapters.embedded.postgres import ROLE as OWNER
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.migrations import migrate
from adapters.postgres.pool import PoolOptions, open_database
from domain.errors import DependencyError
from domain.extraction.jobs.items import ItemResult
from domain.extraction.jobs.model import ExtractionJob, JobId, JobSpec, JobStatus
from fake_provider.calls import text_hash
from fake_provider.scenario import Latency, Scenario
from fake_provider.testing import FakeInThread, running_fake
from ports.server_process import ServerProcess
from tests.contracts.extraction_jobs import JobStore
from tests.integration.extraction_jobs import jobs_in
from tests.integration.owners_database import execute
from tests.integration.service_role import let_in, service_url

_PATIENCE_S = 180
_COUNT = 240
_CONCURRENCY = 8
_LATENCY_S = 0.1
# Clocks of two processes on one machine, and the time from the answer to the commit's own stamp.
_SLACK_S = 0.05


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, please send {number + 2} oak chairs."


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake(Scenario(latency=Latency(mean_s=_LATENCY_S))) as provider:
        yield provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Stores that can be killed, and workers over them."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    store: JobStore
    fake: FakeInThread
    log: Path
    exits: AsyncExitStack

    async def worker(self) -> Process:
        """One more worker process; it is ended with the test."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "entrypoints.cli.main",
                "worker",
                env={
                    **os.environ,
                    "DATABASE_URL": service_url(self.postgres.url),
                    "REDIS_URL": self.valkey.url,
                    "SECRET_KEY": "a secret of forty characters, for the tests",
                    "LLM_PROVIDER": "openai",
                    "LLM_CONCURRENCY": str(_CONCURRENCY),
                    "JOB_LEASE_S": "2",
                    "OPENAI_API_KEY": "a-key",
                    "OPENAI_BASE_URL": self.fake.openai_base_url,
                },
                stdout=log,
                stderr=log,
            )
        self.exits.push_async_callback(_ended, process)
        return process

    async def job(self) -> ExtractionJob:
        spec = JobSpec(schema="default", schema_version=1, providers=("openai",))
        return await self.store.job([text_of(n) for n in range(_COUNT)], spec)

    async def until(self, job_id: JobId, fits: Callable[[ExtractionJob], bool]) -> ExtractionJob:
        """Wait for the job to fit; a database that is away is waited for too."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                try:
                    job = await self.store.jobs.get(job_id)
                except DependencyError:
                    await asyncio.sleep(0.1)
                    continue
                if fits(job):
                    return job
                await asyncio.sleep(0.02)

    async def until_done(self, job_id: JobId, share: float) -> None:
        await self.until(job_id, lambda job: job.counts.done >= share * _COUNT)

    async def completed(self, job_id: JobId) -> list[ItemResult]:
        """All documents of the job once it is completed."""
        job = await self.until(job_id, lambda job: job.status is not JobStatus.RUNNING)
        assert job.status is JobStatus.COMPLETED, self.log.read_text()
        assert job.counts.valid + job.counts.partial == _COUNT, self.log.read_text()
        return list(await self.store.jobs.results(job_id, limit=_COUNT + 1))

    async def kill(self, server: ServerProcess) -> None:
        """As by `kill -9`."""
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.fixture
async def stack(server_directory: Path, fake: FakeInThread) -> AsyncIterator[Stack]:
    if os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("a database of somebody else's is not killed")
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    postgres = EmbeddedPostgres(
        directory=directory / "postgres",
        log=directory / "postgres.log",
        port=free_port(),
        password=secrets.token_hex(16),
        admin_password=secrets.token_hex(16),
    )
    valkey = EmbeddedValkey(
        directory=directory / "valkey",
        log=directory / "valkey.log",
        port=free_port(),
        password=secrets.token_hex(16),
    )
    async with _running(postgres), _running(valkey):
        await execute(postgres.admin_url, f"ALTER ROLE {OWNER} CREATEROLE")
        await migrate(postgres.url)
        await let_in(postgres.url)
        async with (
            open_database(service_url(postgres.url), PoolOptions()) as database,
            AsyncExitStack() as exits,
        ):
            yield Stack(
                postgres=postgres,
                valkey=valkey,
                store=jobs_in(database),
                fake=fake,
                log=directory / "workers.log",
                exits=exits,
            )


@asynccontextmanager
async def _running(server: ServerProcess) -> AsyncIterator[None]:
    try:
        await server.start()
        yield
    finally:
        await server.stop()


def calls_of(fake: FakeInThread) -> Counter[int]:
    return Counter(entry.text for entry in fake.entries)


def repeated(fake: FakeInThread) -> int:
    """Calls beyond one for each text."""
    return sum(count - 1 for count in calls_of(fake).values())


def called_after_the_end(fake: FakeInThread, results: list[ItemResult]) -> list[int]:
    """Positions of documents that were asked again after they were done."""
    done = {
        text_hash(each.extraction.text): (each.position, each.finished_at.timestamp())
        for each in results
        if each.extraction is not None and each.finished_at is not None
    }
    assert len(done) == _COUNT
    return [
        done[entry.text][0]
        for entry in fake.entries
        if entry.arrived_at > done[entry.text][1] + _SLACK_S
    ]


async def test_killed_workers_lose_nothing_and_repeat_what_they_had_at_most(stack: Stack) -> None:
    job = await stack.job()
    workers = [await stack.worker(), await stack.worker()]
    for share in (0.1, 0.5, 0.9):
        await stack.until_done(job.id, share)
        killed = workers.pop(0)
        killed.kill()
        await killed.wait()
        workers.append(await stack.worker())
    results = await stack.completed(job.id)
    assert [each.position for each in results] == list(range(1, _COUNT + 1))
    assert called_after_the_end(stack.fake, results) == []
    assert repeated(stack.fake) <= 3 * _CONCURRENCY


async def test_a_killed_queue_holds_up_nothing(stack: Stack) -> None:
    job = await stack.job()
    workers = [await stack.worker(), await stack.worker()]
    await stack.until_done(job.id, 0.3)
    await stack.kill(stack.valkey)
    await stack.until_done(job.id, 0.6)
    await stack.valkey.start()
    results = await stack.completed(job.id)
    assert called_after_the_end(stack.fake, results) == []
    assert repeated(stack.fake) == 0
    assert [worker.returncode for worker in workers] == [None, None], stack.log.read_text()


async def test_a_killed_database_loses_nothing_that_was_done(stack: Stack) -> None:
    job = await stack.job()
    workers = [await stack.worker(), await stack.worker()]
    await stack.until_done(job.id, 0.4)
    await stack.kill(stack.postgres)
    await stack.postgres.start()
    results = await stack.completed(job.id)
    assert called_after_the_end(stack.fake, results) == []
    assert repeated(stack.fake) <= 2 * _CONCURRENCY
    assert [worker.returncode for worker in workers] == [None, None], stack.log.read_text()
    for worker in workers:
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), _PATIENCE_S) == 0
