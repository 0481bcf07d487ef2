"""(e) A job of 100,000 documents: the memory of a worker along the way."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Final

from domain.extraction.jobs.model import JobId
from tests.benchmarks.harness import Options, play, provider
from tests.benchmarks.jobs import JobStack, Worker, completed, job_stack
from tests.benchmarks.results import Report, at_most, never_more

_CONCURRENCY: Final = 32
_MEAN_S: Final = 0.05
_MARKS: Final = (1_000, 10_000, 100_000)
_GROWTH: Final = 1.2
_LEAST_RATE_PER_S: Final = 5.0


def run(options: Options) -> Report:
    """One job, one worker, read at each mark and at the end."""
    count = options.documents
    marks = [mark for mark in _MARKS if mark < count] + [count]
    with provider() as fake:
        play(fake, {"latency": {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.5}})
        with job_stack(fake, concurrency=_CONCURRENCY) as stack:
            began_s = time.monotonic()
            job_id = stack.submit(0, count)
            submitted_s = time.monotonic() - began_s
            worker = stack.start_worker()
            began_s = time.monotonic()
            readings: list[dict[str, float]] = []
            for mark in marks:
                reading = _reading(stack, worker, job_id, mark, count)
                readings.append({**reading, "at_s": time.monotonic() - began_s})
            job = stack.wait_until(job_id, completed, timeout_s=60)
            peak_mb = worker.peak_rss_mb()
            right = stack.right(job_id)
        calls = fake.summary()["total"]
    first, last = readings[0], readings[-1]
    start = {"done": 0.0, "at_s": 0.0, "cpu_s": 0.0}
    rows = tuple(
        (
            f"{each['done']:,.0f}",
            f"{each['rss_mb']:.0f}",
            f"{each['at_s']:.0f}",
            f"{(each['done'] - last['done']) / (each['at_s'] - last['at_s']):.0f}",
            f"{1000 * (each['cpu_s'] - last['cpu_s']) / (each['done'] - last['done']):.2f}",
        )
        for last, each in pairwise([start, *readings])
    )
    return Report(
        key="e",
        title="A large job",
        setting=(
            f"A job of {count:,} documents in PostgreSQL, made in {submitted_s:.0f} s, one worker "
            f"with C = {_CONCURRENCY}, latency lognormal {_MEAN_S:g} s (0.5), so that the "
            "processor is the limit. Rate and processor time count from the mark before, the first "
            "from the start of the process. Memory is the resident set of the worker; its "
            f"greatest was {peak_mb:.0f} MB."
        ),
        columns=("documents done", "RSS MB", "after s", "docs/s", "CPU ms/doc"),
        rows=rows,
        targets=(
            at_most(
                "memory at the end over that at the first mark",
                [last["rss_mb"] / first["rss_mb"]],
                _GROWTH,
            ),
            never_more("documents without the right record", [count - right], 0),
            never_more("calls beyond one for each document", [calls - count], 0),
        ),
        data={"readings": readings, "peak_mb": peak_mb, "counts": str(job.counts), "right": right},
    )


def _reading(
    stack: JobStack, worker: Worker, job_id: JobId, mark: int, count: int
) -> dict[str, float]:
    stack.wait_until(
        job_id,
        lambda job: job.counts.done >= mark,
        timeout_s=60 + count / _LEAST_RATE_PER_S,
        every_s=0.25,
    )
    done = float(stack.job(job_id).counts.done)
    return {"done": done, "rss_mb": worker.rss_mb(), "cpu_s": worker.cpu_s()}
