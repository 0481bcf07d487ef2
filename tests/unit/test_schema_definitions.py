"""Schemas and their definitions: what they may hold, and every fault named at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.errors import (
    InvalidInput,
)
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.prompting import (
    unservable,
)
from domain.extraction.schema import Example, Field, FieldType, RecordSchema
from tests.fakes.language_models import QUOTING

NAME = Field(name="name", type=FieldType.STRING, description="Who writes")


def schema_of(*fields: Field, examples: Sequence[Example] = ()) -> RecordSchema:
    return RecordSchema(
        name="s", version=1, description="", fields=fields, examples=tuple(examples)
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_choices": 1}, "takes 1 enum choices in all, these are 2"),
        ({"max_output_tokens": 10}, "gives 10; use fewer fields"),
        ({"context_tokens": 500}, "no room for a text in the 500 tokens"),
    ],
)
def test_a_model_says_why_it_cannot_fill_a_record(change: dict[str, int], reason: str) -> None:
    kind = Field(name="kind", type=FieldType.ENUM, description="Which", choices=("a", "b"))
    assert unservable(schema_of(kind), QUOTING) is None
    profile = replace(QUOTING, **change)  # type: ignore[arg-type]  # by name
    assert reason in (unservable(schema_of(kind), profile) or "")


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"name": "Name"}, "name", "lower snake case"),
        ({"description": " "}, "description", "1..2000 characters"),
        ({"examples": ("a",) * 11}, "examples", "at most 10"),
        ({"pattern": "a" * 501}, "pattern", "at most 500 characters"),
        ({"max_length": 0}, "max_length", "1..2000"),
        ({"max_items": 101}, "max_items", "1..100"),
        ({"choices": ("a",)}, "choices", "enum only"),
        ({"minimum": 1}, "minimum", "integer and number only"),
        ({"type": FieldType.INTEGER, "pattern": "a"}, "pattern", "string only"),
        ({"type": FieldType.INTEGER, "maximum": 2.0**54}, "maximum", "within +-2**53"),
        ({"type": FieldType.INTEGER, "minimum": 2, "maximum": 1}, "minimum", "not exceed"),
        ({"type": FieldType.ENUM}, "choices", "needs 1..200 choices"),
        ({"type": FieldType.ENUM, "choices": ("a", "a")}, "choices", "each choice once"),
        ({"type": FieldType.ENUM, "choices": ("",)}, "choices", "1..200 characters"),
    ],
)
def test_a_field_beyond_a_limit_is_named_with_the_limit(
    change: dict[str, Any], pointer: str, detail: str
) -> None:
    (violation,) = schema_of(replace(NAME, **change)).violations()
    assert violation.pointer == f"/fields/0/{pointer}"
    assert detail in violation.detail


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"name": "9"}, "/name", "lower snake case"),
        ({"description": "a" * 2001}, "/description", "at most 2000"),
        ({"fields": ()}, "/fields", "1..60 fields"),
        ({"fields": (NAME, NAME)}, "/fields/1/name", "'name' stands twice"),
        (
            {"examples": (Example(text="t", record=(("name", "t"),)),) * 21},
            "/examples",
            "at most 20",
        ),
        (
            {"examples": (Example(text="", record=(("name", "t"),)),)},
            "/examples/0/text",
            "1..2000 characters",
        ),
        (
            {"examples": (Example(text="t", record=(("nam", "t"),)),)},
            "/examples/0/record",
            "differs in: nam, name",
        ),
    ],
)
def test_a_schema_beyond_a_limit_is_named_with_the_limit(
    change: dict[str, Any], pointer: str, detail: str
) -> None:
    (violation,) = replace(schema_of(NAME), **change).violations()
    assert violation.pointer == pointer
    assert detail in violation.detail


NAME_DOCUMENT = {"name": "name", "type": "string", "description": "Who writes"}


def test_a_definition_with_examples_is_read_in_the_order_of_its_fields() -> None:
    record = {"colours": ["red", "blue"], "name": None}
    schema = schema_from(
        "s",
        {
            "fields": [
                NAME_DOCUMENT,
                {"name": "colours", "type": "string", "description": "Colours", "list": True},
            ],
            "examples": [{"text": "red and blue", "record": record}],
        },
    )
    (example,) = schema.examples
    assert example.record == (("name", None), ("colours", ("red", "blue")))
    assert example.values() == record
    assert schema_from("s", definition_of(schema)) == schema


@pytest.mark.parametrize(
    ("definition", "pointer", "detail"),
    [
        ([], "", "must be an object"),
        ({"name": "other", "fields": [NAME_DOCUMENT]}, "/name", "must be 's' or absent"),
        ({"fields": [NAME_DOCUMENT | {"examples": ["a", None]}]}, "/fields/0/examples", "a list"),
        ({"fields": [NAME_DOCUMENT | {"minimum": True}]}, "/fields/0/minimum", "must be a number"),
        ({"fields": [NAME_DOCUMENT], "examples": [{"text": "t"}]}, "/examples/0/record", "missing"),
        (
            {"fields": [NAME_DOCUMENT], "examples": [{"text": "t", "record": {"a/b": {}}}]},
            "/examples/0/record/a~1b",
            "must be null, a string",
        ),
        ({"fields": []}, "/fields", "1..60 fields"),
    ],
)
def test_a_wrong_definition_is_named_at_its_place(
    definition: object, pointer: str, detail: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        schema_from("s", definition)
    violation = caught.value.violations[0]
    assert violation.pointer == pointer
    assert detail in violation.detail


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "backreferences are not supported"),
        (r"a\Z", "unrecognized escape sequence"),
        ("[a-z", "unclosed character class"),
        ("(", "unclosed group"),
        ("a{99999999999999999999}", "decimal literal invalid"),
        ("(a{1000}){1000}", "Compiled regex exceeds size limit of 10485760 bytes."),
    ],
)
def test_a_pattern_that_the_engine_refuses_is_refused_with_its_reason(
    pattern: str, reason: str
) -> None:
    schema = _strings(pattern)
    with pytest.raises(InvalidInput) as caught:
        PydanticRecordValidator().check(schema)
    (violation,) = caught.value.violations
    assert violation.pointer == "/fields/0/pattern"
    assert violation.detail == f"is refused as a regular expression: {reason}"


def test_a_pattern_that_only_other_engines_refuse_is_taken() -> None:
    schema = _strings(r"^\p{Lu}")
    PydanticRecordValidator().check(schema)
    assert PydanticRecordValidator().validate(schema, {"f": "Ärger"}).values == {"f": "Ärger"}
    assert PydanticRecordValidator().validate(schema, {"f": "ärger"}).faults


def _strings(pattern: str) -> RecordSchema:
    field = Field(name="f", type=FieldType.STRING, description="d", pattern=pattern)
    return RecordSchema(name="s", version=1, description="", fields=(field,))


def test_an_example_that_breaks_its_own_schema_is_refused() -> None:
    field = Field(name="f", type=FieldType.INTEGER, description="d")
    schema = RecordSchema(
        name="s",
        version=1,
        description="",
        fields=(field,),
        examples=(Example(text="t", record=(("f", "many"),)),),
    )
    with pytest.raises(InvalidInput) as caught:
        PydanticRecordValidator().check(schema)
    assert caught.value.violations[0].pointer == "/examples/0/record/f"


BAD = {
    "fields": [
        {"name": "Up", "type": "string", "description": "d"},
        {"name": "a", "type": "strng", "description": 5, "colour": 1},
        {"name": "b", "type": "integer"},
        7,
    ],
    "examples": [{"text": 5}],
    "descripton": "x",
}


def test_every_bad_member_of_a_definition_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        schema_from("s", BAD)
    assert {violation.pointer for violation in caught.value.violations} == {
        "/descripton",
        "/fields/1/type",
        "/fields/1/description",
        "/fields/1/colour",
        "/fields/2/description",
        "/fields/3",
        "/examples/0/text",
        "/examples/0/record",
    }


@pytest.mark.parametrize(
    ("field", "pointer"),
    [
        ({"type": "integer", "pattern": "a"}, "/fields/0/pattern"),
        ({"type": "string", "minimum": 1}, "/fields/0/minimum"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "/fields/0/minimum"),
        ({"type": "enum"}, "/fields/0/choices"),
        ({"type": "enum", "choices": ["a", "a"]}, "/fields/0/choices"),
        ({"type": "string", "choices": ["a"]}, "/fields/0/choices"),
        ({"type": "string", "max_length": 0}, "/fields/0/max_length"),
        ({"type": "string", "max_items": 1000}, "/fields/0/max_items"),
        ({"type": "string", "name": "x" * 64}, "/fields/0/name"),
        ({"type": "string", "description": " "}, "/fields/0/description"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_at_its_place(
    field: dict[str, object], pointer: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        schema_from("s", {"fields": [{"name": "f", "description": "d"} | field]})
    assert [violation.pointer for violation in caught.value.violations] == [pointer]
