"""(a) How much of a provider's capacity is used, and what that costs in processor time."""

from __future__ import annotations

import time
from typing import Any, Final

from fake_provider.testing import FakeProcess
from tests.benchmarks.harness import Options, order_task, play, provider, run_contestant
from tests.benchmarks.jobs import completed, job_stack
from tests.benchmarks.ledgers import busy_s
from tests.benchmarks.results import Report, at_least, at_most, spread

JOB: Final = "ours, as a job"
CONTESTANTS: Final = ("raw", "through_instructor", "through_pydantic_ai", "ours", JOB)
_CONCURRENCY: Final = 32
_WARMUP: Final = 64
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
                    measure = _as_job if name == JOB else _in_process
                    figures[latency][name].append(measure(fake, name, count))
    return _report(figures, count, options)


def _in_process(fake: FakeProcess, name: str, count: int) -> dict[str, Any]:
    task = order_task(name, fake, count=count, warmup=_WARMUP, concurrency=_CONCURRENCY)
    done = run_contestant(task)
    return {
        **_used(fake, done.begun_s, done.last_begun_s, done.ended_s, count),
        "cpu_ms": 1000 * done.cpu_s / count,
        "rss_mb": done.peak_rss_kb / 1024,
        "right": done.right,
    }


def _as_job(fake: FakeProcess, _: str, count: int) -> dict[str, Any]:
    """The same through PostgreSQL, Valkey and a worker; what PostgreSQL itself uses is not seen."""
    with job_stack(fake, concurrency=_CONCURRENCY) as stack:
        job_id = stack.submit(0, _WARMUP + count)
        worker = stack.start_worker()
        while fake.summary()["total"] < _WARMUP:
            time.sleep(0.02)
        before_s = worker.cpu_s()
        stack.wait_until(job_id, completed, timeout_s=60 + count)
        cpu_s = worker.cpu_s() - before_s
        rss_mb = worker.peak_rss_mb()
        right = stack.right(job_id)
    rows = fake.entries
    begun_s = sorted(row.arrived_s for row in rows)
    ended_s = max(row.done_s or 0.0 for row in rows)
    return {
        **_used(fake, begun_s[_WARMUP], begun_s[-1], ended_s, count),
        "cpu_ms": 1000 * cpu_s / count,
        "rss_mb": rss_mb,
        "right": right - _WARMUP,
    }


def _used(
    fake: FakeProcess, begun_s: float, last_begun_s: float, ended_s: float, count: int
) -> dict[str, float]:
    """How much of C calls at once was kept busy, which is docs/s over C/mean latency."""
    rows = fake.entries
    queued = busy_s(rows, begun_s, last_begun_s) / (last_begun_s - begun_s)
    whole = busy_s(rows, begun_s, ended_s) / (ended_s - begun_s)
    return {
        "used": queued / _CONCURRENCY,
        "used_whole": whole / _CONCURRENCY,
        "docs_per_s": count / (ended_s - begun_s),
    }


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
                    f"{sum(each['right'] for each in runs)}/{count * len(runs)}",
                )
            )
            if name not in ("ours", JOB):
                continue
            promise = f"{latency}, {name}"
            if latency != "none":
                targets.append(at_least(f"{promise}: docs/s over C/mean latency", used, 0.95))
            if name == "ours":
                targets.append(at_most(f"{promise}: CPU over that of the raw SDK", cost, 2.0))
            wrong = [count - each["right"] for each in runs]
            targets.append(at_most(f"{promise}: documents without the right record", wrong, 0))
    return Report(
        key="a",
        title="Throughput and processor time",
        setting=(
            f"{count} documents, C = {_CONCURRENCY} at once, mean latency {_MEAN_S:g} s, no "
            f"faults, {options.repeats} repeats, contestants in turn. Used: docs/s over C/mean "
            "latency while documents are waiting, that is, until the last one begins; whole run: "
            "with the tail, when fewer than C are left. Latency none shows what one process can do "
            "at most. A job goes through PostgreSQL, Valkey and a worker process, whose processor "
            "time it is."
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
