from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from domain.extraction.calls import FailureKind
from domain.extraction.jobs.items import Settlement
from domain.extraction.jobs.model import JobId, JobStatus, WorkerId
from tests.fakes.extraction_jobs import MemoryExtractionQueue
from tests.unit.test_batch_desk import PACE, Bench, _taken_after


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
    assert await bench.processor.advance(batch) == PACE.poll_s
    [taken] = await _taken_after(bench, seconds=61)
    await bench.processor.advance(taken)
    counts = (await bench.seen(job_id)).counts
    assert (counts.valid, counts.pending) == (2, 1)
    assert len(bench.direct.prompts) == 1


async def test_a_settlement_without_a_result_that_is_not_taken_is_a_defect_to_be_seen() -> None:
    bench = asked_again_in_vain()
    await bench.job(3)
    batch = await bench.opened()
    assert await bench.processor.advance(batch) == PACE.poll_s
    [taken] = await _taken_after(bench, seconds=61)
    with pytest.raises(BaseExceptionGroup) as failed:
        await bench.a_desk(queue=Untaken(bench.tables)).advance(taken)
    assert failed.group_contains(RuntimeError, match="no settlement is taken")
