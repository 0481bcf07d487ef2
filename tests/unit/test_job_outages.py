"""Runners go on, or end in order, when the store or the batch processor fails them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from domain.errors import DatabaseUnavailable
from domain.extraction.jobs.batch_processor import BatchProcessor, LostBatch
from domain.extraction.jobs.batch_worker import BatchWorker
from domain.extraction.jobs.items import ClaimedItem, Settlement
from domain.extraction.jobs.model import JobId, JobStatus, WorkerId
from ports.extraction_jobs import ClaimedBatch
from tests.fakes.extraction_jobs import MemoryExtractionQueue
from tests.fakes.provider_batches import MemoryProviderBatches
from tests.fakes.tables import RecordTables
from tests.unit.test_batch_processor import OPTIONS, Bench
from tests.unit.test_extraction_worker import CountingModel, Shop, shop

__all__ = ["shop"]


class AwayQueue(MemoryExtractionQueue):
    """Is away for the named questions, and counts them."""

    def __init__(self, tables: RecordTables, *away: str) -> None:
        super().__init__(tables)
        self.away = set(away)
        self.asked: list[str] = []

    def _answer(self, question: str) -> None:
        self.asked.append(question)
        if question in self.away:
            raise DatabaseUnavailable("Away.")

    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        self._answer("enlist")
        await MemoryExtractionQueue.enlist(self, worker, host=host, lease_s=lease_s)

    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        self._answer("renew")
        return await MemoryExtractionQueue.renew(self, worker, lease_s=lease_s)

    async def claim(self, worker: WorkerId, *, limit: int) -> Sequence[ClaimedItem]:
        self._answer("claim")
        return await MemoryExtractionQueue.claim(self, worker, limit=limit)

    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        self._answer("settle")
        return await MemoryExtractionQueue.settle(self, worker, settlements)

    async def retire(self, worker: WorkerId) -> None:
        self._answer("retire")
        await MemoryExtractionQueue.retire(self, worker)

    async def until_asked(self, question: str) -> None:
        async with asyncio.timeout(120):
            while question not in self.asked:
                await asyncio.sleep(0.002)


async def test_a_runner_stops_while_it_waits_for_the_store_to_enlist_it(shop: Shop) -> None:
    queue = AwayQueue(shop.tables, "enlist")
    async with shop.runner(queue=queue):
        await queue.until_asked("enlist")
    assert shop.tables.leases == {}
    assert "claim" not in queue.asked


async def test_claims_and_renewals_that_fail_are_tried_again(shop: Shop) -> None:
    queue = AwayQueue(shop.tables, "claim", "renew", "retire")
    shop.options = replace(shop.options, lease_s=0.9)
    job = await shop.job(3)
    async with shop.runner(queue=queue):
        await queue.until_asked("claim")
        await queue.until_asked("renew")
        queue.away = {"retire"}
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 3
    assert queue.asked[-1] == "retire"
    assert len(shop.tables.leases) == 1, "the lease ends by itself"


async def test_a_runner_ends_though_its_results_cannot_be_stored(shop: Shop) -> None:
    queue = AwayQueue(shop.tables, "settle")
    job = await shop.job(2)
    async with shop.runner(queue=queue):
        await queue.until_asked("settle")
    found = await shop.store.jobs.get(job.id)
    assert (found.counts.valid, found.counts.pending) == (0, 2)
    assert isinstance(shop.model, CountingModel)
    assert shop.model.calls == 2


class OddDesk(BatchProcessor):
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


class OddBatches(MemoryProviderBatches):
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


async def run_until_seen(bench: Bench, processor: OddDesk, batches: OddBatches, count: int) -> None:
    options = replace(OPTIONS, documents=1, lease_s=0.03, poll_s=0.01)
    runner = BatchWorker(batches=batches, processor=processor, new_id=uuid4, options=options)
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
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
    bench = Bench()
    await bench.job(3)
    processor = OddDesk(fault)
    await run_until_seen(bench, processor, OddBatches(bench.tables), 3)
    assert len(set(processor.seen)) == 3


async def test_a_batch_whose_lease_is_lost_is_let_go_and_no_more_are_taken_than_fit() -> None:
    bench = Bench()
    await bench.job(6)
    processor, batches = OddDesk(None), OddBatches(bench.tables)
    await run_until_seen(bench, processor, batches, 5)
    assert batches.renewals >= 2
    assert len(processor.seen) >= 5, "a place is free again"


async def test_a_runner_of_batches_ends_with_the_defect_that_broke_its_looking() -> None:
    bench = Bench()
    batches = OddBatches(bench.tables)
    batches.broken = True
    runner = BatchWorker(batches=batches, processor=OddDesk(None), new_id=uuid4, options=OPTIONS)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(runner.run(asyncio.Event()), 10)


async def test_a_stopped_runner_leaves_a_batch_that_does_not_end_to_the_next() -> None:
    bench = Bench()
    await bench.job(1)
    processor = OddDesk(None)
    options = replace(OPTIONS, lease_s=0.03, poll_s=0.01)
    runner = BatchWorker(batches=bench.batches, processor=processor, new_id=uuid4, options=options)
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(task, 120)
    [batch_id] = processor.seen
    assert not bench.tables.batches[batch_id].closed
