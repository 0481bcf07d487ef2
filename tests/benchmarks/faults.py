"""(b) One call in five goes wrong: how many calls a document takes, and how many stay without."""

from __future__ import annotations

from typing import Any, Final

from fake_provider.testing import FakeProcess
from tests.benchmarks.harness import Options, order_task, play, provider, run_contestant
from tests.benchmarks.jobs import completed, job_stack
from tests.benchmarks.results import Report, at_most, spread
from tests.benchmarks.throughput import CONTESTANTS, JOB

_CONCURRENCY: Final = 32
_RATES: Final = {
    "server_error": 0.05,
    "reset": 0.05,
    "timeout": 0.05,
    "invalid_json": 0.03,
    "schema_violation": 0.02,
}
_P: Final = sum(_RATES.values())
_IDEAL: Final = 1 / (1 - _P)
_SCENARIO: Final[dict[str, Any]] = {
    "latency": {"kind": "lognormal", "mean_s": 0.2, "sigma": 0.5},
    "rates": [{"kind": kind, "probability": share} for kind, share in _RATES.items()],
}
_CALL_TIMEOUT_S: Final = 2.0


def run(options: Options) -> Report:
    """All contestants over the same mix of faults."""
    count = options.pick(1500, 300)
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    with provider() as fake:
        for repeat in range(options.repeats):
            for turn in range(len(CONTESTANTS)):
                name = CONTESTANTS[(turn + repeat) % len(CONTESTANTS)]
                play(fake, {**_SCENARIO, "seed": repeat})
                measure = _as_job if name == JOB else _in_process
                right, failed = measure(fake, name, count)
                calls = fake.entries
                faults = sum(bool(call.fault) for call in calls)
                took_s = max(call.done_s or 0.0 for call in calls) - calls[0].arrived_s
                figures[name].append(
                    {
                        "calls_per_success": len(calls) / max(1, right),
                        "expected": len(calls) / max(1, len(calls) - faults),
                        "residual": (count - right) / count,
                        "docs_per_s": count / took_s,
                        "failed": failed,
                    }
                )
    rows = tuple(
        (
            name.removeprefix("through_"),
            spread([each["calls_per_success"] for each in runs], digits=3),
            spread([each["expected"] for each in runs], digits=3),
            spread([100 * each["residual"] for each in runs], digits=2),
            spread([each["docs_per_s"] for each in runs], digits=1),
            _kinds([each["failed"] for each in runs]),
        )
        for name, runs in figures.items()
    )
    targets = []
    for name in ("ours", JOB):
        excess = [each["calls_per_success"] / each["expected"] for each in figures[name]]
        residual = [100 * each["residual"] for each in figures[name]]
        targets += [
            at_most(f"{name}: calls per success over 1/(1-p)", excess, 1.03),
            at_most(f"{name}: failed documents, %", residual, 1.0),
        ]
    return Report(
        key="b",
        title="Mixed faults",
        setting=(
            f"{count} documents, C = {_CONCURRENCY}, latency lognormal 0.2 s (0.5), {_P:.0%} of "
            "the calls fail: "
            + ", ".join(f"{kind} {share:.0%}" for kind, share in _RATES.items())
            + f". Calls time out after {_CALL_TIMEOUT_S:g} s. The others: the SDK's 3 retries on "
            "the way and 2 new questions for unusable answers; ours: 3 tries after a server error, "
            "4 after a reset, 2 after a timeout, 2 new questions; a job tries a document 5 times "
            "over. Wrong record: a field is null and flagged, or false. Ideal: 1/(1-p) with the "
            f"share of faults that was really drawn ({_IDEAL:.2f} on average)."
        ),
        columns=("contestant", "calls/success", "ideal", "failed %", "docs/s", "failed as"),
        rows=rows,
        targets=tuple(targets),
        data=figures,
    )


def _in_process(fake: FakeProcess, name: str, count: int) -> tuple[int, dict[str, int]]:
    task = order_task(
        name,
        fake,
        count=count,
        warmup=0,
        concurrency=_CONCURRENCY,
        call_timeout_s=_CALL_TIMEOUT_S,
    )
    done = run_contestant(task)
    return done.right, {**done.failed, "wrong record": done.wrong}


def _as_job(fake: FakeProcess, _: str, count: int) -> tuple[int, dict[str, int]]:
    with job_stack(fake, concurrency=_CONCURRENCY, call_timeout_s=_CALL_TIMEOUT_S) as stack:
        job_id = stack.submit(0, count)
        stack.start_worker()
        counts = stack.wait_until(job_id, completed, timeout_s=60 + count).counts
        right = stack.right(job_id)
    wrong = counts.done - right - counts.failed - counts.refused
    return right, {"failed": counts.failed, "refused": counts.refused, "wrong record": wrong}


def _kinds(runs: list[dict[str, int]]) -> str:
    kinds: dict[str, int] = {}
    for each in runs:
        for kind, times in each.items():
            kinds[kind] = kinds.get(kind, 0) + times
    return ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items()) if times) or "-"
