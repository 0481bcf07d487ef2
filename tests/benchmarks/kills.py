"""(d) `kill -9` of a worker in the middle of a job: nothing lost, little paid twice."""

from __future__ import annotations

import time
from typing import Any, Final

from fake_provider.testing import FakeProcess
from tests.benchmarks.harness import Options, play, provider
from tests.benchmarks.jobs import completed, job_stack
from tests.benchmarks.results import Report, never_more, spread

_CONCURRENCY: Final = 32
_MEAN_S: Final = 0.5
_SHARES: Final = (0.1, 0.5, 0.9)
_TIMEOUT_S: Final = 300.0


def run(options: Options) -> Report:
    """A job for each moment of the kill and each repeat."""
    count = options.pick(1500, 300)
    lease_s = float(options.pick(15, 3))
    figures: dict[str, list[dict[str, Any]]] = {f"{share:.0%}": [] for share in _SHARES}
    with provider() as fake:
        for repeat in range(options.repeats):
            for share in _SHARES:
                done = _killed(fake, share, count=count, lease_s=lease_s, seed=repeat)
                figures[f"{share:.0%}"].append(done)
    rows = tuple(
        (
            moment,
            spread([each["lost"] for each in runs], digits=0),
            spread([each["wrong"] for each in runs], digits=0),
            spread([each["repeated"] for each in runs], digits=0),
            spread([each["most"] for each in runs], digits=0),
            spread([each["finished_s"] for each in runs], digits=1),
        )
        for moment, runs in figures.items()
    )
    targets = []
    for moment, runs in figures.items():
        targets += [
            never_more(f"killed at {moment}: lost", [each["lost"] for each in runs], 0),
            never_more(f"killed at {moment}: wrong", [each["wrong"] for each in runs], 0),
            never_more(
                f"killed at {moment}: repeated calls", [r["repeated"] for r in runs], _CONCURRENCY
            ),
        ]
    return Report(
        key="d",
        title="Killed workers",
        setting=(
            f"A job of {count} documents in PostgreSQL, two workers with C = {_CONCURRENCY} each, "
            f"latency lognormal {_MEAN_S:g} s (0.5). One worker is killed by SIGKILL when that "
            "share of the documents is done, and a new one is started at once. A dead worker's "
            f"lease ends after {lease_s:g} s. Lost: documents without an end. Wrong: those without "
            "the right record. Repeated: calls beyond one for each document. At most: calls for "
            "the same document."
        ),
        columns=("killed at", "lost", "wrong", "repeated", "at most", "finished s after"),
        rows=rows,
        targets=tuple(targets),
        data=figures,
    )


def _killed(
    fake: FakeProcess, share: float, *, count: int, lease_s: float, seed: int
) -> dict[str, Any]:
    play(
        fake,
        {"seed": seed, "latency": {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.5}},
    )
    with job_stack(fake, concurrency=_CONCURRENCY, lease_s=lease_s) as stack:
        job_id = stack.submit(0, count)
        victim = stack.start_worker()
        stack.start_worker()
        at = stack.wait_until(
            job_id, lambda job: job.counts.done >= share * count, timeout_s=_TIMEOUT_S, every_s=0.02
        )
        victim.kill()
        killed_s = time.monotonic()
        stack.start_worker()
        job = stack.wait_until(job_id, completed, timeout_s=_TIMEOUT_S)
        finished_s = time.monotonic() - killed_s
        right = stack.right(job_id)
    summary = fake.summary()
    return {
        "killed_at": at.counts.done,
        "lost": count - job.counts.done,
        "wrong": job.counts.done - right,
        "repeated": summary["total"] - summary["distinct_texts"],
        "most": summary["most_calls_for_a_text"],
        "aborted": summary["aborted"],
        "finished_s": finished_s,
    }
