"""(f) A provider that is dead for a while: who keeps knocking, and how soon work goes on."""

from __future__ import annotations

import time
from typing import Any, Final

from fake_provider.ledger import Entry, peak_concurrency
from fake_provider.testing import FakeProcess
from tests.benchmarks import stores
from tests.benchmarks.harness import Options, order_task, play, provider, run_contestants
from tests.benchmarks.jobs import job_stack
from tests.benchmarks.ledgers import between
from tests.benchmarks.results import Report, at_most, never_more, spread

_PROCESSES: Final = 2
_CONCURRENCY: Final = 32
_MEAN_S: Final = 0.5
_BEFORE_S: Final = 10.0
_AFTER_S: Final = 45.0
_OPENING_S: Final = 2.5
_LONGEST_PAUSE_S: Final = 33.0
_OK: Final = 200
_JOB: Final = "ours, as a job"
_CASES: Final = (_JOB, "ours", "raw")


def run(options: Options) -> Report:
    """Two processes that share a Valkey, over one outage each repeat."""
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in _CASES}
    with provider() as fake:
        for _ in range(options.repeats):
            for name in _CASES:
                play(fake, {"latency": {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.5}})
                measure = _as_job if name == _JOB else _in_processes
                died_s, failed = measure(fake, name, options.outage_s)
                found = _reading(fake.entries, died_s, options.outage_s)
                figures[name].append({**found, "failed": failed})
    rows = tuple(
        (
            name,
            spread([each["opening"] for each in runs], digits=0),
            spread([each["probes"] for each in runs], digits=0),
            spread([each["probes_at_once"] for each in runs], digits=0),
            spread([each["first_answer_s"] for each in runs], digits=1),
            spread([each["full_rate_s"] for each in runs], digits=1),
            spread([each["failed"] for each in runs], digits=0),
        )
        for name, runs in figures.items()
    )
    ours = figures[_JOB]
    all_ours = ours + figures["ours"]
    return Report(
        key="f",
        title="A dead provider",
        setting=(
            f"{_PROCESSES} processes that share a Valkey, C = {_CONCURRENCY} each, latency "
            f"lognormal {_MEAN_S:g} s (0.5). After {_BEFORE_S:g} s every new call's connection "
            f"breaks for {options.outage_s:g} s; calls under way then are still answered. Opening: "
            f"calls in the first {_OPENING_S:g} s, while answers and failures mix and the circuit "
            "opens. Probes: calls from then until the provider is back, and how many of them at "
            "once. Recovery: from the return of the provider to the first answer, and to the first "
            "second with at least 80 % of the rate before. Failed: documents given up. The pauses "
            "between probes grow from 2 s to 30 s, so a recovery takes at most 30 s and a tenth of "
            "jitter."
        ),
        columns=(
            "contestant",
            "opening",
            "probes",
            "at once",
            "first answer s",
            "full rate s",
            "failed",
        ),
        rows=rows,
        targets=(
            never_more("probes at once", [each["probes_at_once"] for each in all_ours], 1),
            never_more(
                "probes while dead, one in 2 s",
                [each["probes"] for each in all_ours],
                options.outage_s / 2,
            ),
            at_most(
                "seconds to the first answer",
                [each["first_answer_s"] for each in all_ours],
                _LONGEST_PAUSE_S,
                digits=1,
            ),
            never_more("documents of the job given up", [each["failed"] for each in ours], 0),
        ),
        data=figures,
    )


def _in_processes(fake: FakeProcess, contestant: str, dead_s: float) -> tuple[float, int]:
    """When the provider died, and how many documents were given up."""
    died_s: list[float] = []
    with stores.valkey() as redis_url:
        tasks = [
            order_task(
                contestant,
                fake,
                first=process * 1_000_000,
                count=1_000_000,
                warmup=0,
                concurrency=_CONCURRENCY,
                redis_url=redis_url,
                seconds=_BEFORE_S + dead_s + _AFTER_S,
            )
            for process in range(_PROCESSES)
        ]
        done = run_contestants(tasks, meanwhile=lambda: died_s.append(_kill(fake, dead_s)))
    return died_s[0], sum(sum(each.failed.values()) for each in done)


def _as_job(fake: FakeProcess, _: str, dead_s: float) -> tuple[float, int]:
    """The same of a job that is too large to end meanwhile."""
    count = round(2 * (_BEFORE_S + _AFTER_S) * _PROCESSES * _CONCURRENCY / _MEAN_S)
    with job_stack(fake, concurrency=_CONCURRENCY) as stack:
        job_id = stack.submit(0, count)
        for _worker in range(_PROCESSES):
            stack.start_worker()
        died_s = _kill(fake, dead_s)
        time.sleep(dead_s + _AFTER_S)
        return died_s, stack.job(job_id).counts.failed


def _kill(fake: FakeProcess, dead_s: float) -> float:
    """Let the provider die once there was work for a while; returns when."""
    while not fake.summary()["total"]:
        time.sleep(0.05)
    time.sleep(_BEFORE_S)
    fake.control("POST", "dead", {"for_s": dead_s})
    return time.monotonic()


def _reading(rows: list[Entry], died_s: float, dead_s: float) -> dict[str, float]:
    dead = [row for row in rows if row.fault == "dead"]
    back_s = died_s + dead_s
    probes = between(dead, died_s + _OPENING_S, back_s)
    answers = sorted(row.arrived_s for row in rows if row.status == _OK)
    later = [at - back_s for at in answers if at > back_s]
    before = sum(died_s - 5 <= at < died_s for at in answers) / 5
    full = (s / 4 for s in range(round(4 * _AFTER_S)) if _rate(later, s / 4) >= 0.8 * before)
    return {
        "opening": len(dead) - len(probes),
        "probes": len(probes),
        "probes_at_once": peak_concurrency(probes),
        "first_answer_s": later[0] if later else _AFTER_S,
        "full_rate_s": next(full, _AFTER_S),
    }


def _rate(times: list[float], begin_s: float) -> float:
    return sum(begin_s <= at < begin_s + 1 for at in times)
