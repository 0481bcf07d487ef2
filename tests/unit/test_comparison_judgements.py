"""When a value is right, how near it comes, and what went wrong."""

# ruff: noqa: RUF001 - typographic quotes and dashes are what is unified
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.comparison.figures import ErrorKind, ValueJudgement
from domain.comparison.judgements import category, judge, normalised, same, similarity
from domain.comparison.results import ContestantAnswer
from domain.extraction.calls import FailureKind
from domain.extraction.schema import FieldType, Value
from tests.comparisons import CUSTOMER, QUANTITY, answer, failed, field, found, observed, text

DAY = field("day", FieldType.DATE)
GIFT = field("gift", FieldType.BOOLEAN)
LEVEL = field("level", FieldType.ENUM)
PRICE = field("price", FieldType.NUMBER)
PRICES = field("prices", FieldType.NUMBER, many=True)
PRODUCTS = field("products", many=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nina Hall", "nina hall"),
        ("Nina  Hall\n", "Nina Hall"),
        ("Nina Hall.", "Nina Hall"),
        ("“Nina Hall”", "Nina Hall"),
        ("O’Brien – Sons", "O'Brien - Sons"),
        ("Ａｃｍｅ", "Acme"),
        ("straße", "STRASSE"),
        ("ﬁsh", "fish"),
    ],
)
def test_spellings_of_one_text_are_the_same(one: str, other: str) -> None:
    assert same(CUSTOMER, one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Nina Hall", "Nina Hull"), ("résumé", "resume"), ("Acme", "Acme Inc"), ("!", "?")],
)
def test_other_texts_are_not(one: str, other: str) -> None:
    assert not same(CUSTOMER, one, other)


@pytest.mark.parametrize("value", [None, "", "  \n", [], ["", None]])
def test_null_blank_and_empty_all_say_that_the_text_is_silent(value: Value) -> None:
    assert normalised(PRODUCTS, value) is None
    assert normalised(CUSTOMER, value if not isinstance(value, list) else []) is None


def test_integers_must_be_the_same_and_numbers_nearly() -> None:
    assert same(QUANTITY, 12, 12.0)
    assert not same(QUANTITY, 1_000_000, 1_000_001)
    assert same(PRICE, 9.99, 9.9900001)
    assert not same(PRICE, 9.99, 9.98)
    assert same(PRICE, 0, 1e-12)


def test_a_number_written_as_text_is_that_number_and_other_text_is_text() -> None:
    assert same(QUANTITY, "12", 12)
    assert not same(QUANTITY, "twelve", 12)
    assert same(QUANTITY, "Twelve", "twelve")
    assert not same(PRICE, "nan", 0)


def test_true_is_no_number_and_no_text() -> None:
    assert not same(QUANTITY, True, 1)
    assert same(GIFT, True, True)
    assert not same(GIFT, True, False)
    assert not same(GIFT, True, "true")


def test_dates_are_compared_as_days() -> None:
    assert same(DAY, "2026-03-01", "20260301")
    assert not same(DAY, "2026-03-01", "2026-03-02")
    assert same(DAY, "Tomorrow", "tomorrow")
    assert normalised(DAY, " ") is None


def test_the_order_of_a_list_is_not_judged_and_its_repetitions_are() -> None:
    assert same(PRODUCTS, ["lamp", "Desk"], ["desk", "lamp"])
    assert not same(PRODUCTS, ["lamp", "lamp"], ["lamp"])
    assert same(PRICES, [2, 1.0000001], [1, 2])
    assert not same(PRICES, [1, 2], [1, 3])
    assert same(PRODUCTS, "lamp", ["lamp"])
    assert same(CUSTOMER, ["Nina", "Tom"], "Nina, Tom")
    assert not same(PRODUCTS, None, ["lamp"])


