"""The rare turns of work on jobs: stores away, leases lost, questions held by others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.extraction.calls import FailureKind
from domain.extraction.jobs.item_processor import (
    ItemProcessor,
    ItemTask,
    SettlementWriter,
    SingleFlight,
    Unstorable,
)
from domain.extraction.jobs.items import ItemState, JobInterruption, Settlement
from domain.extraction.jobs.model import JobCaps, JobCommand, JobId, JobStatus, WorkerId
from domain.extraction.jobs.reader import DocumentExtractor, ExtractionPlan
from domain.extraction.jobs.settlement import give_back
from ports.extraction_jobs import LeaseLost
from ports.language_models import Prompt
from tests.fakes.extraction_jobs import MemoryExtractionQueue
from tests.fakes.language_models import ScriptedLanguageModel
from tests.fakes.tables import RecordTables
from tests.unit.test_batch_processor import ASSIGNMENT, Bench, Refusing, answer


class FaultyQueue(MemoryExtractionQueue):
    """Raises `fault` instead of settling, or for results alone."""

    def __init__(self, tables: RecordTables, fault: Exception, *, results: bool = False) -> None:
        super().__init__(tables)
        self.fault, self.results = fault, results

    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        if not self.results or any(each.extraction is not None for each in settlements):
            raise self.fault
        return await MemoryExtractionQueue.settle(self, worker, settlements)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def reader_of(bench: Bench) -> DocumentExtractor:
    return bench.processor._reader


def heard(_: Mapping[JobId, JobStatus]) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("cost", [Decimal(0), Decimal(2_000_000_000)])
def test_a_cost_cap_out_of_bounds_is_named(cost: Decimal) -> None:
    [violation] = JobCaps(max_cost_usd=cost).violations()
    assert violation.pointer == "/max_cost_usd"


async def test_a_refused_resume_that_no_cap_forbids_names_the_status(bench: Bench) -> None:
    job_id = await bench.job()
    await bench.store.jobs.apply(job_id, JobCommand.PAUSE)
    refusal = (await bench.seen(job_id)).refusal(JobCommand.RESUME)
    assert str(refusal) == f"Job {job_id} is paused; it cannot resume."


async def test_a_schema_that_is_gone_halts_the_job(bench: Bench) -> None:
    plan = await reader_of(bench).plan(replace(ASSIGNMENT, schema_version=9))
    assert isinstance(plan, JobInterruption)
    assert plan.status is JobStatus.FAILED
    assert "version 9" in plan.reason.detail


async def test_a_question_held_elsewhere_is_asked_once_it_is_free(bench: Bench) -> None:
    plan = await reader_of(bench).plan(ASSIGNMENT)
    assert isinstance(plan, ExtractionPlan)
    key = plan.key("text")
    assert key is not None
    mine, other = await bench.store.worker(), await bench.store.worker()
    await bench.store.cache.reserve(other, [key])
    in_flight = SingleFlight(bench.store.cache, mine)
    await in_flight.prepare(["text"], plan)
    assert not in_flight.prepared(key)
    turn = asyncio.create_task(in_flight.acquire("text", plan, key))
    await asyncio.sleep(0.01)
    assert bench.tables.reservations == {key: other}
    await bench.store.cache.release(other, [key])
    assert await turn is None
    assert bench.tables.reservations == {key: mine}
    in_flight.release(b"never asked")
    assert not in_flight.prepared(b"never asked")


async def test_an_errand_given_back_before_it_began_asks_nothing(bench: Bench) -> None:
    batch_id = await bench.job(1)
    batch = await bench.opened()
    [item] = await bench.batches.items(batch.id)
    writer = SettlementWriter(bench.store.queue, batch.id, heard)
    plan = await reader_of(bench).plan(ASSIGNMENT)
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
    ("fault", "end"), [(LeaseLost("over"), LeaseLost), (UnicodeError(), Unstorable)]
)
async def test_a_writer_ends_when_nothing_can_be_stored(
    bench: Bench, fault: Exception, end: type[Exception]
) -> None:
    await bench.job(1)
    batch = await bench.opened()
    [item] = await bench.batches.items(batch.id)
    writer = SettlementWriter(FaultyQueue(bench.tables, fault), batch.id, heard)
    waiting = asyncio.create_task(writer.settle(give_back(item)))
    with pytest.raises(end):
        await writer.run()
    waiting.cancel()


async def test_a_submission_of_unknown_end_is_tried_again_later(bench: Bench) -> None:
    await bench.job(3)
    away = bench.a_processor(provider=Refusing(kind=FailureKind.SERVER_ERROR, say=answer))
    assert await away.advance(await bench.opened()) == 77
    [row] = bench.tables.batches.values()
    assert row.unsure_since is not None


async def test_a_batched_result_that_cannot_be_stored_fails_alone(bench: Bench) -> None:
    job_id = await bench.job(1)
    queue = FaultyQueue(bench.tables, UnicodeError(), results=True)
    await bench.look(bench.a_processor(queue=queue))
    [result] = await bench.results(job_id)
    assert result.state is ItemState.FAILED
    assert result.reason is not None
    assert result.reason.detail == "The result of this text cannot be stored."


async def test_a_settlement_that_nobody_waits_for_is_stored_all_the_same(bench: Bench) -> None:
    job_id = await bench.job(1)
    batch = await bench.opened()
    [item] = await bench.batches.items(batch.id)
    writer = SettlementWriter(bench.store.queue, batch.id, heard)
    waiting = asyncio.create_task(writer.settle(give_back(item)))
    await asyncio.sleep(0)
    waiting.cancel()
    storing = asyncio.create_task(writer.run())
    await asyncio.sleep(0.02)
    storing.cancel()
    assert (await bench.seen(job_id)).counts.pending == 1


@pytest.mark.parametrize("stored", [True, False])
async def test_a_batched_text_that_breaks_the_reader_keeps_the_call_that_was_paid(
    bench: Bench, stored: bool
) -> None:
    def broken(_: Prompt) -> str:
        raise ZeroDivisionError

    bench.said[0] = "no record"
    bench.direct = ScriptedLanguageModel(otherwise=broken)
    queue = None if stored else FaultyQueue(bench.tables, UnicodeError())
    processor = bench.a_processor(queue=queue)
    job_id = await bench.job(1)
    await processor.advance(await bench.opened())
    bench.clock.advance(timedelta(seconds=61))
    [taken] = await bench.batches.take(limit=1, lease_s=60)
    if not stored:
        with pytest.raises(ExceptionGroup) as failed:
            await processor.advance(taken)
        assert failed.value.subgroup(UnicodeError) is not None
        return
    assert await processor.advance(taken) is None
    [result] = await bench.results(job_id)
    assert result.extraction is not None
    read = result.extraction.result
    assert read.failure is not None
    assert (result.state, read.failure.kind) == (ItemState.FAILED, FailureKind.INVALID_JSON)
    assert len(read.attempts) == 1
