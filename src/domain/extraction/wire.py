"""The shape of an answer on the wire: a JSON schema that every provider enforces."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.extraction.schema import Field, FieldType, Schema


class AnswerStyle(StrEnum):
    """The shape in which a model answers.

    QUOTED: each field (each item of a list) is `{"quote": ..., "value": ...}`, the quote first, so
        that the model reads before it decides. VALUES: each field is its bare value, for models too
        small to quote; the evidence is then searched in the text.
    """

    QUOTED = "quoted"
    VALUES = "values"


def wire_schema(schema: Schema, style: AnswerStyle, *, bounded: bool) -> Mapping[str, object]:
    """The JSON schema of an answer, in the subset that every provider enforces.

    All members are required, absence is null, nothing additional is allowed. Patterns, sizes and
    numeric bounds stay with the validator behind, unless `bounded`.

    Args:
        schema: the record.
        style: bare values, or each behind its quote.
        bounded: add lengths, list sizes and date formats, for servers that turn the schema into a
            grammar: without them small models ramble until the token limit.
    """
    properties = {
        field.name: _quoted(field, bounded=bounded)
        if style is AnswerStyle.QUOTED
        else _value(field, bounded=bounded)
        for field in schema.fields
    }
    return _object(properties)


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _quoted(field: Field, *, bounded: bool) -> dict[str, object]:
    quote: dict[str, object] = {"type": "string"}
    if bounded:
        quote["maxLength"] = 300
    if field.many:
        many: dict[str, object] = {
            "type": "array",
            "items": _object({"quote": quote, "value": _scalar(field, bounded=bounded)}),
        }
        if bounded:
            many["maxItems"] = field.max_items
        return many
    if field.nullable:
        quote["type"] = ["string", "null"]
    return _object({"quote": quote, "value": _value(field, bounded=bounded)})


def _value(field: Field, *, bounded: bool) -> dict[str, object]:
    one = _scalar(field, bounded=bounded)
    if field.many:
        many: dict[str, object] = {"type": "array", "items": one}
        if bounded:
            many["maxItems"] = field.max_items
        return many
    if not field.nullable:
        return one
    if "enum" in one:
        return {**one, "type": ["string", "null"], "enum": [*field.choices, None]}
    return {**one, "type": [one["type"], "null"]}


def _scalar(field: Field, *, bounded: bool) -> dict[str, object]:
    if field.type is FieldType.ENUM:
        return {"type": "string", "enum": list(field.choices)}
    if field.type is FieldType.DATE:
        return {"type": "string", "format": "date"} if bounded else {"type": "string"}
    one: dict[str, object] = {"type": field.type.value}
    if bounded and field.type is FieldType.STRING:
        one["maxLength"] = field.max_length
    return one
