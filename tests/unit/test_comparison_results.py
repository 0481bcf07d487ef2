"""How an extraction becomes an answer, and what results can be gone on with."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.comparison.results import ComparisonResults, answer_of, of_contestants, restated
from domain.comparison.runner import ComparisonRunner
from domain.errors import Conflict
from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    PriceTable,
    TokenPrice,
    TokenUsage,
)
from domain.extraction.model import ExtractionResult, ExtractionStatus
from domain.extraction.schema import ORDER_MESSAGE
from tests.comparisons import LOCAL, OTHER, PROVENANCE, TEXTS, a_spec
from tests.fakes.comparison import MemoryComparisonResultLog

PRICE = TokenPrice(input=Decimal(1), cached=Decimal(1), output=Decimal(1))


def attempt(kind: FailureKind | None = None, tokens: int = 100, **members: Any) -> Attempt:
    usage = TokenUsage(input_tokens=tokens, cached_tokens=tokens // 10, output_tokens=tokens // 2)
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
    found = answer_of(
        result(
            attempt(FailureKind.OVERLOADED, tokens=0, wait_s=0.5, latency_s=0.25),
            attempt(wait_s=0.5, latency_s=2.0),
            latency_s=4.25,
            fallbacks=(("other", FailureKind.OVERLOADED),),
        ),
        contestant="a",
        text_id="1",
        repeat=2,
        prices=PriceTable(prices={("p", "*"): PRICE}, batch={"p": Decimal("0.5")}),
    )
    assert (found.contestant, found.text_id, found.repeat) == ("a", "1", 2)
    assert (found.attempts, found.reasks, found.fallbacks) == (2, 0, 1)
    # The pause after the failed call is part of the retries: 4.25 - 1 - 2.
    assert (found.waited_s, found.provider_s, found.retried_s) == (1.0, 2.0, 1.25)
    assert (found.cost_usd, found.batch_cost_usd) == (Decimal("0.01"), Decimal("0.000075"))
    assert found.wasted == TokenUsage()


def test_without_a_failed_call_nothing_was_retried() -> None:
    found = answer_of(result(attempt(latency_s=0.5)), contestant="a", text_id="1")
    assert (found.retried_s, found.failure, found.has_record) == (0.0, None, True)


def test_answers_that_were_asked_again_are_wasted() -> None:
    found = answer_of(result(attempt(tokens=200), attempt()), contestant="a", text_id="1")
    assert found.reasks == 1
    assert found.usage == TokenUsage(input_tokens=300, cached_tokens=30, output_tokens=150)
    assert found.wasted == TokenUsage(input_tokens=200, cached_tokens=20, output_tokens=100)


def test_every_window_of_a_long_text_has_an_answer_that_counts() -> None:
    found = answer_of(result(attempt(), attempt()), contestant="a", text_id="1", windows=2)
    assert (found.reasks, found.wasted) == (0, TokenUsage())


def test_without_a_record_everything_is_wasted() -> None:
    lost = result(attempt(), attempt(), failure=FailureKind.INVALID_JSON)
    found = answer_of(lost, contestant="a", text_id="1")
    assert (found.failure, found.has_record) == (FailureKind.INVALID_JSON, False)
    assert found.wasted == found.usage


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": ORDER_MESSAGE}, "made with the schema 'default' version 1"),
        ({"texts": TEXTS[2:]}, "none of its 2 texts is in this dataset"),
        ({"texts": TEXTS[1:]}, "1 of its 2 texts are not chosen now (a): a run may only grow"),
        (
            {"texts": (replace(TEXTS[0], gold=None), TEXTS[1])},
            "1 of its texts have other words or labels now (a): the dataset is another one",
        ),
        ({"contestants": (replace(LOCAL, model="n"),)}, "model m became n"),
        ({"contestants": (replace(LOCAL, parameters={"shots": 0}),)}, "shots 4 became 0"),
        ({"contestants": (replace(LOCAL, concurrency=9),)}, "concurrency 4 became 9"),
    ],
)
def test_what_cannot_be_gone_on_with_is_explained(changes: dict[str, object], said: str) -> None:
    log = MemoryComparisonResultLog()
    log.begin(a_spec(), PROVENANCE)
    with pytest.raises(Conflict) as refused:
        ComparisonRunner(extractors=(), log=log).begin(a_spec(**changes), PROVENANCE)
    assert said in str(refused.value)


def test_a_price_and_new_contestants_are_no_hindrance() -> None:
    log = MemoryComparisonResultLog()
    log.begin(a_spec(), PROVENANCE)
    dearer = replace(LOCAL, machine_usd_per_hour=9.0)
    runner = ComparisonRunner(extractors=(), log=log)
    found = runner.begin(a_spec(contestants=(OTHER, dearer), texts=TEXTS), PROVENANCE)
    assert [each.name for each in found.spec.contestants] == ["other", "local"]
    assert runner.begin(a_spec(texts=TEXTS), PROVENANCE).spec.contestants == (LOCAL, OTHER)


def test_a_replay_may_say_more_about_who_answered_and_look_at_some_of_them() -> None:
    results = ComparisonResults(spec=a_spec(contestants=(LOCAL, OTHER)), provenance=PROVENANCE)
    dearer = restated(results, machine_usd_per_hour=2.0, simulated=("local",)).spec.contestants
    assert [each.machine_usd_per_hour for each in dearer] == [2.0, None]
    assert [each.simulated for each in dearer] == [True, True]
    same = restated(results, machine_usd_per_hour=None, simulated=())
    assert same == results
    only = of_contestants(results, ["other"])
    assert only.spec.contestants == (OTHER,)
    assert only.spec.schema == results.spec.schema
