"""(g) The provider's quota runs out in the middle of a job, and comes back."""

from __future__ import annotations

import time
from typing import Any, Final

from domain.extraction.jobs.model import JobStatus
from fake_provider.testing import FakeProcess
from tests.benchmarks.harness import Options, play, provider
from tests.benchmarks.jobs import completed, job_stack
from tests.benchmarks.results import Report, Target, never_more, spread

_PROCESSES: Final = 2
_CONCURRENCY: Final = 32
_MEAN_S: Final = 0.5
_OUT: Final = "quota_exhausted"
_SETTLE_S: Final = 10.0
_TIMEOUT_S: Final = 300.0


def run(options: Options) -> Report:
    """One job each repeat."""
    count, quota = options.pick(2000, 600), options.pick(500, 200)
    with provider() as fake:
        runs = [
            _exhausted(fake, count=count, quota=quota, seed=repeat)
            for repeat in range(options.repeats)
        ]
    return Report(
        key="g",
        title="An exhausted quota",
        setting=(
            f"A job of {count} documents in PostgreSQL, {_PROCESSES} workers with C = "
            f"{_CONCURRENCY} each, latency lognormal {_MEAN_S:g} s (0.5). The provider answers "
            f"{quota} calls and then says that the quota is used up. Under way: calls at the "
            f"provider at that moment. Further calls: those that came after it, until "
            f"{_SETTLE_S:g} s after the job paused itself. Then the quota is lifted and the job "
            "resumed. The workers have "
            f"{_PROCESSES * _CONCURRENCY} documents in hand, the bound of what can still go out. "
            "Repeated: calls that were answered beyond one for each document."
        ),
        columns=("under way", "further calls", "refused", "paused after s", "lost", "repeated"),
        rows=(
            tuple(
                spread([each[name] for each in runs], digits=digits)
                for name, digits in (
                    ("under_way", 0),
                    ("further", 0),
                    ("refused", 0),
                    ("paused_s", 2),
                    ("lost", 0),
                    ("repeated", 0),
                )
            ),
        ),
        targets=(
            never_more(
                "further calls",
                [each["further"] for each in runs],
                _PROCESSES * _CONCURRENCY,
            ),
            Target(
                name="the job paused itself and says why",
                wanted=f"paused: {_OUT}",
                measured=", ".join(sorted({each["standing"] for each in runs})),
                met=all(each["standing"] == f"paused: {_OUT}" for each in runs),
            ),
            never_more("documents lost", [each["lost"] for each in runs], 0),
            never_more("documents paid twice", [each["repeated"] for each in runs], 0),
        ),
        data=runs,
    )


def _exhausted(fake: FakeProcess, *, count: int, quota: int, seed: int) -> dict[str, Any]:
    latency = {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.5}
    play(fake, {"seed": seed, "latency": latency, "limits": [{"quota": quota}]})
    with job_stack(fake, concurrency=_CONCURRENCY) as stack:
        job_id = stack.submit(0, count)
        for _ in range(_PROCESSES):
            stack.start_worker()
        paused = stack.wait_until(
            job_id, lambda job: job.status is not JobStatus.RUNNING, timeout_s=_TIMEOUT_S
        )
        paused_s = time.monotonic()
        time.sleep(_SETTLE_S)
        rows = fake.entries
        fake.control("PATCH", "scenario", {"limits": []})
        stack.resume(job_id)
        job = stack.wait_until(job_id, completed, timeout_s=_TIMEOUT_S)
        right = stack.right(job_id)
    refused = [row for row in rows if row.fault == _OUT]
    told_s = min(row.done_s or 0 for row in refused)
    under_way = [
        row
        for row in rows
        if row.arrived_s <= told_s and (row.done_s is None or row.done_s > told_s)
    ]
    answered = [row for row in fake.entries if row.status == 200]
    return {
        "standing": f"{paused.status}: {paused.reason.code if paused.reason else None}",
        "under_way": len(under_way),
        "further": sum(row.arrived_s > told_s for row in rows),
        "refused": len(refused),
        "paused_s": paused_s - told_s,
        "lost": count - right,
        "counts": str(job.counts),
        "repeated": len(answered) - len({row.text for row in answered}),
    }
