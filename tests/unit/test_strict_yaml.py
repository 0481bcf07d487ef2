"""YAML of people's files: what it says plainly is read, what it could mean besides is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from entrypoints.strict_yaml import read_yaml

documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**39), 10**39)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
)


@given(documents, st.sampled_from([True, False, None]))
def test_what_a_program_writes_is_read_back(value: Any, flow: bool | None) -> None:
    assert read_yaml(yaml.safe_dump(value, default_flow_style=flow).encode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, -2.5, .5, 5., +7, 1e3, -0.0]", [1, -2.5, 0.5, 5, 7, 1000, 0]),
        ("[true, False, NULL, ~, ]", [True, False, None, None]),
        ("[yes, no, on, nUll, 12:30, 2026-12-01, 0x1F]", "yes no on nUll 12:30 2026-12-01 0x1F"),
        ("['12', \"null\"]", "12 null"),
        ("{1: a, null: b, c: }", {"1": "a", "null": "b", "c": None}),
        ("\ufeffa: |\n  12\n", {"a": "12\n"}),
        ("", None),
    ],
)
def test_words_without_quotes_are_read_as_yaml_1_2_has_them(text: str, value: Any) -> None:
    expected = value.split() if isinstance(value, str) else value
    assert read_yaml(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: \xff", "it is not UTF-8 (byte 3)"),
        ("a: [", "it is not YAML: while parsing a flow node"),
        ('"\\U99999999"', "it is not YAML: "),
        (f"%YAML {'9' * 5000}.1\n---\na", "it is not YAML: "),
        ("b: 1\na: 1\n'a': 2", "line 3 has the field 'a' twice"),
        ("a: &x [1]\nb: *x", "line 2 has the alias *x; write its value"),
        ("- &x [*x]", "line 1 has the alias *x"),
        ("a: !!python/name:os.system", "line 1 has the tag tag:yaml.org,2002:python/name"),
        ("a: !!set {b}", "line 1 has the tag tag:yaml.org,2002:set"),
        ("a:\n  ? [b]\n  : 1", "line 2 has a field whose name is no text"),
        ("a: 1\n---\nb: 2", "line 2 begins a second document"),
        ("a: .nan", "line 1 has .nan, which is no number"),
        ("a: -.INF", "line 1 has -.INF, which is no number"),
        ("a: 1e999", "line 1 has a number that is beyond a double's range; put text into quotes"),
        (f"a: {'7' * 6000}", "line 1 has a number of 6000 digits; 40 are read at most"),
        ("[" * 100_000, "line 1 is nested more than 100 deep"),
        ("- " * 101 + "a", "line 1 is nested more than 100 deep"),
        ("{a: " * 101 + "1" + "}" * 101, "line 1 is nested more than 100 deep"),
    ],
)
def test_what_could_be_taken_for_another_thing_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_yaml(text.encode() if isinstance(text, str) else text)
    assert str(caught.value).startswith(said)


def test_a_hundred_levels_are_read() -> None:
    assert str(read_yaml(b"[" * 100 + b"]" * 100)) == "[" * 100 + "]" * 100
