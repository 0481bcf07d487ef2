"""Workers read documents of all callers by turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.access.model import ApiKeyId
from domain.extraction.jobs.items import ClaimedItem
from domain.extraction.jobs.model import JobId, JobPriority
from domain.extraction.jobs.turns import FairShares
from tests.contracts.extraction_jobs import ASSIGNMENT
from tests.unit.job_service import jobs_in_memory

ONE, OTHER, THIRD = (ApiKeyId(number) for number in (1, 2, 3))


def documents(
    caller: ApiKeyId | None, count: int, priority: JobPriority = JobPriority.NORMAL
) -> list[ClaimedItem]:
    spec = replace(ASSIGNMENT, priority=priority)
    return [
        ClaimedItem(
            job_id=JobId(1), position=place, claim=1, text="", attempts=0, spec=spec, key_id=caller
        )
        for place in range(1, count + 1)
    ]


def test_who_had_documents_alone_is_no_more_than_one_document_ahead_of_who_comes() -> None:
    turns = FairShares()
    assert turns.leads() == {}
    turns.note(documents(ONE, 50))
    assert turns.leads() == {ONE: 2}
    turns.note(documents(ONE, 50, JobPriority.LOW))
    assert turns.leads() == {ONE: 4}


def test_who_got_less_than_it_was_due_comes_first_next_time() -> None:
    turns = FairShares()
    turns.note([*documents(ONE, 1), *documents(None, 4)])
    assert turns.leads() == {ONE: 2 - 6, None: 2}
    turns.note(documents(None, 1))
    assert turns.leads() == {None: 2}


def test_those_who_are_on_time_are_forgotten() -> None:
    turns = FairShares()
    for number in range(100):
        turns.note(documents(ApiKeyId(number), 3))
        assert len(turns.leads()) <= 2


def test_a_claim_of_nothing_changes_nothing() -> None:
    turns = FairShares()
    turns.note(documents(ONE, 3))
    turns.note([])
    assert turns.leads() == {ONE: 2}


@given(
    jobs=st.lists(
        st.tuples(
            st.sampled_from([None, ONE, OTHER, THIRD]),
            st.sampled_from(JobPriority),
            st.integers(1, 30),
            st.integers(0, 20),
        ),
        min_size=1,
        max_size=12,
    ),
    limits=st.lists(st.integers(1, 7), min_size=1, max_size=40),
)
def test_no_caller_is_starved_whatever_the_others_send_and_when(
    jobs: Sequence[tuple[ApiKeyId | None, JobPriority, int, int]], limits: Sequence[int]
) -> None:
    """Who has documents waits no longer than four of each other caller take, and one more claim."""

    async def check() -> None:
        _, store = jobs_in_memory()
        worker, turns = await store.worker(), FairShares()
        passed: dict[ApiKeyId | None, int] = {}
        for step, limit in enumerate(limits):
            for caller, priority, count, at in jobs:
                if at == step:
                    texts = [str(number) for number in range(count)]
                    spec = replace(ASSIGNMENT, priority=priority)
                    await store.job(texts, spec, key_id=caller)
            waiting = {job.key_id for job in await store.jobs.page(limit=100) if job.counts.pending}
            claimed = await store.queue.claim(worker, limit=limit, leads=turns.leads())
            turns.note(claimed)
            served = {item.key_id for item in claimed}
            for caller in waiting - served:
                passed[caller] = passed.get(caller, 0) + len(claimed)
                assert passed[caller] <= 3 * 4 + limit
            for caller in served:
                passed[caller] = 0

    asyncio.run(check())
