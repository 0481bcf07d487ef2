"""(c) A provider that allows a tenth of what two processes would like, then half of that."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Final

from fake_provider.ledger import Entry, early_calls
from fake_provider.testing import FakeProcess
from tests.benchmarks import stores
from tests.benchmarks.harness import Options, order_task, play, provider, run_contestants
from tests.benchmarks.ledgers import between
from tests.benchmarks.results import Report, Target, at_least, at_most, never_more, spread

_PROCESSES: Final = 2
_CONCURRENCY: Final = 32
_MEAN_S: Final = 0.2
_OFFERED_PER_S: Final = _PROCESSES * _CONCURRENCY / _MEAN_S
_SHARE: Final = 0.1
_BURST_S: Final = 1.0
_GRACE_S: Final = 0.1
_OK: Final = 200
_LIMITED: Final = 429

_CASES: Final[dict[str, tuple[str, str, str]]] = {
    # name: contestant, dialect, how the wait is told
    "ours": ("ours", "openai", "seconds"),
    "ours, limits not stated": ("ours", "openai_compatible", "seconds"),
    "ours, neither limits nor waits": ("ours", "openai_compatible", "none"),
    "raw": ("raw", "openai", "seconds"),
}
_PROMISED: Final = ("ours", "ours, limits not stated")


def run(options: Options) -> Report:
    """Two processes a case; the limit is halved in the middle."""
    phase_s = float(options.pick(40, 12))
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in _CASES}
    with provider() as fake:
        for _ in range(options.repeats):
            for name in _CASES:
                with stores.valkey() as redis_url:
                    figures[name].append(_storm(fake, name, redis_url, phase_s))
    rows = tuple(
        (
            name,
            spread([each["goodput"] for each in runs], digits=3),
            spread([each["first"] for each in runs], digits=3),
            spread([each["second"] for each in runs], digits=3),
            spread([100 * each["rejected"] for each in runs]),
            spread([each["early"] for each in runs], digits=0),
            spread([each["fairness"] for each in runs]),
            spread([each["failed"] for each in runs], digits=0),
        )
        for name, runs in figures.items()
    )
    return Report(
        key="c",
        title="A storm of 429",
        setting=(
            f"{_PROCESSES} processes that share a Valkey, C = {_CONCURRENCY} each, latency "
            f"lognormal {_MEAN_S:g} s (0.5): they offer {_OFFERED_PER_S:.0f} calls/s. The provider "
            f"allows {_SHARE:.0%} of that for {phase_s:.0f} s, then half as much for as long; it "
            f"lets {_BURST_S:g} s worth of calls through at once, and rejected calls use up its "
            "limit too. Goodput: answers over what was allowed (in both halves, in the first, in "
            "the second). Early: calls that came before a wait they had been told was over, those "
            f"left out that came within {_GRACE_S:g} s of the telling, on their way already. "
            "Fairness: answers of the process that got fewer, over those of the other. Failed: "
            "documents given up."
        ),
        columns=(
            "contestant",
            "goodput",
            "before",
            "after",
            "rejected %",
            "early",
            "fairness",
            "failed",
        ),
        rows=rows,
        targets=tuple(target for name in _PROMISED for target in _targets(name, figures[name])),
        data=figures,
    )


def _targets(name: str, runs: list[dict[str, Any]]) -> list[Target]:
    return [
        at_least(f"{name}: goodput over what is allowed", [r["goodput"] for r in runs], 0.95),
        at_most(f"{name}: rejected calls, %", [100 * r["rejected"] for r in runs], 2.0),
        never_more(f"{name}: calls before Retry-After", [r["early"] for r in runs], 0),
    ]


def _storm(fake: FakeProcess, name: str, redis_url: str, phase_s: float) -> dict[str, Any]:
    contestant, dialect, hint = _CASES[name]
    per_s = _OFFERED_PER_S * _SHARE

    def limit(rate: float) -> dict[str, Any]:
        return {"limits": [{"rpm": 60 * rate, "burst_s": _BURST_S, "hint": hint}]}

    play(
        fake,
        {"latency": {"kind": "lognormal", "mean_s": _MEAN_S, "sigma": 0.5}, **limit(per_s)},
    )
    changed_s: list[float] = []

    def halve() -> None:
        while not fake.summary()["total"]:
            time.sleep(0.05)
        time.sleep(phase_s)
        changed_s.append(time.monotonic())
        fake.control("PATCH", "scenario", limit(per_s / 2))

    tasks = [
        order_task(
            contestant,
            fake,
            dialect=dialect,
            first=process * 1_000_000,
            count=1_000_000,
            warmup=0,
            concurrency=_CONCURRENCY,
            redis_url=redis_url,
            seconds=2 * phase_s,
        )
        for process in range(_PROCESSES)
    ]
    done = run_contestants(tasks, meanwhile=halve)
    rows = fake.entries
    begin_s, middle_s = rows[0].arrived_s, changed_s[0]
    end_s = min(each.ended_s for each in done)
    first = _answered(between(rows, begin_s, middle_s))
    second = _answered(between(rows, middle_s, end_s))
    allowed_first = per_s * (_BURST_S + middle_s - begin_s)
    allowed_second = per_s / 2 * (end_s - middle_s)
    sent = between(rows, begin_s, end_s)
    rights = sorted(each.right for each in done)
    return {
        "goodput": (first + second) / (allowed_first + allowed_second),
        "first": first / allowed_first,
        "second": second / allowed_second,
        "sent": len(sent),
        "rejected": sum(row.status == _LIMITED for row in sent) / len(sent),
        "early": len(early_calls(rows, grace_s=_GRACE_S)),
        "early_without_grace": len(early_calls(rows)),
        "fairness": rights[0] / max(1, rights[-1]),
        "failed": sum(sum(each.failed.values()) for each in done),
        "runs": [{**asdict(each), "done_at_s": None} for each in done],
    }


def _answered(rows: list[Entry]) -> int:
    return sum(row.status == _OK for row in rows)
