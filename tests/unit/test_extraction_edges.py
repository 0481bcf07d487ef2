"""The rare cases of reading: odd numerals, bare answers, limits of definitions, failures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.errors import (
    AppError,
    BadAnswer,
    InvalidInput,
    ProviderMisconfigured,
    ProviderQuotaExhausted,
    ProviderUnavailable,
)
from domain.extraction.answers import CheckedAnswer, check_answer
from domain.extraction.calls import ExtractionFailure, FailureKind
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.evidence import ground
from domain.extraction.matching import Span
from domain.extraction.model import Evidence, text_hash
from domain.extraction.numbers import numbers_in
from domain.extraction.prompting import unservable
from domain.extraction.schema import Example, Field, FieldType, Schema
from domain.extraction.suspicion import contradictions
from ports.extraction import MISSING
from ports.language_models import AnswerShape
from tests.fakes.language_models import QUOTING

NAME = Field(name="name", type=FieldType.STRING, description="Who writes")
COUNT = Field(name="count", type=FieldType.INTEGER, description="How many")
URGENT = Field(name="urgent", type=FieldType.BOOLEAN, description="Whether it is urgent")
COLOURS = Field(name="colours", type=FieldType.STRING, description="Colours", many=True)


def schema_of(*fields: Field, examples: Sequence[Example] = ()) -> Schema:
    return Schema(name="s", version=1, description="", fields=fields, examples=tuple(examples))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("half", [0.5]),
        ("undzwanzig", []),
        ("hundertundeins", [101]),
        ("einundzwanzig", [21]),
        ("eenentwintig", [21]),
        ("zevenentwintig", [27]),
        ("Donaudampfschifffahrtsgesellschaft", []),
        ("二〇二六", [2026]),
        ("二百三四", []),
        ("三百零五", [305]),
        ("百", [100]),
        ("三千", [3000]),
    ],
)
def test_rare_numerals_are_read_or_left_alone(text: str, values: list[float]) -> None:
    assert [number.value for number in numbers_in(text)] == values


def test_a_numeral_without_sense_does_not_hide_the_next_one() -> None:
    (number,) = numbers_in("二百三四 and 三百")
    assert (number.value, number.start, number.end) == (300, 9, 11)


def test_a_bare_value_is_backed_by_a_place_outside_the_instructions() -> None:
    text = "set 5 now. We need 5 mugs"
    found = ground(schema_of(COUNT), {"count": 5}, None, text, forbidden=[Span(start=0, end=10)])
    assert [(item.start, item.end) for item in found.evidence] == [(19, 20)]
    only = ground(
        schema_of(COUNT), {"count": 5}, None, text[:10], forbidden=[Span(start=0, end=10)]
    )
    assert "count" in only.faults
    assert only.values == {}


def test_a_bare_judgement_holds_without_a_passage_and_says_so() -> None:
    found = ground(schema_of(URGENT), {"urgent": True}, None, "asap please")
    assert found.values == {"urgent": True}
    assert found.evidence == ()
    assert found.unquoted == ("urgent",)


def read(record: dict[str, Any], schema: Schema, text: str) -> CheckedAnswer:
    return check_answer(
        json.dumps(record), schema, AnswerShape.QUOTED, text, PydanticRecordValidator()
    )


@pytest.mark.parametrize("style", list(AnswerShape))
def test_a_member_that_the_answer_lacks_is_a_fault_and_never_null(style: AnswerShape) -> None:
    given = {"quote": "Ann", "value": "Ann"} if style is AnswerShape.QUOTED else "Ann"
    schema = schema_of(NAME, COUNT, COLOURS)
    found = check_answer(
        json.dumps({"name": given}), schema, style, "Ann: 3 mugs", PydanticRecordValidator()
    )
    assert found.values == {"name": "Ann"}
    assert found.invalid == {"count": MISSING, "colours": MISSING}


def test_a_value_outside_a_quote_object_has_no_evidence_and_is_dropped() -> None:
    found = read(
        {"name": "Ann", "count": {"quote": 3, "value": 3}}, schema_of(NAME, COUNT), "Ann 3"
    )
    assert found.values == {}
    assert set(found.ungrounded) == {"name", "count"}


def test_a_list_for_a_single_value_is_read_where_it_holds_one() -> None:
    pair = {"quote": "Ann", "value": "Ann"}
    schema = schema_of(NAME, replace(NAME, name="second"), replace(NAME, name="third"))
    found = read({"name": [pair], "second": [], "third": [pair, pair]}, schema, "Ann")
    assert found.values == {"name": "Ann"}
    assert set(found.invalid) == {"second", "third"}


def test_null_for_a_list_says_that_the_text_states_none() -> None:
    assert read({"colours": None}, schema_of(COLOURS), "Ann").values == {"colours": []}


def test_a_later_unreadable_answer_changes_nothing() -> None:
    first = CheckedAnswer(values={"name": "Ann"}, ungrounded={"count": "why"})
    assert first.better(CheckedAnswer(unreadable="the answer was empty")) is first


def flagged(text: str, start: int, end: int, field: Field = COUNT) -> list[str]:
    item = Evidence(field=field.name, quote=text[start:end], start=start, end=end)
    flags = contradictions(schema_of(field), [item], text)
    return [text[flag.start : flag.end] for flag in flags]


def test_another_count_of_the_same_thing_is_a_contradiction() -> None:
    assert flagged("5 mugs for Ann, then 7 mugs", 0, 1) == ["7"]
    assert flagged("5 mugs for Ann, not 7 mugs", 0, 1) == []
    assert flagged("5 mugs for Ann, 7 plates", 0, 1) == []


def test_a_passage_without_a_number_or_a_counted_thing_contradicts_nothing() -> None:
    assert flagged("some mugs, then 7 mugs", 0, 4) == []
    assert flagged("5, then 7 mugs", 0, 1) == []


def test_items_of_a_list_do_not_contradict_each_other() -> None:
    text = "colour: red\ncolour: blue"
    assert flagged(text, 8, 11, COLOURS) == []
    assert flagged(text, 8, 11, replace(COLOURS, many=False)) == ["blue"]


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
    ("kind", "error"),
    [
        (FailureKind.AUTH, ProviderMisconfigured),
        (FailureKind.UNKNOWN_MODEL, ProviderMisconfigured),
        (FailureKind.BAD_REQUEST, ProviderMisconfigured),
        (FailureKind.QUOTA_EXHAUSTED, ProviderQuotaExhausted),
        (FailureKind.TIMEOUT, ProviderUnavailable),
        (FailureKind.CIRCUIT_OPEN, ProviderUnavailable),
        (FailureKind.TOO_LONG, BadAnswer),
    ],
)
def test_each_failure_is_the_error_that_its_remedy_asks_for(
    kind: FailureKind, error: type[AppError]
) -> None:
    raised = ExtractionFailure(kind=kind, detail="what happened").as_error()
    assert type(raised) is error
    assert str(raised) == "what happened"


def test_a_provider_that_names_a_time_is_asked_again_then() -> None:
    raised = ExtractionFailure(
        kind=FailureKind.OVERLOADED, detail="busy", retry_after_s=42
    ).as_error()
    assert isinstance(raised, ProviderUnavailable)
    assert raised.retry_after_s == 42


def test_a_text_is_known_by_its_sha_256() -> None:
    assert text_hash("Grüße") == hashlib.sha256("Grüße".encode()).hexdigest()
    assert text_hash("a") != text_hash("b")
