"""Workers bring all batches to their end, beside one another and across outages of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.errors import DatabaseUnavailable
from domain.extraction.jobs.batch_processor import BatchProcessor, LostBatch
from domain.extraction.jobs.batch_worker import BatchWorker
from domain.extraction.jobs.model import JobId, JobStatus, WorkerId
from ports.extraction_jobs import ClaimedBatch, ProviderBatches
from tests.fakes.provider_batches import MemoryProviderBatches
from tests.fakes.tables import RecordTables
from tests.unit.batch_jobs import OPTIONS, BatchBench


@asynccontextmanager
async def flying_time(bench: BatchBench) -> AsyncIterator[None]:
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
async def running(bench: BatchBench, batches: ProviderBatches | None = None) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = BatchWorker(
        batches=batches or bench.batches,
        processor=bench.processor,
        new_id=uuid4,
        options=bench.options,
    )
    task = asyncio.create_task(worker.run(stop))
    wake = asyncio.create_task(waking(worker))
    try:
        yield
    finally:
        wake.cancel()
        stop.set()
        await asyncio.wait_for(task, 120)


async def waking(worker: BatchWorker) -> None:
    while True:
        await asyncio.sleep(0.01)
        worker.wake()


async def until_completed(bench: BatchBench, job_id: JobId) -> None:
    async with asyncio.timeout(120):
        while (await bench.seen(job_id)).status is not JobStatus.COMPLETED:
            await asyncio.sleep(0.01)


async def test_two_workers_share_the_batches_of_a_job_and_ask_nothing_twice() -> None:
    bench = BatchBench()
    job_id = await bench.job(95)
    async with flying_time(bench), running(bench), running(bench):
        await until_completed(bench, job_id)
    assert (await bench.seen(job_id)).counts.valid == 95
    assert len(bench.asked) == len(set(bench.asked)) == 95


async def test_what_a_stopped_worker_left_is_brought_to_its_end_by_the_next() -> None:
    bench = BatchBench()
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
    bench = BatchBench()
    job_id = await bench.job(25)
    async with flying_time(bench), running(bench, Flaky(bench.tables)):
        await until_completed(bench, job_id)
    assert len(bench.asked) == 25


class FailingProcessor(BatchProcessor):
    """Fails each batch in its own way, or takes for ever."""

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault
        self.seen: list[WorkerId] = []

    async def advance(self, batch: ClaimedBatch) -> float | None:
        self.seen.append(batch.id)
        if self.fault is not None:
            raise self.fault
        await asyncio.Event().wait()
        return None


class FailingBatches(MemoryProviderBatches):
    """Renewals fail once, and find the lease lost then; looking may break."""

    renewals = 0
    broken = False

    async def take(self, *, limit: int, lease_s: float) -> Sequence[ClaimedBatch]:
        if self.broken:
            raise ZeroDivisionError
        return await MemoryProviderBatches.take(self, limit=limit, lease_s=lease_s)

    async def put_off(self, batch: ClaimedBatch, *, seconds: float) -> bool:
        self.renewals += 1
        if self.renewals == 1:
            raise DatabaseUnavailable("Away.")
        return False


async def run_until_seen(
    bench: BatchBench, processor: FailingProcessor, batches: FailingBatches, count: int
) -> None:
    options = replace(OPTIONS, documents=1, lease_s=0.03, poll_s=0.01)
    worker = BatchWorker(batches=batches, processor=processor, new_id=uuid4, options=options)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(120):
        while len(processor.seen) < count or (processor.fault is None and batches.renewals < 2):
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        stop.set()
        await task


@pytest.mark.parametrize(
    "fault", [LostBatch(), DatabaseUnavailable("Away."), ZeroDivisionError()], ids=repr
)
async def test_a_batch_that_cannot_be_looked_after_stops_no_other(fault: Exception) -> None:
    bench = BatchBench()
    await bench.job(3)
    processor = FailingProcessor(fault)
    await run_until_seen(bench, processor, FailingBatches(bench.tables), 3)
    assert len(set(processor.seen)) == 3


async def test_a_batch_whose_lease_is_lost_is_let_go_and_no_more_are_taken_than_fit() -> None:
    bench = BatchBench()
    await bench.job(6)
    processor, batches = FailingProcessor(None), FailingBatches(bench.tables)
    await run_until_seen(bench, processor, batches, 5)
    assert batches.renewals >= 2
    assert len(processor.seen) >= 5, "a place is free again"


async def test_a_batch_worker_ends_with_the_defect_that_broke_its_looking() -> None:
    bench = BatchBench()
    batches = FailingBatches(bench.tables)
    batches.broken = True
    worker = BatchWorker(
        batches=batches, processor=FailingProcessor(None), new_id=uuid4, options=OPTIONS
    )
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(worker.run(asyncio.Event()), 10)


async def test_a_stopped_worker_leaves_a_batch_that_does_not_end_to_the_next() -> None:
    bench = BatchBench()
    await bench.job(1)
    processor = FailingProcessor(None)
    options = replace(OPTIONS, lease_s=0.03, poll_s=0.01)
    worker = BatchWorker(batches=bench.batches, processor=processor, new_id=uuid4, options=options)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(120):
        while not processor.seen:
            await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(task, 120)
    [batch_id] = processor.seen
    assert not bench.tables.batches[batch_id].closed
