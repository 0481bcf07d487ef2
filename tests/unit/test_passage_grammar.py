"""What a model of llama.cpp may say when its strings are held to passages of the text."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from adapters.llm.passage_grammar import MOST_PARTS, grammar_of
from domain.extraction.matching import locate

_NAME = {"properties": {"name": {"type": ["string", "null"]}}}
_RULE = re.compile(r'p(\d+) ::= "((?:\\.|[^"\\])*)"(?: \("( ?)" p(\d+)\)\?)?')


def passages(text: str, most: int = 6) -> set[str]:
    """Each string that the grammar lets a model say, of up to so many words and marks."""
    grammar = grammar_of(_NAME, text)
    assert grammar is not None
    _, starts, *rules = grammar.split("\n")
    follows: dict[str, tuple[str, str, str | None]] = {}
    for rule in rules:
        match = _RULE.fullmatch(rule)
        assert match is not None, rule
        name, quoted, joint, after = match.groups()
        in_json = re.sub(r"\\(.)", r"\1", quoted)
        follows[name] = (json.loads(f'"{in_json}"'), joint, after)
    found = set()
    for start in re.findall(r"\bp(\d+)", starts):
        said, at = "", start
        for _ in range(most):
            part, joint, after = follows[at]
            said += part
            found.add(said)
            if after is None:
                break
            said, at = said + joint, after
    return found


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_every_passage_stands_in_the_text(text: str) -> None:
    for passage in passages(text):
        assert locate(text, passage) is not None, passage


_ODD = (
    "aZé é\u0301 1٣½ \u00ad\u200d\u200b\u0007\t\n\r\u2028\\\"'“—-_.,;#@&()"
    "中文はｶﾞ가각ᄀ\u1161שלเก👩\u200d👧"
)


@given(st.text(alphabet=_ODD, max_size=30))
def test_every_passage_of_odd_characters_stands_in_the_text(text: str) -> None:
    for passage in passages(text):
        assert locate(text, passage) is not None, passage


def test_passages_begin_and_end_with_words_and_leave_out_what_is_between() -> None:
    found = passages("I'm Mara Lindqvist: 24cartons of\n  oat\u00admilk, #5.\n\nThanks")
    wanted = {"Mara Lindqvist", "cartons of oatmilk", "24cartons", "oatmilk", "#5", "Thanks"}
    assert wanted <= found
    assert not {"oat milk", "ara", "Mara L", "milk cartons", ", #5"} & found
    assert not any("Thanks" in each and each != "Thanks" for each in found)


def test_each_type_has_its_form_and_choices_are_listed() -> None:
    shapes: dict[str, object] = {
        'the "name"': {"type": ["string", "null"]},
        "count": {"type": ["integer", "null"], "enum": [24, None]},
        "price": {"type": "number"},
        "day": {"type": ["string", "null"], "format": "date"},
        "gift": {"type": "boolean"},
        "mood": {"type": "string", "enum": ["calm", 'the "other"']},
    }
    grammar = grammar_of({"properties": shapes}, 'Say "a\\b"')
    assert grammar is not None
    root, passage, *_ = grammar.split("\n")
    assert root == (
        r'root ::= "{" "\"the \\\"name\\\"\": " (passage | "null")'
        r' ", " "\"count\": " ("24" | "null")'
        r' ", " "\"price\": " ("-"? [0-9]{1,15} ("." [0-9]{1,9})?)'
        r' ", " "\"day\": " ("\"" [0-9]{4} "-" [0-1] [0-9] "-" [0-3] [0-9] "\"" | "null")'
        r' ", " "\"gift\": " ("true" | "false")'
        r' ", " "\"mood\": " ("\"calm\"" | "\"the \\\"other\\\"\"") "}"'
    )
    assert passage == r'passage ::= "\"" (p0 | p2 | p4) "\""'


def test_a_text_without_words_has_the_empty_passage_alone() -> None:
    grammar = grammar_of(_NAME, " ... ")
    assert grammar is not None
    assert r'passage ::= "\"" ("") "\""' in grammar


def test_a_text_of_very_many_words_is_not_held() -> None:
    assert grammar_of(_NAME, "word " * MOST_PARTS) is not None
    assert grammar_of(_NAME, "word " * (MOST_PARTS + 1)) is None
