"""A grammar for llama.cpp that takes strings from the text, and the rest from the JSON schema.

A JSON schema can only list what a string may be, and a text has too many passages for a list. The
notation is GBNF: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from domain.extraction.matching import MatchStrictness, boundary, normalized

MOST_PARTS: Final = 4_000
"""Words and marks of a text; llama.cpp weighs each of them at the start of each string."""
_OPENING_MARKS: Final = "#@&"
_WORDS: Final = {
    "integer": '"-"? [0-9]{1,15}',
    "number": '"-"? [0-9]{1,15} ("." [0-9]{1,9})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
}
_DATE: Final = r'"\"" [0-9]{4} "-" [0-1] [0-9] "-" [0-3] [0-9] "\""'


def grammar_of(json_schema: Mapping[str, Any], text: str) -> str | None:
    """The grammar of one flat object whose strings, but for choices and dates, stand in `text`.

    Such a string begins and ends where a word does. White space within is one space, characters of
    no width are left out, and none goes on behind an empty line or a control character.

    Args:
        json_schema: of an object; its properties are scalars, and none may be absent.
        text: what the strings are taken from.

    Returns:
        Lines of GBNF; None for a text of more than `MOST_PARTS` words and marks.
    """
    parts = _parts(text)
    if len(parts) > MOST_PARTS:
        return None
    rules = [f'passage ::= "\\"" ({_starts(parts)}) "\\""']
    for at, (part, joint) in enumerate(parts):
        follows = "" if joint is None else f" ({_literal(joint)} p{at + 1})?"
        rules.append(f"p{at} ::= {_literal(_in_json(part))}{follows}")
    members = [
        f"{_literal(f'{json.dumps(name, ensure_ascii=False)}: ')} ({_value(shape)})"
        for name, shape in json_schema["properties"].items()
    ]
    root = ' ", " '.join(members)
    return "\n".join([f'root ::= "{{" {root} "}}"', *rules])


def _value(shape: Mapping[str, Any]) -> str:
    if "enum" in shape:
        return " | ".join(_literal(json.dumps(each, ensure_ascii=False)) for each in shape["enum"])
    types = [shape["type"]] if isinstance(shape["type"], str) else shape["type"]
    words = {**_WORDS, "string": _DATE if shape.get("format") == "date" else "passage"}
    return " | ".join(words[each] for each in types)


def _starts(parts: Sequence[tuple[str, str | None]]) -> str:
    """The rules with which a passage may begin; the empty string where the text has no word."""
    return " | ".join(f"p{at}" for at, (part, _) in enumerate(parts) if _opens(part)) or '""'


def _opens(part: str) -> bool:
    return (
        unicodedata.category(unicodedata.normalize("NFKC", part)[0])[0] in "LNS"
        or part[0] in _OPENING_MARKS
    )


def _parts(text: str) -> Sequence[tuple[str, str | None]]:
    """Words and single marks in order, each with what joins the next to it; None where nothing."""
    borders = sorted(
        _borders(text, MatchStrictness.LITERAL) & _borders(text, MatchStrictness.FOLDED)
    )
    found: list[tuple[str, str | None]] = []
    gap = ""
    for start, end in pairwise([*borders, len(text)]):
        part = "".join(c for c in text[start:end] if unicodedata.category(c) != "Cf")
        if not part:
            continue
        if part.isspace() or unicodedata.category(part[0]) == "Cc":
            gap += part
            continue
        if found:
            apart = gap.count("\n") > 1 or gap.strip()
            found[-1] = (found[-1][0], None if apart else " " if gap else "")
        found.append((unicodedata.normalize("NFC", part), None))
        gap = ""
    return found


def _borders(text: str, reading: MatchStrictness) -> set[int]:
    """Where a word may begin or end in `text`, read in this way; but for its end."""
    read = normalized(text, reading)
    inner = {at for at in range(1, len(read.starts)) if read.starts[at] == read.starts[at - 1]}
    return {
        start for at, start in enumerate(read.starts) if at not in inner and boundary(read.text, at)
    }


def _in_json(part: str) -> str:
    return json.dumps(part, ensure_ascii=False)[1:-1]


def _literal(words: str) -> str:
    quoted = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
