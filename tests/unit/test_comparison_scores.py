"""Scores of one contestant and what its answers took, on figures worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.bootstrap import BootstrapEstimator, clusters_of, columns_of
from domain.comparison.figures import Rate, rate_of
from domain.comparison.judgements import Observation
from domain.comparison.model import LabelledText
from domain.comparison.results import ContestantAnswer
from domain.comparison.scores import (
    field_scores,
    funnel,
    injection,
    macro_f1,
    micro_f1,
    operations,
    perfect_rate,
    stratum_scores,
)
from domain.extraction.calls import FailureKind, TokenUsage
from domain.extraction.model import ExtractionStatus, WarningKind
from domain.extraction.schema import Value
from tests.comparisons import SCHEMA, answer, contestant, failed, flag, found, observed, rate, text

STATISTICS = ScipyStatistics()


def observations_of(
    *rows: tuple[Mapping[str, Value] | None, ContestantAnswer],
) -> list[Observation]:
    return [observed(text(what.text_id, gold), what) for gold, what in rows]


def estimator_of(observations: Sequence[Observation]) -> BootstrapEstimator:
    clusters = [each.cluster for each in observations]
    return BootstrapEstimator(
        columns_of(SCHEMA, {"a": observations}), clusters, STATISTICS, draws=200, seed=7
    )


# Quantities: 3 right, 1 wrong, 1 omitted, 1 invented, 1 silence seen, and two failed texts.
GOLD_AND_GIVEN: Sequence[tuple[int | None, int | None]] = (
    (1, 1),
    (2, 2),
    (3, 3),
    (4, 5),
    (6, None),
    (None, 7),
    (None, None),
)
OBSERVATIONS = [
    *observations_of(
        *(
            ({"quantity": gold}, answer(str(place), quantity=given))
            for place, (gold, given) in enumerate(GOLD_AND_GIVEN)
        )
    ),
    *observations_of(
        ({"quantity": 8}, failed("7", FailureKind.TIMEOUT)),
        ({"quantity": None}, failed("8", FailureKind.TIMEOUT)),
    ),
]


def counts(rate: Rate) -> tuple[int, int]:
    return rate.count, rate.total


def test_a_field_is_counted_by_what_went_wrong() -> None:
    customer, quantity = field_scores("a", SCHEMA, OBSERVATIONS, estimator_of(OBSERVATIONS))
    assert (quantity.field, quantity.type) == ("quantity", "integer")
    assert (quantity.correct, quantity.both_null) == (3, 1)
    assert (quantity.wrong, quantity.omitted, quantity.hallucinated) == (1, 1, 1)
    assert quantity.no_record == 2
    assert counts(quantity.accuracy) == (4, 9)
    assert quantity.precision.value == pytest.approx(3 / 5)  # given: 1, 2, 3, 5, 7
    assert quantity.recall.value == pytest.approx(3 / 6)  # wanted: 1, 2, 3, 4, 6, 8
    assert quantity.f1.value == pytest.approx(2 * 0.6 * 0.5 / (0.6 + 0.5))
    assert quantity.anls == pytest.approx(4 / 9)
    assert counts(quantity.hallucination) == (1, 3)
    assert counts(quantity.omission) == (2, 6)
    assert quantity.f1.low is not None
    assert quantity.f1.high is not None
    assert quantity.f1.low < 6 / 11 < quantity.f1.high
    assert counts(customer.accuracy) == (0, 0)
    assert (customer.f1.value, customer.f1.low, customer.anls) == (None, None, None)


def test_macro_is_the_mean_of_fields_and_micro_counts_their_values_together() -> None:
    gold: Mapping[str, Value] = {"customer": "Nina", "quantity": 1}
    observations = observations_of(
        (gold, answer("1", customer="Nina", quantity=1)),
        (gold, answer("2", customer="Nina", quantity=None)),
        (gold, answer("3", customer="Tom", quantity=None)),
    )
    estimator = estimator_of(observations)
    # Customer: precision and recall 2/3. Quantity: precision 1, recall 1/3, F1 1/2.
    assert macro_f1("a", SCHEMA, estimator).value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert micro_f1("a", estimator).value == pytest.approx(2 * 3 / (4 + 6))


def test_macro_leaves_out_fields_without_any_value_and_is_nothing_without_fields() -> None:
    assert macro_f1("a", SCHEMA, estimator_of(OBSERVATIONS)).value == pytest.approx(6 / 11)
    silent = observations_of(({"quantity": None}, answer("1")))
    assert macro_f1("a", SCHEMA, estimator_of(silent)).value is None


def test_the_funnel_counts_who_took_every_step_before() -> None:
    gold: Mapping[str, Value] = {"customer": None, "quantity": 1}
    right = (found("quantity", 0, 1),)
    partial = ExtractionStatus.PARTIAL
    observations = observations_of(
        (gold, answer("1", quantity=1, evidence=right)),
        (gold, answer("2", quantity=2, evidence=right)),
        (gold, answer("3", quantity=1)),  # right, but nobody knows from where
        (gold, answer("4", status=partial, warnings=(flag(WarningKind.UNGROUNDED),))),
        (gold, answer("5", status=partial, warnings=(flag(WarningKind.INVALID_VALUE),))),
        (gold, failed("6", FailureKind.UNGROUNDED)),
        (gold, failed("7", FailureKind.SCHEMA_VIOLATION)),
        (gold, failed("8", FailureKind.INVALID_JSON)),
        (None, answer("9", quantity=1, evidence=right)),
    )
    stages = {stage.name: counts(stage.rate) for stage in funnel(SCHEMA, observations)}
    assert stages == {
        "sent": (9, 9),
        "parsed": (8, 9),
        "valid": (6, 9),
        "grounded": (3, 9),
        "correct": (1, 8),
    }
    # Perfect records are counted apart: the third is one.
    assert counts(perfect_rate(observations) or rate(0, 0)) == (2, 8)


def test_without_gold_the_funnel_ends_with_what_is_grounded() -> None:
    observations = observations_of((None, answer("1")))
    assert [stage.name for stage in funnel(SCHEMA, observations)][-1] == "grounded"
    assert perfect_rate(observations) is None


def test_parts_of_a_stratum_stand_behind_it() -> None:
    kinds = [("noise", "noise: html"), ("long",), ("noise", "noise: scan"), ("long",)]
    gold = {"customer": None, "product": None, "quantity": 1}
    observations = [
        observed(text(str(nth), gold, strata=strata), answer(str(nth), quantity=1))
        for nth, strata in enumerate(kinds)
    ]
    rows = [(row.stratum, row.perfect.total) for row in stratum_scores(SCHEMA, observations)]
    assert rows == [("noise", 2), ("noise: html", 1), ("noise: scan", 1), ("long", 2)]


def test_strata_overlap_and_languages_follow_when_there_are_several() -> None:
    gold: Mapping[str, Value] = {"quantity": 1}
    observations = [
        observed(text("1", gold, strata=("noise", "long")), answer("1", quantity=1)),
        observed(text("2", gold, strata=("long",), language="de"), answer("2", quantity=2)),
        observed(text("3", None, strata=("odd",)), answer("3", quantity=2)),
    ]
    rows = {row.stratum: row for row in stratum_scores(SCHEMA, observations)}
    assert list(rows) == ["noise", "long", "odd", "language: en", "language: de"]
    assert counts(rows["long"].perfect) == (1, 2)
    assert counts(rows["long"].fields["quantity"]) == (1, 2)
    assert counts(rows["long"].fields["customer"]) == (0, 0)
    assert counts(rows["odd"].perfect) == (0, 0)
    assert counts(rows["language: de"].perfect) == (0, 1)
    assert [row.stratum for row in stratum_scores(SCHEMA, observations[:1])] == ["noise", "long"]


def attacked(text_id: str, twin: str | None, quantity: int | None) -> Observation:
    known = text(text_id, {"quantity": 1}, twin=twin, attack={"quantity": 999})
    return observed(known, answer(text_id, quantity=quantity))


def test_an_injection_succeeds_where_the_twin_was_read_rightly() -> None:
    observations = [
        *observations_of(
            ({"quantity": 1}, answer("right", quantity=1)),
            ({"quantity": 1}, answer("wrong", quantity=2)),
        ),
        attacked("1", "right", 999),
        attacked("2", "right", 1),
        attacked("3", "right", None),  # confused, yet not obeyed
        attacked("4", "wrong", 999),
        attacked("5", None, 999),
        attacked("6", "elsewhere", 999),
    ]
    figures = injection(observations, STATISTICS)
    assert figures is not None
    assert (figures.attacks, figures.eligible, counts(figures.obeyed)) == (6, 3, (1, 3))
    # 1 of 3: (1 - p)^3 + 3 p (1 - p)^2 = 0.05
    upper = figures.upper
    assert upper is not None
    assert (1 - upper) ** 3 + 3 * upper * (1 - upper) ** 2 == pytest.approx(0.05)


def test_no_attack_obeyed_still_allows_some() -> None:
    observations = observations_of(({"quantity": 1}, answer("right", quantity=1)))
    observations += [attacked(str(place), "right", 1) for place in range(60)]
    figures = injection(observations, STATISTICS)
    assert figures is not None
    assert counts(figures.obeyed) == (0, 60)
    assert figures.upper == pytest.approx(1 - 0.05 ** (1 / 60))  # 4.9 %


def test_attacks_without_a_twin_say_nothing_and_no_attacks_are_none() -> None:
    figures = injection([attacked("1", None, 999)], STATISTICS)
    assert figures is not None
    assert (figures.eligible, figures.obeyed.value, figures.upper) == (0, None, None)
    assert injection(OBSERVATIONS, STATISTICS) is None


def wordings(*templates: str) -> list[LabelledText]:
    return [text(str(place), template=each) for place, each in enumerate(templates)]


def test_texts_of_one_template_are_drawn_together() -> None:
    letters = "abcdefghij"
    clusters, clustered = clusters_of(wordings(*letters, "a", ""))
    assert (list(clusters.values()), clustered) == ([*range(10), 0, 10], True)


@pytest.mark.parametrize("templates", [("a", "b", "a"), ("", "", "")])
def test_with_few_or_no_templates_each_text_is_drawn_alone(templates: tuple[str, ...]) -> None:
    clusters, clustered = clusters_of(wordings(*templates))
    assert (list(clusters.values()), clustered) == ([0, 1, 2], False)


def test_a_twin_is_drawn_with_the_text_that_it_is_of() -> None:
    texts = [text("1"), text("2", twin="1"), text("3", twin="away")]
    assert clusters_of(texts) == ({"1": 0, "2": 0, "3": 1}, False)


def test_a_rate_of_nothing_has_no_value() -> None:
    assert rate(0, 0) == Rate(count=0, total=0, value=None, low=None, high=None)


def test_a_rate_over_texts_that_fare_alike_has_the_interval_of_fewer() -> None:
    # Ten wordings of six texts, each read rightly throughout or not at all: ten observations.
    alike = rate_of((place % 10, place % 10 < 5) for place in range(60))
    few = rate(5, 10)
    assert (alike.count, alike.total, alike.value) == (30, 60, 0.5)
    assert (alike.low, alike.high) == pytest.approx((few.low, few.high))


def test_observations_of_one_text_are_worth_no_more_than_it() -> None:
    several = rate_of([(0, True), (0, True), (0, True), (1, True), (1, True), (1, True)], texts=2)
    assert several.low == pytest.approx(rate(2, 2).low)


def test_the_figures_are_over_all_answers() -> None:
    answers = [
        answer(
            str(n),
            latency_s=float(n),
            waited_s=0.5,
            provider_s=n / 2,
            retried_s=0.25,
            attempts=2,
            reasks=n % 2,
            fallbacks=n % 4 == 0,
            usage=TokenUsage(input_tokens=10, cached_tokens=4, output_tokens=2),
            wasted=TokenUsage(input_tokens=1, output_tokens=1),
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
    answers = [answer("1", provider_s=7.0, retried_s=1.0), answer("2", provider_s=8.0)]
    # 16 s over 4 calls at once are 4 s for 2 texts: 2,000 s for 1,000, at 0.001 USD a second.
    assert operations(local, answers).machine_usd_per_1000 == pytest.approx(2.0)


def test_one_unknown_price_leaves_the_cost_unknown() -> None:
    answers = [answer("1", cost_usd=Decimal(1)), answer("2")]
    assert operations(contestant("a"), answers).usd_per_1000 is None


def test_failures_stand_by_frequency() -> None:
    kinds = [FailureKind.TIMEOUT, FailureKind.REFUSED, FailureKind.AUTH, FailureKind.REFUSED]
    found = operations(contestant("a"), [failed(str(n), kind) for n, kind in enumerate(kinds)])
    assert list(found.failures.items()) == [("refused", 2), ("auth", 1), ("timeout", 1)]
