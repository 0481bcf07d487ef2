"""Memory and PostgreSQL walk through the same random lives of jobs and never disagree."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from adapters.postgres.pool import Database
from domain.errors import AppError
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, ItemState, JobConsequence
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobStatus,
    StatusReason,
    WorkerId,
)
from domain.extraction.model import ExtractionStatus
from tests.contracts.extraction_jobs import (
    ASSIGNMENT,
    LEASE_S,
    JobStore,
    done,
    given_back,
)
from tests.fakes.extraction_jobs import (
    MemoryExtractionActivityReader,
    MemoryExtractionCache,
    MemoryExtractionJobRepository,
    MemoryExtractionQueue,
)
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory
from tests.integration.extraction_jobs import jobs_database, jobs_in

_TEXTS = ["a", "b", "c", "d", "e"]
_HALTS = [
    *[None] * 6,
    JobConsequence(reason=StatusReason(code="auth", detail="No."), status=JobStatus.FAILED),
    JobConsequence(
        reason=StatusReason(code="quota_exhausted", detail="No."), status=JobStatus.PAUSED
    ),
    JobConsequence(reason=StatusReason(code="rate_limited", detail="No."), wait_s=30),
]
_COMMANDS = [
    JobCommand.PAUSE,
    JobCommand.RESUME,
    JobCommand.RESUME,
    JobCommand.RESUME,
    JobCommand.CANCEL,
]
Outcome = Callable[[ClaimedItem], ItemSettlement] | None
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.none(),
    st.sampled_from(ExtractionStatus).map(lambda status: partial(done, status=status)),
    st.builds(
        lambda consequence, charged, delay_s: partial(
            given_back, consequence=consequence, charged=charged, delay_s=delay_s
        ),
        st.sampled_from(_HALTS),
        st.booleans(),
        st.sampled_from([0.0, 10.0]),
    ),
)
Pair = tuple[Any, Any]
"""The same thing in memory and in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Side:
    """One store, and the number of each of its jobs in order of their making."""

    store: JobStore
    numbers: dict[JobId, int]

    async def plain(self, found: Any) -> Any:
        """`found` in a form that is the same on both sides: no ids, no times of the clock."""
        if isinstance(found, ExtractionJob):
            return replace(
                found,
                id=JobId(self.numbers[found.id]),
                rate_per_s=None,
                created_at=None,  # type: ignore[arg-type]
                waits_until=None,
                finished_at=None if found.finished_at is None else "then",  # type: ignore[arg-type]
            )
        if isinstance(found, ClaimedItem):
            return replace(found, job_id=JobId(self.numbers[found.job_id]))
        if isinstance(found, AppError):
            return type(found)
        if isinstance(found, dict):
            return {self.numbers[job_id]: status for job_id, status in found.items()}
        if isinstance(found, list):
            return [await self.plain(each) for each in found]
        return found


