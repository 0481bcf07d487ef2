"""What the limits let through, and how the wait is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_provider.calls import Call, Problem
from fake_provider.rate_limits import Limiter, go_duration, hint_headers
from fake_provider.scenario import (
    Limit,
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
