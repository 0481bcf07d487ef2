"""One document from its claim to its stored settlement, also where caches and stores fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from domain.extraction.jobs.item_processor import (
    ItemProcessor,
    ItemTask,
    ResultNotStorable,
    SettlementBatcher,
    SingleFlight,
)
from domain.extraction.jobs.items import JobConsequence
from domain.extraction.jobs.model import JobId, JobStatus
from domain.extraction.jobs.reader import DocumentExtractor, ExtractionPlan
from domain.extraction.jobs.settlement import give_back
from ports.extraction_jobs import LeaseLost
from tests.unit.batch_jobs import SPEC, BatchBench, FaultyQueue


@pytest.fixture
def bench() -> BatchBench:
    return BatchBench()


def reader_of(bench: BatchBench) -> DocumentExtractor:
    return bench.processor._reader


def heard(_: Mapping[JobId, JobStatus]) -> None:
    """Nobody listens."""


async def test_a_schema_that_is_gone_interrupts_the_job(bench: BatchBench) -> None:
    plan = await reader_of(bench).plan(replace(SPEC, schema_version=9))
    assert isinstance(plan, JobConsequence)
    assert plan.status is JobStatus.FAILED
    assert "version 9" in plan.reason.detail


async def test_a_cache_key_that_is_reserved_elsewhere_is_acquired_once_it_is_free(
    bench: BatchBench,
) -> None:
    plan = await reader_of(bench).plan(SPEC)
    assert isinstance(plan, ExtractionPlan)
    key = plan.key("text")
    assert key is not None
    mine, other = await bench.store.worker(), await bench.store.worker()
    await bench.store.cache.reserve(other, [key])
    in_flight = SingleFlight(bench.store.cache, mine)
    await in_flight.prepare(["text"], plan)
    assert not in_flight.prepared(key)
    waiting = asyncio.create_task(in_flight.acquire("text", plan, key))
    await asyncio.sleep(0.01)
    assert bench.tables.reservations == {key: other}
    await bench.store.cache.release(other, [key])
    assert await waiting is None
    assert bench.tables.reservations == {key: mine}
    in_flight.release(b"never asked")
    assert not in_flight.prepared(b"never asked")


async def test_an_item_given_back_before_it_began_asks_nothing(bench: BatchBench) -> None:
    batch_id = await bench.job(1)
    batch = await bench.opened()
    [item] = await bench.batches.items(batch.id)
    writer = SettlementBatcher(bench.store.queue, batch.id, heard)
    plan = await reader_of(bench).plan(SPEC)
    task = ItemTask(item=item, plan=plan)
    task.give_back()
    processor = ItemProcessor(
        reader=reader_of(bench),
        in_flight=SingleFlight(bench.store.cache, batch.id),
        writer=writer,
        slots=asyncio.Semaphore(1),
        stopped=set(),
    )
    storing = asyncio.create_task(writer.run())
    await processor.process(task)
    storing.cancel()
    assert (await bench.seen(batch_id)).counts.pending == 1
    assert bench.direct.prompts == []


@pytest.mark.parametrize(
    ("fault", "end"), [(LeaseLost("over"), LeaseLost), (UnicodeError(), ResultNotStorable)]
)
async def test_a_writer_ends_when_nothing_can_be_stored(
    bench: BatchBench, fault: Exception, end: type[Exception]
) -> None:
    await bench.job(1)
    batch = await bench.opened()
    [item] = await bench.batches.items(batch.id)
    writer = SettlementBatcher(FaultyQueue(bench.tables, fault), batch.id, heard)
    waiting = asyncio.create_task(writer.settle(give_back(item)))
    with pytest.raises(end):
        await writer.run()
    waiting.cancel()


async def test_a_settlement_that_nobody_waits_for_is_stored_all_the_same(bench: BatchBench) -> None:
    job_id = await bench.job(1)
    batch = await bench.opened()
    [item] = await bench.batches.items(batch.id)
    writer = SettlementBatcher(bench.store.queue, batch.id, heard)
    waiting = asyncio.create_task(writer.settle(give_back(item)))
    await asyncio.sleep(0)
    waiting.cancel()
    storing = asyncio.create_task(writer.run())
    async with asyncio.timeout(120):
        while (await bench.seen(job_id)).counts.pending < 1:
            await asyncio.sleep(0)
    storing.cancel()
