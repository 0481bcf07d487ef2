"""Schemas and their definitions: what they may hold, and every fault named at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.llm.record_validator import PydanticRecordValidator
from domain.errors import (
    InvalidInput,
)
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.prompting import (
    unservable,
)
from domain.extraction.schema import Example, Field, FieldType, RecordSchema
from entrypoints.http.extraction.schemas import ExampleBody, FieldDefinitionBody, SchemaBody
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


# What the API documents of a definition, and what the one reader of definitions takes, agree.

NUMERIC = {"name": "size", "type": "number", "description": "How large"}
CHOSEN = {"name": "kind", "type": "enum", "description": "Which", "choices": ["a", "b"]}
DEFINITION = {
    "description": "d",
    "fields": [NAME_DOCUMENT, NUMERIC, CHOSEN],
    "examples": [{"text": "t", "record": {"name": "n", "size": 1.5, "kind": "a"}}],
}
DOCUMENTED: dict[str, Any] = msgspec.json.schema(SchemaBody)["$defs"]
FIELD_OF = {"minimum": 1, "maximum": 1, "choices": 2}
"""The field of `DEFINITION` that may have this member; others stand in the first."""


def members(*of: type[msgspec.Struct]) -> list[tuple[str, str]]:
    return [(each.__name__, name) for each in of for name in each.__struct_fields__]


def place_of(struct: str, member: str) -> tuple[str | int, ...]:
    return {
        "SchemaBody": (member,),
        "ExampleBody": ("examples", 0, member),
        "FieldDefinitionBody": ("fields", FIELD_OF.get(member, 0), member),
    }[struct]


def changed(document: Any, place: Sequence[str | int], value: object) -> Any:
    if not place:
        return value
    copy = document.copy()
    head, *rest = place
    copy[head] = changed(document[head], rest, value) if rest else value
    return copy


def found_in(definition: object) -> dict[str, str]:
    """What the reader says, by pointer."""
    try:
        schema_from("s", definition)
    except InvalidInput as refused:
        return {violation.pointer: violation.detail for violation in refused.violations}
    return {}


def documented(definition: object) -> bool:
    try:
        msgspec.convert(definition, SchemaBody)
    except msgspec.ValidationError:
        return False
    return True


MEMBERS = members(SchemaBody, FieldDefinitionBody, ExampleBody)


def test_the_definition_that_the_following_tests_change_is_good() -> None:
    assert found_in(DEFINITION) == {}
    assert documented(DEFINITION)


@pytest.mark.parametrize(("struct", "member"), MEMBERS)
def test_the_reader_knows_each_documented_member(struct: str, member: str) -> None:
    at = place_of(struct, member)
    wrong = found_in(changed(DEFINITION, at, object()))
    assert "is not known" not in wrong.get("/" + "/".join(map(str, at)), "")
    assert wrong


@pytest.mark.parametrize("place", [(), ("fields", 0), ("examples", 0)])
def test_the_reader_names_as_known_what_is_documented_and_no_more(
    place: tuple[str | int, ...],
) -> None:
    struct = {(): SchemaBody, ("fields", 0): FieldDefinitionBody, ("examples", 0): ExampleBody}
    (said,) = found_in(changed(DEFINITION, (*place, "zzzzzz"), 1)).values()
    known = said.partition("known are ")[2].rstrip(".")
    assert sorted(known.replace(" and ", ", ").split(", ")) == sorted(
        struct[place].__struct_fields__
    )


@pytest.mark.parametrize("struct", ["SchemaBody", "FieldDefinitionBody", "ExampleBody"])
def test_the_reader_misses_what_is_documented_as_required_and_nothing_else(struct: str) -> None:
    place = place_of(struct, "")[:-1]
    pointer = "".join(f"/{each}" for each in place)
    missing = {
        at for at, said in found_in(changed(DEFINITION, place, {})).items() if said == "is missing"
    }
    assert missing == {f"{pointer}/{name}" for name in DOCUMENTED[struct]["required"]}


def limits() -> list[tuple[tuple[str | int, ...], object, bool]]:
    """A place, a value there, and whether a documented limit allows it: each limit, both sides."""
    found: list[tuple[tuple[str | int, ...], object, bool]] = []
    for struct, member in MEMBERS:
        at = place_of(struct, member)
        for rules in _variants(DOCUMENTED[struct]["properties"][member]):
            kind, items = rules.get("type"), rules.get("items", {})
            if "maxLength" in rules:
                most = rules["maxLength"]
                found += [(at, "a" * most, True), (at, "a" * (most + 1), False)]
            if "minLength" in rules:
                found += [(at, "a", True), (at, "", False)]
            if "minimum" in rules:
                low, high = rules["minimum"], rules["maximum"]
                beyond = 1 if kind == "integer" else 2
                found += [(at, low, True), (at, low - beyond, False)]
                found += [(at, high, True), (at, high + beyond, False)]
            if member == "choices":
                most, longest = rules["maxItems"], items["maxLength"]
                found += [(at, [str(each) for each in range(most)], True)]
                found += [(at, [str(each) for each in range(most + 1)], False)]
                found += [(at, ["a" * longest], True), (at, ["a" * (longest + 1)], False)]
                found += [(at, [""], False)]
            elif "maxItems" in rules:
                most = rules["maxItems"]
                of = {"FieldDefinitionBody": "a"}.get(struct)
                each = [of or _item(member, place) for place in range(most + 1)]
                found += [(at, each[:most], True), (at, each, False)]
    return found


def _variants(rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in rules.get("anyOf", [rules]) if each.get("type") != "null"]


def _item(member: str, place: int) -> object:
    if member == "fields":
        return NAME_DOCUMENT | {"name": f"field_{place}"}
    return DEFINITION["examples"][0]


LIMITS = limits()


def test_every_documented_limit_is_tried() -> None:
    unlimited = {"type", "list", "nullable", "record", "version", "built_in"}
    tried = {at for at, _, allowed in LIMITS if not allowed}
    assert tried == {place_of(*each) for each in MEMBERS if each[1] not in unlimited | {"name"}}


@pytest.mark.parametrize(("at", "value", "allowed"), LIMITS)
def test_the_reader_takes_what_a_documented_limit_allows_and_refuses_the_next(
    at: tuple[str | int, ...], value: object, allowed: bool
) -> None:
    definition = changed(DEFINITION, at, value)
    if at == ("fields",):
        del definition["examples"]  # whose record has the former fields
    assert documented(definition) == allowed
    assert (found_in(definition) == {}) == allowed


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
BETWEEN_MEMBERS = (
    "must be 's' or absent",
    "is for type",
    "must not exceed maximum",
    "an enum needs",
    "must name each choice once",
    "stands twice",
    "must have exactly the schema's fields",
    "must be null, a string, a number, a boolean or a list of these",
)
"""What depends on other members, or on the path, which a JSON schema cannot say."""


@given(st.sampled_from(MEMBERS), JSON | st.sampled_from(["enum", "integer", "s", 5]))
@example(("FieldDefinitionBody", "name"), "Up")
@example(("FieldDefinitionBody", "name"), "a" * 64)
@example(("SchemaBody", "name"), "S")
@example(("FieldDefinitionBody", "description"), " ")
@example(("FieldDefinitionBody", "max_length"), True)
@example(("FieldDefinitionBody", "max_items"), None)
@example(("FieldDefinitionBody", "pattern"), None)
@example(("FieldDefinitionBody", "minimum"), 10**30)
@example(("FieldDefinitionBody", "examples"), ["a", None])
def test_the_reader_refuses_what_is_documented_as_wrong_and_takes_the_rest(
    where: tuple[str, str], value: object
) -> None:
    definition = changed(DEFINITION, place_of(*where), value)
    found = found_in(definition)
    if not documented(definition):
        assert found
    else:
        assert [said for said in found.values() if not said.startswith(BETWEEN_MEMBERS)] == []
