"""What answers took, and how a result becomes an outcome."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.comparison.model import outcome_of
from domain.comparison.operations import operations
from domain.extraction.calls import Attempt, ExtractionFailure, FailureKind, Usage
from domain.extraction.model import ExtractionResult, ExtractionStatus
from tests.unit.comparisons import contestant, failed, outcome


def attempt(kind: FailureKind | None = None, tokens: int = 100, **members: Any) -> Attempt:
    usage = Usage(input_tokens=tokens, cached_tokens=tokens // 10, output_tokens=tokens // 2)
    return Attempt(provider="p", model="m", outcome=kind, usage=usage, **members)


def result(*attempts: Attempt, failure: FailureKind | None = None, **members: Any) -> Any:
    return ExtractionResult(
        status=ExtractionStatus.VALID if failure is None else ExtractionStatus.FAILED,
        schema="small",
        schema_version=1,
        fields={"quantity": 1},
        evidence=(),
        warnings=(),
        failure=None if failure is None else ExtractionFailure(kind=failure, detail="see there"),
        provider="p",
        model="m",
        attempts=attempts,
        fallbacks=members.pop("fallbacks", ()),
        prompt_hash="h",
        latency_s=members.pop("latency_s", 1.0),
        cost_usd=Decimal("0.01"),
    )


def test_time_is_split_into_waiting_answers_and_retries() -> None:
    found = outcome_of(
        result(
            attempt(FailureKind.OVERLOADED, tokens=0, wait_s=0.5, latency_s=0.25),
            attempt(wait_s=0.5, latency_s=2.0),
            latency_s=4.25,
            fallbacks=(("other", FailureKind.OVERLOADED),),
        ),
        contestant="a",
        text_id="1",
        repeat=2,
        batch_cost_usd=Decimal("0.005"),
    )
    assert (found.contestant, found.text_id, found.repeat) == ("a", "1", 2)
    assert (found.attempts, found.reasks, found.fallbacks) == (2, 0, 1)
    # The pause after the failed call is part of the retries: 4.25 - 1 - 2.
    assert (found.waited_s, found.provider_s, found.retried_s) == (1.0, 2.0, 1.25)
    assert (found.cost_usd, found.batch_cost_usd) == (Decimal("0.01"), Decimal("0.005"))
    assert found.wasted == Usage()


def test_without_a_failed_call_nothing_was_retried() -> None:
    found = outcome_of(result(attempt(latency_s=0.5)), contestant="a", text_id="1")
    assert (found.retried_s, found.failure, found.has_record) == (0.0, None, True)


def test_answers_that_were_asked_again_are_wasted() -> None:
    found = outcome_of(result(attempt(tokens=200), attempt()), contestant="a", text_id="1")
    assert found.reasks == 1
    assert found.usage == Usage(input_tokens=300, cached_tokens=30, output_tokens=150)
    assert found.wasted == Usage(input_tokens=200, cached_tokens=20, output_tokens=100)


def test_every_window_of_a_long_text_has_an_answer_that_counts() -> None:
    found = outcome_of(result(attempt(), attempt()), contestant="a", text_id="1", windows=2)
    assert (found.reasks, found.wasted) == (0, Usage())


def test_without_a_record_everything_is_wasted() -> None:
    lost = result(attempt(), attempt(), failure=FailureKind.INVALID_JSON)
    found = outcome_of(lost, contestant="a", text_id="1")
    assert (found.failure, found.has_record) == (FailureKind.INVALID_JSON, False)
    assert found.wasted == found.usage


def test_the_figures_are_over_all_answers() -> None:
    answers = [
        outcome(
            str(n),
            latency_s=float(n),
            waited_s=0.5,
            provider_s=n / 2,
            retried_s=0.25,
            attempts=2,
            reasks=n % 2,
            fallbacks=n % 4 == 0,
            usage=Usage(input_tokens=10, cached_tokens=4, output_tokens=2),
            wasted=Usage(input_tokens=1, output_tokens=1),
            cost_usd=Decimal("0.002"),
            batch_cost_usd=Decimal("0.001"),
        )
        for n in range(101)
    ]
    found = operations(contestant("a"), answers)
    assert found.answers == 101
    assert (found.latency.p50, found.latency.p95, found.latency.p99) == (50.0, 95.0, 99.0)
    assert (found.wait.p99, found.provider.p50, found.retries.p95) == (0.5, 25.0, 0.25)
    assert found.latency_quantiles_s == pytest.approx(range(101))
    assert (found.input_tokens, found.cached_tokens, found.output_tokens) == (1010, 404, 202)
    assert found.wasted_tokens == 202
    assert found.usd_per_1000 == pytest.approx(2.0)
    assert found.batch_usd_per_1000 == pytest.approx(1.0)
    assert found.machine_usd_per_1000 is None
    assert (found.attempts_per_text, found.reasks_per_text) == (2.0, 50 / 101)
    assert (found.fallback.count, found.fallback.total) == (26, 101)
    assert found.failures == {}


def test_a_machine_costs_the_time_that_it_is_busy_and_calls_at_once_share_it() -> None:
    local = contestant("local", machine_usd_per_hour=3.6, concurrency=4)
    answers = [outcome("1", provider_s=7.0, retried_s=1.0), outcome("2", provider_s=8.0)]
    # 16 s over 4 calls at once are 4 s for 2 texts: 2,000 s for 1,000, at 0.001 USD a second.
    assert operations(local, answers).machine_usd_per_1000 == pytest.approx(2.0)


def test_one_unknown_price_leaves_the_cost_unknown() -> None:
    answers = [outcome("1", cost_usd=Decimal(1)), outcome("2")]
    assert operations(contestant("a"), answers).usd_per_1000 is None


def test_failures_stand_by_frequency() -> None:
    kinds = [FailureKind.TIMEOUT, FailureKind.REFUSED, FailureKind.AUTH, FailureKind.REFUSED]
    found = operations(contestant("a"), [failed(str(n), kind) for n, kind in enumerate(kinds)])
    assert list(found.failures.items()) == [("refused", 2), ("auth", 1), ("timeout", 1)]
