"""What every store of extraction jobs holds, for those who make them and for workers."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.access.model import NO_BUDGET, ApiKeyId, ModelBudget
from domain.errors import Conflict, NotFound
from domain.extraction.activity import CallFigures, ExtractionActivity
from domain.extraction.calls import Attempt, ExtractionFailure, FailureKind, TokenUsage
from domain.extraction.jobs.items import (
    ClaimedItem,
    Document,
    ItemSettlement,
    ItemState,
    JobConsequence,
)
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobPriority,
    JobSpec,
    JobSpending,
    JobStatus,
    NewJob,
    StatusReason,
    WorkerId,
)
from domain.extraction.jobs.turns import FairShares
from domain.extraction.model import (
    Evidence,
    Extraction,
    ExtractionId,
    ExtractionResult,
    ExtractionStatus,
)
from ports.extraction_jobs import (
    CacheKey,
    ExtractionActivityReader,
    ExtractionCache,
    ExtractionJobRepository,
    ExtractionQueue,
    LeaseLost,
)
from ports.unit_of_work import UnitOfWorkFactory
from tests.contracts.contract import Contract

LEASE_S = 20.0
BACK = timedelta(minutes=5)
ASSIGNMENT = JobSpec(schema="default", schema_version=1, providers=("openai",))
QUERY = CacheKey(schema="default", schema_version=1, prompts=(("openai", "p1"),))
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStore:
    """One store that starts empty.

    Attributes:
        let_pass: makes everything that is stored older by so much.
        new_key: makes a key, with which jobs can be made.
        set_budget: gives a key another budget.
        revoke_key: takes a key back.
    """

    jobs: ExtractionJobRepository
    activity: ExtractionActivityReader
    queue: ExtractionQueue
    cache: ExtractionCache
    open_unit: UnitOfWorkFactory
    let_pass: Callable[[timedelta], Awaitable[None]]
    new_key: Callable[..., Awaitable[ApiKeyId]]
    set_budget: Callable[[ApiKeyId, ModelBudget], Awaitable[None]]
    revoke_key: Callable[[ApiKeyId], Awaitable[None]]

    async def job(
        self,
        texts: Sequence[str] = ("one", "two", "three"),
        spec: JobSpec = ASSIGNMENT,
        caps: JobCaps | None = None,
        key_id: ApiKeyId | None = None,
    ) -> ExtractionJob:
        """A job that is there already."""

        async def documents() -> AsyncIterator[Document]:
            for text in texts:
                yield Document(text=text, id=f"doc-{text}")

        async with self.open_unit() as unit:
            draft = NewJob(spec=spec, caps=caps or JobCaps(), key_id=key_id)
            job = await unit.extraction_jobs.add(draft, documents())
            await unit.commit()
        return job

    async def worker(self) -> WorkerId:
        """A worker that is there already."""
        worker = WorkerId(uuid4())
        await self.queue.enlist(worker, host="test", lease_s=LEASE_S)
        return worker

    async def states(self, job_id: JobId) -> list[ItemState]:
        """The states of the job's documents, in order."""
        return [each.state for each in await self.jobs.results(job_id, limit=1000)]


def a_result(
    text: str,
    status: ExtractionStatus = ExtractionStatus.VALID,
    *,
    provider: str = "openai",
    prompt_hash: str = "p1",
    cost_usd: Decimal | None = Decimal("0.001"),
    created_at: datetime = NOW,
) -> Extraction:
    """A result of a call of 110 tokens."""
    failed = status in {ExtractionStatus.REFUSED, ExtractionStatus.FAILED}
    kind = FailureKind.REFUSED if status is ExtractionStatus.REFUSED else FailureKind.INVALID_JSON
    attempt = Attempt(
        provider=provider,
        model="m-1",
        outcome=None,
        usage=TokenUsage(input_tokens=100, cached_tokens=20, output_tokens=10),
        latency_s=0.5,
    )
    result = ExtractionResult(
        status=status,
        schema="default",
        schema_version=1,
        fields={"field_1": None if failed else "Zoë", "field_2": None, "field_3": 3},
        evidence=() if failed else (Evidence(field="field_1", quote="Zoë", start=0, end=3),),
        warnings=(),
        failure=ExtractionFailure(kind=kind, detail="No record.") if failed else None,
        provider=provider,
        model="m-1",
        attempts=(attempt,),
        fallbacks=(),
        prompt_hash=prompt_hash,
        latency_s=0.5,
        cost_usd=cost_usd,
        confidence={} if failed else {"field_1": 0.875, "field_3": 0.5},
    )
    return Extraction(id=ExtractionId(uuid4()), text=text, result=result, created_at=created_at)


SPENT = JobSpending(
    calls=1,
    usage=TokenUsage(input_tokens=100, cached_tokens=20, output_tokens=10),
    cost_usd=Decimal("0.001"),
)


def done(
    item: ClaimedItem, status: ExtractionStatus = ExtractionStatus.VALID, **more: object
) -> ItemSettlement:
    """The document is done by a call."""
    extraction = a_result(item.text, status)
    settled = ItemSettlement(
        item=item, state=ItemState(status.value), extraction=extraction, spending=SPENT
    )
    return replace(settled, **more)  # type: ignore[arg-type]


def given_back(item: ClaimedItem, **more: object) -> ItemSettlement:
    """The document goes back."""
    return replace(ItemSettlement(item=item, state=ItemState.PENDING), **more)  # type: ignore[arg-type]


async def _taken(
    store: JobStore, worker: WorkerId, turns: FairShares, limit: int
) -> Sequence[ClaimedItem]:
    """What a worker that keeps count claims, in the order in which it is due."""
    leads = turns.leads()
    claimed = await store.queue.claim(worker, limit=limit, leads=leads)
    turns.note(claimed)
    begins: Counter[ApiKeyId | None] = Counter(leads)
    order = []
    for item in claimed:
        order.append((begins[item.key_id], item))
        begins[item.key_id] += item.spec.priority.cost
    return [item for _, item in sorted(order, key=lambda each: each[0])]


