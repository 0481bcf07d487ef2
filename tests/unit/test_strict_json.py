"""What the one reader of JSON takes, and how it says what it does not take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strict_json import (
    DEEPEST,
    NotStrictJson,
    check_depth,
    printable,
    read_json,
    read_json_at,
    read_number,
)

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**39), 10**39) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(documents)
def test_what_json_writes_is_read_back(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")) == value


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "is empty"),
        (" \n", "is empty"),
        (b'{"a": "\xff"}', "is not UTF-8 (byte 7)"),
        ('{"a": 1', "is not JSON: Expecting ',' delimiter (line 1, column 8)"),
        ("{} {}", "is not JSON: Extra data (line 1, column 4)"),
        ('{"a": 1, "b": 2, "a": 3}', "has the field 'a' twice"),
        ('{"\\ud800": 1, "\\ud800": 2}', r"has the field '\\ud800' twice"),
        ('{"a": NaN}', "has NaN, which JSON does not know"),
        ('{"a": -Infinity}', "has -Infinity, which JSON does not know"),
        ("7" * 41, "has a number of 41 digits; 40 are read at most"),
        ("-" + "7" * 6000, "has a number of 6000 digits; 40 are read at most"),
        ("0." + "1" * 6000, "has a number of 6001 digits; 40 are read at most"),
        ("1e400", "has a number that is beyond a double's range"),
        ("[" * 200_000, "is nested more than 100 deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "is nested more than 100 deep"),
    ],
)
def test_all_else_is_refused_in_words(document: bytes | str, said: str) -> None:
    with pytest.raises(NotStrictJson) as caught:
        read_json(document)
    assert str(caught.value) == said


def test_depth_counts_what_is_open_and_not_what_strings_hold() -> None:
    read_json("[" * DEEPEST + "]" * DEEPEST)
    assert len(read_json("[" + ",".join(["[]"] * 500) + "]")) == 500
    assert read_json(json.dumps("[" * 500 + '"{')) == "[" * 500 + '"{'


@pytest.mark.parametrize(("literal", "value"), [("2.0", 2), ("2e0", 2), ("1" * 40, int("1" * 40))])
def test_integers_are_integers_however_written(literal: str, value: int) -> None:
    found = read_json(literal)
    assert found == value
    assert type(found) is int


def test_large_floats_stay_floats() -> None:
    assert type(read_json("1e300")) is float
    assert read_json("0.5" + "0" * 38) == 0.5


def test_a_value_inside_a_text_is_read_to_its_end() -> None:
    text = 'Here: {"a": [1]} and {"b": 2}'
    assert read_json_at(text, 6) == ({"a": [1]}, 16)
    many = 'x {"a": 1} ' + "[" * 500
    assert read_json_at(many, 2) == ({"a": 1}, 10)
    with pytest.raises(NotStrictJson, match="not JSON") as caught:
        read_json_at("{oops", 0)
    assert caught.value.position == 1


@pytest.mark.parametrize("deep", [101, 50_000])
def test_a_value_inside_a_text_may_be_no_deeper(deep: int) -> None:
    with pytest.raises(NotStrictJson, match="nested more than 100 deep"):
        read_json_at("[" * deep + "]" * deep, 0)


def test_names_are_shown_encodable_and_short() -> None:
    assert printable("\ud800") == "\\ud800"
    assert len(printable("a" * 500)) == 80


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("007", 7), ("-1.5", -1.5), ("12.0", 12), ("1e3", 1000), ("1e300", 1e300)],
)
def test_a_number_in_a_cell_is_read_by_the_grammar_of_json(text: str, value: float) -> None:
    assert (read_number(text), type(read_number(text))) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "inf",
        "-Infinity",
        "1_0",
        "+1",
        ".5",
        "1,5",
        " 1",
        "0x1",
        "\uff11\uff12",
        "1e400",
        "7" * 41,
    ],
)
def test_other_spellings_of_a_number_are_refused(text: str) -> None:
    with pytest.raises(NotStrictJson):
        read_number(text)


def test_the_end_of_a_value_is_told_by_its_brackets() -> None:
    assert check_depth('{"a": nan, "]": [{}]} {') == 21
    assert check_depth('{"a": [') == 7
