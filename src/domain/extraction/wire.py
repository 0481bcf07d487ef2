"""The shape of an answer on the wire: a JSON schema that every provider enforces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import isfinite

from domain.extraction.schema import Field, FieldType, Schema


class AnswerStyle(StrEnum):
    """The shape in which a model answers.

    QUOTED: each field (each item of a list) is `{"quote": ..., "value": ...}`, the quote first, so
        that the model reads before it decides. VALUES: each field is its bare value, for models too
        small to quote; the evidence is then searched in the text.
    """

    QUOTED = "quoted"
    VALUES = "values"


def wire_schema(
    schema: Schema, style: AnswerStyle, *, bounded: bool, numbers: Sequence[float] | None = None
) -> Mapping[str, object]:
    """The JSON schema of an answer, in the subset that every provider enforces.

    All members are required, absence is null, nothing additional is allowed. Patterns, sizes and
    numeric bounds stay with the validator behind, unless `bounded`.

    Args:
        schema: the record.
        style: bare values, or each behind its quote.
        bounded: add lengths, list sizes and date formats, for servers that turn the schema into a
            grammar: without them small models ramble until the token limit.
        numbers: those that the text names, for bare values that have to be one of them.
    """
    properties = {
        field.name: _quoted(field, bounded=bounded)
        if style is AnswerStyle.QUOTED
        else _value(field, bounded=bounded, numbers=numbers)
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


def _value(
    field: Field, *, bounded: bool, numbers: Sequence[float] | None = None
) -> dict[str, object]:
    one = _scalar(field, bounded=bounded, numbers=numbers)
    if field.many:
        many: dict[str, object] = {"type": "array", "items": one}
        if bounded:
            many["maxItems"] = field.max_items
        return many
    if not field.nullable:
        return one
    choices = one.get("enum")
    if isinstance(choices, list):
        return {**one, "type": [one["type"], "null"], "enum": [*choices, None]}
    return {**one, "type": [one["type"], "null"]}


def _scalar(
    field: Field, *, bounded: bool, numbers: Sequence[float] | None = None
) -> dict[str, object]:
    if field.type is FieldType.ENUM:
        return {"type": "string", "enum": list(field.choices)}
    if field.type is FieldType.DATE:
        return {"type": "string", "format": "date"} if bounded else {"type": "string"}
    one: dict[str, object] = {"type": field.type.value}
    choices = _fitting(field, numbers or ()) if field.type.numeric else []
    if choices:
        return {**one, "enum": choices}
    if bounded and field.type is FieldType.STRING:
        one["maxLength"] = field.max_length
    return one


def _fitting(field: Field, numbers: Sequence[float]) -> Sequence[int | float]:
    low = float("-inf") if field.minimum is None else field.minimum
    high = float("inf") if field.maximum is None else field.maximum
    fits = [number for number in numbers if low <= number <= high and isfinite(number)]
    if field.type is FieldType.INTEGER:
        return [int(number) for number in fits if number.is_integer()]
    return fits
