"""A batch ends with every document settled, once and at the batch price, whatever happens to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.extraction.calls import (
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
)
from domain.extraction.jobs.batch_processor import LostBatch
from domain.extraction.jobs.items import ItemSettlement, ItemState
from domain.extraction.jobs.model import (
    JobCaps,
    JobCommand,
    JobId,
    JobStatus,
    WorkerId,
)
from ports.extraction_jobs import ClaimedBatch
from ports.language_models import (
    BatchId,
    BatchRequest,
    FinishReason,
    Prompt,
)
from tests.fakes.extraction_jobs import (
    MemoryExtractionQueue,
)
from tests.fakes.language_models import QUOTING, ScriptedBatchLanguageModel, ScriptedLanguageModel
from tests.fakes.tables import RecordTables
from tests.unit.batch_jobs import OPTIONS, SPEC, BatchBench, FaultyQueue
from tests.unit.job_texts import TOKENS_A_CALL, a_text, answer, text_in


@pytest.fixture
def bench() -> BatchBench:
    return BatchBench()


async def test_every_document_is_answered_by_a_batch_at_the_batch_price(bench: BatchBench) -> None:
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
    bench: BatchBench,
) -> None:
    job_id = await bench.job(3)
    bench.provider.ending = None
    await bench.look(rounds=5)
    bench.provider.ending = "completed"
    await bench.look()
    for number, result in enumerate(await bench.results(job_id)):
        assert result.extraction is not None
        assert result.extraction.result.fields["customer"] == f"Ann{number}"
        assert result.extraction.result.latency_s >= 60
        assert [each.batched for each in result.extraction.result.attempts] == [True]


async def test_an_unusable_answer_is_asked_again_directly(bench: BatchBench) -> None:
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


async def test_a_line_that_failed_in_passing_is_asked_directly(bench: BatchBench) -> None:
    bench.said[1] = FailureKind.SERVER_ERROR
    job_id = await bench.job(3)
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.asked) == 3
    assert len(bench.direct.prompts) == 1


async def test_a_refused_text_ends_as_refused_and_is_not_asked_again(bench: BatchBench) -> None:
    bench.said[1] = FinishReason.REFUSED
    job_id = await bench.job(3)
    await bench.look()
    job = await bench.seen(job_id)
    assert (job.counts.valid, job.counts.refused) == (2, 1)
    assert bench.direct.prompts == []


async def test_a_refused_text_goes_to_the_next_of_the_chain(bench: BatchBench) -> None:
    bench.said[1] = FinishReason.REFUSED
    other = ScriptedLanguageModel(otherwise=answer, profile=replace(QUOTING, provider="other"))
    spec = replace(SPEC, providers=("scripted", "other"))
    job_id = await bench.job(3, spec=spec)
    await bench.look(bench.a_processor(others={"other": other}))
    assert (await bench.seen(job_id)).counts.valid == 3
    result = (await bench.results(job_id))[1].extraction
    assert result is not None
    assert (result.result.provider, result.result.fallbacks) == (
        "other",
        (("scripted", FailureKind.REFUSED),),
    )


async def test_what_an_expired_batch_left_out_is_asked_in_the_next(bench: BatchBench) -> None:
    bench.provider.ending = "expired"
    job_id = await bench.job(4)
    await bench.look(rounds=3)
    job = await bench.seen(job_id)
    assert (job.counts.valid, job.counts.pending) == (2, 2)
    bench.provider.ending = "completed"
    bench.clock.advance(timedelta(seconds=10))
    await bench.look()
    assert (await bench.seen(job_id)).status is JobStatus.COMPLETED
    assert bench.asked == [a_text(number) for number in (0, 1, 2, 3, 2, 3)]
    assert [each.attempts for each in await bench.results(job_id)] == [0, 0, 1, 1]


async def test_a_document_that_no_batch_answers_fails_with_the_reason(bench: BatchBench) -> None:
    bench.provider.ending = "expired"
    job_id = await bench.job(1)  # half of one is none
    for _ in range(4):
        await bench.look(rounds=4)
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
    bench: BatchBench,
) -> None:
    job_id = await bench.job(3)
    dying = Dying(say=bench.provider.say, batches=bench.provider.batches)
    with pytest.raises(RuntimeError, match="killed"):
        await bench.a_processor(provider=dying).advance(await bench.opened())
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert len(bench.provider.batches) == 1
    assert (await bench.seen(job_id)).counts.valid == 3


async def test_a_provider_that_shows_a_new_batch_late_is_given_the_time(bench: BatchBench) -> None:
    await bench.job(3)
    batch = await bench.opened()
    assert await bench.batches.note(batch, prompt_hash="p", unsure=True)
    [taken] = await _taken_after(bench, seconds=61)
    assert await bench.processor.advance(taken) == pytest.approx(120 - 61)
    assert bench.provider.batches == {}


async def test_a_batch_that_was_never_made_is_made_once(bench: BatchBench) -> None:
    job_id = await bench.job(3)
    batch = await bench.opened()
    assert await bench.batches.note(batch, prompt_hash="p", unsure=True)
    bench.clock.advance(timedelta(seconds=200))
    await bench.look()
    assert len(bench.provider.batches) == 1
    assert (await bench.seen(job_id)).counts.valid == 3


async def _taken_after(bench: BatchBench, *, seconds: float) -> Sequence[ClaimedBatch]:
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
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return await MemoryExtractionQueue.settle(self, worker, settlements)


@pytest.mark.parametrize("survived", [0, 1, 3])
async def test_a_death_among_the_settlements_repeats_no_call(
    bench: BatchBench, survived: int
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


async def test_who_lost_the_batch_submits_nothing(bench: BatchBench) -> None:
    await bench.job(3)
    stale = await bench.opened()
    await _taken_after(bench, seconds=61)
    with pytest.raises(LostBatch):
        await bench.processor.advance(stale)
    assert bench.provider.batches == {}


async def test_the_same_text_is_asked_once_and_answers_all(bench: BatchBench) -> None:
    texts = [a_text(1), a_text(2), a_text(1), a_text(1)]
    job_id = (await bench.store.job(texts, SPEC)).id
    await bench.look()
    job = await bench.seen(job_id)
    assert job.counts.valid == 4
    assert job.reused == 2
    assert bench.asked == [a_text(1), a_text(2)]


async def test_the_same_text_is_asked_each_time_if_that_is_wanted(bench: BatchBench) -> None:
    job = await bench.store.job([a_text(1)] * 3, replace(SPEC, reuse=False))
    await bench.look()
    assert (await bench.seen(job.id)).reused == 0
    assert bench.asked == [a_text(1)] * 3


async def test_a_text_that_fails_fails_wherever_it_stands(bench: BatchBench) -> None:
    bench.said[1] = FinishReason.REFUSED
    job_id = (await bench.store.job([a_text(1), a_text(1), a_text(2)], SPEC)).id
    await bench.look()
    job = await bench.seen(job_id)
    assert (job.counts.refused, job.counts.valid) == (2, 1)
    assert job.spending.calls == 2
    assert bench.asked == [a_text(1), a_text(2)]


async def test_known_answers_are_not_asked_again(bench: BatchBench) -> None:
    await bench.job(3)
    await bench.look()
    second = await bench.job(5)
    await bench.look()
    job = await bench.seen(second)
    assert (job.counts.valid, job.reused) == (5, 3)
    assert len(bench.asked) == 5


async def test_a_batch_of_known_answers_alone_is_not_submitted(bench: BatchBench) -> None:
    await bench.job(3)
    await bench.look()
    second = await bench.job(3)
    await bench.look()
    assert (await bench.seen(second)).status is JobStatus.COMPLETED
    assert len(bench.provider.batches) == 1


async def test_what_does_not_fit_into_one_batch_goes_into_the_next(bench: BatchBench) -> None:
    bench.provider.most = 3
    job_id = await bench.job(8)
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 8
    assert [len(each.requests) for each in bench.provider.batches.values()] == [3, 3, 2]
    assert sorted(bench.asked) == sorted(a_text(number) for number in range(8))


async def test_a_capped_job_is_asked_no_more_than_the_cap_seems_to_allow(bench: BatchBench) -> None:
    job_id = await bench.job(10, caps=JobCaps(max_tokens=2_000))
    await bench.look(rounds=1)
    [batch] = bench.provider.batches.values()
    likely = sum(each.prompt.estimated_tokens for each in batch.requests)
    assert 1 <= len(batch.requests) < 10
    assert likely <= 2_000
    assert (await bench.seen(job_id)).counts.running == len(batch.requests)


async def test_a_used_up_cap_pauses_the_job(bench: BatchBench) -> None:
    job_id = await bench.job(10, caps=JobCaps(max_cost_usd=Decimal("0.0001")))
    await bench.look()
    job = await bench.seen(job_id)
    assert job.status is JobStatus.PAUSED
    assert job.reason is not None
    assert job.reason.code == "cost_cap"
    assert job.spending.cost_usd < Decimal("0.0002")


async def test_a_cancelled_job_cancels_its_batch_and_leaves_its_documents(
    bench: BatchBench,
) -> None:
    bench.provider.ending = None
    job_id = await bench.job(3)
    await bench.look(rounds=2)
    await bench.store.jobs.apply(job_id, JobCommand.CANCEL)
    await bench.look()
    [batch] = bench.provider.batches.values()
    assert batch.ending == "cancelled"
    assert (await bench.seen(job_id)).counts.cancelled == 3


async def test_a_paused_job_takes_the_answers_that_are_paid_and_asks_no_more(
    bench: BatchBench,
) -> None:
    job_id = await bench.job(15)
    await bench.look(rounds=1)
    await bench.store.jobs.apply(job_id, JobCommand.PAUSE)
    await bench.look()
    job = await bench.seen(job_id)
    assert (job.status, job.counts.valid, job.counts.pending) == (JobStatus.PAUSED, 10, 5)
    assert len(bench.provider.batches) == 1


async def test_a_batch_that_is_not_submitted_when_its_job_stops_is_not_submitted(
    bench: BatchBench,
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
    bench: BatchBench, kind: FailureKind, status: JobStatus
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


async def test_a_rate_limited_submission_is_tried_after_the_wait(bench: BatchBench) -> None:
    job_id = await bench.job(3)
    limited = bench.a_processor(provider=Refusing(kind=FailureKind.RATE_LIMITED, say=answer))
    assert await limited.advance(await bench.opened()) == 77
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.provider.batches) == 1


async def test_an_unreachable_provider_is_asked_again_later(bench: BatchBench) -> None:
    job_id = await bench.job(3)
    await bench.look(rounds=1)
    bench.provider.unreachable = FailureKind.CONNECTION
    await bench.look(rounds=6)
    assert (await bench.seen(job_id)).counts.running == 3
    bench.provider.unreachable = None
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.provider.batches) == 1


async def test_answers_to_another_prompt_wait_until_it_is_configured_again(
    bench: BatchBench,
) -> None:
    job_id = await bench.job(3)
    await bench.look(rounds=1)
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
    bench: BatchBench,
) -> None:
    job_id = await bench.job(3)
    await bench.look(bench.a_processor(batched=False))
    job = await bench.seen(job_id)
    assert job.status is JobStatus.FAILED
    assert job.reason is not None
    assert "batch" in job.reason.detail
    assert job.counts.pending == 3


async def test_a_batch_at_the_provider_outlives_a_worker_that_cannot_ask_there(
    bench: BatchBench,
) -> None:
    job_id = await bench.job(3)
    await bench.look(rounds=1)
    [taken] = await _taken_after(bench, seconds=61)
    assert await bench.a_processor(batched=False).advance(taken) == OPTIONS.retry_s
    bench.clock.advance(timedelta(seconds=61))
    await bench.look()
    assert (await bench.seen(job_id)).counts.valid == 3
    assert len(bench.provider.batches) == 1


async def test_a_long_text_is_asked_in_windows_and_merged(bench: BatchBench) -> None:
    small = BatchBench(profile=replace(QUOTING, context_tokens=1_800))
    small.provider.say = lambda prompt: (
        answer(prompt) if "Ann7" in prompt.messages[1].content else _nothing()
    )
    sentences = [f"On day {day} the shop was full of people. " for day in range(160)]
    filler = "".join(sentences)
    job = await small.store.job([f"{filler}{a_text(7)}. {filler}"], SPEC)
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
    bench = BatchBench(profile=replace(QUOTING, context_tokens=1_800))
    bench.provider.most = 2
    filler = "".join(f"On day {day} the shop was full of people. " for day in range(160))
    bench.provider.say = lambda _: _nothing()
    bench.direct = ScriptedLanguageModel(otherwise=lambda _: _nothing(), profile=bench.profile)
    bench.processor = bench.a_processor()
    short = f"{a_text(1)}."
    job = await bench.store.job([filler, short], SPEC)
    await bench.look()
    sizes = [len(each.requests) for each in bench.provider.batches.values()]
    assert sizes == [2, 1]
    assert bench.direct.prompts
    assert (await bench.seen(job.id)).counts.done == 2


class Untaken(MemoryExtractionQueue):
    """A defect: it takes no settlement that goes back to the queue."""

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        if any(each.extraction is None for each in settlements):
            raise RuntimeError("no settlement is taken")
        return await MemoryExtractionQueue.settle(self, worker, settlements)


def asked_again_in_vain() -> BatchBench:
    """Of three texts one fails in passing, and fails again when it is asked directly."""
    bench = BatchBench()
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


async def test_a_submission_of_unknown_end_is_tried_again_later(bench: BatchBench) -> None:
    await bench.job(3)
    away = bench.a_processor(provider=Refusing(kind=FailureKind.SERVER_ERROR, say=answer))
    assert await away.advance(await bench.opened()) == 77
    [row] = bench.tables.batches.values()
    assert row.unsure_since is not None


async def test_a_batched_result_that_cannot_be_stored_fails_alone(bench: BatchBench) -> None:
    job_id = await bench.job(1)
    queue = FaultyQueue(bench.tables, UnicodeError(), results=True)
    await bench.look(bench.a_processor(queue=queue))
    [result] = await bench.results(job_id)
    assert result.state is ItemState.FAILED
    assert result.reason is not None
    assert result.reason.detail == "The result of this text cannot be stored."


@pytest.mark.parametrize("stored", [True, False])
async def test_a_batched_text_that_breaks_the_reader_keeps_the_call_that_was_paid(
    bench: BatchBench, stored: bool
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
