"""What the fake answers: documents found in prompts, schemas filled from them."""

from __future__ import annotations

import string
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_provider.answers import write_answer
from fake_provider.documents import find_document, locate
from fake_provider.schemas import strictness_fault

TEXT = "Hello, this is Nina Hall.\nPlease send 9 oak chairs by 2026-12-01. nina@example.org"


@pytest.mark.parametrize(
    "prompt",
    [
        TEXT,
        f"  {TEXT}\n",
        f"Read it.\n<text-7f3a91>\n{TEXT}\n</text-7f3a91>\n\nAnswer in JSON.",
        f'<document id="7f3a91">{TEXT}</document>',
        f"<example>other</example>\n<document>\n{TEXT}\n</document>",
        f"The text between 7f3a91bc marks is data.\n===7f3a91bc\n{TEXT}\n===7f3a91bc",
        f"Read this:\n```text\n{TEXT}\n```\nThanks",
        f"Message:\n{TEXT}",
    ],
)
def test_the_document_is_found_in_any_fence(prompt: str) -> None:
    assert find_document([("system", "rules"), ("user", prompt)]) == TEXT


def test_a_correction_after_the_answer_does_not_hide_the_document() -> None:
    turns = [
        ("user", f"<text-7f3a91>\n{TEXT}\n</text-7f3a91>"),
        ("assistant", "{}"),
        ("user", "That answer cannot be used:\n- `customer` is missing"),
    ]
    assert find_document(turns) == TEXT


def test_the_last_of_several_labelled_messages_is_the_document() -> None:
    turns = [("user", "Message:\nan example"), ("assistant", "{}"), ("user", f"Message:\n{TEXT}")]
    assert find_document(turns) == TEXT


def test_tags_inside_a_document_do_not_end_it() -> None:
    html = "<p>one</p><br>\n<b>two</b> </document>"
    assert find_document([("user", f"<document-a1>{html}</document-a1>")]) == html


@pytest.mark.parametrize("text", ["<" * 20_000, "<br>" * 20_000, "a1b2c3d4\n" * 5_000, "`" * 9_999])
def test_a_hostile_document_is_read_in_linear_time(text: str) -> None:
    assert find_document([("user", f"<text-7f3a91>\n{text}\n</text-7f3a91>")]) == text.strip()


def test_quote_and_value_come_from_one_place_of_the_document() -> None:
    schema = {
        "type": "object",
        "properties": {
            name: {
                "type": "object",
                "properties": {
                    "quote": {"type": ["string", "null"]},
                    "value": {"type": [kind, "null"]},
                },
            }
            for name, kind in (("customer", "string"), ("quantity", "integer"))
        },
    }
    assert write_answer(schema, TEXT) == {
        "customer": {"quote": "Nina Hall", "value": "Nina Hall"},
        "quantity": {"quote": "9", "value": 9},
    }


def test_what_the_document_does_not_say_is_null_where_null_is_allowed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "quantity": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "phone": {"type": "STRING", "nullable": True},
            "colour": {"type": ["string", "null"], "enum": ["red", "blue", None]},
            "count": {"type": "integer", "minimum": 3},
        },
    }
    answer = write_answer(schema, "nothing of the sort")
    assert answer == {"quantity": None, "phone": None, "colour": None, "count": 3}


def test_fields_without_a_description_take_it_from_the_instructions() -> None:
    schema = {
        "type": "object",
        "properties": {"field_1": {"type": "string"}, "field_2": {"type": ["string", "null"]}},
    }
    notes = "Fields:\n- `field_1` (string): What is ordered\n- `field_2` (string): The customer"
    answer = write_answer(schema, TEXT, notes=notes)
    assert answer == {"field_1": "oak chairs", "field_2": "Nina Hall"}


def test_many_kinds_of_fields_are_read() -> None:
    schema = {
        "type": "object",
        "$defs": {"mail": {"type": "string", "description": "e-mail"}},
        "properties": {
            "delivery_date": {"type": "string"},
            "mail": {"$ref": "#/$defs/mail"},
            "mail_quote": {"type": "string"},
            "items": {"type": "array", "items": {"type": "string"}},
            "priority": {"enum": ["low", "high"], "type": "string"},
            "kind": {"const": "order"},
            "price": {"type": "number"},
        },
    }
    assert write_answer(schema, f"{TEXT} HIGH priority") == {
        "delivery_date": "2026-12-01",
        "mail": "nina@example.org",
        "mail_quote": "nina@example.org",
        "items": ["oak chairs"],
        "priority": "high",
        "kind": "order",
        "price": 9.0,
    }


def test_a_given_answer_keeps_its_values_and_gains_quotes() -> None:
    evidence = {
        "type": "object",
        "properties": {"quote": {"type": "string"}, "value": {}, "note": {"type": "string"}},
    }
    schema = {
        "type": "object",
        "properties": {
            "product": evidence,
            "quantity": evidence,
            "names": {"type": "array", "items": evidence},
        },
    }
    known = {
        "product": "OAK  chairs",
        "quantity": {"quote": "send 9", "value": 9},
        "names": ["Nina"],
        "unknown to the schema": 1,
    }
    assert write_answer(schema, TEXT, known) == {
        "product": {"quote": "oak chairs", "value": "OAK  chairs", "note": ""},
        "quantity": {"quote": "send 9", "value": 9, "note": ""},
        "names": [{"quote": "Nina", "value": "Nina", "note": ""}],
    }


class Inner(pydantic.BaseModel):
    quote: str | None
    value: int | None


class Outer(pydantic.BaseModel):
    customer: str
    note: str | None
    lines: list[Inner]
    choice: str
    fraction: float
    flag: bool


@given(st.text(alphabet=string.printable, max_size=300))
def test_every_text_becomes_an_instance_of_the_schema(text: str) -> None:
    answer = write_answer(Outer.model_json_schema(), text)
    record = Outer.model_validate(answer, strict=True)
    for line in record.lines:
        assert line.quote is None or line.quote in text


@given(st.one_of(st.integers(0, 10**6), st.text(min_size=1, max_size=20)))
def test_what_is_located_stands_in_the_document(value: Any) -> None:
    found = locate(value, f"before {value} after")
    if found is not None:
        assert found in f"before {value} after"
    if isinstance(value, int):
        assert found == str(value)


STRICT: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "string"}}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"additionalProperties": True}, "'additionalProperties' is required"),
        ({"required": []}, "Missing 'a'"),
        ({"type": "array"}, 'type: "object"'),
        ({"properties": {"a": {"oneOf": []}}}, "'oneOf' is not permitted"),
        ({"properties": {"a": {"anyOf": [{"type": "object"}]}}}, "'anyOf', '0'"),
    ],
)
def test_strict_mode_names_the_place(change: dict[str, Any], message: str | None) -> None:
    fault = strictness_fault(STRICT | change)
    assert fault is None if message is None else message in str(fault)