class Jobs(RuleBasedStateMachine):
    """Each rule does the same on both sides and compares what came of it."""

    loop: asyncio.AbstractEventLoop
    database: Database

    jobs: Bundle[Pair] = Bundle("jobs")
    workers: Bundle[WorkerId] = Bundle("workers")
    items: Bundle[Pair] = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        clock = StandingClock()
        tables = RecordTables(clock=clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        memory = JobStore(
            jobs=MemoryExtractionJobRepository(tables),
            activity=MemoryExtractionActivityReader(tables),
            queue=MemoryExtractionQueue(tables),
            cache=MemoryExtractionCache(tables),
            open_unit=MemoryUnitOfWorkFactory(tables),
            let_pass=let_pass,
            new_key=tables.new_key,
            set_budget=tables.set_budget,
            revoke_key=tables.revoke_key,
        )
        postgres = jobs_in(self.database)
        for table in ("extraction_jobs", "extraction_workers", "extractions"):
            self._run(self.database.execute(f"DELETE FROM {table}"))  # noqa: S608
        self._sides = (Side(memory, {}), Side(postgres, {}))

    def _run(self, work: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await work

        return self.loop.run_until_complete(run())

    def _both(self, work: Callable[[JobStore, int], Awaitable[Any]]) -> Pair:
        """Do `work` on both sides, make sure that the same came of it, and return that."""
        found = []
        for place, side in enumerate(self._sides):

            async def outcome(side: Side = side, place: int = place) -> Any:
                try:
                    return await work(side.store, place)
                except AppError as error:
                    return error

            found.append(self._run(outcome()))
            if isinstance(found[-1], ExtractionJob):
                side.numbers.setdefault(found[-1].id, len(side.numbers))
        plain = [self._run(side.plain(each)) for side, each in zip(self._sides, found, strict=True)]
        assert plain[0] == plain[1]
        return found[0], found[1]

    @rule(
        target=jobs,
        count=st.integers(1, 5),
        tokens=st.none() | st.sampled_from([110, 250]),
    )
    def submit(self, count: int, tokens: int | None) -> Pair:
        made = self._both(
            lambda store, _: store.job(_TEXTS[:count], ASSIGNMENT, JobCaps(max_tokens=tokens))
        )
        return made[0].id, made[1].id

    @initialize(target=jobs)
    def first_job(self) -> Any:
        return self.submit(5, None)

    @initialize(target=workers)
    def first_worker(self) -> Any:
        return self.enlist()

    @rule(target=workers)
    def enlist(self) -> WorkerId:
        worker = WorkerId(uuid4())
        self._both(lambda store, _: store.queue.enlist(worker, host="x", lease_s=LEASE_S))
        return worker

    @rule(target=items, worker=workers)
    def claim(self, worker: WorkerId) -> Any:
        return multiple(*((worker, pair) for pair in self._claimed(worker)))

    def _claimed(self, worker: WorkerId) -> list[Pair]:
        # All that is due, since the order of jobs is left to the store.
        async def all_of_them(store: JobStore, _: int) -> Any:
            claimed = await store.queue.claim(worker, limit=1000)
            return sorted(claimed, key=lambda item: (item.job_id, item.position))

        found = self._both(all_of_them)
        return [] if isinstance(found[0], AppError) else list(zip(*found, strict=True))

    @rule(target=items, worker=workers, plan=st.lists(outcomes, min_size=1, max_size=4))
    def work(self, worker: WorkerId, plan: list[Outcome]) -> Any:
        """Claim, and settle what was claimed by turns as `plan` says; None keeps it."""
        self.renew(worker)
        claimed = self._claimed(worker)
        for pair, outcome in zip(claimed, itertools.cycle(plan), strict=False):
            if outcome is not None:
                self._settle((worker, pair), outcome, worker)
        return multiple(*((worker, pair) for pair in claimed))

    @rule(held=items, outcome=outcomes.filter(bool), other=st.none() | workers)
    def settle_late(self, held: Any, outcome: Outcome, other: WorkerId | None) -> None:
        assert outcome is not None
        self._settle(held, outcome, other or held[0])

    def _settle(self, held: Any, outcome: Outcome, worker: WorkerId) -> None:
        assert outcome is not None
        settlements = [outcome(item) for item in held[1]]
        # The same identity of the result on both sides.
        settlements[1] = replace(settlements[1], extraction=settlements[0].extraction)
        self._both(lambda store, side: store.queue.settle(worker, [settlements[side]]))

    @rule(
        job=jobs,
        command=st.sampled_from(_COMMANDS),
        tokens=st.none() | st.sampled_from([300, 5000]),
    )
    def apply(self, job: Pair, command: JobCommand, tokens: int | None) -> None:
        caps = (
            None
            if tokens is None or command is not JobCommand.RESUME
            else JobCaps(max_tokens=tokens)
        )
        self._both(lambda store, side: store.jobs.apply(job[side], command, caps))

    @rule(worker=workers)
    def renew(self, worker: WorkerId) -> None:
        self._both(lambda store, _: store.queue.renew(worker, lease_s=LEASE_S))

    @rule(target=workers, worker=consumes(workers))
    def retire(self, worker: WorkerId) -> Any:
        self._both(lambda store, _: store.queue.retire(worker))
        return self.enlist()

    @rule(seconds=st.sampled_from([3, 11, LEASE_S, 31]), release=st.booleans())
    def let_pass(self, seconds: float, release: bool) -> None:
        self._both(lambda store, _: store.let_pass(timedelta(seconds=seconds)))
        if release:
            self._both(lambda store, _: store.queue.release_lapsed())

    @rule(worker=workers, keys=st.frozensets(st.sampled_from([b"x", b"y", b"z"]), min_size=1))
    def reserve(self, worker: WorkerId, keys: frozenset[bytes]) -> None:
        self._both(lambda store, _: store.cache.reserve(worker, keys))

    @invariant()
    def everything_is_the_same_and_adds_up(self) -> None:
        async def everything(store: JobStore, _: int) -> Any:
            found = list(await store.jobs.page(limit=100))
            states = [
                [
                    (each.position, each.state, each.attempts, each.reason, each.extraction)
                    for each in await store.jobs.results(job.id, limit=100)
                ]
                for job in found
            ]
            for job, of_job in zip(found, states, strict=True):
                for state in ItemState:
                    counted = sum(each[1] is state for each in of_job)
                    assert counted == getattr(job.counts, state.value), (job, state)
            return [found, states, await store.jobs.workers()]

        if self._sides[0].numbers:
            self._both(everything)


@pytest.fixture
def loop_and_database(module_database_url: str) -> Iterator[None]:
    """A loop of the machine's own: Hypothesis calls its rules without awaiting."""
    Jobs.loop = asyncio.new_event_loop()
    exits = AsyncExitStack()
    try:
        Jobs.database = Jobs.loop.run_until_complete(
            exits.enter_async_context(jobs_database(module_database_url))
        )
        yield
    finally:
        Jobs.loop.run_until_complete(exits.aclose())
        Jobs.loop.close()


@pytest.mark.usefixtures("loop_and_database")
def test_memory_and_postgres_agree_over_every_life_of_a_job() -> None:
    run_state_machine_as_test(
        Jobs, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
