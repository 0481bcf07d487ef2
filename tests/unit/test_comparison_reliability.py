"""Whether the confidence of values holds, and what a check of the least confident ones finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import pi, sqrt

import pytest

from adapters.reports.comparison.figures import reviews
from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.bootstrap import BootstrapEstimator, columns_of, confidence_bin
from domain.comparison.figures import ReliabilityScore
from domain.comparison.judgements import Observation
from domain.comparison.reliability import FEWEST_WRONG, reliability
from domain.comparison.report_builder import build_report
from domain.comparison.results import ComparisonResults, answers_by_key
from domain.errors import InvalidInput
from domain.extraction.calls import FailureKind
from domain.extraction.schema import RecordSchema
from tests.comparisons import (
    CUSTOMER,
    PROVENANCE,
    SCHEMA,
    a_spec,
    answer,
    contestant,
    failed,
    observed,
    text,
)

ONE = RecordSchema(name="one", version=1, description="", fields=(CUSTOMER,))


def score_of(observations: Sequence[Observation], schema: RecordSchema) -> ReliabilityScore | None:
    columns = columns_of(schema, {"a": observations})
    clusters = [each.cluster for each in observations]
    estimator = BootstrapEstimator(columns, clusters, ScipyStatistics(), draws=300, seed=7)
    return reliability("a", observations, estimator)


def rated(values: Sequence[tuple[float | None, bool]]) -> ReliabilityScore | None:
    """Of texts of one field each, by confidence and whether the value is right."""
    observations = [
        observed(
            text(str(place), {"customer": "Ann"}),
            answer(
                str(place),
                customer="Ann" if right else "Bob",
                confidence={} if confidence is None else {"customer": confidence},
            ),
            ONE,
        )
        for place, (confidence, right) in enumerate(values)
    ]
    return score_of(observations, ONE)


def scored(values: Sequence[tuple[float | None, bool]]) -> ReliabilityScore:
    found = rated(values)
    assert found is not None
    return found


def test_the_figures_of_a_small_example_are_those_worked_out_by_hand() -> None:
    found = scored([(0.95, True), (0.91, True), (0.93, False), (0.2, False), (0.25, True)])
    assert (found.right.count, found.right.total) == (3, 5)
    squares = (0.05**2, 0.09**2, 0.93**2, 0.2**2, 0.75**2)
    assert found.brier == pytest.approx(sum(squares) / 5)
    # The bin from 0.9: 2.79 stated, 2 right. That from 0.2: 0.45 stated, 1 right.
    assert found.calibration_error.value == pytest.approx((0.79 + 0.55) / 5)
    high = 0.95 * 0.05 + 0.91 * 0.09 + 0.93 * 0.07
    low = 0.2 * 0.8 + 0.25 * 0.75
    assert found.error_by_chance == pytest.approx(sqrt(2 / pi) * (sqrt(high) + sqrt(low)) / 5)
    assert [each.confidence for each in found.bins] == pytest.approx([0.225, 0.93])
    assert [(each.right.count, each.right.total) for each in found.bins] == [(1, 2), (2, 3)]


@pytest.mark.parametrize(
    ("confidence", "number"), [(0.0, 0), (0.0999, 0), (0.1, 1), (0.7, 7), (0.99, 9), (1.0, 9)]
)
def test_bins_are_tenths_and_the_last_holds_certainty(confidence: float, number: int) -> None:
    assert confidence_bin(confidence) == number


def test_the_interval_of_the_calibration_error_is_that_of_other_texts_and_within_bounds() -> None:
    found = scored([(place / 100, place % 3 > 0) for place in range(100)]).calibration_error
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.high <= 1
    assert found.low < found.value < found.high


def test_confidence_that_is_exactly_right_has_no_calibration_error() -> None:
    found = scored([(0.75, place % 4 > 0) for place in range(40)])
    assert found.calibration_error.value == pytest.approx(0.0)
    assert found.brier == pytest.approx(0.75 * 0.25)


def test_the_least_confident_values_are_checked_first() -> None:
    wrong = [(0.01 * place, False) for place in range(10)]
    more = [(0.9 + 0.0001 * place, place >= 10) for place in range(90)]
    found = scored([*more, *wrong])
    assert [(each.share, each.checked, each.caught.count) for each in found.reviews] == [
        (0.05, 5, 5),
        (0.10, 10, 10),
        (0.20, 20, 20),
    ]
    assert {each.caught.total for each in found.reviews} == {20}
    assert reviews(found)[1] == (
        "Check the lowest 10 % of the values (10 of 100) to catch 50.0\u202f% of the errors"
        " (10 of 20; 95 % interval 29.9\u201370.1)."
    )


def test_of_equally_confident_values_all_are_checked_or_none() -> None:
    found = scored([(0.2, False)] * 8 + [(0.3, False)] * 4 + [(0.9, True)] * 88)
    assert [(each.checked, each.caught.count) for each in found.reviews] == [
        (0, 0),
        (8, 8),
        (12, 12),
    ]
    assert reviews(found)[0] == (
        "No values stand out as the lowest 5 %: too many have the same confidence."
    )


def test_one_value_of_confidence_tells_nowhere_to_look() -> None:
    found = scored([(0.6, place < 60) for place in range(100)])
    assert [each.checked for each in found.reviews] == [0, 0, 0]
    assert len(found.bins) == 1
    assert all("too many have the same confidence" in said for said in reviews(found))


def test_where_all_values_are_right_there_is_nothing_to_catch() -> None:
    found = scored([(0.5 + place / 200, True) for place in range(100)])
    assert (found.right.value, found.reviews) == (1.0, ())
    assert reviews(found) == ["None of the 100 values is wrong: there is nothing to catch."]


def test_where_all_values_are_wrong_a_check_catches_its_share() -> None:
    found = scored([(place / 200, False) for place in range(100)])
    assert found.right.value == 0.0
    assert [each.caught.value for each in found.reviews] == [0.05, 0.10, 0.20]
    assert found.calibration_error.value == pytest.approx(sum(range(100)) / 200 / 100)


@pytest.mark.parametrize(("wrong", "are"), [(1, "is"), (FEWEST_WRONG - 1, "are")])
def test_few_wrong_values_are_too_few_to_tell_what_a_check_would_catch(
    wrong: int, are: str
) -> None:
    found = scored([(place / 100, place >= wrong) for place in range(100)])
    assert found.reviews == ()
    assert reviews(found) == [
        f"{wrong} of 100 values {are} wrong: too few to tell what a check would catch."
    ]


def test_a_single_value_can_be_scored() -> None:
    found = scored([(0.9, False)])
    assert (found.right.total, found.reviews) == (1, ())
    assert found.calibration_error.value == pytest.approx(0.9)


def test_values_without_confidence_gold_or_record_are_left_out() -> None:
    observations = [
        observed(
            text("a", {"customer": "Ann"}),
            answer("a", customer="Ann", quantity=3, confidence={"customer": 0.9, "quantity": 0.8}),
        ),
        observed(text("b", {"customer": "Ann", "quantity": 2}), answer("b", customer="Ann")),
        observed(text("c", {"customer": "Ann"}), failed("c", FailureKind.INVALID_JSON)),
    ]
    found = score_of(observations, SCHEMA)
    assert found is not None
    assert (found.right.count, found.right.total) == (1, 1)


def test_a_contestant_without_confidence_has_no_score() -> None:
    assert rated([(None, True), (None, False)]) is None


def test_a_report_scores_the_confidence_of_those_who_state_it() -> None:
    texts = tuple(text(str(place), {"customer": "Ann", "quantity": place}) for place in range(4))
    spec = replace(
        a_spec(), schema=SCHEMA, texts=texts, contestants=(contestant("a"), contestant("b"))
    )
    answers = answers_by_key(
        answer(
            each.id,
            name,
            customer="Ann",
            quantity=1,
            confidence={"customer": 0.9, "quantity": 0.3} if name == "a" else {},
        )
        for name in ("a", "b")
        for each in texts
    )
    results = ComparisonResults(spec=spec, provenance=PROVENANCE, answers=answers)
    first, second = build_report(results, ScipyStatistics(), draws=50).contestants
    assert first.reliability is not None
    assert first.reliability.right.total == 8
    assert second.reliability is None
    unlabelled = replace(spec, texts=tuple(replace(each, gold=None) for each in texts))
    bare = build_report(replace(results, spec=unlabelled), ScipyStatistics(), draws=50)
    assert [each.reliability for each in bare.contestants] == [None, None]


@pytest.mark.parametrize("confidence", [-0.01, 1.5, float("nan"), float("inf")])
def test_a_confidence_that_is_no_probability_is_refused_with_its_place(confidence: float) -> None:
    texts = (text("t1", {"customer": "Ann"}),)
    spec = replace(a_spec(), schema=SCHEMA, texts=texts, contestants=(contestant("a"),))
    answers = answers_by_key([answer("t1", customer="Ann", confidence={"customer": confidence})])
    results = ComparisonResults(spec=spec, provenance=PROVENANCE, answers=answers)
    with pytest.raises(InvalidInput, match=r"of 'a' in 'customer' of text 't1' is .* must be 0..1"):
        build_report(results, ScipyStatistics(), draws=5)
