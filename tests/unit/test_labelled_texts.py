"""Files of labelled texts: what is written is read as the same, what is wrong is named."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.labelled_texts import (
    DATASET_FORMATS,
    dataset_format_of,
    read_labelled_texts,
    write_labelled_texts,
)
from domain.comparison.model import LabelledText
from domain.comparison.report_builder import dataset_hash
from domain.errors import InvalidInput
from domain.extraction.schema import ORDER_MESSAGE, Field, FieldType, RecordSchema, Value
from entrypoints.document_lines import check_lines
from labelled_messages.messages import messages

KINDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field(name="name", type=FieldType.STRING, description="-"),
        Field(name="count", type=FieldType.INTEGER, description="-"),
        Field(name="price", type=FieldType.NUMBER, description="-"),
        Field(name="urgent", type=FieldType.BOOLEAN, description="-"),
        Field(name="day", type=FieldType.DATE, description="-"),
        Field(name="wish", type=FieldType.ENUM, description="-", choices=("refund", "gift")),
        Field(name="items", type=FieldType.STRING, description="-", many=True),
    )
}
EVERYTHING = RecordSchema(
    name="everything", version=1, description="", fields=tuple(KINDS.values())
)

words = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(lambda text: bool(text.strip()))
stripped = words.map(str.strip).filter(bool)
values: Mapping[str, st.SearchStrategy[Value]] = {
    "name": stripped,
    "count": st.integers(-(2**60), 2**60),
    "price": st.floats(allow_nan=False, allow_infinity=False),
    "urgent": st.booleans(),
    "day": st.dates().map(str),
    "wish": st.sampled_from(("refund", "gift")),
    "items": st.lists(stripped, max_size=3),
}
records = st.fixed_dictionaries({name: st.none() | strategy for name, strategy in values.items()})


@st.composite
def labelled(draw: st.DrawFn) -> list[LabelledText]:
    ids = draw(st.lists(words, min_size=1, max_size=4, unique=True))
    found = []
    for name in ids:
        text, gold = draw(words), draw(records)
        attack = {field: v for field, v in draw(records).items() if v is not None}
        end = draw(st.integers(1, len(text)))
        spans = {field: (0, end) for field, value in gold.items() if value is not None}
        found.append(
            LabelledText(
                id=name,
                text=text,
                gold=gold,
                spans=spans,
                strata=tuple(draw(st.lists(st.sampled_from("abc"), unique=True))),
                language=draw(st.sampled_from(("en", "zh-Hant"))),
                template=draw(st.just("") | words),
                split=draw(st.sampled_from(("test", "dev"))),
                twin=draw(st.sampled_from([None, *(each for each in ids if each != name)])),
                attack=attack or None,
            )
        )
    return found


def written(texts: list[LabelledText], schema: RecordSchema, form: str) -> bytes:
    file = io.BytesIO()
    write_labelled_texts(file, texts, schema, form=form)
    return file.getvalue()


def read(
    content: bytes, form: str = "ndjson", schema: RecordSchema = ORDER_MESSAGE
) -> list[LabelledText]:
    return read_labelled_texts(io.BytesIO(content), schema, form=form)


def faults(
    content: str | bytes, form: str = "ndjson", schema: RecordSchema = ORDER_MESSAGE
) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        read(content.encode() if isinstance(content, str) else content, form, schema)
    return [violation.detail for violation in refused.value.violations]


@pytest.mark.parametrize("form", DATASET_FORMATS)
@given(texts=labelled())
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_as_the_same(texts: list[LabelledText], form: str) -> None:
    assert read(written(texts, EVERYTHING, form), form, EVERYTHING) == texts


@pytest.mark.parametrize("form", DATASET_FORMATS)
def test_a_made_set_has_the_same_hash_in_either_format(form: str) -> None:
    made = list(messages(30, seed=1))
    again = read(written(made, ORDER_MESSAGE, form), form)
    assert dataset_hash(again) == dataset_hash(made)


def test_a_made_set_can_be_extracted_as_it_is() -> None:
    content = written(list(messages(12, seed=1)), ORDER_MESSAGE, "ndjson")
    assert check_lines(io.BytesIO(content), others=True) == 12


def test_a_users_own_lines_need_a_text_only() -> None:
    content = '\ufeff{"text": "two mugs"}\n\n{"id": 7, "text": "a mug", "received": "today"}'
    assert read(content.encode()) == [
        LabelledText(id="1", text="two mugs", gold=None),
        LabelledText(id="7", text="a mug", gold=None),
    ]


def test_a_users_own_table_needs_a_text_only() -> None:
    content = '\ufefftext,received\n"two\nmugs",today\n\n"\'=a mug",\n'
    assert read(content.encode(), "csv") == [
        LabelledText(id="2", text="two\nmugs", gold=None),
        LabelledText(id="5", text="=a mug", gold=None),
    ]


@pytest.mark.parametrize("form", DATASET_FORMATS)
def test_a_packed_file_is_read(form: str) -> None:
    made = list(messages(3, seed=1))
    assert read(gzip.compress(written(made, ORDER_MESSAGE, form)), form) == made


def test_a_number_is_no_formula_and_a_text_is() -> None:
    gold: dict[str, Value] = {"customer": "\uff1d1", "product": "-1", "quantity": -5}
    text = LabelledText(id="1", text="\u00a0=1", gold=gold)
    content = written([text], ORDER_MESSAGE, "csv")
    assert content.splitlines()[1].startswith("1,'\u00a0=1,".encode())
    assert "'\uff1d1,'-1,-5,".encode() in content
    assert read(content, "csv") == [text]


def test_texts_without_gold_are_written_without() -> None:
    texts = [LabelledText(id="1", text="two mugs", gold=None)]
    content = written(texts, ORDER_MESSAGE, "ndjson")
    assert content == b'{"id": "1", "text": "two mugs", "language": "en", "split": "test"}\n'
    assert read(content) == texts


def test_an_empty_gold_cell_is_null() -> None:
    content = "text,gold.customer,gold.product,gold.quantity\nmugs,,mugs,\n"
    (text,) = read(content.encode(), "csv")
    assert text.gold == {"customer": None, "product": "mugs", "quantity": None}


GOLD = '"gold": {"customer": null, "product": "mugs", "quantity": 2}'


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("[1]", "must be an object with `text`"),
        ("{", "is not JSON: Expecting property name enclosed in double quotes (column 2)"),
        (
            '{"text": "a", "id": ' + "7" * 5_000 + "}",
            "has a number of 5000 digits; 40 are read at most",
        ),
        ('{"text": "a", "x": NaN}', "has NaN, which JSON does not know"),
        ('{"text": ' + "[" * 101, "is nested more than 100 deep"),
        ('{"text": "a", "text": "b"}', "has the field 'text' twice"),
        ("{}", "has text that must not be blank"),
        ('{"text": " "}', "has text that must not be blank"),
        ('{"text": 5}', "must have a string as `text`"),
        ('{"text": "a", "id": true}', "must have a string as `id`"),
        ('{"text": "a", "id": ""}', "has id that must have 1..255 characters"),
        ('{"text": "a\\u0000"}', "has text that must not hold NUL or lone surrogates"),
        ('{"text": "a", "golden": {}}', "has 'golden'; did you mean 'gold'?"),
        ('{"text": "a", "strata": "noise"}', "must have a list of strings as `strata`"),
        ('{"text": "a", "gold": []}', "must have an object as `gold`"),
        (
            '{"text": "a", "gold": {"customer": null, "product": null}}',
            "has gold without quantity; write null where the text is silent",
        ),
        (
            '{"text": "a", "gold": {"costumer": null}}',
            "has the unknown field 'costumer' in `gold`; did you mean 'customer'?",
        ),
        (
            '{"text": "a", "attack": {"x": null}}',
            "has the unknown field 'x' in `attack`; known are customer, product, quantity",
        ),
        (
            '{"text": "a", "gold": {"customer": null, "product": null, "quantity": "2"}}',
            "has `gold.quantity` that must be a whole number or null",
        ),
        (
            '{"text": "a", "gold": {"customer": "", "product": null, "quantity": 2}}',
            "has `gold.customer` that must be a string that is not blank, or null",
        ),
        (
            '{"text": "2 mugs", "spans": {"quantity": [0]}}',
            "must have two whole numbers as the span of quantity: its start and end",
        ),
        (
            '{"text": "2 mugs", "spans": {"quantity": [2, 7]}}',
            "has the span 2-7 of quantity, in 6 characters",
        ),
        (
            f'{{"text": "2 mugs", {GOLD}, "spans": {{"customer": [0, 1]}}}}',
            "has a span of customer, whose gold is null",
        ),
        (
            '{"text": "a", "twin": "b"}',
            "names the twin 'b', which is no other text here",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_the_reason(line: str, fault: str) -> None:
    assert faults('{"text": "good"}\n' + line) == [f"line 2 {fault}"]


def test_every_bad_line_is_named() -> None:
    assert faults('[]\n{"text": "good"}\n5\n') == [
        "line 1 must be an object with `text`",
        "line 3 must be an object with `text`",
    ]
    *named, more = faults("5\n" * 150)
    assert named == [f"line {n} must be an object with `text`" for n in range(1, 101)]
    assert more == "has more lines; they are looked at once these are mended"


@pytest.mark.parametrize("form", DATASET_FORMATS)
def test_a_file_without_a_text_is_refused(form: str) -> None:
    said = {
        "ndjson": "must hold a text at least",
        "csv": "line 1 is empty; a line with the names of the columns comes first",
    }
    assert faults("", form) == [said[form]]
    assert faults("text\n" if form == "csv" else "\n", form) == ["must hold a text at least"]


def test_what_is_not_utf8_is_named() -> None:
    assert faults(b'{"text": "a"}\n{"text": "\xff"}') == ["line 2 is not UTF-8 (byte 10)"]
    assert faults(b"text\na\n\xff\n", "csv") == ["line 3 is not UTF-8 (byte 0xFF in field 1)"]


def test_an_id_that_stands_twice_is_named() -> None:
    line = '{"text": "a", "id": "x"}\n'
    assert faults(line * 2) == ["line 2 has the id 'x' of line 1"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("message\na\n", "line 1 has no column 'text'; it has message"),
        ("text,text\na,b\n", "line 1 has the column 'text' twice"),
        ("text,languages\na,b\n", "line 1 has 'languages'; did you mean 'language'?"),
        (
            "text,gold.costumer\na,b\n",
            "line 1 has the unknown column 'gold.costumer'; did you mean 'gold.customer'?",
        ),
        (
            "text,gold.customer,gold.product\na,b,c\n",
            "line 1 has gold of some fields only: it lacks gold.quantity",
        ),
        ("text,id\na\n", "line 2 has 1 fields, the heading has 2"),
        (
            "text,id\na,b,c\n",
            "line 2 has 3 fields, the heading has 2: a field that holds ',' stands in quotes",
        ),
        ("text,id\n ,b\n", "line 2 has text that must not be blank"),
        (
            "text,span.quantity\na,0\n",
            "line 2 must have start and end, such as 12-25, as `span.quantity`",
        ),
        (
            "text,attack.quantity\na,many\n",
            "line 2 has `attack.quantity` that must be a whole number or empty",
        ),
        ('text\na\n"b\n', "line 3 opens a quoted field that does not end"),
        (
            "text;id\na;b\n",
            "line 1 has one column by ',', 'text;id': divide them so, or see --delimiter",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_the_reason(content: str, fault: str) -> None:
    assert faults(content, "csv") == [fault]


@pytest.mark.parametrize(
    ("name", "cell", "fault"),
    [
        ("price", "cheap", "must be a number or empty"),
        *(
            ("price", cell, "must be a number or empty")
            for cell in ("1e999", "nan", "inf", "1_0", "\uff11", "7" * 41)
        ),
        ("count", "1.5", "must be a whole number or empty"),
        ("urgent", "maybe", "must be true, false or empty"),
        ("day", "yesterday", "must be a date as YYYY-MM-DD, or empty"),
        ("day", "20261201", "must be a date as YYYY-MM-DD, or empty"),
        ("wish", "nothing", "must be one of refund, gift, or empty"),
        (
            "items",
            "mug",
            "must be a list as JSON, or empty; it is not JSON: Expecting value (line 1, column 1)",
        ),
        ("items", "5", "must be a list, or empty"),
        ("items", "[5]", "must be a string that is not blank, or empty"),
        ("name", '"\x00"', "must not hold a NUL character"),
    ],
)
def test_a_cell_that_is_no_answer_for_its_field_says_what_is(
    name: str, cell: str, fault: str
) -> None:
    said = faults(f"text,attack.{name}\na,{cell}\n", "csv", EVERYTHING)
    assert said == [f"line 2 has `attack.{name}` that {fault}"]


def test_the_ending_tells_the_format() -> None:
    endings = ("a.CSV", "a.csv.gz", "a.ndjson", "a.jsonl", "a", "a.csv.x")
    assert [dataset_format_of(Path(name)) for name in endings] == ["csv"] * 2 + ["ndjson"] * 4