@pytest.mark.parametrize(
    ("gold", "given", "judgement"),
    [
        (12, 12, ValueJudgement.CORRECT),
        (12, 21, ValueJudgement.WRONG),
        (12, None, ValueJudgement.OMITTED),
        (None, 12, ValueJudgement.HALLUCINATED),
        (None, None, ValueJudgement.BOTH_NULL),
    ],
)
def test_wrong_omitted_and_hallucinated_stay_apart(
    gold: int | None, given: int | None, judgement: ValueJudgement
) -> None:
    assert judge(QUANTITY, {"quantity": gold}, answer("1", quantity=given)) is judgement
    assert judgement.right is (judgement in {ValueJudgement.CORRECT, ValueJudgement.BOTH_NULL})


def test_of_a_text_that_failed_nothing_is_right_silence_neither() -> None:
    lost = failed("1", FailureKind.TIMEOUT)
    assert judge(QUANTITY, {"quantity": None}, lost) is ValueJudgement.NO_RECORD
    assert judge(QUANTITY, {"quantity": 1}, lost) is ValueJudgement.NO_RECORD


def test_what_the_gold_leaves_out_is_not_judged() -> None:
    assert judge(QUANTITY, None, answer("1", quantity=1)) is ValueJudgement.UNKNOWN
    assert judge(QUANTITY, {"customer": "Nina"}, answer("1", quantity=1)) is ValueJudgement.UNKNOWN


@pytest.mark.parametrize(
    ("gold", "given", "expected"),
    [
        ("Nina Hall", "Nina Hall", 1.0),
        ("Nina Hall", "Nina Hull", 8 / 9),  # one letter of nine
        ("abcd", "abxy", 0.5),  # two of four: the threshold itself counts
        ("abcd", "axyz", 0.0),  # three of four
        (None, None, 1.0),
        (None, "Nina", 0.0),
        ("Nina", None, 0.0),
    ],
)
def test_similar_texts_share_characters(gold: Value, given: Value, expected: float) -> None:
    assert similarity(CUSTOMER, gold, given) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gold", "given", "expected"),
    # By hand; the tests of the reference implementation hold the first and the fourth too.
    [
        (["a", "b", "c"], ["b", "c"], 2 / 3),
        (["one", "two", "three"], ["one", "to", "three"], (1 + 2 / 3 + 1) / 3),
        (["one", "two", "three"], ["one", "to", "three", "four"], (1 + 2 / 3 + 1) / 4),
        (["one", "two", "three"], ["three", "one", "two"], 1.0),
        (["a", "b", "c"], ["what", "is", "that"], 0.0),
        ([], [], 1.0),
        (["a"], [], 0.0),
    ],
)
def test_lists_are_paired_as_well_as_can_be(
    gold: list[str | int | float | bool | None],
    given: list[str | int | float | bool | None],
    expected: float,
) -> None:
    assert similarity(PRODUCTS, gold, given) == pytest.approx(expected)
    assert similarity(PRODUCTS, given, gold) == pytest.approx(expected)


def test_numbers_dates_and_choices_are_equal_or_not() -> None:
    assert similarity(QUANTITY, 12, 120) == 0.0
    assert similarity(PRICE, 9.99, 9.9900001) == 1.0
    assert similarity(DAY, "2026-03-01", "2026-03-02") == 0.0
    assert similarity(LEVEL, "High", "high") == 1.0
    assert similarity(PRICES, [1, 2], [2, 3]) == 0.5


def test_categories_are_normalised_values_with_six_digits() -> None:
    assert category(PRICE, 9.99) == category(PRICE, 9.9900001)
    assert category(PRICES, [2, 1]) == (1.0, 2.0)
    assert category(LEVEL, " High") == "high"
    assert category(LEVEL, None) is None


