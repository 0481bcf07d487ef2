"""Runners bring all batches to their end, beside one another and across outages of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from domain.errors import DatabaseUnavailable
from domain.extraction.jobs.batch_worker import BatchWorker
from domain.extraction.jobs.model import JobId, JobStatus, WorkerId
from ports.extraction_jobs import ClaimedBatch, ProviderBatches
from tests.fakes.provider_batches import MemoryProviderBatches
from tests.fakes.tables import RecordTables
from tests.unit.test_batch_processor import Bench


@asynccontextmanager
async def flying_time(bench: Bench) -> AsyncIterator[None]:
    """The store's clock runs a hundred times as fast."""

    async def fly() -> None:
        while True:
            await asyncio.sleep(0.005)
            bench.clock.advance(timedelta(seconds=0.5))

    task = asyncio.create_task(fly())
    try:
        yield
    finally:
        task.cancel()


@asynccontextmanager
async def running(bench: Bench, batches: ProviderBatches | None = None) -> AsyncIterator[None]:
    stop = asyncio.Event()
    runner = BatchWorker(
        batches=batches or bench.batches,
        processor=bench.processor,
        new_id=uuid4,
        options=bench.options,
    )
    task = asyncio.create_task(runner.run(stop))
    wake = asyncio.create_task(waking(runner))
    try:
        yield
    finally:
        wake.cancel()
        stop.set()
        await asyncio.wait_for(task, 120)


async def waking(runner: BatchWorker) -> None:
    while True:
        await asyncio.sleep(0.01)
        runner.wake()


async def until_completed(bench: Bench, job_id: JobId) -> None:
    async with asyncio.timeout(120):
        while (await bench.seen(job_id)).status is not JobStatus.COMPLETED:
            await asyncio.sleep(0.01)


async def test_two_runners_share_the_batches_of_a_job_and_ask_nothing_twice() -> None:
    bench = Bench()
    job_id = await bench.job(95)
    async with flying_time(bench), running(bench), running(bench):
        await until_completed(bench, job_id)
    assert (await bench.seen(job_id)).counts.valid == 95
    assert len(bench.asked) == len(set(bench.asked)) == 95


async def test_what_a_stopped_runner_left_is_brought_to_its_end_by_the_next() -> None:
    bench = Bench()
    bench.provider.ending = None
    job_id = await bench.job(30)
    async with running(bench), asyncio.timeout(120):
        while len(bench.provider.batches) < 3:
            await asyncio.sleep(0.01)
    assert (await bench.seen(job_id)).counts.running == 30
    bench.provider.ending = "completed"
    async with flying_time(bench), running(bench):
        await until_completed(bench, job_id)
    assert len(bench.provider.batches) == 3


class Flaky(MemoryProviderBatches):
    """Is away every third time."""

    def __init__(self, tables: RecordTables) -> None:
        super().__init__(tables)
        self._calls = 0

    def _answer(self) -> None:
        self._calls += 1
        if self._calls % 3 == 0:
            raise DatabaseUnavailable("The database is away.")

    async def take(self, *, limit: int, lease_s: float) -> Sequence[ClaimedBatch]:
        self._answer()
        return await MemoryProviderBatches.take(self, limit=limit, lease_s=lease_s)

    async def open(self, batch_id: WorkerId, *, limit: int, lease_s: float) -> ClaimedBatch | None:
        self._answer()
        return await MemoryProviderBatches.open(self, batch_id, limit=limit, lease_s=lease_s)

    async def put_off(self, batch: ClaimedBatch, *, seconds: float) -> bool:
        self._answer()
        return await MemoryProviderBatches.put_off(self, batch, seconds=seconds)


async def test_an_outage_of_the_store_is_waited_out() -> None:
    bench = Bench()
    job_id = await bench.job(25)
    async with flying_time(bench), running(bench, Flaky(bench.tables)):
        await until_completed(bench, job_id)
    assert len(bench.asked) == 25
