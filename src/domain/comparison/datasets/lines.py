"""Labelled texts as lines of JSON, written and read strictly.

A line is `{"id", "text", "gold", "spans", "strata", "language", "template", "split", "twin",
"attack"}`; only `text` must be there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from domain.comparison.datasets.labels import PLAIN, LabelledTextError, check_names, checked
from domain.comparison.datasets.values import fault_of
from domain.comparison.model import LabelledText
from domain.extraction.schema import RecordSchema, Value
from domain.text import suggestion

_MEMBERS: Final = ("id", "text", "gold", "spans", "strata", *PLAIN, "attack")


def line_of(text: LabelledText) -> str:
    """The text as a line of NDJSON, its newline included; what it does not have is left out."""
    document: dict[str, object] = {"id": text.id, "text": text.text}
    if text.gold is not None:
        document["gold"] = dict(text.gold)
    optional: Mapping[str, object] = {
        "spans": {name: list(span) for name, span in text.spans.items()},
        "strata": list(text.strata),
        "language": text.language,
        "template": text.template,
        "split": text.split,
        "twin": text.twin,
        "attack": None if text.attack is None else dict(text.attack),
    }
    document |= {name: value for name, value in optional.items() if value}
    return json.dumps(document, ensure_ascii=False) + "\n"


def text_of(raw: Any, schema: RecordSchema, *, number: int) -> LabelledText:
    """The labelled text that a parsed line holds; members that are null count as absent.

    Args:
        raw: what the line says.
        schema: whose fields the labels name.
        number: of the line, which names a text without an id.

    Raises:
        LabelledTextError: says what is wrong with it.
    """
    if not isinstance(raw, dict):
        raise LabelledTextError("must be an object with `text`")
    check_names(list(raw), _MEMBERS)
    given = {name: value for name, value in raw.items() if value is not None}
    if type(given.get("id")) is int:
        given["id"] = str(given["id"])
    for name in ("text", "id", *PLAIN):
        if not isinstance(given.get(name, ""), str):
            raise LabelledTextError(f"must have a string as `{name}`")
    strata = given.get("strata", [])
    if not isinstance(strata, list) or not all(isinstance(each, str) for each in strata):
        raise LabelledTextError("must have a list of strings as `strata`")
    return checked(
        given,
        schema,
        number,
        strata=strata,
        gold=_record(given, "gold", schema),
        attack=_record(given, "attack", schema),
        spans={name: _span(name, span) for name, span in _labels(given, "spans", schema).items()},
    )


def _record(given: Mapping[str, Any], member: str, schema: RecordSchema) -> dict[str, Value] | None:
    if member not in given:
        return None
    values = _labels(given, member, schema)
    for field in schema.fields:
        fault = fault_of(field, values.get(field.name))
        if fault is not None:
            raise LabelledTextError(f"has `{member}.{field.name}` that {fault}")
    return values


def _labels(given: Mapping[str, Any], member: str, schema: RecordSchema) -> dict[str, Any]:
    """The object `member`, whose names are fields; empty when it is not there."""
    labels = given.get(member, {})
    if not isinstance(labels, dict):
        raise LabelledTextError(f"must have an object as `{member}`")
    names = [field.name for field in schema.fields]
    for name in labels:
        if name not in names:
            raise LabelledTextError(
                f"has the unknown field {name!r} in `{member}`; {suggestion(name, names, repr)}"
            )
    return labels


def _span(name: str, given: Any) -> tuple[int, int]:
    if (
        not isinstance(given, list)
        or [type(each) for each in given] != [int, int]
        or min(given) < 0
    ):
        raise LabelledTextError(
            f"must have two whole numbers as the span of {name}: its start and end"
        )
    return given[0], given[1]
