"""Answers and definitions: parsed strictly, repaired only where nothing can change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from string import ascii_lowercase, digits
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.llm.capabilities import profile_of
from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.answers import (
    UnreadableAnswer,
    ValidatedAnswer,
    check_answer,
    loops,
    parse_answer,
)
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.prompting import (
    answer_tokens,
    build_prompt,
    prompt_hash,
    unservable,
    wire_schema,
)
from domain.extraction.schema import (
    BUILT_IN,
    ORDER_MESSAGE,
    Example,
    Field,
    FieldType,
    RecordSchema,
)
from ports.extraction import MISSING
from ports.language_models import AnswerShape, ModelProfile, ResponseFormat

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


FRAMES = ["{}", "```json\n{}\n```", "```\n{}", "Sure!\n{}", "{}\nDone.", "As {asked}: {}, {hm}"]


@given(OBJECTS.filter(bool), st.sampled_from(FRAMES))
def test_an_object_is_found_whatever_stands_around_it(
    record: dict[str, object], frame: str
) -> None:
    assert parse_answer(frame.replace("{}", json.dumps(record)), record.keys()) == record


@given(st.text(), st.sets(st.text(), min_size=1))
def test_any_words_are_read_or_refused(text: str, members: set[str]) -> None:
    try:
        found = parse_answer(text, members)
    except UnreadableAnswer as error:
        found = {"refused": str(error)}
    assert isinstance(found, dict)


DRAFT = '{"a": 0, "b": 0}'
FINAL = '{"a": 1, "b": 2}'


@pytest.mark.parametrize(
    "text",
    [
        FINAL,
        f"\ufeff{FINAL}",
        f"<think>The customer asks for {DRAFT}.</think>{FINAL}",
        f'<think>As {{asked}}, "a" is {{"a": 0</think>\n```json\n{FINAL}\n```',
        f"Hm, {DRAFT} it is.\n</think>\n\n{FINAL}",
        f'{{"a": 0, "a": 1}} broken {{"a": 0, </think>{FINAL}',
        f"<Thinking level=high>{DRAFT}</Thinking>{FINAL}<thinking>{DRAFT}",
        f"<reasoning>{DRAFT}<think>{DRAFT}</think>{DRAFT}</reasoning>{FINAL}",
        f"[THINK]{DRAFT}[/THINK]{FINAL}",
        f"Here is the record {{as asked}}: {FINAL}",
        f"{DRAFT} No, wait: {FINAL}",
        f'{FINAL} The members {{"a"}} and {{a: b}} stand in it, {{}} is empty.',
        f'{FINAL} {{"a": 7}}',
        f"[1] {FINAL} [2, see",
        f"[{FINAL}]",
        f"[see {FINAL} ]",
        f'{{"name": "emit", "arguments": {{"record": [{FINAL}]}}}}',
        f'{{"draft": {DRAFT}, "final": {FINAL}}}',
    ],
)
def test_the_last_record_outside_of_thinking_is_the_answer(text: str) -> None:
    assert parse_answer(text, {"a", "b"}) == {"a": 1, "b": 2}


@pytest.mark.parametrize("value", ["<think>", "</think> {", "```", '{"a": 0, "b": 0}'])
def test_what_a_value_holds_is_no_part_of_the_answers_form(value: str) -> None:
    record = {"a": value, "b": 1}
    assert parse_answer(f"```json\n{json.dumps(record)}\n```", {"a", "b"}) == record


def test_of_records_that_lack_members_the_last_is_read() -> None:
    assert parse_answer('{"a": 1} {"c": {"b": 2}} {"c": 3}', {"a", "b"}) == {"b": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "was empty"),
        ("   ", "was empty"),
        ("no order here", "held no JSON object"),
        ("[1, 2]", "held no JSON object"),
        (f"<think>{FINAL}", "held no JSON object"),
        (f"<think>{FINAL}</think>", "held no JSON object"),
        ('{"c": 1}', "held no JSON object"),
        (f"[{DRAFT}, {FINAL}]", "held 2 records; one is asked for"),
        ('{"a": 1', "is not JSON"),
        (f'{DRAFT} No, wait: {{"a": 1, "b', "is not JSON: Unterminated string"),
        (f"{DRAFT} No, wait: {{", "is not JSON"),
        (f"[{DRAFT}, {{", "is not JSON"),
        ('{"a": 1, "a": 2}', "has the field 'a' twice"),
        ('{"a": NaN}', "has NaN"),
        ('{"a": Infinity}', "has Infinity"),
        (f'{{"a": {"7" * 6000}}}', "has a number of 6000 digits"),
        ("{" * 200_000, "is not JSON"),
        ('{"a":' * 50_000, "is nested more than 100 deep"),
        ('[{"a":' * 50_000, "is nested more than 100 deep"),
        ('{"a": x " ' * 50_000, "is not JSON"),
    ],
)
def test_what_is_no_whole_record_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnreadableAnswer) as caught:
        parse_answer(text, {"a", "b"})
    assert str(caught.value).startswith(f"the answer {said}")


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ('{"a": ' + " " * 50, True),
        ('{"a": ' + "\n\t" * 50, True),
        ('{"a": "' + "no, no, " * 30, True),
        ('{"a": "' + "A long customer name that simply goes on and on until the end", False),
        ("", False),
    ],
)
def test_a_loop_is_told_from_words(text: str, looping: bool) -> None:
    assert loops(text) is looping


NAMES = st.builds(
    str.__add__,
    st.sampled_from(ascii_lowercase),
    st.text(ascii_lowercase + digits + "_", max_size=10),
)
TEXTS = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(str.strip)


BOUNDS = st.tuples(st.integers(-50, 50), st.integers(-50, 50))
CHOICES = st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def fields(draw: st.DrawFn, name: str) -> Field:
    kind = draw(st.sampled_from(list(FieldType)))
    bounded = kind.numeric and draw(st.booleans())
    low, high = sorted(draw(BOUNDS)) if bounded else (None, None)
    return Field(
        name=name,
        type=kind,
        description=draw(TEXTS),
        many=draw(st.booleans()),
        nullable=draw(st.booleans()),
        pattern=draw(st.none() | st.just("^[a-z]+$")) if kind is FieldType.STRING else None,
        minimum=low,
        maximum=high,
        max_length=draw(st.integers(1, 50)),
        max_items=draw(st.integers(1, 5)),
        choices=draw(CHOICES) if kind is FieldType.ENUM else (),
    )


@st.composite
def schemas(draw: st.DrawFn) -> RecordSchema:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    return RecordSchema(
        name=draw(NAMES),
        version=1,
        description=draw(st.text(max_size=0) | TEXTS),
        fields=tuple(draw(fields(name)) for name in names),
    )


@given(schemas())
def test_a_definition_reads_back_as_the_schema_that_wrote_it(schema: RecordSchema) -> None:
    assert schema.violations() == []
    document = json.loads(json.dumps(definition_of(schema)))
    assert schema_from(schema.name, document) == schema


@given(schemas(), st.sampled_from(list(AnswerShape)), st.booleans())
def test_the_wire_shape_keeps_to_what_every_provider_enforces(
    schema: RecordSchema, style: AnswerShape, bounded: bool
) -> None:
    allowed = {"type", "properties", "required", "additionalProperties", "items", "enum"}
    if bounded:
        allowed |= {"maxLength", "maxItems", "format"}

    def walk(node: object) -> None:
        assert isinstance(node, dict)
        assert set(node) <= allowed
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
            for each in node["properties"].values():
                walk(each)
        if node["type"] == "array":
            walk(node["items"])

    shape = wire_schema(schema, style, bounded=bounded)
    walk(shape)
    assert list(shape["properties"]) == [field.name for field in schema.fields]  # type: ignore[call-overload]


@given(schemas(), OBJECTS)
def test_every_field_of_any_answer_ends_in_a_value_or_a_fault(
    schema: RecordSchema, noise: dict[str, object]
) -> None:
    names = [field.name for field in schema.fields]
    record = dict(zip(names, noise.values(), strict=False)) | noise
    found = PydanticRecordValidator().validate(schema, record)
    assert {name for name, fault in found.faults.items() if fault == MISSING} == {
        name for name in names if name not in record
    }
    assert set(found.values) | set(found.faults) == set(names)
    assert not set(found.values) & set(found.faults)
    json.dumps(dict(found.values), allow_nan=False).encode()
    for field in schema.fields:
        value = found.values.get(field.name)
        if value is None:
            continue
        items = value if isinstance(value, list) else [value]
        assert isinstance(value, list) is field.many
        for item in items:
            if field.choices:
                assert item in field.choices
            if field.maximum is not None:
                assert isinstance(item, int | float)
                assert item <= field.maximum
            if isinstance(item, str):
                assert "\x00" not in item
            if field.type is FieldType.DATE:
                assert str(date.fromisoformat(str(item))) == item


@pytest.mark.parametrize(
    ("value", "canonical"),
    [("24", 24), (24.0, 24), (None, None), ("", None), ("  ", None)],
)
def test_what_models_write_for_a_number_or_nothing_is_understood(
    value: object, canonical: object
) -> None:
    record = {"customer": None, "product": None, "quantity": value}
    found = PydanticRecordValidator().validate(ORDER_MESSAGE, record)
    assert found.values["quantity"] == canonical


@pytest.mark.parametrize("value", [0, -1, 1.5, "many", [1], {"a": 1}, True, 10**30])
def test_what_breaks_a_rule_is_a_fault_of_that_field_alone(value: object) -> None:
    record = {"customer": "Ann", "product": "tea", "quantity": value}
    found = PydanticRecordValidator().validate(ORDER_MESSAGE, record)
    assert set(found.faults) == {"quantity"}
    assert found.values == {"customer": "Ann", "product": "tea"}


def test_an_integer_that_json_readers_cannot_hold_is_a_fault() -> None:
    schema = schema_from("s", {"fields": [{"name": "n", "type": "integer", "description": "d"}]})
    for value in (2**53 + 1, 10**30, -(10**30)):
        assert PydanticRecordValidator().validate(schema, {"n": value}).faults


MODELS = [
    ("openai", "gpt-5.4-mini"),
    ("openai", "gpt-4.1-mini"),
    ("gemini", "gemini-3-flash"),
    ("openai_compatible", "meta-llama/Llama-3.1-8B-Instruct"),
    ("local", "smollm2-135m"),
]


@pytest.mark.parametrize(("provider", "model"), MODELS)
@pytest.mark.parametrize("schema", BUILT_IN, ids=lambda schema: schema.name)
def test_every_provider_serves_the_built_in_schemas(
    provider: str, model: str, schema: RecordSchema
) -> None:
    assert unservable(schema, profile_of(provider, model)) is None


def test_a_schema_is_refused_for_the_model_whose_answer_would_not_fit() -> None:
    fields = tuple(
        Field(name=f"f{nth}", type=FieldType.STRING, description="d", max_length=2000)
        for nth in range(20)
    )
    schema = RecordSchema(name="s", version=1, description="", fields=fields)
    reason = unservable(schema, profile_of("local", "smollm2-135m"))
    assert reason is not None
    assert "1024" in reason
    assert unservable(schema, profile_of("openai", "gpt-5.4-mini")) is None


def test_models_that_take_no_temperature_are_sent_none() -> None:
    assert profile_of("openai", "gpt-5.4-mini").parameters == {}
    assert profile_of("gemini", "gemini-3-flash").parameters == {}
    assert profile_of("openai_compatible", "any").parameters["temperature"] == 0


def test_the_prompt_hash_changes_with_what_is_asked_and_not_with_the_text() -> None:
    profile = profile_of("openai", "gpt-5.4-mini")
    hashes = {
        prompt_hash(ORDER_MESSAGE, profile),
        prompt_hash(BUILT_IN[0], profile),
        prompt_hash(ORDER_MESSAGE, profile_of("openai", "gpt-5.4")),
        prompt_hash(ORDER_MESSAGE, profile_of("local", "smollm2-135m")),
        prompt_hash(ORDER_MESSAGE, replace(profile, system_role=False)),
        prompt_hash(ORDER_MESSAGE, replace(profile, response_format=ResponseFormat.TEXT)),
        prompt_hash(ORDER_MESSAGE, replace(profile, response_format=ResponseFormat.JSON_OBJECT)),
    }
    assert len(hashes) == 7
    assert prompt_hash(ORDER_MESSAGE, profile) in hashes


@given(schemas(), st.text(max_size=200))
def test_the_text_is_sent_whole_and_fenced(schema: RecordSchema, text: str) -> None:
    profile = profile_of("openai", "gpt-5.4-mini")
    marks = iter(f"{nth:08x}" for nth in range(10**6))
    prompt = build_prompt(schema, text, profile, new_mark=lambda: next(marks))
    content = prompt.messages[-1].content
    mark = content.removeprefix("<text-").split(">", 1)[0]
    assert content.startswith(f"<text-{mark}>\n{text}\n</text-{mark}>")
    assert mark not in text
    assert prompt.max_output_tokens >= min(answer_tokens(schema, profile.style), 96)


@pytest.mark.parametrize(
    ("changes", "given", "wanted"),
    [
        ({}, (24.0, 1.5), {"type": ["integer", "null"], "enum": [24, None]}),
        ({"nullable": False}, (24.0, 3.0), {"type": "integer", "enum": [24, 3]}),
        (
            {"minimum": 2, "maximum": 9},
            (1.0, 3.0, 10.0),
            {"type": ["integer", "null"], "enum": [3, None]},
        ),
        (
            {"type": FieldType.NUMBER},
            (1.5, 2.0),
            {"type": ["number", "null"], "enum": [1.5, 2.0, None]},
        ),
        ({"type": FieldType.BOOLEAN}, (1.0,), {"type": ["boolean", "null"]}),
        ({"minimum": 5}, (1.0,), {"type": ["integer", "null"]}),
        ({}, None, {"type": ["integer", "null"]}),
    ],
    ids=["whole", "required", "bounds", "number", "no number", "none fits", "not held"],
)
def test_bare_numbers_can_be_held_to_those_of_the_text(
    changes: dict[str, Any], given: tuple[float, ...] | None, wanted: dict[str, object]
) -> None:
    field = replace(Field(name="count", type=FieldType.INTEGER, description="how many"), **changes)
    schema = RecordSchema(name="s", version=1, description="", fields=(field,))
    shape = wire_schema(schema, AnswerShape.VALUES, bounded=True, numbers=given)
    assert shape["properties"] == {"count": wanted}


def test_a_model_that_copies_badly_chooses_among_the_numbers_of_the_text() -> None:
    held = replace(profile_of("local", "smollm2-135m"), numbers_from_text=True)
    free = replace(held, numbers_from_text=False)
    assert prompt_hash(ORDER_MESSAGE, held) != prompt_hash(ORDER_MESSAGE, free)

    def quantity(text: str, profile: ModelProfile) -> object:
        shape = build_prompt(ORDER_MESSAGE, text, profile, new_mark=lambda: "m").json_schema
        members = shape["properties"]
        assert isinstance(members, dict)
        return members["quantity"]

    assert quantity("two dozen mugs, 24 in all, to floor 3", held) == {
        "type": ["integer", "null"],
        "enum": [24, 3, None],
    }
    free_number = {"type": ["integer", "null"]}
    assert quantity("two dozen mugs", free) == free_number
    many = ", ".join(str(number) for number in range(1, 62))
    assert quantity(many, held) == free_number


NAME = Field(name="name", type=FieldType.STRING, description="Who writes")


COUNT = Field(name="count", type=FieldType.INTEGER, description="How many")


COLOURS = Field(name="colours", type=FieldType.STRING, description="Colours", many=True)


def schema_of(*fields: Field, examples: Sequence[Example] = ()) -> RecordSchema:
    return RecordSchema(
        name="s", version=1, description="", fields=fields, examples=tuple(examples)
    )


def read(record: dict[str, Any], schema: RecordSchema, text: str) -> ValidatedAnswer:
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
    first = ValidatedAnswer(values={"name": "Ann"}, ungrounded={"count": "why"})
    assert first.better(ValidatedAnswer(unreadable="the answer was empty")) is first
