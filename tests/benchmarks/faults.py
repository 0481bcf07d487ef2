"""(b) One call in five goes wrong: how many calls a document takes, and how many stay without."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from tests.benchmarks.harness import Options, order_task, play, provider, run_contestant
from tests.benchmarks.ledgers import between
from tests.benchmarks.results import Report, at_most, spread
from tests.benchmarks.throughput import CONTESTANTS

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
    count = options.pick(2000, 400)
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    with provider() as fake:
        for repeat in range(options.repeats):
            for turn in range(len(CONTESTANTS)):
                name = CONTESTANTS[(turn + repeat) % len(CONTESTANTS)]
                play(fake, {**_SCENARIO, "seed": repeat})
                task = order_task(
                    name,
                    fake,
                    count=count,
                    concurrency=_CONCURRENCY,
                    call_timeout_s=_CALL_TIMEOUT_S,
                )
                done = run_contestant(task)
                calls = between(fake.entries, done.begun_s, done.ended_s)
                faults = sum(bool(call.fault) for call in calls)
                figures[name].append(
                    {
                        "calls_per_success": len(calls) / max(1, done.right),
                        "expected": len(calls) / max(1, len(calls) - faults),
                        "residual": (count - done.right) / count,
                        "docs_per_s": done.count / (done.ended_s - done.begun_s),
                        "cpu_ms": 1000 * done.cpu_s / done.count,
                        "run": {**asdict(done), "done_at_s": None},
                    }
                )
    rows = tuple(
        (
            name.removeprefix("through_"),
            spread([each["calls_per_success"] for each in runs], digits=3),
            spread([each["expected"] for each in runs], digits=3),
            spread([100 * each["residual"] for each in runs], digits=2),
            spread([each["docs_per_s"] for each in runs], digits=1),
            _kinds([each["run"] for each in runs]),
        )
        for name, runs in figures.items()
    )
    ours = figures["ours"]
    excess = [each["calls_per_success"] / each["expected"] for each in ours]
    return Report(
        key="b",
        title="Mixed faults",
        setting=(
            f"{count} documents, C = {_CONCURRENCY}, latency lognormal 0.2 s (0.5), {_P:.0%} of "
            "the calls fail: "
            + ", ".join(f"{kind} {share:.0%}" for kind, share in _RATES.items())
            + f". Calls time out after {_CALL_TIMEOUT_S:g} s. The others: the SDK's 3 retries on "
            "the way and 2 new questions for unusable answers; ours: 3 tries after a server error, "
            "4 after a reset, 2 after a timeout, 2 new questions. Ideal: 1/(1-p) with the share of "
            f"faults that was really drawn ({_IDEAL:.2f} on average)."
        ),
        columns=("contestant", "calls/success", "ideal", "failed %", "docs/s", "failed as"),
        rows=rows,
        targets=(
            at_most("calls per success over 1/(1-p)", excess, 1.03),
            at_most("failed documents, %", [100 * each["residual"] for each in ours], 1.0),
        ),
        data=figures,
    )


def _kinds(runs: list[dict[str, Any]]) -> str:
    kinds: dict[str, int] = {}
    for each in runs:
        for kind, times in {**each["failed"], "wrong record": each["wrong"]}.items():
            kinds[kind] = kinds.get(kind, 0) + times
    return ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items()) if times) or "-"
