"""The worker brings every document of every job to one end, whatever happens around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from adapters.system.clock import SystemClock
from domain.errors import DatabaseUnavailable
from domain.extraction.calls import FailureKind, PriceTable
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, ItemState
from domain.extraction.jobs.model import (
    JobCaps,
    JobCommand,
    JobId,
    JobStatus,
    WorkerId,
)
from domain.extraction.jobs.reader import DocumentExtractor, ExtractionPlan
from domain.extraction.jobs.turns import NO_LEADS, Leads
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import ExtractionQueue
from ports.language_models import Answer, Prompt, TimeBudget
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import (
    MemoryExtractionQueue,
)
from tests.fakes.tables import RecordTables
from tests.unit.job_texts import TOKENS_A_CALL, a_text
from tests.unit.job_workers import SPEC, CountingModel, WorkerBench, idle_worker_bench

SHORT_LEASE_S = 0.3
"""For what happens when a lease ends or is renewed; else a busy machine ends it in between."""


@pytest.fixture
def bench() -> WorkerBench:
    return idle_worker_bench()


async def test_every_document_is_read_once_and_the_job_completes(bench: WorkerBench) -> None:
    bench.model = model = CountingModel(latency_s=0.001)
    job = await bench.job(60)
    async with bench.worker():
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 60
    assert set(model.texts.values()) == {1}
    assert done.spending.calls == 60
    assert done.spending.usage.total_tokens == 60 * TOKENS_A_CALL
    assert done.spending.cost_usd == Decimal("0.0066")
    results = await bench.store.jobs.results(job.id, limit=100)
    assert [each.extraction.result.fields["quantity"] for each in results if each.extraction] == [
        number + 2 for number in range(60)
    ]


async def test_answers_from_before_a_provider_had_its_name_are_known(bench: WorkerBench) -> None:
    reader = DocumentExtractor(
        extraction=ExtractionService(
            models={"openai_compatible": bench.model},
            chain=("openai_compatible",),
            validator=PydanticRecordValidator(),
            prices=PriceTable(prices={}),
            monotonic=lambda: 0.0,
            new_mark=lambda: "feedc0de",
        ),
        schemas=MemoryExtractionSchemaRepository(bench.tables.extraction),
        clock=SystemClock(),
        new_id=uuid4,
        chance=lambda: 0.5,
        retry_policy=bench.retry_policy,
        deadline_s=60,
    )
    plan = await reader.plan(replace(SPEC, providers=("vllm",), reuse=True))
    assert isinstance(plan, ExtractionPlan)
    assert plan.chain == ("openai_compatible",)
    assert plan.cache_query is not None
    assert [name for name, _ in plan.cache_query.prompts] == ["openai_compatible", "vllm"]
    assert len({asked for _, asked in plan.cache_query.prompts}) == 1


async def test_no_more_is_read_at_once_than_allowed_and_never_much_less(bench: WorkerBench) -> None:
    bench.model = model = CountingModel(latency_s=0.002)
    job = await bench.job(40)
    async with bench.worker():
        await bench.until(job.id, JobStatus.COMPLETED)
    assert model.peak == bench.options.concurrency


async def test_several_workers_share_the_jobs_and_ask_nothing_twice(bench: WorkerBench) -> None:
    bench.model = model = CountingModel(latency_s=0.001)
    jobs = [await bench.job(50) for _ in range(3)]  # the same texts in each
    async with bench.worker(), bench.worker(), bench.worker():
        for job in jobs:
            await bench.until(job.id, JobStatus.COMPLETED)
    assert set(model.texts.values()) == {1}
    found = [await bench.store.jobs.get(job.id) for job in jobs]
    assert sum(job.reused for job in found) == 100
    assert sum(job.spending.calls for job in found) == 50
    assert bench.tables.reservations == {}


async def test_equal_texts_of_one_job_are_asked_once(bench: WorkerBench) -> None:
    bench.model = model = CountingModel(latency_s=0.005)
    job = await bench.store.job([a_text(1)] * 30 + [a_text(2)] * 10, SPEC)
    async with bench.worker():
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert model.texts == {a_text(1): 1, a_text(2): 1}
    assert (done.counts.valid, done.reused) == (40, 38)


async def test_a_known_record_is_asked_again_only_when_told_so(bench: WorkerBench) -> None:
    assert isinstance(bench.model, CountingModel)
    async with bench.worker():
        await bench.until((await bench.job(5)).id, JobStatus.COMPLETED)
        again = await bench.until((await bench.job(5)).id, JobStatus.COMPLETED)
        assert (again.reused, again.spending.calls) == (5, 0)
        anew = await bench.until((await bench.job(5, reuse=False)).id, JobStatus.COMPLETED)
        assert (anew.reused, anew.spending.calls) == (0, 5)
    assert bench.model.calls == 10


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.AUTH, JobStatus.FAILED),
        (FailureKind.UNKNOWN_MODEL, JobStatus.FAILED),
        (FailureKind.BAD_REQUEST, JobStatus.FAILED),
        (FailureKind.QUOTA_EXHAUSTED, JobStatus.PAUSED),
    ],
)
async def test_a_failure_that_concerns_all_stops_the_job_and_it_goes_on_after_the_repair(
    bench: WorkerBench, kind: FailureKind, status: JobStatus
) -> None:
    bench.model = model = CountingModel(*[kind] * bench.options.concurrency, latency_s=0.002)
    job = await bench.job(30)
    async with bench.worker() as worker:
        stopped = await bench.until(job.id, status)
        assert stopped.reason is not None
        assert stopped.reason.code == kind
        stopped = await bench.until_job(job.id, lambda job: job.counts.pending == 30)
        assert model.calls <= bench.options.concurrency
        await bench.store.jobs.apply(job.id, JobCommand.RESUME)
        worker.wake()
        done = await bench.until(job.id, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.PAUSED)
    assert done.counts.valid == 30
    results = await bench.store.jobs.results(job.id, limit=100)
    assert {each.attempts for each in results} == {0}


async def test_a_passing_failure_is_tried_again_and_charged(bench: WorkerBench) -> None:
    bench.model = CountingModel(FailureKind.SERVER_ERROR, FailureKind.TIMEOUT)
    job = await bench.job(1)
    async with bench.worker():
        await bench.until(job.id, JobStatus.COMPLETED)
    [result] = await bench.store.jobs.results(job.id, limit=1)
    assert (result.state, result.attempts, result.reason) == (ItemState.VALID, 2, None)


async def test_a_failure_that_does_not_pass_ends_the_document_with_its_reason(
    bench: WorkerBench,
) -> None:
    bench.model = CountingModel(*[FailureKind.SERVER_ERROR] * 3)
    job = await bench.job(1)
    async with bench.worker():
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.failed == 1
    assert done.spending.calls == 3
    [result] = await bench.store.jobs.results(job.id, limit=1)
    assert result.reason is not None
    assert (result.reason.code, result.attempts) == ("server_error", 3)


async def test_a_rate_limit_charges_no_attempt(bench: WorkerBench) -> None:
    limited = FailureKind.RATE_LIMITED
    bench.model = CountingModel(limited)
    job = await bench.job(1)
    async with bench.worker():
        waits = await bench.until_job(job.id, lambda job: job.waits_until is not None)
        assert waits.status is JobStatus.RUNNING
        bench.tables.jobs[job.id].waits_until = None  # the wait is over
        await bench.until(job.id, JobStatus.COMPLETED)
    [result] = await bench.store.jobs.results(job.id, limit=1)
    assert (result.state, result.attempts) == (ItemState.VALID, 0)


async def test_a_text_that_breaks_the_reader_does_not_stop_the_others(bench: WorkerBench) -> None:
    class Breaking(CountingModel):
        async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
            if "Ann3 " in prompt.messages[-1].content:
                raise ZeroDivisionError
            return await super().complete(prompt, budget)

    bench.model = Breaking()
    job = await bench.job(6)
    async with bench.worker():
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert (done.counts.valid, done.counts.failed) == (5, 1)
    [failed] = await bench.store.jobs.results(job.id, state=ItemState.FAILED, limit=5)
    assert failed.reason is not None
    assert (failed.position, failed.reason.code) == (4, "internal")


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_cap_is_passed_by_no_more_than_what_was_under_way(
    bench: WorkerBench, workers: int
) -> None:
    bench.model = model = CountingModel(latency_s=0.003)
    job = await bench.job(200, JobCaps(max_tokens=20 * TOKENS_A_CALL))
    async with bench.worker():
        if workers == 2:
            async with bench.worker():
                await bench.until(job.id, JobStatus.PAUSED)
        await bench.until(job.id, JobStatus.PAUSED)
        paused = await bench.until_job(job.id, lambda job: job.counts.running == 0)
    assert 20 <= model.calls < 20 + workers * bench.options.concurrency
    assert paused.counts.valid == model.calls
    assert paused.counts.pending == 200 - model.calls
    assert paused.reason is not None
    assert paused.reason.code == "token_cap"


async def test_a_cancelled_job_ends_its_calls(bench: WorkerBench) -> None:
    bench.options = replace(bench.options, lease_s=SHORT_LEASE_S)
    bench.model = model = CountingModel()
    model.open.clear()
    job = await bench.job(20)
    other = await bench.store.job([a_text(500)], SPEC)
    async with bench.worker():
        await bench.until_job(job.id, lambda _: model.running == bench.options.concurrency)
        await bench.store.jobs.apply(job.id, JobCommand.CANCEL)
        await bench.until_job(job.id, lambda job: job.counts.running == 0)
        model.open.set()
        await bench.until(other.id, JobStatus.COMPLETED)
    found = await bench.store.jobs.get(job.id)
    assert found.counts.cancelled == 20
    assert model.calls <= bench.options.concurrency + 1
    assert bench.tables.reservations == {}


async def test_a_paused_job_finishes_what_is_under_way_and_starts_nothing(
    bench: WorkerBench,
) -> None:
    bench.model = model = CountingModel()
    model.open.clear()
    job = await bench.job(20)
    async with bench.worker() as worker:
        await bench.until_job(job.id, lambda _: model.running == bench.options.concurrency)
        await bench.store.jobs.apply(job.id, JobCommand.PAUSE)
        model.open.set()
        paused = await bench.until_job(job.id, lambda job: job.counts.running == 0)
        assert paused.counts.valid == model.calls == bench.options.concurrency
        await bench.store.jobs.apply(job.id, JobCommand.RESUME)
        worker.wake()
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 20
    assert set(model.texts.values()) == {1}


async def test_a_worker_that_stops_gives_everything_back(bench: WorkerBench) -> None:
    bench.model = model = CountingModel()
    model.open.clear()
    job = await bench.job(20)
    async with bench.worker():
        await bench.until_job(job.id, lambda _: model.running == bench.options.concurrency)
    found = await bench.store.jobs.get(job.id)
    assert found.counts.pending == 20
    assert bench.tables.leases == {}
    assert bench.tables.reservations == {}
    assert model.running == 0


async def test_a_worker_that_stops_lets_calls_end_that_are_about_to(bench: WorkerBench) -> None:
    bench.options = replace(bench.options, grace_s=5.0)
    bench.model = model = CountingModel(latency_s=0.05)
    job = await bench.job(20)
    async with bench.worker():
        await bench.until_job(job.id, lambda _: model.running == bench.options.concurrency)
    found = await bench.store.jobs.get(job.id)
    assert found.counts.valid == model.calls >= bench.options.concurrency
    assert found.counts.pending == 20 - model.calls


async def test_a_worker_that_lost_its_lease_starts_anew_and_writes_nothing_old(
    bench: WorkerBench,
) -> None:
    bench.options = replace(bench.options, lease_s=SHORT_LEASE_S)
    bench.model = model = CountingModel()
    model.open.clear()
    job = await bench.job(8)
    async with bench.worker():
        await bench.until_job(job.id, lambda _: model.running == bench.options.concurrency)
        [lost] = bench.tables.leases
        await bench.store.queue.retire(lost)
        await bench.until_job(
            job.id,
            lambda job: lost not in bench.tables.leases and job.counts.running >= 4,
        )
        model.open.set()
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 8
    assert done.spending.calls == 8
    assert model.calls <= 8 + bench.options.concurrency


async def test_what_a_dead_worker_had_is_taken_over(bench: WorkerBench) -> None:
    bench.options = replace(bench.options, lease_s=SHORT_LEASE_S)
    dead = WorkerId(uuid4())
    await bench.store.queue.enlist(dead, host="gone", lease_s=0.1)
    job = await bench.job(6)
    assert len(await bench.store.queue.claim(dead, limit=4)) == 4
    async with bench.worker():
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 6
    assert dead not in bench.tables.leases


class ShakyQueue(ExtractionQueue):
    """Another queue whose answers get lost every so often, before or after the work."""

    def __init__(self, inner: ExtractionQueue) -> None:
        self._inner = inner
        self._calls = 0

    async def _shaken(self, work: Awaitable[object]) -> None:
        self._calls += 1
        if self._calls % 3 == 0:
            work.close()  # type: ignore[attr-defined]
            raise DatabaseUnavailable("Away.")
        await work
        if self._calls % 5 == 0:
            raise DatabaseUnavailable("Away.")

    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        await self._shaken(self._inner.enlist(worker, host=host, lease_s=lease_s))

    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        return await self._inner.renew(worker, lease_s=lease_s)

    async def claim(
        self, worker: WorkerId, *, limit: int, leads: Leads = NO_LEADS
    ) -> Sequence[ClaimedItem]:
        return await self._inner.claim(worker, limit=limit, leads=leads)

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        await self._shaken(self._inner.settle(worker, settlements))
        return await self._inner.settle(worker, settlements)

    async def release_lapsed(self) -> int:
        return await self._inner.release_lapsed()

    async def hold_to_budgets(self) -> Mapping[JobId, JobStatus]:
        return await self._inner.hold_to_budgets()

    async def retire(self, worker: WorkerId) -> None:
        await self._inner.retire(worker)


async def test_results_wait_for_a_store_that_is_away_and_count_once(bench: WorkerBench) -> None:
    bench.model = model = CountingModel()
    job = await bench.job(12)
    async with bench.worker(queue=ShakyQueue(bench.store.queue)):
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == done.spending.calls == model.calls == 12


class FussyQueue(ShakyQueue):
    """Another queue that cannot store one of the results."""

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        if any(each.extraction and "Ann3 " in each.extraction.text for each in settlements):
            raise UnicodeError
        return await self._inner.settle(worker, settlements)


async def test_a_result_that_cannot_be_stored_fails_its_document_alone(bench: WorkerBench) -> None:
    job = await bench.job(8)
    async with bench.worker(queue=FussyQueue(bench.store.queue)):
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert (done.counts.valid, done.counts.failed) == (7, 1)
    [failed] = await bench.store.jobs.results(job.id, state=ItemState.FAILED, limit=5)
    assert failed.position == 4
    assert done.spending.calls == 8


async def test_a_provider_that_a_worker_does_not_know_stops_the_job(bench: WorkerBench) -> None:
    job = await bench.job(3, providers=("elsewhere",))
    async with bench.worker():
        stopped = await bench.until(job.id, JobStatus.FAILED)
    assert stopped.reason is not None
    assert stopped.reason.code == "misconfigured"
    assert "elsewhere" in stopped.reason.detail
    assert stopped.counts.pending == 3


class AwayQueue(MemoryExtractionQueue):
    """Is away for the named calls, and counts them."""

    def __init__(self, tables: RecordTables, *away: str) -> None:
        super().__init__(tables)
        self.away = set(away)
        self.asked: list[str] = []

    def _answer(self, method: str) -> None:
        self.asked.append(method)
        if method in self.away:
            raise DatabaseUnavailable("Away.")

    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        self._answer("enlist")
        await MemoryExtractionQueue.enlist(self, worker, host=host, lease_s=lease_s)

    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        self._answer("renew")
        return await MemoryExtractionQueue.renew(self, worker, lease_s=lease_s)

    async def claim(
        self, worker: WorkerId, *, limit: int, leads: Leads = NO_LEADS
    ) -> Sequence[ClaimedItem]:
        self._answer("claim")
        return await MemoryExtractionQueue.claim(self, worker, limit=limit, leads=leads)

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        self._answer("settle")
        return await MemoryExtractionQueue.settle(self, worker, settlements)

    async def retire(self, worker: WorkerId) -> None:
        self._answer("retire")
        await MemoryExtractionQueue.retire(self, worker)

    async def until_asked(self, method: str) -> None:
        async with asyncio.timeout(120):
            while method not in self.asked:
                await asyncio.sleep(0.002)


async def test_a_worker_stops_while_it_waits_for_the_store_to_enlist_it(bench: WorkerBench) -> None:
    queue = AwayQueue(bench.tables, "enlist")
    async with bench.worker(queue=queue):
        await queue.until_asked("enlist")
    assert bench.tables.leases == {}
    assert "claim" not in queue.asked


async def test_claims_and_renewals_that_fail_are_tried_again(bench: WorkerBench) -> None:
    queue = AwayQueue(bench.tables, "claim", "renew", "retire")
    bench.options = replace(bench.options, lease_s=0.9)
    job = await bench.job(3)
    async with bench.worker(queue=queue):
        await queue.until_asked("claim")
        await queue.until_asked("renew")
        queue.away = {"retire"}
        done = await bench.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 3
    assert queue.asked[-1] == "retire"
    assert len(bench.tables.leases) == 1, "the lease ends by itself"


async def test_a_worker_ends_though_its_results_cannot_be_stored(bench: WorkerBench) -> None:
    queue = AwayQueue(bench.tables, "settle")
    job = await bench.job(2)
    async with bench.worker(queue=queue):
        await queue.until_asked("settle")
    found = await bench.store.jobs.get(job.id)
    assert (found.counts.valid, found.counts.pending) == (0, 2)
    assert isinstance(bench.model, CountingModel)
    assert bench.model.calls == 2
