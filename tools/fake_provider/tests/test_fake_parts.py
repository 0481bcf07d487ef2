"""The parts of the fake that decide and count: limits, faults, latency, ledger, checks."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_provider.calls import Call, Problem, text_hash
from fake_provider.checks import calls_per_text, early_calls, peak_concurrency
from fake_provider.faults import FaultPlan
from fake_provider.hints import go_duration, hint_headers
from fake_provider.latency import LatencySampler
from fake_provider.ledger import Entry, Ledger
from fake_provider.limits import Limiter
from fake_provider.scenario import (
    ERROR_KINDS,
    WIRE_KINDS,
    ContentKind,
    Fault,
    Latency,
    Limit,
    Scenario,
    ScenarioRefused,
    parse_scenario,
    read_scenario,
)


def call(text: str = "hello", model: str = "m", tokens: int = 10) -> Call:
    return Call(
        dialect="openai",
        model=model,
        turns=(("user", text),),
        document=text,
        prompt_tokens=tokens,
        key="k",
    )


def test_a_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    limiter = Limiter([Limit(rpm=60, burst_s=5)])
    assert [limiter.admit(call(), 0.0).outcome for _ in range(6)] == ["admitted"] * 5 + ["limited"]
    assert limiter.admit(call(), 1.0).outcome == "admitted"


def test_a_rejected_call_uses_up_budget_too() -> None:
    greedy = Limiter([Limit(rpm=60, burst_s=1)])
    fair = Limiter([Limit(rpm=60, burst_s=1, charge_rejected=False)])
    for limiter, outcome in ((greedy, "limited"), (fair, "admitted")):
        assert limiter.admit(call(), 0.0).outcome == "admitted"
        assert limiter.admit(call(), 0.5).outcome == "limited"
        assert limiter.admit(call(), 1.0).outcome == outcome


def test_a_client_that_waits_as_told_is_admitted() -> None:
    limiter = Limiter([Limit(rpm=60, tpm=6000, burst_s=1)])
    now_s = 0.0
    for _ in range(20):
        verdict = limiter.admit(call(tokens=80), now_s)
        while verdict.outcome == "limited":
            assert verdict.wait_s > 0
            now_s += verdict.wait_s + 1e-6
            verdict = limiter.admit(call(tokens=80), now_s)
        limiter.settle(call(), 40, now_s)
    # 20 calls of 120 tokens at 100 tokens a second, the first 100 for nothing.
    assert now_s == pytest.approx((20 * 120 - 100 - 40) / 100, abs=0.5)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200), st.booleans())
def test_no_more_is_admitted_than_rate_and_burst_allow(
    pauses: list[float], charge_rejected: bool
) -> None:
    limiter = Limiter([Limit(rpm=60, burst_s=3, charge_rejected=charge_rejected)])
    now_s, admitted = 0.0, 0
    for pause_s in pauses:
        now_s += pause_s
        admitted += limiter.admit(call(), now_s).outcome == "admitted"
    assert admitted <= now_s + 3 + 1e-6


def test_a_limit_changed_under_way_holds_from_then_on() -> None:
    limiter = Limiter([Limit(rpm=600, burst_s=1)])
    for _ in range(10):
        limiter.admit(call(), 0.0)
    limiter.retune([Limit(rpm=60, burst_s=1)], 0.0)
    assert limiter.admit(call(), 0.0).wait_s == pytest.approx(1.0)
    limiter.retune([], 0.0)
    assert limiter.admit(call(), 0.0).outcome == "admitted"


def test_each_model_has_its_own_budget_and_the_first_match_counts() -> None:
    limiter = Limiter([Limit(model="a", quota=1), Limit(rpm=60, burst_s=1)])
    outcomes = [limiter.admit(call(model=model), 0.0).outcome for model in "aabbc"]
    assert outcomes == ["admitted", "exhausted", "admitted", "limited", "admitted"]


def test_a_script_is_taken_in_order_by_the_calls_that_match() -> None:
    plan = FaultPlan(
        [
            Fault(kind="reset", text="bad", times=None),
            Fault(kind="overloaded", times=2),
            Fault(kind="html", model="other"),
        ],
        [],
        seed=0,
    )

    def kinds(*calls: Call) -> list[str | None]:
        faults = [plan.choose(one) for one in calls]
        return [fault.kind if fault else None for fault in faults]

    assert kinds(call(), call("a bad one"), call(), call()) == [
        "overloaded",
        "reset",
        "overloaded",
        None,
    ]
    assert kinds(call(model="other"), call(model="other"), call("bad")) == ["html", None, "reset"]
    assert plan.left == 1


def test_rates_hit_their_share_and_repeat_for_a_seed() -> None:
    rates = [Fault(kind="reset", probability=0.2), Fault(kind="html", probability=0.1)]

    def drawn(seed: int) -> list[str]:
        plan = FaultPlan([], rates, seed)
        return [fault.kind if (fault := plan.choose(call())) else "" for _ in range(5000)]

    kinds = drawn(1)
    assert kinds == drawn(1)
    assert kinds != drawn(2)
    assert kinds.count("reset") / 5000 == pytest.approx(0.2, abs=0.03)
    assert kinds.count("html") / 5000 == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("sigma", [0.3, 0.8])
def test_lognormal_latency_has_the_mean_asked_for(sigma: float) -> None:
    sampler = LatencySampler(Latency(kind="lognormal", mean_s=0.2, sigma=sigma), seed=3)
    draws = [sampler.draw() for _ in range(20_000)]
    assert statistics.mean(draws) == pytest.approx(0.2, rel=0.05)
    assert min(draws) > 0


def row(seq: int, arrived_s: float, done_s: float | None, **members: Any) -> Entry:
    usual: dict[str, Any] = {
        "dialect": "openai",
        "model": "m",
        "key": "k",
        "text": seq,
        "arrived_at": 0.0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "status": 200,
        "fault": "",
        "hint_s": None,
        "aborted": False,
    }
    return Entry(seq=seq, arrived_s=arrived_s, done_s=done_s, **(usual | members))


def test_a_call_before_the_end_of_a_named_wait_is_early() -> None:
    rows = [
        row(0, 0.0, 1.0, hint_s=2.0),
        row(1, 0.5, 1.5),  # was under way before the wait was named
        row(2, 2.9, 3.0),  # early
        row(3, 2.95, 3.0, model="other"),
        row(4, 2.96, 3.0, key="someone else"),
        row(5, 3.0, 3.1),
    ]
    found = early_calls(rows)
    assert [(early.seq, early.told_by) for early in found] == [(2, 0)]
    assert found[0].early_by_s == pytest.approx(0.1)


def test_calls_on_the_wire_are_forgiven_within_the_grace_period() -> None:
    rows = [row(0, 0.0, 1.0, hint_s=2.0), row(1, 1.01, 1.1), row(2, 1.2, 1.3)]
    assert [early.seq for early in early_calls(rows)] == [1, 2]
    assert [early.seq for early in early_calls(rows, grace_s=0.05)] == [2]


def test_a_longer_wait_outlives_a_shorter_one() -> None:
    rows = [row(0, 0, 1, hint_s=9.0), row(1, 0, 2, hint_s=1.0), row(2, 5, 6)]
    assert [(early.seq, early.told_by) for early in early_calls(rows)] == [(2, 0)]


def test_peak_concurrency_counts_overlapping_calls() -> None:
    rows = [row(0, 0, 2), row(1, 1, 3), row(2, 2, 4), row(3, 2.5, None)]
    assert peak_concurrency(rows) == 3
    assert peak_concurrency([]) == 0


def test_the_ledger_keeps_the_last_calls_and_counts_the_others(tmp_path: Path) -> None:
    file = tmp_path / "ledger.ndjson"
    ledger = Ledger(capacity=3, path=file)
    for number in range(5):
        seq = ledger.open(call(f"text {number % 2}"), float(number))
        ledger.close(seq, done_s=number + 0.5, status=200, prompt_tokens=7, completion_tokens=3)
    ledger.close(0, done_s=9.0, status=500)  # overwritten long ago
    kept = list(ledger.entries())
    assert (ledger.total, ledger.dropped) == (5, 2)
    assert [(entry.seq, entry.status, entry.done_s) for entry in kept] == [
        (2, 200, 2.5),
        (3, 200, 3.5),
        (4, 200, 4.5),
    ]
    assert calls_per_text(kept) == {text_hash("text 0"): 2, text_hash("text 1"): 1}
    ledger.shut()
    written = [msgspec.json.decode(line, type=Entry) for line in file.read_bytes().splitlines()]
    assert [entry.seq for entry in written] == [0, 1, 2, 3, 4]
    assert written[2:] == kept


def test_an_open_call_has_no_end_yet() -> None:
    ledger = Ledger(capacity=2)
    ledger.open(call(), 1.0)
    assert next(ledger.entries()).done_s is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.12, "120ms"), (1, "1s"), (20, "20s"), (6.5, "6.5s"), (90, "1m30s")],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_a_proxy_in_front_of_vllm_tells_whole_seconds() -> None:
    problem = Problem(kind="rate_limited", retry_after_s=1.2)
    assert hint_headers("vllm", problem) == ([(b"retry-after", b"2")], 2.0)
    assert hint_headers("gemini", problem) == ([], 1.2)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"latencies": {}}, "latencies"),
        ({"latency": {"mean_s": -1}}, "mean_s"),
        ({"script": [{"kind": "explode"}]}, r"script\[0\]\.kind"),
        ({"script": [{"kind": "reset", "times": 0}]}, "times"),
        ({"script": [{"kind": "reset", "path": "/v1/files"}]}, "path"),
        ({"limits": [{"rpm": 0}]}, "rpm"),
        ({"rates": [{"kind": "reset", "probability": 0.6}] * 2}, "add up to 1"),
        ({"document_pattern": "("}, "no regular expression"),
        ({"document_pattern": "x"}, "needs a group"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place(raw: object, place: str) -> None:
    with pytest.raises(ScenarioRefused, match=place):
        parse_scenario(raw)


def test_a_scenario_is_read_from_yaml_and_json(tmp_path: Path) -> None:
    yaml, json = tmp_path / "s.yaml", tmp_path / "s.json"
    yaml.write_text("seed: 7\nscript:\n  - {kind: rate_limited, retry_after_s: 1.5, times: 2}\n")
    json.write_bytes(msgspec.json.encode(read_scenario(yaml)))
    assert read_scenario(json) == read_scenario(yaml)
    assert read_scenario(yaml).script[0].retry_after_s == 1.5
    with pytest.raises(ScenarioRefused, match=r"\.json, \.yaml"):
        read_scenario(tmp_path / "s.toml")
    yaml.write_text("seed: [")
    with pytest.raises(ScenarioRefused, match=r"s\.yaml"):
        read_scenario(yaml)


def test_the_reference_page_shows_every_fault_and_a_scenario_that_is_accepted() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/fake-provider.md").read_text()
    for kind in {*ERROR_KINDS, *WIRE_KINDS, *get_args(ContentKind)}:
        assert f"`{kind}`" in page, kind
    shown = page.partition("```yaml\n")[2].partition("```")[0]
    assert set(msgspec.yaml.decode(shown)) == set(Scenario.__struct_fields__)
    assert parse_scenario(msgspec.yaml.decode(shown)).seed == 7
