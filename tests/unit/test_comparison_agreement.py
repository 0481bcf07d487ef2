"""Agreement with others and with oneself, against worked examples of the literature."""

from __future__ import annotations

import pytest

from domain.comparison.agreement import (
    agreement,
    alpha_between,
    cohens_kappa,
    consistency,
    krippendorffs_alpha,
)
from domain.extraction.calls import FailureKind
from domain.extraction.schema import FieldType, RecordSchema
from tests.comparisons import CUSTOMER, SCHEMA, answer, failed, field

APART = {str(n): n for n in range(10)}
"""No text is like another."""
LEVELS = RecordSchema(
    name="levels",
    version=1,
    description="",
    fields=(
        field("level", FieldType.ENUM),
        field("gift", FieldType.BOOLEAN),
        field("tags", FieldType.ENUM, many=True),
    ),
)


def test_kappa_is_that_of_the_textbook() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: observed 0.7, by chance 0.5.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)


def test_kappa_is_one_when_all_agree_and_negative_below_chance() -> None:
    assert cohens_kappa([("a", "a"), ("b", "b")]) == 1.0
    assert cohens_kappa([("a", "b"), ("b", "a")]) == -1.0


def test_kappa_is_not_defined_for_nothing_or_one_category() -> None:
    assert cohens_kappa([]) is None
    assert cohens_kappa([("a", "a"), ("a", "a")]) is None


def units(*observers: str) -> list[list[str]]:
    return [[said for said in unit if said != "."] for unit in zip(*observers, strict=True)]


def test_alpha_is_that_of_krippendorffs_two_observers() -> None:
    # Krippendorff 2011, section B: binary data, two observers, no missing data.
    assert krippendorffs_alpha(units("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)


def test_alpha_is_that_of_krippendorffs_four_observers_with_missing_data() -> None:
    # Krippendorff 2011, section D: nominal data, any number of observers.
    said = units("123321412...", "1233224125.3", ".3332342251.", "1233244125 1.".replace(" ", ""))
    assert krippendorffs_alpha(said) == pytest.approx(0.743, abs=5e-4)


def test_alpha_needs_two_values_of_an_item_and_two_categories() -> None:
    assert krippendorffs_alpha([]) is None
    assert krippendorffs_alpha([["a"], ["b"]]) is None
    assert krippendorffs_alpha([["a", "a"], ["a", "a"]]) is None
    assert krippendorffs_alpha([["a", "a"], ["b", "b"]]) == 1.0


def test_two_contestants_agree_where_values_are_the_same_silence_included() -> None:
    pairs = [
        (
            answer("1", customer="Nina Hall", quantity=1),
            answer("1", customer="nina hall", quantity=1),
        ),
        (
            answer("2", customer="Nina Hall", quantity=2),
            answer("2", customer="Nina Hull", quantity=2),
        ),
        (answer("3"), answer("3")),
        (answer("4", quantity=4), answer("4", quantity=5)),
        (failed("5", FailureKind.TIMEOUT), answer("5", quantity=5)),
    ]
    customer, quantity, record = agreement(SCHEMA, pairs, APART)
    assert (customer.agreement.count, customer.agreement.total) == (3, 4)
    assert customer.anls == pytest.approx(35 / 36)  # 1, 8/9, 1, 1
    assert (quantity.agreement.count, quantity.anls) == (3, 0.75)
    assert (record.field, record.agreement.count, record.agreement.total) == (None, 2, 4)
    assert record.anls == pytest.approx((35 / 36 + 3 / 4) / 2)
    assert [row.kappa for row in (customer, quantity, record)] == [None, None, None]


def test_kappa_is_for_single_choices_and_booleans_alone() -> None:
    rows = [("high", "high"), ("high", "low"), ("low", "low"), ("low", "low")]
    pairs = [
        (
            answer(str(place), level=one, gift=one == "high", tags=[one]),
            answer(str(place), level=other, gift=other == "high", tags=[other]),
        )
        for place, (one, other) in enumerate(rows)
    ]
    level, gift, tags, _ = agreement(LEVELS, pairs, APART)
    # Observed 3/4; by chance 2/4 x 1/4 + 2/4 x 3/4 = 1/2.
    assert level.kappa == gift.kappa == pytest.approx(0.5)
    assert tags.kappa is None


def test_without_two_records_of_a_text_there_is_no_agreement_to_tell() -> None:
    lost = failed("1", FailureKind.TIMEOUT)
    for row in agreement(SCHEMA, [(lost, answer("1", quantity=1))], APART):
        assert (row.agreement.total, row.agreement.value, row.anls) == (0, None, None)


def test_repeats_measure_how_far_a_contestant_agrees_with_itself() -> None:
    said = {"1": (1, 1, 1), "2": (2, 2, 3), "3": (4, None, None)}
    answers = [
        answer(name, repeat=repeat, customer="Nina", quantity=value)
        for name, values in said.items()
        for repeat, value in enumerate(values)
    ]
    answers.append(failed("4", FailureKind.TIMEOUT))
    answers.append(answer("4", repeat=1, quantity=1))
    customer, quantity, record = consistency(SCHEMA, answers, APART)
    assert (customer.agreement.count, customer.agreement.total, customer.alpha) == (9, 9, None)
    # 3 + 1 + 1 of 9 pairs; the interval is that of 5/9 of three texts:
    # (.5556 + .6403 - 1.96 sqrt(.2469 / 3 + 3.8416 / 36)) / 2.2805
    assert (quantity.agreement.count, quantity.agreement.total) == (5, 9)
    assert quantity.agreement.low == pytest.approx(0.1507, abs=5e-4)
    # Disagreements 0 + (9 - 5) / 2 + (9 - 5) / 2 = 4 of n = 9; by chance 81 - (9 + 4 + 1 + 1 + 4).
    assert quantity.alpha == pytest.approx(1 - 4 * 8 / (81 - 19))
    assert (record.field, record.alpha) == (None, quantity.alpha)


def test_one_answer_a_text_says_nothing_of_consistency() -> None:
    once = [answer("1", quantity=1), answer("2", quantity=1)]
    assert consistency(SCHEMA, once, APART) == ()


def test_alpha_between_contestants_leaves_out_who_has_no_record() -> None:
    answers = [
        (answer("1", quantity=1), answer("1", "b", quantity=1), failed("1", FailureKind.TIMEOUT)),
        (answer("2", quantity=2), answer("2", "b", quantity=2), answer("2", "c", quantity=1)),
    ]
    found = alpha_between(
        RecordSchema(name="s", version=1, description="", fields=SCHEMA.fields), answers
    )
    # n = 5: disagreement (9 - 5) / 2; by chance 25 - (9 + 4).
    assert found == {"customer": None, "quantity": pytest.approx(1 - 2 * 4 / 12)}
    assert next(iter(found)) == CUSTOMER.name