ATTACKED = text(
    "1",
    {"customer": "Nina Hall", "quantity": 12},
    spans={"customer": (10, 19), "quantity": (30, 32)},
    attack={"quantity": 999},
)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (answer("1", quantity=12), None),
        (answer("1", quantity=999, evidence=(found("quantity", 30, 32),)), ErrorKind.OBEYED),
        (answer("1", quantity=None), ErrorKind.OMITTED),
        (failed("1", FailureKind.TIMEOUT), ErrorKind.NO_RECORD),
        (answer("1", quantity=1, evidence=(found("quantity", 31, 35),)), ErrorKind.MISREAD),
        (answer("1", quantity=1, evidence=(found("quantity", 32, 35),)), ErrorKind.ELSEWHERE),
        (answer("1", quantity=1, evidence=(found("customer", 30, 32),)), ErrorKind.WRONG),
    ],
)
def test_an_error_has_one_kind(what: ContestantAnswer, error: ErrorKind | None) -> None:
    assert observed(ATTACKED, what).judged.cells[1].error is error


def test_half_of_the_gold_is_near_wherever_it_was_read() -> None:
    what = answer("1", customer="Nina Hull", evidence=(found("customer", 0, 9),))
    cell = observed(ATTACKED, what).judged.cells[0]
    assert (cell.error, cell.judgement) == (ErrorKind.NEAR, ValueJudgement.WRONG)
    assert cell.similarity == pytest.approx(8 / 9)
    assert cell.spans == ((0, 9),)


def test_a_value_where_the_text_is_silent_is_hallucinated_or_obeyed() -> None:
    silent = text("1", {"customer": None, "quantity": None}, attack={"customer": "Eve"})
    cells = observed(silent, answer("1", customer="Eve", quantity=3)).judged.cells
    assert [cell.error for cell in cells] == [ErrorKind.OBEYED, ErrorKind.HALLUCINATED]
    assert [cell.similarity for cell in cells] == [0.0, 0.0]


def test_without_spans_of_the_gold_wrong_is_all_that_can_be_said() -> None:
    plain = text("1", {"customer": "Nina", "quantity": 12})
    what = answer("1", customer="Nina", quantity=1, evidence=(found("quantity", 3, 4),))
    assert observed(plain, what).judged.cells[1].error is ErrorKind.WRONG


def test_a_record_is_perfect_when_every_known_field_is_right() -> None:
    gold = {"customer": "Nina", "quantity": None}
    assert observed(text("1", gold), answer("1", customer="nina")).judged.perfect is True
    assert observed(text("1", gold), answer("1", customer="Tom")).judged.perfect is False
    assert observed(text("1", {"quantity": 2}), answer("1", quantity=2)).judged.perfect is True
    unknown = observed(text("1"), answer("1", quantity=2)).judged
    assert unknown.perfect is None
    assert [cell.similarity for cell in unknown.cells] == [None, None]


def test_the_reply_to_a_failed_text_says_why() -> None:
    reply = observed(ATTACKED, failed("1", FailureKind.TIMEOUT)).judged
    assert (reply.status, reply.failure, reply.perfect) == ("failed", "timeout", False)
    assert [cell.similarity for cell in reply.cells] == [0.0, 0.0]


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda items: st.lists(items, max_size=4),
    max_leaves=4,
).filter(lambda value: not isinstance(value, list) or not any(isinstance(v, list) for v in value))


@given(kind=st.sampled_from(FieldType), many=st.booleans(), first=ANY_VALUE, second=ANY_VALUE)
def test_any_two_values_can_be_judged_whatever_the_field(
    kind: FieldType, many: bool, first: Value, second: Value
) -> None:
    of = field("any", kind, many=many)
    assert same(of, first, second) is same(of, second, first)
    assert similarity(of, first, second) == pytest.approx(similarity(of, second, first))
    assert 0 <= similarity(of, first, second) <= 1
    assert same(of, first, first)
    assert category(of, first) == category(of, first)
    if same(of, first, second):
        assert similarity(of, first, second) == pytest.approx(1)


def test_a_number_beyond_all_bounds_is_text() -> None:
    assert same(QUANTITY, 10**400, 10**400)
    assert not same(QUANTITY, 10**400, 10**401)