def _check_windows(
    passed: Sequence[Counter[ApiKeyId | None]], costs: Mapping[ApiKeyId | None, int]
) -> None:
    """Two callers advance alike in each stretch of what was taken, but for a document each."""
    for one, other in itertools.combinations(costs, 2):
        gaps = [counted[one] - counted[other] for counted in passed]
        assert max(gaps) - min(gaps) <= costs[one] + costs[other]


class ExtractionJobsContract(Contract):
    """A suite over `store`."""

    @pytest.fixture
    def store(self) -> JobStore:
        raise NotImplementedError

    # --- what is going on

    async def test_where_nothing_was_done_every_figure_is_0(self, store: JobStore) -> None:
        assert await store.activity.activity(BACK) == ExtractionActivity(
            calls=[], cost_usd={}, jobs={}, open_texts=0, oldest_waiting_s=None, workers=0
        )

    async def test_calls_and_costs_are_those_of_the_time_that_is_asked_for(
        self, store: JobStore
    ) -> None:
        job, worker = await store.job(["new", "old", "unpriced"]), await store.worker()
        claimed = await store.queue.claim(worker, limit=3)
        texts = {item.text: item for item in claimed}
        failed = Attempt(provider="openai", model="m-1", outcome=FailureKind.TIMEOUT, latency_s=2.0)
        new = a_result("new", created_at=job.created_at)
        twice = replace(new, result=replace(new.result, attempts=(failed, *new.result.attempts)))
        old = a_result("old", created_at=job.created_at - 2 * BACK)
        unpriced = a_result("unpriced", provider="local", cost_usd=None, created_at=job.created_at)
        await store.queue.settle(
            worker, [done(texts[each.text], extraction=each) for each in (twice, old, unpriced)]
        )
        found = await store.activity.activity(BACK)
        assert {(each.provider, each.outcome): each for each in found.calls} == {
            ("openai", FailureKind.TIMEOUT): CallFigures(
                provider="openai",
                model="m-1",
                outcome=FailureKind.TIMEOUT,
                calls=1,
                latency_s=2.0,
            ),
            ("openai", None): CallFigures(
                provider="openai", model="m-1", outcome=None, calls=1, latency_s=0.5
            ),
            ("local", None): CallFigures(
                provider="local", model="m-1", outcome=None, calls=1, latency_s=0.5
            ),
        }
        assert found.cost_usd == {("openai", "m-1"): Decimal("0.001")}
        assert (found.jobs, found.open_texts) == ({JobStatus.COMPLETED: 1}, 0)
        assert (await store.jobs.get(job.id)).status is JobStatus.COMPLETED

    async def test_texts_are_open_until_their_end_and_wait_until_they_are_claimed(
        self, store: JobStore
    ) -> None:
        job, paused, worker = await store.job(), await store.job(), await store.worker()
        await store.jobs.apply(paused.id, JobCommand.PAUSE)
        found = await store.activity.activity(BACK)
        assert found.jobs == {JobStatus.RUNNING: 1, JobStatus.PAUSED: 1}
        assert (found.open_texts, found.workers) == (3, 1)
        assert found.oldest_waiting_s is not None
        assert found.oldest_waiting_s >= 0
        claimed = await store.queue.claim(worker, limit=3)
        await store.queue.settle(worker, [done(claimed[0])])
        found = await store.activity.activity(BACK)
        assert (found.open_texts, found.oldest_waiting_s) == (2, None)
        assert (await store.jobs.get(job.id)).counts.running == 2

    # --- taking jobs

    async def test_a_new_job_runs_and_counts_its_documents(self, store: JobStore) -> None:
        caps = JobCaps(max_cost_usd=Decimal(1_000_000_000), max_tokens=2**62)
        assert caps.violations() == []
        spec = JobSpec(
            schema="order_message",
            schema_version=1,
            providers=("openai", "local"),
            reuse=False,
            priority=JobPriority.HIGH,
        )
        key_id = await store.new_key()
        job = await store.job(["a", "b"], spec, caps, key_id)
        assert job == await store.jobs.get(job.id)
        assert job.status is JobStatus.RUNNING
        assert job.reason is None
        assert job.spec == spec
        assert job.caps == caps
        assert job.key_id == key_id
        assert job.counts.total == job.counts.pending == 2
        assert job.spending == JobSpending()
        assert (job.rate_per_s, job.eta_s, job.finished_at) == (None, None, None)

    async def test_documents_keep_their_order_and_names(self, store: JobStore) -> None:
        job = await store.job([str(number) for number in range(50)])
        found = await store.jobs.results(job.id, limit=100)
        assert [each.position for each in found] == list(range(1, 51))
        assert [each.document_id for each in found] == [f"doc-{number}" for number in range(50)]
        assert {each.state for each in found} == {ItemState.PENDING}

    async def test_of_a_job_whose_documents_break_off_nothing_is_left(
        self, store: JobStore
    ) -> None:
        async def broken() -> AsyncIterator[Document]:
            yield Document(text="one")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with store.open_unit() as unit:
                await unit.extraction_jobs.add(NewJob(spec=ASSIGNMENT), broken())
                await unit.commit()
        assert await store.jobs.page(limit=10) == []

    async def test_a_job_without_commit_is_not_there(self, store: JobStore) -> None:
        async def documents() -> AsyncIterator[Document]:
            yield Document(text="one")

        async with store.open_unit() as unit:
            await unit.extraction_jobs.add(NewJob(spec=ASSIGNMENT), documents())
        assert await store.jobs.page(limit=10) == []

    async def test_a_job_of_an_unknown_schema_version_is_refused(self, store: JobStore) -> None:
        with pytest.raises(NotFound, match="version 9"):
            await store.job(spec=replace(ASSIGNMENT, schema_version=9))

    async def test_jobs_are_listed_newest_first(self, store: JobStore) -> None:
        first, second, third = [await store.job() for _ in range(3)]
        assert [job.id for job in await store.jobs.page(limit=2)] == [third.id, second.id]
        rest = await store.jobs.page(limit=2, before=second.id)
        assert [job.id for job in rest] == [first.id]

    async def test_an_unknown_job_is_not_found(self, store: JobStore) -> None:
        nobody = JobId(2_000_000_000)
        for attempt in (
            store.jobs.get(nobody),
            store.jobs.results(nobody, limit=1),
            store.jobs.apply(nobody, JobCommand.PAUSE),
        ):
            with pytest.raises(NotFound, match="2000000000"):
                await attempt

    # --- claiming

    async def test_a_claim_takes_documents_in_order_with_all_that_a_worker_needs(
        self, store: JobStore
    ) -> None:
        job = await store.job()
        worker = await store.worker()
        claimed = await store.queue.claim(worker, limit=2)
        assert [(each.position, each.text) for each in claimed] == [(1, "one"), (2, "two")]
        assert {each.spec for each in claimed} == {ASSIGNMENT}
        assert {(each.job_id, each.claim, each.attempts) for each in claimed} == {(job.id, 1, 0)}
        counts = (await store.jobs.get(job.id)).counts
        assert (counts.pending, counts.running) == (1, 2)

    async def test_no_document_is_claimed_twice(self, store: JobStore) -> None:
        await store.job([str(number) for number in range(60)])
        workers = [await store.worker() for _ in range(6)]
        found = await asyncio.gather(
            *(store.queue.claim(worker, limit=7) for worker in workers for _ in range(3))
        )
        positions = [item.position for claimed in found for item in claimed]
        assert sorted(positions) == list(range(1, 61))

    async def test_nothing_is_claimed_when_nothing_is_there(self, store: JobStore) -> None:
        assert await store.queue.claim(await store.worker(), limit=5) == []

    async def test_each_running_job_gets_its_share(self, store: JobStore) -> None:
        big = await store.job([str(number) for number in range(40)])
        small = await store.job(["x", "y"])
        claimed = await store.queue.claim(await store.worker(), limit=4)
        assert [each.job_id for each in claimed].count(big.id) == 2
        assert [each.job_id for each in claimed].count(small.id) == 2

    async def test_a_caller_with_many_jobs_has_one_turn_as_one_with_few(
        self, store: JobStore
    ) -> None:
        one, other = await store.new_key(), await store.new_key()
        for _ in range(5):
            await store.job([str(number) for number in range(20)], key_id=one)
        await store.job(["x", "y", "z"], key_id=other)
        await store.job([str(number) for number in range(20)])
        worker, turns = await store.worker(), FairShares()
        claimed = [
            item
            for limit in (3, 1, 1, 1, 2, 1)
            for item in await _taken(store, worker, turns, limit)
        ]
        assert Counter(each.key_id for each in claimed) == {one: 3, other: 3, None: 3}

    async def test_of_one_caller_the_higher_priority_comes_first_among_callers_it_weighs(
        self, store: JobStore
    ) -> None:
        key_id, texts = await store.new_key(), [str(number) for number in range(40)]
        low, high = [
            await store.job(texts, replace(ASSIGNMENT, priority=priority), key_id=key_id)
            for priority in (JobPriority.LOW, JobPriority.HIGH)
        ]
        normal = await store.job(texts)
        worker, turns = await store.worker(), FairShares()
        first = [item for _ in range(10) for item in await _taken(store, worker, turns, 3)]
        assert Counter(each.job_id for each in first) == {high.id: 20, normal.id: 10}
        await store.jobs.apply(high.id, JobCommand.PAUSE)
        then = [item for _ in range(10) for item in await _taken(store, worker, turns, 3)]
        assert Counter(each.job_id for each in then) == {low.id: 10, normal.id: 20}

    async def test_whoever_had_nothing_to_do_has_no_more_turns_later_for_it(
        self, store: JobStore
    ) -> None:
        one, other = await store.new_key(), await store.new_key()
        await store.job([str(number) for number in range(90)], key_id=one)
        await store.job(["x"], key_id=other)
        worker, turns = await store.worker(), FairShares()
        for limit in (7, 30, 3):
            await _taken(store, worker, turns, limit)
        await store.job([str(number) for number in range(20)], key_id=other)
        claimed = await _taken(store, worker, turns, 9)  # the first is the other's, then both alike
        assert Counter(each.key_id for each in claimed) == {one: 4, other: 5}

    async def test_a_callers_turn_is_not_lost_with_documents_that_wait(
        self, store: JobStore
    ) -> None:
        one, other = await store.new_key(), await store.new_key()
        await store.job(["a", "b"], key_id=one)
        await store.job([str(number) for number in range(9)], key_id=other)
        worker = await store.worker()
        claimed = await store.queue.claim(worker, limit=2)
        waiting = [given_back(each, delay_s=30.0) for each in claimed if each.key_id == one]
        await store.queue.settle(worker, waiting)
        found = await store.queue.claim(worker, limit=9, leads={other: 100})
        assert Counter(each.key_id for each in found) == {one: 1, other: 8}

    @pytest.mark.parametrize("seed", range(4))
    async def test_in_any_window_no_caller_gets_more_than_a_documents_cost_ahead_of_another(
        self, store: JobStore, seed: int
    ) -> None:
        chance = random.Random(seed)
        costs: dict[ApiKeyId | None, int] = {}
        for caller in [None, *[await store.new_key() for _ in range(3)]]:
            spec = replace(ASSIGNMENT, priority=chance.choice(list(JobPriority)))
            await store.job([str(number) for number in range(120)], spec, key_id=caller)
            costs[caller] = spec.priority.cost
        workers = [(await store.worker(), FairShares()) for _ in range(2)]
        passed = {worker: [Counter[ApiKeyId | None]()] for worker, _ in workers}
        for _ in range(16):
            worker, turns = chance.choice(workers)
            for item in await _taken(store, worker, turns, chance.randint(1, 9)):
                passed[worker].append(passed[worker][-1].copy())
                passed[worker][-1][item.key_id] += costs[item.key_id]
            _check_windows(passed[worker], costs)

    async def test_an_unknown_worker_claims_nothing(self, store: JobStore) -> None:
        await store.job()
        with pytest.raises(LeaseLost):
            await store.queue.claim(WorkerId(uuid4()), limit=1)

    async def test_a_worker_whose_lease_is_over_claims_nothing(self, store: JobStore) -> None:
        await store.job()
        worker = await store.worker()
        await store.let_pass(timedelta(seconds=LEASE_S + 1))
        with pytest.raises(LeaseLost):
            await store.queue.claim(worker, limit=1)

    # --- leases

    async def test_a_dead_workers_documents_go_to_others(self, store: JobStore) -> None:
        await store.job()
        dead, alive = await store.worker(), await store.worker()
        await store.queue.claim(dead, limit=2)
        await store.let_pass(timedelta(seconds=LEASE_S - 1))
        await store.queue.renew(alive, lease_s=LEASE_S)
        assert await store.queue.release_lapsed() == 0
        await store.let_pass(timedelta(seconds=2))
        assert await store.queue.release_lapsed() == 2
        assert await store.queue.release_lapsed() == 0
        claimed = await store.queue.claim(alive, limit=9)
        assert [(each.position, each.claim) for each in claimed] == [(1, 2), (2, 2), (3, 1)]

    async def test_a_renewed_lease_keeps_what_the_worker_has(self, store: JobStore) -> None:
        job = await store.job()
        worker = await store.worker()
        await store.queue.claim(worker, limit=1)
        for _ in range(3):
            await store.let_pass(timedelta(seconds=LEASE_S - 1))
            assert await store.queue.renew(worker, lease_s=LEASE_S) == {job.id: job.status}
        assert await store.queue.release_lapsed() == 0

    async def test_a_late_renewal_holds_as_long_as_nobody_took_over(self, store: JobStore) -> None:
        await store.job()
        worker = await store.worker()
        await store.let_pass(timedelta(seconds=LEASE_S * 3))
        await store.queue.renew(worker, lease_s=LEASE_S)
        assert await store.queue.release_lapsed() == 0
        assert len(await store.queue.claim(worker, limit=9)) == 3

    async def test_a_renewal_after_others_took_over_is_refused(self, store: JobStore) -> None:
        await store.job()
        worker = await store.worker()
        await store.let_pass(timedelta(seconds=LEASE_S + 1))
        await store.queue.release_lapsed()
        with pytest.raises(LeaseLost):
            await store.queue.renew(worker, lease_s=LEASE_S)

    async def test_a_retiring_worker_gives_back_what_it_has_and_no_more(
        self, store: JobStore
    ) -> None:
        job = await store.job()
        one, two = await store.worker(), await store.worker()
        await store.queue.claim(one, limit=2)
        await store.queue.claim(two, limit=1)
        await store.queue.retire(one)
        assert await store.states(job.id) == [
            ItemState.PENDING,
            ItemState.PENDING,
            ItemState.RUNNING,
        ]
        with pytest.raises(LeaseLost):
            await store.queue.renew(one, lease_s=LEASE_S)

    async def test_workers_are_counted_while_their_lease_lasts(self, store: JobStore) -> None:
        assert await store.jobs.workers() == 0
        one, two = await store.worker(), await store.worker()
        assert await store.jobs.workers() == 2
        await store.queue.retire(one)
        assert await store.jobs.workers() == 1
        await store.let_pass(timedelta(seconds=LEASE_S + 1))
        assert await store.jobs.workers() == 0
        await store.queue.renew(two, lease_s=LEASE_S)
        assert await store.jobs.workers() == 1

    # --- settling

    async def test_a_settled_document_shows_its_whole_result(self, store: JobStore) -> None:
        job = await store.job(["Zoë wants 3"])
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        settlement = done(item)
        assert await store.queue.settle(worker, [settlement]) == {job.id: JobStatus.COMPLETED}
        [found] = await store.jobs.results(job.id, limit=5)
        assert found.extraction == settlement.extraction
        assert (found.state, found.reason, found.reused) == (ItemState.VALID, None, False)
        assert found.finished_at is not None

    async def test_a_job_adds_up_what_its_documents_came_to_and_cost(self, store: JobStore) -> None:
        job = await store.job(["a", "b", "c", "d", "e"])
        worker = await store.worker()
        a, b, c, d = await store.queue.claim(worker, limit=4)
        failed = StatusReason(code="invalid_json", detail="No record.")
        await store.queue.settle(
            worker,
            [
                done(a),
                done(b, ExtractionStatus.PARTIAL),
                done(c, ExtractionStatus.REFUSED, reason=failed),
                done(d, ExtractionStatus.FAILED, reason=failed),
            ],
        )
        found = await store.jobs.get(job.id)
        counts = found.counts
        assert (counts.valid, counts.partial, counts.refused, counts.failed) == (1, 1, 1, 1)
        assert (counts.pending, counts.running, counts.cancelled, counts.done) == (1, 0, 0, 4)
        assert found.spending == SPENT + SPENT + SPENT + SPENT
        assert found.rate_per_s is not None
        assert found.rate_per_s > 0
        assert found.eta_s is not None
        assert found.status is JobStatus.RUNNING

    async def test_the_last_document_completes_the_job(self, store: JobStore) -> None:
        job = await store.job(["a", "b"])
        worker = await store.worker()
        a, b = await store.queue.claim(worker, limit=2)
        assert await store.queue.settle(worker, [done(a)]) == {job.id: JobStatus.RUNNING}
        assert await store.queue.settle(worker, [done(b)]) == {job.id: JobStatus.COMPLETED}
        found = await store.jobs.get(job.id)
        assert found.status is JobStatus.COMPLETED
        assert found.finished_at is not None
        assert await store.queue.claim(worker, limit=5) == []

    async def test_a_settlement_that_comes_twice_counts_once(self, store: JobStore) -> None:
        job = await store.job()
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        settlement = done(item)
        for _ in range(3):
            await store.queue.settle(worker, [settlement])
        found = await store.jobs.get(job.id)
        assert found.counts.valid == 1
        assert found.spending == SPENT

    async def test_a_worker_that_lost_its_lease_overwrites_nothing(self, store: JobStore) -> None:
        job = await store.job(["a"])
        slow = await store.worker()
        [old] = await store.queue.claim(slow, limit=1)
        await store.let_pass(timedelta(seconds=LEASE_S + 1))
        await store.queue.release_lapsed()
        await store.queue.settle(slow, [done(old, ExtractionStatus.FAILED)])
        assert await store.states(job.id) == [ItemState.PENDING]
        quick = await store.worker()
        [new] = await store.queue.claim(quick, limit=1)
        await store.queue.settle(slow, [done(old, ExtractionStatus.FAILED)])
        assert await store.states(job.id) == [ItemState.RUNNING]
        await store.queue.settle(quick, [done(new)])
        await store.queue.settle(slow, [done(old, ExtractionStatus.FAILED)])
        assert await store.states(job.id) == [ItemState.VALID]
        assert (await store.jobs.get(job.id)).spending == SPENT

    async def test_a_claim_that_was_given_back_cannot_settle(self, store: JobStore) -> None:
        job = await store.job(["a"])
        worker = await store.worker()
        [first] = await store.queue.claim(worker, limit=1)
        await store.queue.settle(worker, [given_back(first)])
        [second] = await store.queue.claim(worker, limit=1)
        await store.queue.settle(worker, [done(first)])
        assert await store.states(job.id) == [ItemState.RUNNING]
        await store.queue.settle(worker, [done(second)])
        assert await store.states(job.id) == [ItemState.VALID]

    async def test_settlements_of_several_jobs_go_together(self, store: JobStore) -> None:
        one, two = await store.job(["a"]), await store.job(["b"])
        worker = await store.worker()
        claimed = await store.queue.claim(worker, limit=2)
        statuses = await store.queue.settle(worker, [done(item) for item in claimed])
        assert statuses == {one.id: JobStatus.COMPLETED, two.id: JobStatus.COMPLETED}

    async def test_a_charged_document_waits_and_remembers_its_attempts(
        self, store: JobStore
    ) -> None:
        job = await store.job(["a"])
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        reason = StatusReason(code="timeout", detail="No answer in time.")
        await store.queue.settle(
            worker, [given_back(item, charged=True, delay_s=30.0, reason=reason, spending=SPENT)]
        )
        [found] = await store.jobs.results(job.id, limit=1)
        assert (found.state, found.attempts, found.reason) == (ItemState.PENDING, 1, reason)
        assert (await store.jobs.get(job.id)).spending == SPENT
        assert await store.queue.claim(worker, limit=1) == []
        await store.let_pass(timedelta(seconds=31))
        await store.queue.renew(worker, lease_s=LEASE_S)
        [again] = await store.queue.claim(worker, limit=1)
        assert (again.attempts, again.claim) == (1, 2)

    async def test_a_document_that_is_given_back_is_due_at_once(self, store: JobStore) -> None:
        await store.job(["a"])
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        await store.queue.settle(worker, [given_back(item)])
        [again] = await store.queue.claim(worker, limit=1)
        assert again.attempts == 0

    # --- what a failure means for the job

    async def test_a_failure_that_concerns_all_stops_the_job_until_it_is_resumed(
        self, store: JobStore
    ) -> None:
        job = await store.job()
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        reason = StatusReason(code="auth", detail="The key is refused.")
        consequence = JobConsequence(reason=reason, status=JobStatus.FAILED)
        statuses = await store.queue.settle(worker, [given_back(item, consequence=consequence)])
        assert statuses == {job.id: JobStatus.FAILED}
        found = await store.jobs.get(job.id)
        assert (found.status, found.reason) == (JobStatus.FAILED, reason)
        assert found.counts.pending == 3
        assert await store.queue.claim(worker, limit=5) == []
        resumed = await store.jobs.apply(job.id, JobCommand.RESUME)
        assert (resumed.status, resumed.reason) == (JobStatus.RUNNING, None)
        assert len(await store.queue.claim(worker, limit=5)) == 3

    async def test_a_failure_comes_before_a_pause(self, store: JobStore) -> None:
        job = await store.job()
        worker = await store.worker()
        claimed = await store.queue.claim(worker, limit=2)
        consequences = [
            JobConsequence(reason=StatusReason(code=status, detail="Why."), status=status)
            for status in (JobStatus.PAUSED, JobStatus.FAILED)
        ]
        settlements = [
            given_back(item, consequence=consequence)
            for item, consequence in zip(claimed, consequences, strict=True)
        ]
        assert await store.queue.settle(worker, settlements) == {job.id: JobStatus.FAILED}

    async def test_a_wait_that_a_provider_asks_for_holds_for_all_workers(
        self, store: JobStore
    ) -> None:
        job = await store.job()
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        consequence = JobConsequence(
            reason=StatusReason(code="rate_limited", detail="Wait."), wait_s=15.0
        )
        assert await store.queue.settle(worker, [given_back(item, consequence=consequence)]) == {
            job.id: JobStatus.RUNNING
        }
        assert (await store.jobs.get(job.id)).waits_until is not None
        assert await store.queue.claim(await store.worker(), limit=5) == []
        await store.let_pass(timedelta(seconds=16))
        assert len(await store.queue.claim(worker, limit=5)) == 3

    async def test_a_job_under_a_former_name_of_a_provider_goes_on_with_it(
        self, store: JobStore
    ) -> None:
        job = await store.job(spec=replace(ASSIGNMENT, providers=("vllm",)))
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        consequence = JobConsequence(
            reason=StatusReason(code="rate_limited", detail="Wait."), wait_s=3600.0
        )
        await store.queue.settle(worker, [given_back(item, consequence=consequence)])
        assert (await store.jobs.get(job.id)).spec.providers == ("vllm",), "it reads as it was"
        assert await store.jobs.stop_waiting("openai_compatible") == 1

    async def test_a_wait_ends_when_its_provider_is_opened_by_hand(self, store: JobStore) -> None:
        job = await store.job()
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        consequence = JobConsequence(
            reason=StatusReason(code="rate_limited", detail="Wait."), wait_s=3600.0
        )
        await store.queue.settle(worker, [given_back(item, consequence=consequence)])
        assert await store.jobs.stop_waiting("gemini") == 0
        assert await store.queue.claim(worker, limit=5) == []
        assert await store.jobs.stop_waiting("openai") == 1
        assert (await store.jobs.get(job.id)).waits_until is None
        assert len(await store.queue.claim(worker, limit=5)) == 3
        assert await store.jobs.stop_waiting("openai") == 0

    @pytest.mark.parametrize(
        ("caps", "raised", "code"),
        [
            (JobCaps(max_tokens=200), JobCaps(max_tokens=500), "token_cap"),
            (
                JobCaps(max_cost_usd=Decimal("0.002")),
                JobCaps(max_cost_usd=Decimal("0.005")),
                "cost_cap",
            ),
        ],
    )
    async def test_a_reached_cap_pauses_the_job_until_it_is_raised(
        self, store: JobStore, caps: JobCaps, raised: JobCaps, code: str
    ) -> None:
        job = await store.job(caps=caps)
        worker = await store.worker()
        a, b = await store.queue.claim(worker, limit=2)
        assert await store.queue.settle(worker, [done(a)]) == {job.id: JobStatus.RUNNING}
        assert await store.queue.settle(worker, [done(b)]) == {job.id: JobStatus.PAUSED}
        found = await store.jobs.get(job.id)
        assert found.reason is not None
        assert found.reason.code == code
        assert await store.queue.claim(worker, limit=1) == []
        with pytest.raises(Conflict, match="stop again at once"):
            await store.jobs.apply(job.id, JobCommand.RESUME)
        resumed = await store.jobs.apply(job.id, JobCommand.RESUME, raised)
        assert resumed.status is JobStatus.RUNNING
        assert resumed.caps == raised
        assert len(await store.queue.claim(worker, limit=9)) == 1

    async def test_a_price_that_is_not_known_pauses_a_job_with_a_cost_cap(
        self, store: JobStore
    ) -> None:
        job = await store.job(caps=JobCaps(max_cost_usd=Decimal(1)))
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        unpriced = replace(SPENT, cost_usd=Decimal(0), unpriced_calls=1)
        statuses = await store.queue.settle(worker, [done(item, spending=unpriced)])
        assert statuses == {job.id: JobStatus.PAUSED}
        reason = (await store.jobs.get(job.id)).reason
        assert reason is not None
        assert reason.code == "unknown_price"

    async def test_a_cap_that_the_last_document_reaches_does_not_hold_up_the_end(
        self, store: JobStore
    ) -> None:
        job = await store.job(["a"], caps=JobCaps(max_tokens=1))
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        assert await store.queue.settle(worker, [done(item)]) == {job.id: JobStatus.COMPLETED}

    async def test_a_used_up_budget_pauses_all_jobs_of_its_key_until_the_next_day(
        self, store: JobStore
    ) -> None:
        key_id = await store.new_key(ModelBudget(tokens=200))
        job, other = [await store.job(["a", "b", "c"], key_id=key_id) for _ in range(2)]
        free = await store.job(["d"])
        worker = await store.worker()
        claimed = await store.queue.claim(worker, limit=5)
        a, b = [each for each in claimed if each.job_id == job.id][:2]
        assert await store.queue.settle(worker, [done(a)]) == {job.id: JobStatus.RUNNING}
        paused = {job.id: JobStatus.PAUSED, other.id: JobStatus.PAUSED}
        assert await store.queue.settle(worker, [done(b)]) == paused
        for each in (job, other):
            found = await store.jobs.get(each.id)
            assert found.reason is not None
            assert found.reason.code == "model_budget"
            with pytest.raises(Conflict, match="220 of 200 tokens a day are used"):
                await store.jobs.apply(each.id, JobCommand.RESUME)
        assert (await store.jobs.get(free.id)).status is JobStatus.RUNNING
        assert await store.queue.hold_to_budgets() == {}
        await store.let_pass(timedelta(days=1))
        assert await store.queue.hold_to_budgets() == dict.fromkeys(paused, JobStatus.RUNNING)
        found = await store.jobs.get(job.id)
        assert (found.status, found.reason) == (JobStatus.RUNNING, None)
        assert await store.queue.claim(await store.worker(), limit=9)

    async def test_a_job_goes_on_when_the_budget_is_raised_but_not_after_its_key_was_revoked(
        self, store: JobStore
    ) -> None:
        budget = ModelBudget(usd=Decimal("0.001"))
        keys = [await store.new_key(budget) for _ in range(2)]
        job, other = [await store.job(["a", "b"], key_id=key_id) for key_id in keys]
        worker = await store.worker()
        for item in await store.queue.claim(worker, limit=4):
            if item.position == 1:
                await store.queue.settle(worker, [done(item)])
            else:
                await store.queue.settle(worker, [given_back(item)])
        await store.revoke_key(keys[1])
        for key_id in keys:
            await store.set_budget(key_id, ModelBudget(usd=Decimal("0.002")))
        assert await store.queue.hold_to_budgets() == {job.id: JobStatus.RUNNING}
        resumed = await store.jobs.apply(other.id, JobCommand.RESUME)
        assert resumed.status is JobStatus.RUNNING

    async def test_what_was_paused_by_hand_or_by_a_cap_is_not_resumed_by_itself(
        self, store: JobStore
    ) -> None:
        key_id = await store.new_key(ModelBudget(tokens=110))
        by_hand = await store.job(["a"], key_id=key_id)
        await store.jobs.apply(by_hand.id, JobCommand.PAUSE)
        capped = await store.job(["b", "c"], caps=JobCaps(max_tokens=1), key_id=key_id)
        worker = await store.worker()
        [item, _] = await store.queue.claim(worker, limit=2)
        assert await store.queue.settle(worker, [done(item)]) == {capped.id: JobStatus.PAUSED}
        with pytest.raises(Conflict, match="110 of 110 tokens a day"):
            await store.jobs.apply(by_hand.id, JobCommand.RESUME)
        await store.let_pass(timedelta(days=1))
        assert await store.queue.hold_to_budgets() == {}
        reason = (await store.jobs.get(capped.id)).reason
        assert reason is not None
        assert reason.code == "token_cap"

    async def test_a_budget_that_was_used_up_elsewhere_pauses_a_job_that_nobody_reads(
        self, store: JobStore
    ) -> None:
        key_id = await store.new_key(NO_BUDGET)
        job = await store.job(["a"], key_id=key_id)
        await store.set_budget(key_id, ModelBudget(tokens=0))
        worker = await store.worker()
        assert await store.queue.claim(worker, limit=1) == []
        assert await store.queue.hold_to_budgets() == {job.id: JobStatus.PAUSED}

    async def test_a_call_of_unknown_price_uses_up_a_budget_in_dollars(
        self, store: JobStore
    ) -> None:
        key_id = await store.new_key(ModelBudget(usd=Decimal(100)))
        job = await store.job(["a", "b"], key_id=key_id)
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        unpriced = replace(SPENT, cost_usd=Decimal(0), unpriced_calls=1)
        statuses = await store.queue.settle(worker, [done(item, spending=unpriced)])
        assert statuses == {job.id: JobStatus.PAUSED}

    async def test_an_answer_that_is_known_costs_a_budget_nothing(self, store: JobStore) -> None:
        known = a_result("a")
        await self._store(store, known)
        key_id = await store.new_key(ModelBudget(tokens=1))
        job = await store.job(["a", "b"], key_id=key_id)
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        settlement = ItemSettlement(item=item, state=ItemState.VALID, cached=known.id)
        assert await store.queue.settle(worker, [settlement]) == {job.id: JobStatus.RUNNING}

    # --- orders

    async def test_a_paused_job_gives_out_nothing_and_takes_what_is_under_way(
        self, store: JobStore
    ) -> None:
        job = await store.job()
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        paused = await store.jobs.apply(job.id, JobCommand.PAUSE)
        assert paused.status is JobStatus.PAUSED
        assert paused.reason is not None
        assert paused.reason.code == "requested"
        assert await store.queue.renew(worker, lease_s=LEASE_S) == {job.id: JobStatus.PAUSED}
        assert await store.queue.claim(worker, limit=5) == []
        assert await store.queue.settle(worker, [done(item)]) == {job.id: JobStatus.PAUSED}
        assert (await store.jobs.get(job.id)).counts.valid == 1
        assert (await store.jobs.apply(job.id, JobCommand.PAUSE)).status is JobStatus.PAUSED

    async def test_of_a_cancelled_job_every_document_has_an_end(self, store: JobStore) -> None:
        job = await store.job()
        worker = await store.worker()
        a, b = await store.queue.claim(worker, limit=2)
        await store.queue.settle(worker, [done(a)])
        cancelled = await store.jobs.apply(job.id, JobCommand.CANCEL)
        assert cancelled.status is JobStatus.CANCELLED
        assert cancelled.finished_at is not None
        assert (cancelled.counts.running, cancelled.counts.cancelled) == (1, 1)
        await store.queue.settle(worker, [given_back(b)])
        counts = (await store.jobs.get(job.id)).counts
        assert (counts.valid, counts.cancelled, counts.pending, counts.running) == (1, 2, 0, 0)
        ended = [ItemState.VALID, ItemState.CANCELLED, ItemState.CANCELLED]
        assert await store.states(job.id) == ended
        found = await store.jobs.results(job.id, state=ItemState.CANCELLED, limit=9)
        assert [each.position for each in found] == [2, 3]
        assert all(each.reason is not None for each in found)
        assert await store.jobs.results(job.id, state=ItemState.PENDING, limit=9) == []

    async def test_orders_that_do_not_fit_the_status_are_refused(self, store: JobStore) -> None:
        job = await store.job(["a"])
        assert (await store.jobs.apply(job.id, JobCommand.RESUME)).status is JobStatus.RUNNING
        await store.jobs.apply(job.id, JobCommand.CANCEL)
        assert (await store.jobs.apply(job.id, JobCommand.CANCEL)).status is JobStatus.CANCELLED
        for command in (JobCommand.PAUSE, JobCommand.RESUME):
            with pytest.raises(Conflict, match=f"cancelled; it cannot {command}"):
                await store.jobs.apply(job.id, command)
        other = await store.job(["b"])
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        await store.queue.settle(worker, [done(item)])
        for command in JobCommand:
            with pytest.raises(Conflict, match="completed"):
                await store.jobs.apply(other.id, command)

    # --- results

    async def test_results_are_read_page_by_page_and_by_state(self, store: JobStore) -> None:
        job = await store.job([str(number) for number in range(10)])
        worker = await store.worker()
        claimed = await store.queue.claim(worker, limit=8)
        odd = [
            done(each, ExtractionStatus.PARTIAL if each.position % 2 else ExtractionStatus.VALID)
            for each in claimed
        ]
        await store.queue.settle(worker, odd)
        first = await store.jobs.results(job.id, state=ItemState.PARTIAL, limit=3)
        assert [each.position for each in first] == [1, 3, 5]
        rest = await store.jobs.results(job.id, state=ItemState.PARTIAL, limit=3, after=5)
        assert [each.position for each in rest] == [7]
        pending = await store.jobs.results(job.id, state=ItemState.PENDING, limit=5)
        assert [each.position for each in pending] == [9, 10]

    # --- what is known

    async def test_a_stored_extraction_answers_the_same_query(self, store: JobStore) -> None:
        extraction = a_result("same text")
        await self._store(store, extraction)
        found = await store.cache.lookup(["same text", "other text"], QUERY)
        assert {text: each.id for text, each in found.items()} == {"same text": extraction.id}
        assert found["same text"].status is ExtractionStatus.VALID

    @pytest.mark.parametrize(
        "query",
        [
            CacheKey(schema="order_message", schema_version=1, prompts=(("openai", "p1"),)),
            CacheKey(schema="default", schema_version=2, prompts=(("openai", "p1"),)),
            CacheKey(schema="default", schema_version=1, prompts=(("gemini", "p1"),)),
            CacheKey(schema="default", schema_version=1, prompts=(("openai", "p2"),)),
        ],
    )
    async def test_another_query_is_not_answered(self, store: JobStore, query: CacheKey) -> None:
        await self._store(store, a_result("same text"))
        assert await store.cache.lookup(["same text"], query) == {}

    async def test_what_failed_or_was_refused_is_asked_again(self, store: JobStore) -> None:
        await self._store(
            store, a_result("a", ExtractionStatus.FAILED), a_result("b", ExtractionStatus.REFUSED)
        )
        await self._store(store, a_result("c", ExtractionStatus.PARTIAL))
        found = await store.cache.lookup(["a", "b", "c"], QUERY)
        assert {text: each.status for text, each in found.items()} == {
            "c": ExtractionStatus.PARTIAL
        }

    async def test_the_preferred_providers_newest_record_is_taken(self, store: JobStore) -> None:
        older = a_result("a", created_at=NOW - timedelta(days=1))
        newer, local = a_result("a"), a_result("a", provider="local", prompt_hash="p9")
        await self._store(store, newer, older, local)
        both = CacheKey(
            schema="default", schema_version=1, prompts=(("openai", "p1"), ("local", "p9"))
        )
        turned = replace(both, prompts=both.prompts[::-1])
        assert (await store.cache.lookup(["a"], both))["a"].id == newer.id
        assert (await store.cache.lookup(["a"], turned))["a"].id == local.id

    async def test_a_known_record_settles_a_document_without_cost(self, store: JobStore) -> None:
        extraction = a_result("a")
        await self._store(store, extraction)
        job = await store.job(["a"])
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        settlement = ItemSettlement(item=item, state=ItemState.VALID, cached=extraction.id)
        assert await store.queue.settle(worker, [settlement]) == {job.id: JobStatus.COMPLETED}
        found = await store.jobs.get(job.id)
        assert (found.reused, found.counts.valid, found.spending) == (1, 1, JobSpending())
        [result] = await store.jobs.results(job.id, limit=1)
        assert result.reused
        assert result.extraction == extraction

    async def test_a_result_of_a_job_is_known_afterwards(self, store: JobStore) -> None:
        await store.job(["a"])
        worker = await store.worker()
        [item] = await store.queue.claim(worker, limit=1)
        settlement = done(item)
        await store.queue.settle(worker, [settlement])
        found = await store.cache.lookup(["a"], QUERY)
        assert settlement.extraction is not None
        assert found["a"].id == settlement.extraction.id

    async def test_one_worker_at_a_time_reserves_a_cache_key(self, store: JobStore) -> None:
        one, two = await store.worker(), await store.worker()
        assert await store.cache.reserve(one, [b"x", b"y"]) == {b"x", b"y"}
        assert await store.cache.reserve(two, [b"y", b"z"]) == {b"z"}
        assert await store.cache.reserve(one, [b"x"]) == {b"x"}
        await store.cache.release(two, [b"x", b"z"])
        assert await store.cache.reserve(two, [b"x", b"z"]) == {b"z"}
        await store.cache.release(one, [b"x"])
        assert await store.cache.reserve(two, [b"x"]) == {b"x"}

    async def test_a_settlement_ends_its_reservation(self, store: JobStore) -> None:
        await store.job(["a"])
        one, two = await store.worker(), await store.worker()
        [item] = await store.queue.claim(one, limit=1)
        await store.cache.reserve(one, [b"x"])
        await store.queue.settle(one, [done(item, cache_key=b"x")])
        assert await store.cache.reserve(two, [b"x"]) == {b"x"}

    async def test_reservations_go_with_their_worker(self, store: JobStore) -> None:
        one, two, three = [await store.worker() for _ in range(3)]
        await store.cache.reserve(one, [b"x"])
        await store.cache.reserve(two, [b"y"])
        await store.queue.retire(one)
        assert await store.cache.reserve(three, [b"x", b"y"]) == {b"x"}
        await store.let_pass(timedelta(seconds=LEASE_S + 1))
        await store.queue.renew(three, lease_s=LEASE_S)
        await store.queue.release_lapsed()
        assert await store.cache.reserve(three, [b"y"]) == {b"y"}
        for key in (b"w", b"x"):
            with pytest.raises(LeaseLost):
                await store.cache.reserve(two, [key])

    async def _store(self, store: JobStore, *extractions: Extraction) -> None:
        async with store.open_unit() as unit:
            for extraction in extractions:
                await unit.extractions.add(extraction)
            await unit.commit()
