"""Schema definitions as JSON or YAML hold them, read strictly and written back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from domain.errors import InvalidInput, Violation
from domain.extraction.schema import Example, Field, FieldType, RecordSchema
from domain.text import suggestion

_Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any(
        character == "\x00" or "\ud800" <= character <= "\udfff" for character in value
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool) or _is_number(value) or _is_text(value)


def _list_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(check(each) for each in value)


_FIELD: Final[Mapping[str, tuple[_Check, str]]] = {
    "name": (_is_text, "must be a string"),
    "type": (
        lambda value: value in list(FieldType),
        f"must be one of {', '.join(FieldType)}",
    ),
    "description": (_is_text, "must be a string"),
    "list": (lambda value: isinstance(value, bool), "must be true or false"),
    "nullable": (lambda value: isinstance(value, bool), "must be true or false"),
    "pattern": (lambda value: value is None or _is_text(value), "must be a string"),
    "minimum": (lambda value: value is None or _is_number(value), "must be a number"),
    "maximum": (lambda value: value is None or _is_number(value), "must be a number"),
    "max_length": (lambda value: type(value) is int, "must be an integer"),
    "max_items": (lambda value: type(value) is int, "must be an integer"),
    "choices": (_list_of(_is_text), "must be a list of strings"),
    "examples": (_list_of(_is_scalar), "must be a list of strings, numbers or booleans"),
}
_EXAMPLE: Final[Mapping[str, tuple[_Check, str]]] = {
    "text": (_is_text, "must be a string"),
    "record": (lambda value: isinstance(value, dict), "must be an object"),
}
_SCHEMA: Final[Mapping[str, tuple[_Check, str]]] = {
    "description": (_is_text, "must be a string"),
    "fields": (lambda value: isinstance(value, list), "must be a list"),
    "examples": (lambda value: isinstance(value, list), "must be a list"),
    # What GET returned can be put back.
    "name": (_is_text, "must be a string"),
    "version": (lambda value: type(value) is int, "must be an integer"),
    "built_in": (lambda value: isinstance(value, bool), "must be true or false"),
}


def schema_from(name: str, definition: Any, *, version: int = 1) -> RecordSchema:
    """The schema `name` out of a parsed JSON or YAML document.

    Raises:
        InvalidInput: names every missing, unknown, mistyped and wrong member.
    """
    found: list[Violation] = []
    known = _members(definition, _SCHEMA, ("fields",), "", found)
    if known.get("name", name) != name:
        found.append(Violation(pointer="/name", detail=f"must be {name!r} or absent"))
    fields = [
        _field(each, f"/fields/{index}", found)
        for index, each in enumerate(known.get("fields", ()))
    ]
    order = [field.name for field in fields if field is not None]
    examples = [
        _example(each, f"/examples/{index}", order, found)
        for index, each in enumerate(known.get("examples", ()))
    ]
    if found:
        raise InvalidInput.of(found)
    schema = RecordSchema(
        name=name,
        version=version,
        description=known.get("description", ""),
        fields=tuple(field for field in fields if field is not None),
        examples=tuple(example for example in examples if example is not None),
    )
    if violations := schema.violations():
        raise InvalidInput.of(violations)
    return schema


def definition_of(schema: RecordSchema) -> dict[str, Any]:
    """The document that `schema_from` turns into this schema; defaults are left out."""
    document: dict[str, Any] = {
        "description": schema.description,
        "fields": [_field_document(field) for field in schema.fields],
    }
    if schema.examples:
        document["examples"] = [
            {"text": example.text, "record": example.values()} for example in schema.examples
        ]
    return document


def _field_document(field: Field) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": field.name,
        "type": field.type.value,
        "description": field.description,
    }
    optional: Mapping[str, tuple[Any, Any]] = {
        "list": (field.many, False),
        "nullable": (field.nullable, True),
        "pattern": (field.pattern, None),
        "minimum": (field.minimum, None),
        "maximum": (field.maximum, None),
        "max_length": (field.max_length, 200),
        "max_items": (field.max_items, 20),
        "choices": (list(field.choices), []),
        "examples": (list(field.examples), []),
    }
    return document | {name: value for name, (value, usual) in optional.items() if value != usual}


def _field(raw: Any, pointer: str, found: list[Violation]) -> Field | None:
    before = len(found)
    given = _members(raw, _FIELD, ("name", "type", "description"), pointer, found)
    if len(found) > before:
        return None
    given["type"] = FieldType(given["type"])
    given["many"] = given.pop("list", False)
    for name in ("choices", "examples"):
        if name in given:
            given[name] = tuple(given[name])
    return Field(**given)


def _example(
    raw: Any, pointer: str, order: Sequence[str], found: list[Violation]
) -> Example | None:
    before = len(found)
    given = _members(raw, _EXAMPLE, ("text", "record"), pointer, found)
    for name, value in given.get("record", {}).items():
        single = value is None or _is_scalar(value)
        if not single and not _list_of(_is_scalar)(value):
            found.append(
                Violation(
                    pointer=f"{pointer}/record/{_escaped(name)}",
                    detail="must be null, a string, a number, a boolean or a list of these",
                )
            )
    if len(found) > before:
        return None
    # In the order of the fields: a store of JSON may not keep that of the document.
    places = {name: place for place, name in enumerate(order)}
    record = tuple(
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in sorted(
            given["record"].items(), key=lambda pair: (places.get(pair[0], len(places)), pair[0])
        )
    )
    return Example(text=given["text"], record=record)


def _members(
    raw: Any,
    rules: Mapping[str, tuple[_Check, str]],
    required: Sequence[str],
    pointer: str,
    found: list[Violation],
) -> dict[str, Any]:
    """The members of `raw` that hold their rule; what is wrong goes to `found`."""
    if not isinstance(raw, dict):
        found.append(Violation(pointer=pointer, detail="must be an object"))
        return {}
    held: dict[str, Any] = {}
    for name, value in raw.items():
        at = f"{pointer}/{_escaped(str(name))}"
        if name not in rules:
            found.append(
                Violation(pointer=at, detail=f"is not known; {suggestion(str(name), rules)}")
            )
            continue
        check, rule = rules[name]
        if check(value):
            held[name] = value
        else:
            found.append(Violation(pointer=at, detail=rule))
    found.extend(
        Violation(pointer=f"{pointer}/{name}", detail="is missing")
        for name in required
        if name not in raw
    )
    return held


def _escaped(name: str) -> str:
    """As a part of a JSON pointer, and encodable whatever the key was."""
    safe = name.encode(errors="backslashreplace").decode()
    return safe.replace("~", "~0").replace("/", "~1")
