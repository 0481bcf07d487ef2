"""A batch ends with every document settled, once and at the batch price, whatever happens to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import (
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
    Price,
    PriceTable,
)
from domain.extraction.jobs.batch_processor import BatchOptions, BatchProcessor, LostBatch
from domain.extraction.jobs.items import ItemResult, ItemState, Settlement
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobSpec,
    JobStatus,
    ProviderMode,
    WorkerId,
)
from domain.extraction.jobs.reader import DocumentExtractor
from domain.extraction.jobs.settlement import RetryPolicy
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import ClaimedBatch, ExtractionQueue
from ports.language_models import (
    BatchId,
    BatchLanguageModel,
    BatchRequest,
    Finish,
    ModelProfile,
    Prompt,
)
from tests.contracts.extraction_jobs import JobStore
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.extraction_jobs import (
    MemoryExtractionCache,
    MemoryExtractionJobRepository,
    MemoryExtractionQueue,
)
from tests.fakes.language_models import QUOTING, ScriptedBatchLanguageModel, ScriptedLanguageModel
from tests.fakes.provider_batches import MemoryProviderBatches
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory

ASSIGNMENT = JobSpec(
    schema="order_message", schema_version=1, providers=("scripted",), mode=ProviderMode.BATCH
)
PRICES = PriceTable(
    prices={("scripted", "*"): Price(input=Decimal(1), cached=Decimal(1), output=Decimal(1))},
    batch={"scripted": Decimal("0.5")},
)
OPTIONS = BatchOptions(documents=10, poll_s=30, lease_s=60, unsure_s=120, retry_s=60, concurrency=4)
TOKENS_A_CALL = 110  # as the scripted models count


def a_text(number: int) -> str:
    return f"Ann{number} wants {number + 2} lamps"


def text_in(prompt: Prompt) -> str:
    found = re.search(r"Ann\d+ wants \d+ lamps", prompt.messages[1].content)
    assert found is not None
    return found[0]


def answer(prompt: Prompt) -> str:
    customer, _, quantity, _ = text_in(prompt).split()
    record = {
        "customer": {"quote": customer, "value": customer},
        "product": {"quote": "lamps", "value": "lamps"},
        "quantity": {"quote": f"{quantity} lamps", "value": int(quantity)},
    }
    return json.dumps(record)


@dataclass(slots=True, kw_only=True)
class Bench:
    """A store, a provider with batches, and a processor between them."""

    clock: StandingClock = field(default_factory=StandingClock)
    said: dict[int, str | Finish | FailureKind] = field(default_factory=dict)
    profile: ModelProfile = QUOTING
    options: BatchOptions = OPTIONS
    tables: RecordTables = field(init=False)
    store: JobStore = field(init=False)
    batches: MemoryProviderBatches = field(init=False)
    provider: ScriptedBatchLanguageModel = field(init=False)
    direct: ScriptedLanguageModel = field(init=False)
    processor: BatchProcessor = field(init=False)

    def __post_init__(self) -> None:
        self.tables = RecordTables(clock=self.clock)

        async def let_pass(time: timedelta) -> None:
            self.clock.advance(time)

        self.store = JobStore(
            jobs=MemoryExtractionJobRepository(self.tables),
            queue=MemoryExtractionQueue(self.tables),
            cache=MemoryExtractionCache(self.tables),
            open_unit=MemoryUnitOfWorkFactory(self.tables),
            let_pass=let_pass,
        )
        self.batches = MemoryProviderBatches(self.tables)
        self.provider = ScriptedBatchLanguageModel(say=self._say)
        self.direct = ScriptedLanguageModel(otherwise=answer, profile=self.profile)
        self.processor = self.a_processor()

    def _say(self, prompt: Prompt) -> str | Finish | FailureKind:
        number = int(text_in(prompt).split()[0].removeprefix("Ann"))
        return self.said.get(number) or answer(prompt)

    def a_processor(
        self,
        *,
        queue: ExtractionQueue | None = None,
        provider: BatchLanguageModel | None = None,
        others: Mapping[str, ScriptedLanguageModel] | None = None,
        batched: bool = True,
    ) -> BatchProcessor:
        async def opened() -> BatchLanguageModel:
            return provider or self.provider

        service = ExtractionService(
            models={"scripted": self.direct, **(others or {})},
            chain=["scripted"],
            validator=PydanticRecordValidator(),
            prices=PRICES,
            monotonic=lambda: 0.0,
            new_mark=lambda: "0123abcd",
        )
        retry_policy = RetryPolicy(attempts=3)
        return BatchProcessor(
            batches=self.batches,
            queue=queue or self.store.queue,
            cache=self.store.cache,
            extraction=service,
            reader=DocumentExtractor(
                extraction=service,
                schemas=MemoryExtractionSchemaRepository(self.tables.extraction),
                clock=self.clock,
                new_id=uuid4,
                chance=lambda: 0.5,
                retry_policy=retry_policy,
                deadline_s=60,
            ),
            models={"scripted": opened} if batched else {},
            retry_policy=retry_policy,
            chance=lambda: 0.5,
            options=self.options,
        )

    async def job(
        self, count: int = 3, *, spec: JobSpec = ASSIGNMENT, caps: JobCaps | None = None
    ) -> JobId:
        texts = [a_text(number) for number in range(count)]
        return (await self.store.job(texts, spec, caps)).id

    async def opened(self) -> ClaimedBatch:
        batch = await self.batches.open(
            WorkerId(uuid4()), limit=self.options.documents, lease_s=self.options.lease_s
        )
        assert batch is not None
        return batch

    async def look(self, processor: BatchProcessor | None = None, *, turns: int = 40) -> None:
        """Look after batches as the runner does, until none is open and nothing is due."""
        for _ in range(turns):
            found = await self.batches.take(limit=1, lease_s=self.options.lease_s)
            if not found:
                opened = await self.batches.open(
                    WorkerId(uuid4()), limit=self.options.documents, lease_s=self.options.lease_s
                )
                found = [] if opened is None else [opened]
            for batch in found:
                wait_s = await (processor or self.processor).advance(batch)
                if wait_s is not None:
                    await self.batches.put_off(batch, seconds=wait_s)
            if not found:
                if all(row.closed for row in self.tables.batches.values()):
                    return
                self.clock.advance(timedelta(seconds=30))

    async def seen(self, job_id: JobId) -> ExtractionJob:
        return await self.store.jobs.get(job_id)

    async def results(self, job_id: JobId) -> Sequence[ItemResult]:
        return await self.store.jobs.results(job_id, limit=1000)

    @property
    def asked(self) -> list[str]:
        """What the provider was asked in batches, in order."""
        return [
            text_in(request.prompt)
            for batch in self.provider.batches.values()
            for request in batch.requests
        ]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_every_document_is_answered_by_a_batch_at_the_batch_price(bench: Bench) -> None:
    job_id = await bench.job(25)
    await bench.look()
    job = await bench.seen(job_id)
    assert job.status is JobStatus.COMPLETED
    assert job.counts.valid == 25
    assert sorted(bench.asked) == sorted(a_text(number) for number in range(25))
    assert [len(each.requests) for each in bench.provider.batches.values()] == [10, 10, 5]
    assert bench.direct.prompts == [], "nothing had to be asked directly"
    assert job.spending.calls == 25
    assert job.spending.usage.total_tokens == 25 * TOKENS_A_CALL
    assert job.spending.cost_usd == Decimal(25 * TOKENS_A_CALL) / 1_000_000 / 2


async def test_a_result_holds_the_values_of_its_own_text_and_how_long_it_took(
    bench: Bench,
) -> None:
    job_id = await bench.job(3)
    bench.provider.ending = None
    await bench.look(turns=5)
    bench.provider.ending = "completed"
    await bench.look()
    for number, result in enumerate(await bench.results(job_id)):
        assert result.extraction is not None
        assert result.extraction.result.fields["customer"] == f"Ann{number}"
        assert result.extraction.result.latency_s >= 60
        assert [each.batched for each in result.extraction.result.attempts] == [True]


async def test_an_unusable_answer_is_asked_again_directly(bench: Bench) -> None:
    bench.said[1] = "I cannot do that, Dave."
    job_id = await bench.job(3)
    await bench.look()
    job = await bench.seen(job_id)
    assert job.counts.valid == 3
    assert [text_in(prompt) for prompt in bench.direct.prompts] == [a_text(1)]
    result = (await bench.results(job_id))[1].extraction
    assert result is not None
    assert [each.batched for each in result.result.attempts] == [True, False]
    assert job.spending.cost_usd == Decimal(TOKENS_A_CALL) / 1_000_000 * Decimal("2.5")


async def test_a_line_that_failed_in_passing_is_asked_directly(bench: Bench) -> None:
    bench.said[1] = FailureKind.SERVER_ERROR
    job_id = await bench.job(3)
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.asked) == 3
    assert len(bench.direct.prompts) == 1


async def test_a_refused_text_ends_as_refused_and_is_not_asked_again(bench: Bench) -> None:
    bench.said[1] = Finish.REFUSED
    job_id = await bench.job(3)
    await bench.look()
    job = await bench.seen(job_id)
    assert (job.counts.valid, job.counts.refused) == (2, 1)
    assert bench.direct.prompts == []


async def test_a_refused_text_goes_to_the_next_of_the_chain(bench: Bench) -> None:
    bench.said[1] = Finish.REFUSED
    other = ScriptedLanguageModel(otherwise=answer, profile=replace(QUOTING, provider="other"))
    spec = replace(ASSIGNMENT, providers=("scripted", "other"))
    job_id = await bench.job(3, spec=spec)
    await bench.look(bench.a_processor(others={"other": other}))
    assert (await bench.seen(job_id)).counts.valid == 3
    result = (await bench.results(job_id))[1].extraction
    assert result is not None
    assert (result.result.provider, result.result.fallbacks) == (
        "other",
        (("scripted", FailureKind.REFUSED),),
    )


async def test_what_an_expired_batch_left_out_is_asked_in_the_next(bench: Bench) -> None:
    bench.provider.ending = "expired"
    job_id = await bench.job(4)
    await bench.look(turns=3)
    job = await bench.seen(job_id)
    assert (job.counts.valid, job.counts.pending) == (2, 2)
    bench.provider.ending = "completed"
    bench.clock.advance(timedelta(seconds=10))
    await bench.look()
    assert (await bench.seen(job_id)).status is JobStatus.COMPLETED
    assert bench.asked == [a_text(number) for number in (0, 1, 2, 3, 2, 3)]
    assert [each.attempts for each in await bench.results(job_id)] == [0, 0, 1, 1]


async def test_a_document_that_no_batch_answers_fails_with_the_reason(bench: Bench) -> None:
    bench.provider.ending = "expired"
    job_id = await bench.job(1)  # half of one is none
    for _ in range(4):
        await bench.look(turns=4)
        bench.clock.advance(timedelta(minutes=5))
    job = await bench.seen(job_id)
    assert job.status is JobStatus.COMPLETED
    assert job.counts.failed == 1
    [result] = await bench.results(job_id)
    assert result.reason is not None
    assert result.reason.code == FailureKind.TIMEOUT
    assert len(bench.asked) == 3


class Dying(ScriptedBatchLanguageModel):
    """Starts the batch, and takes the process along before anybody hears of it."""

    async def submit(self, token: str, requests: Sequence[BatchRequest]) -> BatchId:
        await ScriptedBatchLanguageModel.submit(self, token, requests)
        raise RuntimeError("killed")


async def test_a_batch_whose_id_died_with_its_process_is_found_and_not_made_again(
    bench: Bench,
) -> None:
    job_id = await bench.job(3)
    dying = Dying(say=bench.provider.say, batches=bench.provider.batches)
    with pytest.raises(RuntimeError, match="killed"):
        await bench.a_processor(provider=dying).advance(await bench.opened())
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert len(bench.provider.batches) == 1
    assert (await bench.seen(job_id)).counts.valid == 3


async def test_a_provider_that_shows_a_new_batch_late_is_given_the_time(bench: Bench) -> None:
    await bench.job(3)
    batch = await bench.opened()
    assert await bench.batches.note(batch, prompt_hash="p", unsure=True)
    [taken] = await _taken_after(bench, seconds=61)
    assert await bench.processor.advance(taken) == pytest.approx(120 - 61)
    assert bench.provider.batches == {}


async def test_a_batch_that_was_never_made_is_made_once(bench: Bench) -> None:
    job_id = await bench.job(3)
    batch = await bench.opened()
    assert await bench.batches.note(batch, prompt_hash="p", unsure=True)
    bench.clock.advance(timedelta(seconds=200))
    await bench.look()
    assert len(bench.provider.batches) == 1
    assert (await bench.seen(job_id)).counts.valid == 3


async def _taken_after(bench: Bench, *, seconds: float) -> Sequence[ClaimedBatch]:
    bench.clock.advance(timedelta(seconds=seconds))
    return await bench.batches.take(limit=1, lease_s=60)


class Killed(BaseException):
    """Nothing more happens in this process."""


class FailingQueue(MemoryExtractionQueue):
    """Stores a few settlements, and takes the process along then."""

    def __init__(self, tables: RecordTables, left: int) -> None:
        super().__init__(tables)
        self.left = left

    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return await MemoryExtractionQueue.settle(self, worker, settlements)


@pytest.mark.parametrize("survived", [0, 1, 3])
async def test_a_death_among_the_settlements_repeats_no_question(
    bench: Bench, survived: int
) -> None:
    job_id = await bench.job(5)
    batch = await bench.opened()
    assert await bench.processor.advance(batch) == OPTIONS.poll_s
    [taken] = await _taken_after(bench, seconds=61)
    dying = bench.a_processor(queue=FailingQueue(bench.tables, survived))
    with pytest.raises(BaseExceptionGroup) as died:
        await dying.advance(taken)
    assert died.group_contains(Killed)
    assert (await bench.seen(job_id)).counts.valid == survived
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    job = await bench.seen(job_id)
    assert job.counts.valid == 5
    assert len(bench.asked) == 5
    assert bench.direct.prompts == []
    assert job.spending.calls == 5


async def test_who_lost_the_batch_submits_nothing(bench: Bench) -> None:
    await bench.job(3)
    stale = await bench.opened()
    await _taken_after(bench, seconds=61)
    with pytest.raises(LostBatch):
        await bench.processor.advance(stale)
    assert bench.provider.batches == {}


async def test_the_same_text_is_asked_once_and_answers_all(bench: Bench) -> None:
    texts = [a_text(1), a_text(2), a_text(1), a_text(1)]
    job_id = (await bench.store.job(texts, ASSIGNMENT)).id
    await bench.look()
    job = await bench.seen(job_id)
    assert job.counts.valid == 4
    assert job.reused == 2
    assert bench.asked == [a_text(1), a_text(2)]


async def test_the_same_text_is_asked_each_time_if_that_is_wanted(bench: Bench) -> None:
    job = await bench.store.job([a_text(1)] * 3, replace(ASSIGNMENT, reuse=False))
    await bench.look()
    assert (await bench.seen(job.id)).reused == 0
    assert bench.asked == [a_text(1)] * 3


async def test_a_text_that_fails_fails_wherever_it_stands(bench: Bench) -> None:
    bench.said[1] = Finish.REFUSED
    job_id = (await bench.store.job([a_text(1), a_text(1), a_text(2)], ASSIGNMENT)).id
    await bench.look()
    job = await bench.seen(job_id)
    assert (job.counts.refused, job.counts.valid) == (2, 1)
    assert job.spending.calls == 2
    assert bench.asked == [a_text(1), a_text(2)]


async def test_known_answers_are_not_asked_again(bench: Bench) -> None:
    await bench.job(3)
    await bench.look()
    second = await bench.job(5)
    await bench.look()
    job = await bench.seen(second)
    assert (job.counts.valid, job.reused) == (5, 3)
    assert len(bench.asked) == 5


async def test_a_batch_of_known_answers_alone_is_not_submitted(bench: Bench) -> None:
    await bench.job(3)
    await bench.look()
    second = await bench.job(3)
    await bench.look()
    assert (await bench.seen(second)).status is JobStatus.COMPLETED
    assert len(bench.provider.batches) == 1


async def test_what_does_not_fit_into_one_batch_goes_into_the_next(bench: Bench) -> None:
    bench.provider.most = 3
    job_id = await bench.job(8)
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 8
    assert [len(each.requests) for each in bench.provider.batches.values()] == [3, 3, 2]
    assert sorted(bench.asked) == sorted(a_text(number) for number in range(8))


async def test_a_capped_job_is_asked_no_more_than_the_cap_seems_to_allow(bench: Bench) -> None:
    job_id = await bench.job(10, caps=JobCaps(max_tokens=2_000))
    await bench.look(turns=1)
    [batch] = bench.provider.batches.values()
    likely = sum(each.prompt.estimated_tokens for each in batch.requests)
    assert 1 <= len(batch.requests) < 10
    assert likely <= 2_000
    assert (await bench.seen(job_id)).counts.running == len(batch.requests)


async def test_a_used_up_cap_pauses_the_job(bench: Bench) -> None:
    job_id = await bench.job(10, caps=JobCaps(max_cost_usd=Decimal("0.0001")))
    await bench.look()
    job = await bench.seen(job_id)
    assert job.status is JobStatus.PAUSED
    assert job.reason is not None
    assert job.reason.code == "cost_cap"
    assert job.spending.cost_usd < Decimal("0.0002")


async def test_a_cancelled_job_cancels_its_batch_and_leaves_its_documents(bench: Bench) -> None:
    bench.provider.ending = None
    job_id = await bench.job(3)
    await bench.look(turns=2)
    await bench.store.jobs.apply(job_id, JobCommand.CANCEL)
    await bench.look()
    [batch] = bench.provider.batches.values()
    assert batch.ending == "cancelled"
    assert (await bench.seen(job_id)).counts.cancelled == 3


async def test_a_paused_job_takes_the_answers_that_are_paid_and_asks_no_more(
    bench: Bench,
) -> None:
    job_id = await bench.job(15)
    await bench.look(turns=1)
    await bench.store.jobs.apply(job_id, JobCommand.PAUSE)
    await bench.look()
    job = await bench.seen(job_id)
    assert (job.status, job.counts.valid, job.counts.pending) == (JobStatus.PAUSED, 10, 5)
    assert len(bench.provider.batches) == 1


async def test_a_batch_that_is_not_submitted_when_its_job_stops_is_not_submitted(
    bench: Bench,
) -> None:
    job_id = await bench.job(3)
    batch = await bench.opened()
    await bench.store.jobs.apply(job_id, JobCommand.PAUSE)
    [taken] = await _taken_after(bench, seconds=61)
    assert taken.id == batch.id
    assert await bench.processor.advance(taken) is None
    assert bench.provider.batches == {}
    assert (await bench.seen(job_id)).counts.pending == 3


@dataclass(slots=True, kw_only=True)
class Refusing(ScriptedBatchLanguageModel):
    """Takes no batch."""

    kind: FailureKind

    async def submit(self, token: str, requests: Sequence[BatchRequest]) -> BatchId:
        raise ModelCallFailed(ExtractionFailure(kind=self.kind, detail="no", retry_after_s=77))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.AUTH, JobStatus.FAILED),
        (FailureKind.UNKNOWN_MODEL, JobStatus.FAILED),
        (FailureKind.BAD_REQUEST, JobStatus.FAILED),
        (FailureKind.QUOTA_EXHAUSTED, JobStatus.PAUSED),
    ],
)
async def test_a_refused_submission_stops_the_job_and_gives_the_documents_back(
    bench: Bench, kind: FailureKind, status: JobStatus
) -> None:
    job_id = await bench.job(3)
    await bench.look(bench.a_processor(provider=Refusing(kind=kind, say=answer)))
    job = await bench.seen(job_id)
    assert job.status is status
    assert job.reason is not None
    assert job.reason.code == kind
    assert job.counts.pending == 3
    await bench.store.jobs.apply(job_id, JobCommand.RESUME)
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3


async def test_a_rate_limited_submission_is_tried_after_the_wait(bench: Bench) -> None:
    job_id = await bench.job(3)
    limited = bench.a_processor(provider=Refusing(kind=FailureKind.RATE_LIMITED, say=answer))
    assert await limited.advance(await bench.opened()) == 77
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.provider.batches) == 1


async def test_an_unreachable_provider_is_asked_again_later(bench: Bench) -> None:
    job_id = await bench.job(3)
    await bench.look(turns=1)
    bench.provider.unreachable = FailureKind.CONNECTION
    await bench.look(turns=6)
    assert (await bench.seen(job_id)).counts.running == 3
    bench.provider.unreachable = None
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.provider.batches) == 1


async def test_answers_to_another_prompt_wait_until_it_is_configured_again(bench: Bench) -> None:
    job_id = await bench.job(3)
    await bench.look(turns=1)
    right, bench.direct = (
        bench.direct,
        ScriptedLanguageModel(otherwise=answer, profile=replace(QUOTING, model="another")),
    )
    [taken] = await _taken_after(bench, seconds=61)
    assert await bench.a_processor().advance(taken) == OPTIONS.retry_s
    assert (await bench.seen(job_id)).counts.running == 3
    bench.direct = right
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3


async def test_a_job_whose_provider_has_no_batches_here_fails_with_the_remedy(
    bench: Bench,
) -> None:
    job_id = await bench.job(3)
    await bench.look(bench.a_processor(batched=False))
    job = await bench.seen(job_id)
    assert job.status is JobStatus.FAILED
    assert job.reason is not None
    assert "batch" in job.reason.detail
    assert job.counts.pending == 3


async def test_a_batch_at_the_provider_outlives_a_worker_that_cannot_ask_there(
    bench: Bench,
) -> None:
    job_id = await bench.job(3)
    await bench.look(turns=1)
    [taken] = await _taken_after(bench, seconds=61)
    assert await bench.a_processor(batched=False).advance(taken) == OPTIONS.retry_s
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.provider.batches) == 1


async def test_a_long_text_is_asked_in_windows_and_merged(bench: Bench) -> None:
    small = Bench(profile=replace(QUOTING, context_tokens=1_800))
    small.provider.say = lambda prompt: (
        answer(prompt) if "Ann7" in prompt.messages[1].content else _nothing()
    )
    sentences = [f"On day {day} the shop was full of people. " for day in range(160)]
    filler = "".join(sentences)
    job = await small.store.job([f"{filler}{a_text(7)}. {filler}"], ASSIGNMENT)
    await small.look()
    [batch] = small.provider.batches.values()
    assert len(batch.requests) > 2
    assert [each.custom_id for each in batch.requests[:2]] == ["1-0", "1-1"]
    [result] = await small.results(job.id)
    assert result.state is ItemState.VALID
    assert result.extraction is not None
    assert result.extraction.result.fields["customer"] == "Ann7"
    assert small.direct.prompts == []


def _nothing() -> str:
    silent = {"quote": None, "value": None}
    return json.dumps({"customer": silent, "product": silent, "quantity": silent})


async def test_a_text_that_fills_more_than_a_batch_is_asked_in_part_and_then_directly() -> None:
    bench = Bench(profile=replace(QUOTING, context_tokens=1_800))
    bench.provider.most = 2
    filler = "".join(f"On day {day} the shop was full of people. " for day in range(160))
    bench.provider.say = lambda _: _nothing()
    bench.direct = ScriptedLanguageModel(otherwise=lambda _: _nothing(), profile=bench.profile)
    bench.processor = bench.a_processor()
    short = f"{a_text(1)}."
    job = await bench.store.job([filler, short], ASSIGNMENT)
    await bench.look()
    sizes = [len(each.requests) for each in bench.provider.batches.values()]
    assert sizes == [2, 1]
    assert bench.direct.prompts
    assert (await bench.seen(job.id)).counts.done == 2


class Untaken(MemoryExtractionQueue):
    """A defect: it takes no settlement that goes back to the queue."""

    async def settle(
        self, worker: WorkerId, settlements: Sequence[Settlement]
    ) -> Mapping[JobId, JobStatus]:
        if any(each.extraction is None for each in settlements):
            raise RuntimeError("no settlement is taken")
        return await MemoryExtractionQueue.settle(self, worker, settlements)


def asked_again_in_vain() -> Bench:
    """Of three texts one fails in passing, and fails again when it is asked directly."""
    bench = Bench()
    bench.said[1] = FailureKind.SERVER_ERROR
    bench.direct._otherwise = lambda _: FailureKind.RATE_LIMITED
    return bench


async def test_a_text_that_fails_in_passing_twice_goes_back_and_the_others_are_done() -> None:
    bench = asked_again_in_vain()
    job_id = await bench.job(3)
    batch = await bench.opened()
    assert await bench.processor.advance(batch) == OPTIONS.poll_s
    [taken] = await _taken_after(bench, seconds=61)
    await bench.processor.advance(taken)
    counts = (await bench.seen(job_id)).counts
    assert (counts.valid, counts.pending) == (2, 1)
    assert len(bench.direct.prompts) == 1


async def test_a_settlement_without_a_result_that_is_not_taken_is_a_defect_to_be_seen() -> None:
    bench = asked_again_in_vain()
    await bench.job(3)
    batch = await bench.opened()
    assert await bench.processor.advance(batch) == OPTIONS.poll_s
    [taken] = await _taken_after(bench, seconds=61)
    with pytest.raises(BaseExceptionGroup) as failed:
        await bench.a_processor(queue=Untaken(bench.tables)).advance(taken)
    assert failed.group_contains(RuntimeError, match="no settlement is taken")
