"""The reader by regular expressions: fair to forms and plain orders, and not enough."""

from __future__ import annotations

from collections import Counter

import pytest

from domain.comparison.baseline import read_order
from domain.comparison.judgements import judge
from domain.comparison.model import LabelledText
from domain.comparison.results import ContestantAnswer
from domain.extraction.model import ExtractionStatus
from domain.extraction.schema import ORDER_MESSAGE, Value
from labelled_messages.messages import messages
from labelled_messages.strata import Split, Stratum

NAMES = ("customer", "product", "quantity")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi, my name is Ann Lee and I want 3 mugs.", ("Ann Lee", "mugs", 3)),
        ("Customer: Ann Lee\nItem: Red Mug\nQty: 1,200", ("Ann Lee", "Red Mug", 1_200)),
        ("please send two dozen tea towels\n\nThanks,\nAnn Lee", ("Ann Lee", "tea towels", 24)),
        ("<p>I need&nbsp;twelve mugs.</p><p>Best,<br>Ann Lee</p>", ("Ann Lee", "mugs", 12)),
        ("Buyer: Ann Lee. Item: red mug. Pieces: 4.", ("Ann Lee", "red mug", 4)),
        ("Name: ...\nwhere is my parcel?", (None, None, None)),
        ("half a dozen garden hoses for the shed", (None, "garden hoses", 6)),
    ],
)
def test_it_reads_forms_orders_and_signatures(
    text: str, expected: tuple[Value, Value, Value]
) -> None:
    fields, evidence = read_order(text, NAMES)
    assert tuple(fields.values()) == expected
    for each in evidence:
        assert text[each.start : each.end] == each.quote


def test_it_answers_under_the_names_that_it_is_given() -> None:
    fields, evidence = read_order("Ann Lee here, I want 3 mugs", ("field_1", "field_2", "field_3"))
    assert fields == {"field_1": "Ann Lee", "field_2": "mugs", "field_3": 3}
    assert [each.field for each in evidence] == ["field_1", "field_2", "field_3"]


def test_a_number_too_long_for_a_quantity_is_none() -> None:
    fields, _ = read_order(f"Name: Ann\nItem: mug\nQuantity: {'7' * 5000}", NAMES)
    assert fields == {NAMES[0]: "Ann", NAMES[1]: "mug", NAMES[2]: None}


def by_regex(text: LabelledText) -> ContestantAnswer:
    fields, evidence = read_order(text.text, NAMES)
    for each in evidence:
        assert text.text[each.start : each.end] == each.quote
    return ContestantAnswer(
        contestant="regex",
        text_id=text.id,
        status=ExtractionStatus.VALID,
        fields=fields,
        evidence=evidence,
    )


def test_it_reads_less_than_half_of_the_messages_perfectly() -> None:
    perfect, all_of = Counter[str](), Counter[str]()
    for text in messages(360, seed=7, split=Split.TEST):
        all_of[text.strata[0]] += 1
        answer = by_regex(text)
        perfect[text.strata[0]] += all(
            judge(field, text.gold, answer).right for field in ORDER_MESSAGE.fields
        )
    assert 0.3 < perfect.total() / all_of.total() < 0.5
    assert perfect["clean"] / all_of["clean"] > 0.6  # a fair reader, not a straw man
    hard = set(Stratum) - {Stratum.CLEAN, Stratum.INJECTION, Stratum.MISSING, Stratum.NOISE}
    assert all(perfect[stratum] / all_of[stratum] < 0.4 for stratum in hard)
