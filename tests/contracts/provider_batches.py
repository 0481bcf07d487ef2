"""What every store of batches at providers holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.access.model import ModelBudget
from domain.extraction.jobs.items import ItemSettlement, ItemState, JobConsequence
from domain.extraction.jobs.model import (
    JobCaps,
    JobCommand,
    JobPriority,
    JobStatus,
    ProviderMode,
    StatusReason,
    WorkerId,
)
from ports.extraction_jobs import ClaimedBatch, ProviderBatches
from ports.language_models import BatchId
from tests.contracts.contract import Contract
from tests.contracts.extraction_jobs import ASSIGNMENT, SPENT, JobStore, a_result, done

BATCHED = replace(ASSIGNMENT, mode=ProviderMode.BATCH)
LONG_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStore:
    """Jobs and their batches, in one store."""

    jobs: JobStore
    batches: ProviderBatches

    async def opened(self, *, limit: int = 10, lease_s: float = LONG_S) -> ClaimedBatch:
        """A batch that must be there to open."""
        batch = await self.maybe_opened(limit=limit, lease_s=lease_s)
        assert batch is not None
        return batch

    async def maybe_opened(
        self, *, limit: int = 10, lease_s: float = LONG_S
    ) -> ClaimedBatch | None:
        """A batch, if documents are due."""
        return await self.batches.open(WorkerId(uuid4()), limit=limit, lease_s=lease_s)


class ProviderBatchesContract(Contract):
    @pytest.fixture
    def store(self) -> BatchStore:
        raise NotImplementedError

    async def test_a_batch_takes_documents_of_one_job_in_their_order(
        self, store: BatchStore
    ) -> None:
        job = await store.jobs.job(spec=BATCHED)
        batch = await store.opened(limit=2)
        assert batch.job_id == job.id
        assert batch.job_status is JobStatus.RUNNING
        assert batch.spec == BATCHED
        assert (batch.provider_id, batch.prompt_hash, batch.unsure_s) == (None, None, None)
        items = await store.batches.items(batch.id)
        assert [(each.position, each.text) for each in items] == [(1, "one"), (2, "two")]
        assert {each.spec for each in items} == {BATCHED}
        running = [ItemState.RUNNING, ItemState.RUNNING, ItemState.PENDING]
        assert await store.jobs.states(job.id) == running

    async def test_what_is_in_one_batch_is_in_no_other(self, store: BatchStore) -> None:
        await store.jobs.job(spec=BATCHED)
        first, second = await store.opened(limit=2), await store.opened(limit=2)
        assert [each.position for each in await store.batches.items(first.id)] == [1, 2]
        assert [each.position for each in await store.batches.items(second.id)] == [3]
        assert await store.maybe_opened() is None

    async def test_workers_leave_alone_what_is_asked_in_batches_and_batches_the_rest(
        self, store: BatchStore
    ) -> None:
        batched = await store.jobs.job(spec=BATCHED)
        direct = await store.jobs.job(["four"])
        claimed = await store.jobs.queue.claim(await store.jobs.worker(), limit=10)
        assert {each.job_id for each in claimed} == {direct.id}
        assert (await store.opened()).job_id == batched.id
        assert await store.maybe_opened() is None

    async def test_callers_take_turns_and_of_one_the_higher_priority_comes_first(
        self, store: BatchStore
    ) -> None:
        one, other = await store.jobs.new_key(), await store.jobs.new_key()
        high = replace(BATCHED, priority=JobPriority.HIGH)
        jobs = [await store.jobs.job(spec=BATCHED, key_id=one) for _ in range(3)]
        last = await store.jobs.job(spec=high, key_id=one)
        small = await store.jobs.job(["x", "y"], spec=BATCHED, key_id=other)
        opened = [(await store.opened(limit=1)).job_id for _ in range(5)]
        assert opened.count(small.id) == 2
        assert [each for each in opened if each != small.id] == [last.id] * 3
        assert len({*opened[:2]}) == len({*opened[2:4]}) == 2
        rest = [(await store.opened(limit=3)).job_id for _ in jobs]
        assert sorted(rest) == [each.id for each in jobs]

    async def test_jobs_of_a_key_with_a_budget_have_one_batch_at_a_time_and_none_without_any_left(
        self, store: BatchStore
    ) -> None:
        key_id = await store.jobs.new_key(ModelBudget(tokens=300))
        jobs = [await store.jobs.job([*"abcde"], spec=BATCHED, key_id=key_id) for _ in range(2)]
        batch = await store.opened(limit=1)
        assert (batch.budget, batch.spent_today.tokens) == (ModelBudget(tokens=300), 0)
        assert await store.maybe_opened() is None
        free = await store.jobs.job(spec=BATCHED)
        assert (await store.opened()).job_id == free.id
        [item] = await store.batches.items(batch.id)
        await store.jobs.queue.settle(batch.id, [done(item)])
        await store.batches.close(batch.id)
        second = await store.opened(limit=2)
        assert second.spent_today == SPENT.of_key
        items = await store.batches.items(second.id)
        statuses = await store.jobs.queue.settle(second.id, [done(each) for each in items])
        assert statuses == {each.id: JobStatus.PAUSED for each in jobs}
        await store.batches.close(second.id)
        assert await store.maybe_opened() is None

    async def test_the_mode_of_a_job_is_kept(self, store: BatchStore) -> None:
        job = await store.jobs.job(spec=BATCHED)
        assert (await store.jobs.jobs.get(job.id)).spec.mode is ProviderMode.BATCH
        other = await store.jobs.job()
        assert (await store.jobs.jobs.get(other.id)).spec.mode is ProviderMode.DIRECT

    async def test_no_death_and_no_time_gives_its_documents_to_others(
        self, store: BatchStore
    ) -> None:
        job = await store.jobs.job(spec=BATCHED)
        batch = await store.opened()
        await store.jobs.let_pass(timedelta(days=30))
        assert await store.jobs.queue.release_lapsed() == 0
        assert len(await store.batches.items(batch.id)) == 3
        assert set(await store.jobs.states(job.id)) == {ItemState.RUNNING}

    async def test_its_documents_are_settled_as_those_of_a_worker(self, store: BatchStore) -> None:
        job = await store.jobs.job(spec=BATCHED)
        batch = await store.opened()
        first, *others = await store.batches.items(batch.id)
        settlement = ItemSettlement(item=first, state=ItemState.VALID, extraction=a_result("one"))
        await store.jobs.queue.settle(batch.id, [settlement])
        assert await store.batches.items(batch.id) == others
        await store.jobs.queue.settle(batch.id, [settlement])  # comes twice, counts once
        assert (await store.jobs.jobs.get(job.id)).counts.valid == 1

    async def test_a_result_and_the_documents_that_it_answers_are_settled_together(
        self, store: BatchStore
    ) -> None:
        job = await store.jobs.job(["same", "same"], spec=BATCHED)
        batch = await store.opened()
        first, second = await store.batches.items(batch.id)
        result = a_result("same")
        await store.jobs.queue.settle(
            batch.id,
            [
                ItemSettlement(item=first, state=ItemState.VALID, extraction=result),
                ItemSettlement(item=second, state=ItemState.VALID, cached=result.id),
            ],
        )
        stored = await store.jobs.jobs.get(job.id)
        assert stored.status is JobStatus.COMPLETED
        assert (stored.counts.valid, stored.reused) == (2, 1)

    async def test_a_closed_batch_gives_back_what_is_not_settled_and_is_not_taken(
        self, store: BatchStore
    ) -> None:
        job = await store.jobs.job(spec=BATCHED)
        batch = await store.opened(lease_s=0)
        await store.batches.close(batch.id)
        await store.batches.close(batch.id)
        assert set(await store.jobs.states(job.id)) == {ItemState.PENDING}
        assert await store.batches.items(batch.id) == []
        assert await store.batches.take(limit=9, lease_s=LONG_S) == []
        assert not await store.batches.note(batch, provider_id=BatchId("b-1"))
        assert not await store.batches.put_off(batch, seconds=1)

    async def test_a_late_settlement_of_a_closed_batch_changes_nothing(
        self, store: BatchStore
    ) -> None:
        job = await store.jobs.job(["one"], spec=BATCHED)
        batch = await store.opened()
        [item] = await store.batches.items(batch.id)
        await store.batches.close(batch.id)
        late = ItemSettlement(item=item, state=ItemState.VALID, extraction=a_result("one"))
        await store.jobs.queue.settle(batch.id, [late])
        assert await store.jobs.states(job.id) == [ItemState.PENDING]
        assert await store.opened() is not None

    async def test_a_batch_is_taken_once_its_time_has_come(self, store: BatchStore) -> None:
        await store.jobs.job(spec=BATCHED)
        batch = await store.opened(lease_s=LONG_S)
        assert await store.batches.take(limit=9, lease_s=LONG_S) == []
        assert await store.batches.put_off(batch, seconds=0)
        [taken] = await store.batches.take(limit=9, lease_s=LONG_S)
        assert taken.id == batch.id
        assert taken.turn > batch.turn
        assert await store.batches.take(limit=9, lease_s=LONG_S) == []

    async def test_only_who_took_a_batch_last_may_change_it(self, store: BatchStore) -> None:
        await store.jobs.job(spec=BATCHED)
        batch = await store.opened(lease_s=0)
        [taken] = await store.batches.take(limit=9, lease_s=LONG_S)
        assert not await store.batches.note(batch, provider_id=BatchId("of-the-dead"))
        assert not await store.batches.put_off(batch, seconds=0)
        assert await store.batches.note(taken, provider_id=BatchId("b-1"))

    async def test_two_that_take_at_once_never_get_the_same_batch(self, store: BatchStore) -> None:
        await store.jobs.job([str(number) for number in range(12)], spec=BATCHED)
        for _ in range(12):
            await store.opened(limit=1, lease_s=0)
        found = await asyncio.gather(
            *(store.batches.take(limit=3, lease_s=LONG_S) for _ in range(8))
        )
        ids = [each.id for batches in found for each in batches]
        assert len(ids) == len(set(ids)) == 12

    async def test_two_that_open_at_once_share_out_the_documents(self, store: BatchStore) -> None:
        await store.jobs.job([str(number) for number in range(30)], spec=BATCHED)
        found = await asyncio.gather(*(store.maybe_opened(limit=10) for _ in range(6)))
        opened = [each for each in found if each is not None]
        assert opened
        items = [each for batch in opened for each in await store.batches.items(batch.id)]
        assert len(items) == len({each.position for each in items})

    async def test_what_is_known_of_its_submission_is_kept(self, store: BatchStore) -> None:
        await store.jobs.job(spec=BATCHED)
        batch = await store.opened(lease_s=0)
        assert await store.batches.note(batch, prompt_hash="p1", unsure=True)
        [unsure] = await store.batches.take(limit=1, lease_s=0)
        assert unsure.prompt_hash == "p1"
        assert unsure.unsure_s is not None
        assert unsure.provider_id is None
        assert await store.batches.note(unsure, provider_id=BatchId("b-1"))
        [known] = await store.batches.take(limit=1, lease_s=0)
        assert (known.provider_id, known.prompt_hash, known.unsure_s) == ("b-1", "p1", None)
        assert known.age_s >= 0

    async def test_a_job_with_a_cap_has_one_batch_at_a_time(self, store: BatchStore) -> None:
        await store.jobs.job(spec=BATCHED, caps=JobCaps(max_tokens=1_000_000))
        batch = await store.opened(limit=1)
        assert await store.maybe_opened(limit=1) is None
        [item] = await store.batches.items(batch.id)
        done = ItemSettlement(item=item, state=ItemState.VALID, extraction=a_result("one"))
        await store.jobs.queue.settle(batch.id, [done])
        await store.batches.close(batch.id)
        assert (await store.opened(limit=1)).caps == JobCaps(max_tokens=1_000_000)

    @pytest.mark.parametrize("command", [JobCommand.PAUSE, JobCommand.CANCEL])
    async def test_no_batch_is_opened_of_a_job_that_does_not_run(
        self, store: BatchStore, command: JobCommand
    ) -> None:
        job = await store.jobs.job(spec=BATCHED)
        batch = await store.opened(limit=1, lease_s=0)
        await store.jobs.jobs.apply(job.id, command)
        assert await store.maybe_opened() is None
        [taken] = await store.batches.take(limit=1, lease_s=0)
        assert taken.job_status is not JobStatus.RUNNING
        assert taken.id == batch.id

    async def test_no_batch_is_opened_while_the_job_or_the_document_has_to_wait(
        self, store: BatchStore
    ) -> None:
        await store.jobs.job(["one", "two"], spec=BATCHED)
        batch = await store.opened()
        first, second = await store.batches.items(batch.id)
        busy = JobConsequence(reason=StatusReason(code="rate_limited", detail="Wait."), wait_s=60)
        await store.jobs.queue.settle(
            batch.id,
            [
                ItemSettlement(item=first, state=ItemState.PENDING, consequence=busy),
                ItemSettlement(item=second, state=ItemState.PENDING, delay_s=120),
            ],
        )
        await store.batches.close(batch.id)
        assert await store.maybe_opened() is None
        await store.jobs.let_pass(timedelta(seconds=61))
        again = await store.opened()
        assert [each.position for each in await store.batches.items(again.id)] == [1]

    async def test_a_batch_does_not_count_as_a_worker(self, store: BatchStore) -> None:
        await store.jobs.job(spec=BATCHED)
        await store.opened()
        assert await store.jobs.jobs.workers() == 0
