"""The runner brings every document of every job to one end, whatever happens around it."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import uuid4

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from adapters.system.clock import SystemClock
from domain.errors import DatabaseUnavailable
from domain.extraction.calls import FailureKind, Price, PriceTable
from domain.extraction.jobs.items import ClaimedItem, ItemState, Settlement
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobSpec,
    JobStatus,
    WorkerId,
)
from domain.extraction.jobs.reader import DocumentExtractor
from domain.extraction.jobs.settlement import RetryPolicy
from domain.extraction.jobs.worker import ExtractionWorker, WorkerOptions
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import ExtractionQueue
from ports.language_models import Answer, Budget, LanguageModel, ModelProfile, Prompt
from tests.contracts.extraction_jobs import JobStore
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import (
    MemoryExtractionCache,
    MemoryExtractionJobRepository,
    MemoryExtractionQueue,
)
from tests.fakes.language_models import QUOTING, Said, ScriptedLanguageModel
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory

ASSIGNMENT = JobSpec(schema="order_message", schema_version=1, providers=("scripted",))
PRICES = PriceTable(
    prices={("scripted", "*"): Price(input=Decimal(1), cached=Decimal(1), output=Decimal(1))}
)
TOKENS_A_CALL = 110  # as the scripted model counts


def a_text(number: int) -> str:
    return f"Ann{number} wants {number + 2} lamps"


def answer(prompt: Prompt) -> Said:
    found = re.search(r"(Ann\d+) wants (\d+) lamps", prompt.messages[-1].content)
    assert found is not None
    record = {
        "customer": {"quote": found[1], "value": found[1]},
        "product": {"quote": "lamps", "value": "lamps"},
        "quantity": {"quote": f"{found[2]} lamps", "value": int(found[2])},
    }
    return json.dumps(record)


class CountingModel(LanguageModel):
    """Answers after `latency_s`, counts, and can be held up."""

    def __init__(self, *said: Said, latency_s: float = 0.0) -> None:
        self._inner = ScriptedLanguageModel(said, otherwise=answer, latency_s=latency_s)
        self.texts: Counter[str] = Counter()
        self.running = self.peak = 0
        self.open = asyncio.Event()
        self.open.set()

    @property
    def profile(self) -> ModelProfile:
        return QUOTING

    @property
    def calls(self) -> int:
        return self.texts.total()

    async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
        found = re.search(r"Ann\d+ wants \d+ lamps", prompt.messages[-1].content)
        assert found is not None
        self.texts[found[0]] += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.open.wait()
            return await self._inner.complete(prompt, budget)
        finally:
            self.running -= 1


@dataclass(slots=True, kw_only=True)
class Shop:
    """A store, a model, and runners over both."""

    store: JobStore
    model: LanguageModel
    tables: RecordTables
    options: WorkerOptions = field(
        default_factory=lambda: WorkerOptions(concurrency=4, lease_s=0.3, poll_s=0.01, grace_s=0.05)
    )
    retry_policy: RetryPolicy = field(
        default_factory=lambda: RetryPolicy(attempts=3, first_delay_s=0.01, longest_delay_s=0.02)
    )

    @asynccontextmanager
    async def runner(
        self, *, queue: ExtractionQueue | None = None, model: LanguageModel | None = None
    ) -> AsyncIterator[ExtractionWorker]:
        """One that runs while the block does, and is then told to stop."""
        extraction = ExtractionService(
            models={"scripted": model or self.model},
            chain=("scripted",),
            validator=PydanticRecordValidator(),
            prices=PRICES,
            monotonic=lambda: 0.0,
            new_mark=lambda: "feedc0de",
        )
        reader = DocumentExtractor(
            extraction=extraction,
            schemas=MemoryExtractionSchemaRepository(self.tables.extraction),
            clock=SystemClock(),
            new_id=uuid4,
            chance=lambda: 0.5,
            retry_policy=self.retry_policy,
            deadline_s=60,
        )
        runner = ExtractionWorker(
            queue=queue or self.store.queue,
            cache=self.store.cache,
            reader=reader,
            new_id=uuid4,
            host="test",
            options=self.options,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(runner.run(stop))
        try:
            yield runner
        finally:
            stop.set()
            await running

    async def job(self, count: int, caps: JobCaps | None = None, **more: object) -> ExtractionJob:
        spec = replace(ASSIGNMENT, **more)  # type: ignore[arg-type]
        return await self.store.job([a_text(n) for n in range(count)], spec, caps)

    async def until(self, job_id: JobId, *statuses: JobStatus) -> ExtractionJob:
        """Wait until the job stands so."""
        return await self.until_job(job_id, lambda job: job.status in statuses)

    async def until_job(
        self, job_id: JobId, fits: Callable[[ExtractionJob], bool]
    ) -> ExtractionJob:
        async with asyncio.timeout(120):
            while not fits(job := await self.store.jobs.get(job_id)):
                await asyncio.sleep(0.002)
        return job


@pytest.fixture
def shop() -> Shop:
    tables = RecordTables(clock=SystemClock())

    async def let_pass(_: object) -> None:
        raise NotImplementedError

    store = JobStore(
        jobs=MemoryExtractionJobRepository(tables),
        queue=MemoryExtractionQueue(tables),
        cache=MemoryExtractionCache(tables),
        open_unit=MemoryUnitOfWorkFactory(tables),
        let_pass=let_pass,
    )
    return Shop(store=store, model=CountingModel(), tables=tables)


async def test_every_document_is_read_once_and_the_job_completes(shop: Shop) -> None:
    shop.model = model = CountingModel(latency_s=0.001)
    job = await shop.job(60)
    async with shop.runner():
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 60
    assert set(model.texts.values()) == {1}
    assert done.spending.calls == 60
    assert done.spending.usage.total_tokens == 60 * TOKENS_A_CALL
    assert done.spending.cost_usd == Decimal("0.0066")
    results = await shop.store.jobs.results(job.id, limit=100)
    assert [each.extraction.result.fields["quantity"] for each in results if each.extraction] == [
        number + 2 for number in range(60)
    ]


async def test_no_more_is_read_at_once_than_allowed_and_never_much_less(shop: Shop) -> None:
    shop.model = model = CountingModel(latency_s=0.002)
    job = await shop.job(40)
    async with shop.runner():
        await shop.until(job.id, JobStatus.COMPLETED)
    assert model.peak == shop.options.concurrency


async def test_several_runners_share_the_jobs_and_ask_nothing_twice(shop: Shop) -> None:
    shop.model = model = CountingModel(latency_s=0.001)
    jobs = [await shop.job(50) for _ in range(3)]  # the same texts in each
    async with shop.runner(), shop.runner(), shop.runner():
        for job in jobs:
            await shop.until(job.id, JobStatus.COMPLETED)
    assert set(model.texts.values()) == {1}
    found = [await shop.store.jobs.get(job.id) for job in jobs]
    assert sum(job.reused for job in found) == 100
    assert sum(job.spending.calls for job in found) == 50
    assert shop.tables.reservations == {}


async def test_equal_texts_of_one_job_are_asked_once(shop: Shop) -> None:
    shop.model = model = CountingModel(latency_s=0.005)
    job = await shop.store.job([a_text(1)] * 30 + [a_text(2)] * 10, ASSIGNMENT)
    async with shop.runner():
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert model.texts == {a_text(1): 1, a_text(2): 1}
    assert (done.counts.valid, done.reused) == (40, 38)


async def test_a_known_record_is_asked_again_only_when_told_so(shop: Shop) -> None:
    assert isinstance(shop.model, CountingModel)
    async with shop.runner():
        await shop.until((await shop.job(5)).id, JobStatus.COMPLETED)
        again = await shop.until((await shop.job(5)).id, JobStatus.COMPLETED)
        assert (again.reused, again.spending.calls) == (5, 0)
        anew = await shop.until((await shop.job(5, reuse=False)).id, JobStatus.COMPLETED)
        assert (anew.reused, anew.spending.calls) == (0, 5)
    assert shop.model.calls == 10


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
    shop: Shop, kind: FailureKind, status: JobStatus
) -> None:
    shop.model = model = CountingModel(*[kind] * shop.options.concurrency, latency_s=0.002)
    job = await shop.job(30)
    async with shop.runner() as runner:
        stopped = await shop.until(job.id, status)
        assert stopped.reason is not None
        assert stopped.reason.code == kind
        stopped = await shop.until_job(job.id, lambda job: job.counts.pending == 30)
        assert model.calls <= shop.options.concurrency
        await shop.store.jobs.apply(job.id, JobCommand.RESUME)
        runner.wake()
        done = await shop.until(job.id, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.PAUSED)
    assert done.counts.valid == 30
    results = await shop.store.jobs.results(job.id, limit=100)
    assert {each.attempts for each in results} == {0}


async def test_a_passing_failure_is_tried_again_and_charged(shop: Shop) -> None:
    shop.model = CountingModel(FailureKind.SERVER_ERROR, FailureKind.TIMEOUT)
    job = await shop.job(1)
    async with shop.runner():
        await shop.until(job.id, JobStatus.COMPLETED)
    [result] = await shop.store.jobs.results(job.id, limit=1)
    assert (result.state, result.attempts, result.reason) == (ItemState.VALID, 2, None)


async def test_a_failure_that_does_not_pass_ends_the_document_with_its_reason(shop: Shop) -> None:
    shop.model = CountingModel(*[FailureKind.SERVER_ERROR] * 3)
    job = await shop.job(1)
    async with shop.runner():
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.failed == 1
    assert done.spending.calls == 3
    [result] = await shop.store.jobs.results(job.id, limit=1)
    assert result.reason is not None
    assert (result.reason.code, result.attempts) == ("server_error", 3)


async def test_a_rate_limit_charges_no_attempt(shop: Shop) -> None:
    limited = FailureKind.RATE_LIMITED
    shop.model = CountingModel(limited)
    job = await shop.job(1)
    async with shop.runner():
        waits = await shop.until_job(job.id, lambda job: job.waits_until is not None)
        assert waits.status is JobStatus.RUNNING
        shop.tables.jobs[job.id].waits_until = None  # the wait is over
        await shop.until(job.id, JobStatus.COMPLETED)
    [result] = await shop.store.jobs.results(job.id, limit=1)
    assert (result.state, result.attempts) == (ItemState.VALID, 0)


async def test_a_text_that_breaks_the_reader_does_not_stop_the_others(shop: Shop) -> None:
    class Breaking(CountingModel):
        async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
            if "Ann3 " in prompt.messages[-1].content:
                raise ZeroDivisionError
            return await super().complete(prompt, budget)

    shop.model = Breaking()
    job = await shop.job(6)
    async with shop.runner():
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert (done.counts.valid, done.counts.failed) == (5, 1)
    [failed] = await shop.store.jobs.results(job.id, state=ItemState.FAILED, limit=5)
    assert failed.reason is not None
    assert (failed.position, failed.reason.code) == (4, "internal")


@pytest.mark.parametrize("runners", [1, 2])
async def test_a_cap_is_passed_by_no_more_than_what_was_under_way(shop: Shop, runners: int) -> None:
    shop.model = model = CountingModel(latency_s=0.003)
    job = await shop.job(200, JobCaps(max_tokens=20 * TOKENS_A_CALL))
    async with shop.runner():
        if runners == 2:
            async with shop.runner():
                await shop.until(job.id, JobStatus.PAUSED)
        await shop.until(job.id, JobStatus.PAUSED)
        paused = await shop.until_job(job.id, lambda job: job.counts.running == 0)
    assert 20 <= model.calls < 20 + runners * shop.options.concurrency
    assert paused.counts.valid == model.calls
    assert paused.counts.pending == 200 - model.calls
    assert paused.reason is not None
    assert paused.reason.code == "token_cap"


async def test_a_cancelled_job_ends_its_calls(shop: Shop) -> None:
    shop.model = model = CountingModel()
    model.open.clear()
    job = await shop.job(20)
    other = await shop.store.job([a_text(500)], ASSIGNMENT)
    async with shop.runner():
        await shop.until_job(job.id, lambda _: model.running == shop.options.concurrency)
        await shop.store.jobs.apply(job.id, JobCommand.CANCEL)
        await shop.until_job(job.id, lambda job: job.counts.running == 0)
        model.open.set()
        await shop.until(other.id, JobStatus.COMPLETED)
    found = await shop.store.jobs.get(job.id)
    assert found.counts.cancelled == 20
    assert model.calls <= shop.options.concurrency + 1
    assert shop.tables.reservations == {}


async def test_a_paused_job_finishes_what_is_under_way_and_starts_nothing(shop: Shop) -> None:
    shop.model = model = CountingModel()
    model.open.clear()
    job = await shop.job(20)
    async with shop.runner() as runner:
        await shop.until_job(job.id, lambda _: model.running == shop.options.concurrency)
        await shop.store.jobs.apply(job.id, JobCommand.PAUSE)
        model.open.set()
        paused = await shop.until_job(job.id, lambda job: job.counts.running == 0)
        assert paused.counts.valid == model.calls == shop.options.concurrency
        await shop.store.jobs.apply(job.id, JobCommand.RESUME)
        runner.wake()
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 20
    assert set(model.texts.values()) == {1}


async def test_a_runner_that_stops_gives_everything_back(shop: Shop) -> None:
    shop.model = model = CountingModel()
    model.open.clear()
    job = await shop.job(20)
    async with shop.runner():
        await shop.until_job(job.id, lambda _: model.running == shop.options.concurrency)
    found = await shop.store.jobs.get(job.id)
    assert found.counts.pending == 20
    assert shop.tables.leases == {}
    assert shop.tables.reservations == {}
    assert model.running == 0


async def test_a_runner_that_stops_lets_calls_end_that_are_about_to(shop: Shop) -> None:
    shop.options = replace(shop.options, grace_s=5.0)
    shop.model = model = CountingModel(latency_s=0.05)
    job = await shop.job(20)
    async with shop.runner():
        await shop.until_job(job.id, lambda _: model.running == shop.options.concurrency)
    found = await shop.store.jobs.get(job.id)
    assert found.counts.valid == model.calls >= shop.options.concurrency
    assert found.counts.pending == 20 - model.calls


async def test_a_runner_that_lost_its_lease_starts_anew_and_writes_nothing_old(
    shop: Shop,
) -> None:
    shop.model = model = CountingModel()
    model.open.clear()
    job = await shop.job(8)
    async with shop.runner():
        await shop.until_job(job.id, lambda _: model.running == shop.options.concurrency)
        [lost] = shop.tables.leases
        await shop.store.queue.retire(lost)
        await shop.until_job(
            job.id,
            lambda job: lost not in shop.tables.leases and job.counts.running >= 4,
        )
        model.open.set()
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 8
    assert done.spending.calls == 8
    assert model.calls <= 8 + shop.options.concurrency


async def test_what_a_dead_runner_had_is_taken_over(shop: Shop) -> None:
    dead = WorkerId(uuid4())
    await shop.store.queue.enlist(dead, host="gone", lease_s=0.1)
    job = await shop.job(6)
    assert len(await shop.store.queue.claim(dead, limit=4)) == 4
    async with shop.runner():
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == 6
    assert dead not in shop.tables.leases


class ShakyQueue(ExtractionQueue):
    """Another queue whose answers get lost every so often, before or after the work."""

    def __init__(self, inner: ExtractionQueue) -> None:
        self._inner = inner
        self._turns = 0

    async def _shaken(self, work: Awaitable[object]) -> None:
        self._turns += 1
        if self._turns % 3 == 0:
            work.close()  # type: ignore[attr-defined]
            raise DatabaseUnavailable("Away.")
        await work
        if self._turns % 5 == 0:
            raise DatabaseUnavailable("Away.")

    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        await self._shaken(self._inner.enlist(worker, host=host, lease_s=lease_s))

    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        return await self._inner.renew(worker, lease_s=lease_s)

    async def claim(self, worker: WorkerId, *, limit: int) -> Sequence[ClaimedItem]:
        return await self._inner.claim(worker, limit=limit)

    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        await self._shaken(self._inner.settle(worker, settlements))
        return await self._inner.settle(worker, settlements)

    async def release_lapsed(self) -> int:
        return await self._inner.release_lapsed()

    async def retire(self, worker: WorkerId) -> None:
        await self._inner.retire(worker)


async def test_results_wait_for_a_store_that_is_away_and_count_once(shop: Shop) -> None:
    shop.model = model = CountingModel()
    job = await shop.job(12)
    async with shop.runner(queue=ShakyQueue(shop.store.queue)):
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert done.counts.valid == done.spending.calls == model.calls == 12


class FussyQueue(ShakyQueue):
    """Another queue that cannot store one of the results."""

    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        if any(each.extraction and "Ann3 " in each.extraction.text for each in settlements):
            raise UnicodeError
        return await self._inner.settle(worker, settlements)


async def test_a_result_that_cannot_be_stored_fails_its_document_alone(shop: Shop) -> None:
    job = await shop.job(8)
    async with shop.runner(queue=FussyQueue(shop.store.queue)):
        done = await shop.until(job.id, JobStatus.COMPLETED)
    assert (done.counts.valid, done.counts.failed) == (7, 1)
    [failed] = await shop.store.jobs.results(job.id, state=ItemState.FAILED, limit=5)
    assert failed.position == 4
    assert done.spending.calls == 8


async def test_a_provider_that_a_worker_does_not_know_stops_the_job(shop: Shop) -> None:
    job = await shop.job(3, providers=("elsewhere",))
    async with shop.runner():
        stopped = await shop.until(job.id, JobStatus.FAILED)
    assert stopped.reason is not None
    assert stopped.reason.code == "misconfigured"
    assert "elsewhere" in stopped.reason.detail
    assert stopped.counts.pending == 3
