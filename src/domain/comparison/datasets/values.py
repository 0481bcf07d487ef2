"""Right answers: whether a value fits its field, and how one is read from a cell."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from math import isfinite
from typing import Any

from domain.extraction.schema import Field, FieldType, Scalar, Value
from domain.strict_json import NotStrictJson, read_json, read_number
from domain.text import storable_problem


def fault_of(field: Field, value: Any) -> str | None:
    """Why `value` can be no answer for `field`, as the end of a sentence; None when it can.

    Null fits every field. Bounds and patterns are not looked at: a right answer may break a rule,
    and then it shows that the rule is wrong.
    """
    if value is None:
        return None
    if not field.many:
        return _fault(field, value)
    if not isinstance(value, list):
        return "must be a list, or null"
    return next((fault for item in value if (fault := _fault(field, item))), None)


def _fault(field: Field, item: Any) -> str | None:
    kind = field.type
    if kind is FieldType.BOOLEAN:
        return None if isinstance(item, bool) else "must be true, false or null"
    if kind.numeric:
        whole = kind is FieldType.INTEGER
        number = isinstance(item, int | float) and not isinstance(item, bool)
        if number and isfinite(item) and not (whole and item != int(item)):
            return None
        return f"must be {'a whole number' if whole else 'a number'} or null"
    if not isinstance(item, str) or not item.strip():
        return "must be a string that is not blank, or null"
    if problem := storable_problem(item):
        return problem
    if kind is FieldType.ENUM and item not in field.choices:
        return f"must be one of {', '.join(field.choices)}, or null"
    if kind is FieldType.DATE:
        with suppress(ValueError):
            if date.fromisoformat(item).isoformat() == item:
                return None
        return "must be a date as YYYY-MM-DD, or null"
    return None


def value_of(field: Field, cell: str) -> Value:
    """The value in a cell of a table: empty is null, a list stands as JSON.

    Raises:
        ValueError: says what it must be, as the end of a sentence.
    """
    stated = cell.strip()
    if not stated:
        return None
    value: Any = _scalar(field, stated)
    if field.many:
        try:
            value = read_json(stated)
        except NotStrictJson as error:
            raise ValueError(f"must be a list as JSON, or empty; it {error}") from None
    fault = fault_of(field, value)
    if fault is not None:
        raise ValueError(fault.replace("or null", "or empty"))
    return value  # type: ignore[no-any-return]


def _scalar(field: Field, stated: str) -> Scalar:
    """As the field's type has it where that can be read, else as it stands."""
    if field.type is FieldType.BOOLEAN:
        return {"true": True, "false": False}.get(stated.lower(), stated)
    if field.type.numeric:
        with suppress(NotStrictJson):
            return read_number(stated)
    return stated
