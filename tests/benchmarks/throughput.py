"""(a) How much of a provider's capacity is used, and what that costs in processor time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from tests.benchmarks.harness import Options, order_task, play, provider, run_contestant
from tests.benchmarks.ledgers import between, busy_s
from tests.benchmarks.results import Report, at_least, at_most, spread

CONTESTANTS: Final = ("raw", "through_instructor", "through_pydantic_ai", "ours")
_CONCURRENCY: Final = 32
_MEAN_S: Final = 1.0
_LATENCIES: Final[dict[str, dict[str, Any]]] = {
    "constant": {"kind": "constant", "mean_s": _MEAN_S},
    "lognormal 0.5": {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.5},
    "lognormal 0.8": {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.8},
    "none": {"kind": "constant", "mean_s": 0.0},
}


def run(options: Options) -> Report:
    """Each latency, each contestant, each repeat; contestants take turns."""
    count = _CONCURRENCY * options.pick(24, 8)
    figures: dict[str, dict[str, list[dict[str, Any]]]] = {
        latency: {name: [] for name in CONTESTANTS} for latency in _LATENCIES
    }
    with provider() as fake:
        for repeat in range(options.repeats):
            for latency, spec in _LATENCIES.items():
                for turn in range(len(CONTESTANTS)):
                    name = CONTESTANTS[(turn + repeat) % len(CONTESTANTS)]
                    play(fake, {"seed": repeat, "latency": spec})
                    task = order_task(name, fake, count=count, concurrency=_CONCURRENCY)
                    done = run_contestant(task)
                    rows = between(fake.entries, done.begun_s, done.ended_s)
                    wall_s = done.ended_s - done.begun_s
                    queued_s = done.last_begun_s - done.begun_s
                    queued = busy_s(rows, done.begun_s, done.last_begun_s)
                    figures[latency][name].append(
                        {
                            "used": queued / queued_s / _CONCURRENCY,
                            "used_whole": busy_s(rows, 0, done.ended_s) / wall_s / _CONCURRENCY,
                            "docs_per_s": done.count / wall_s,
                            "cpu_ms": 1000 * done.cpu_s / done.count,
                            "rss_mb": done.peak_rss_kb / 1024,
                            "calls": len(rows),
                            "run": {**asdict(done), "done_at_s": None},
                        }
                    )
    return _report(figures, count, options)


def _report(
    figures: dict[str, dict[str, list[dict[str, Any]]]], count: int, options: Options
) -> Report:
    rows, targets = [], []
    for latency, by_name in figures.items():
        for name, runs in by_name.items():
            cost = [
                mine["cpu_ms"] / raw["cpu_ms"]
                for mine, raw in zip(runs, by_name["raw"], strict=True)
            ]
            used = [each["used"] for each in runs]
            rows.append(
                (
                    latency,
                    name.removeprefix("through_"),
                    "-" if latency == "none" else spread(used, digits=3),
                    "-" if latency == "none" else spread([r["used_whole"] for r in runs], digits=3),
                    spread([each["docs_per_s"] for each in runs], digits=1),
                    spread([each["cpu_ms"] for each in runs]),
                    spread(cost),
                    spread([each["rss_mb"] for each in runs], digits=0),
                    f"{sum(each['run']['right'] for each in runs)}/{count * len(runs)}",
                )
            )
            if name == "ours":
                if latency != "none":
                    targets.append(at_least(f"{latency}: docs/s over C/mean latency", used, 0.95))
                targets.append(at_most(f"{latency}: CPU over that of the raw SDK", cost, 2.0))
                wrong = [count - each["run"]["right"] for each in runs]
                targets.append(at_most(f"{latency}: documents without the right record", wrong, 0))
    return Report(
        key="a",
        title="Throughput and processor time",
        setting=(
            f"{count} documents, C = {_CONCURRENCY} at once, mean latency {_MEAN_S:g} s, no "
            f"faults, {options.repeats} repeats, contestants in turn. Used: docs/s over C/mean "
            "latency while documents are waiting, that is, until the last one begins; whole run: "
            "with the tail, when fewer than C are left. Latency none shows what one process can do "
            "at most."
        ),
        columns=(
            "latency",
            "contestant",
            "used",
            "whole run",
            "docs/s",
            "CPU ms/doc",
            "CPU/raw",
            "peak MB",
            "right",
        ),
        rows=tuple(rows),
        targets=tuple(targets),
        data=figures,
    )
