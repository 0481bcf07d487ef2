"""JSON as RFC 8259 writes it and nothing beyond: the one reader of whatever comes in from outside.

Request bodies, lines of NDJSON, files, schemas, answers of models and logs are read here, so that
all of them refuse the same things in the same words. Numbers in cells, parameters and options are
read by the same grammar.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from typing import Any, Final

MOST_DIGITS: Final = 40
"""Digits of a number, those behind the point included."""
DEEPEST: Final = 100
"""Arrays and objects inside one another."""
LONGEST_LINE: Final = 8_388_608
"""Bytes of a line of NDJSON: the longest text with every character escaped takes less."""

_EXACT: Final = 2**53  # up to here each integer is a double of its own
_BRACKETS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class NotStrictJson(ValueError):
    """A text that is not JSON, or holds what this reader refuses.

    The message says what is wrong, as the end of a sentence: "is not JSON: ... (line 1, column 5)",
    "has the field 'a' twice".

    Attributes:
        position: of the character that is not JSON; None for what is JSON and refused.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


def read_json(document: bytes | str) -> Any:
    """The value of a whole JSON document.

    Numbers that JSON Schema calls integers (2.0, 2e0) become `int`. A string may hold a lone
    surrogate or NUL: whoever stores it says so and names the member (`text.storable_problem`).

    Raises:
        NotStrictJson: it is empty, not UTF-8 or not JSON; it names a member twice, holds NaN,
            Infinity, a number of more than 40 digits or beyond a double, or is nested more than
            100 deep.
    """
    text = _decoded(document)
    if not text or text.isspace():
        raise NotStrictJson("is empty")
    if text.count("[") + text.count("{") > DEEPEST:
        check_depth(text)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _not_json(error) from None


def read_json_line(line: bytes, number: int) -> Any:
    """The value in a line of NDJSON; the first may begin with a byte order mark.

    Raises:
        NotStrictJson: see `read_json`; a place in the line is its column.
    """
    try:
        line = line.rstrip(b"\r\n")
        return read_json(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
    except NotStrictJson as error:
        raise NotStrictJson(str(error).replace("(line 1, ", "(")) from None


def read_json_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start`, and where it ends; what follows is not looked at.

    Raises:
        NotStrictJson: as `read_json`.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    check_depth(text, start)
    return value, end


def read_number(text: str) -> int | float:
    """The number that a cell, a parameter or an option holds: JSON's, leading zeros allowed.

    Raises:
        NotStrictJson: it is none (`nan`, `1_0`, `1,5`), has more than 40 digits or is beyond a
            double.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise NotStrictJson("is not a number")
    return _integer(text) if found.groups() == (None, None) else _number(text)


def check_depth(text: str, start: int = 0) -> int:
    """Refuse nesting that would exhaust the stack of whoever reads it.

    Returns:
        Where the array or object at `start` ends by its brackets; the end of the text if nowhere.

    Raises:
        NotStrictJson: more than 100 arrays and objects inside one another.
    """
    depth = 0
    for found in _BRACKETS.finditer(text, start):
        character = found.group()
        if character in "[{":
            depth += 1
            if depth > DEEPEST:
                raise _too_deep()
        elif character in "]}":
            depth -= 1
            if depth <= 0:
                return found.end()
    return len(text)


def printable(name: str) -> str:
    """`name` as a message may show it: encodable, whatever it holds, and of bounded length."""
    return name.encode(errors="backslashreplace").decode()[:80]


def _decoded(document: bytes | str) -> str:
    if isinstance(document, str):
        return document
    try:
        return document.decode()
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"is not UTF-8 (byte {error.start})") from None


def _not_json(error: json.JSONDecodeError) -> NotStrictJson:
    where = f"line {error.lineno}, column {error.colno}"
    return NotStrictJson(f"is not JSON: {error.msg} ({where})", error.pos)


def _too_deep() -> NotStrictJson:
    return NotStrictJson(f"is nested more than {DEEPEST} deep")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise NotStrictJson(f"has the field {printable(twice)!r} twice")
    return members


def _count_digits(literal: str) -> None:
    mantissa = re.split("[eE]", literal, maxsplit=1)[0]
    digits = len(mantissa.lstrip("-").replace(".", ""))
    if digits > MOST_DIGITS:
        raise NotStrictJson(f"has a number of {digits} digits; {MOST_DIGITS} are read at most")


def _integer(literal: str) -> int:
    if len(literal) > MOST_DIGITS:
        _count_digits(literal)
    return int(literal)


def _number(literal: str) -> int | float:
    if len(literal) > MOST_DIGITS:
        _count_digits(literal)
    number = float(literal)
    if not math.isfinite(number):
        raise NotStrictJson("has a number that is beyond a double's range")
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _no_constant(name: str) -> float:
    raise NotStrictJson(f"has {name}, which JSON does not know")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_distinct,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_no_constant,
)
