"""What contradicts the evidence: other places of the text that state another value."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from domain.extraction.matching import Span, folded
from domain.extraction.model import Evidence, ExtractionWarning, WarningKind
from domain.extraction.numbers import numbers_in
from domain.extraction.schema import Field, RecordSchema

_LABELLED: Final = re.compile(
    r"^[ \t>*-]*(?P<label>[^\W\d_][^\n:=]{0,30}?)[ \t]*[:=][ \t]*(?P<value>\S[^\n]*)$",
    re.MULTILINE,
)
_COUNTED: Final = re.compile(r"[ \t]*(?:x|×)?[ \t]*([^\W\d_]{3,})")
_REPLACED: Final = re.compile(
    r"\b(?:not|instead\s+of|rather\s+than|statt|nicht|au\s+lieu\s+de|en\s+vez\s+de|invece\s+di"
    r"|in\s+plaats\s+van|em\s+vez\s+de)\s*$",
    re.IGNORECASE,
)


def contradictions(
    schema: RecordSchema, evidence: Sequence[Evidence], text: str
) -> list[ExtractionWarning]:
    """Places that state another value for a field than its evidence does.

    Two shapes are recognised: the same label with another value (`qty: 5` ... `qty: 7`), and the
    same counted thing with another number (`5 mugs` ... `7 mugs`) unless the text itself takes
    that number back (`not 7 mugs`).
    """
    fields = {field.name: field for field in schema.fields if not field.many}
    flags: list[ExtractionWarning] = []
    for item in evidence:
        field = fields.get(item.field)
        if field is None:
            continue
        other = next(_rivals(field, item, text), None)
        if other is not None:
            flags.append(
                ExtractionWarning(
                    kind=WarningKind.CONTRADICTION,
                    field=item.field,
                    detail="The text also states another value.",
                    start=other.start,
                    end=other.end,
                )
            )
    return flags


def _rivals(field: Field, item: Evidence, text: str) -> Iterator[Span]:
    lines, by_label = _labelled(text)
    at = bisect_right(lines, item.start, key=lambda line: line.place.end)
    while at < len(lines) and lines[at].place.start < item.end:
        for other in by_label[lines[at].label]:
            if other.stated != lines[at].stated:
                yield other.place
        at += 1
    if field.type.numeric:
        yield from _counts(item, text)


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    stated: str
    place: Span


@lru_cache(maxsize=8)
def _labelled(text: str) -> tuple[Sequence[_Line], Mapping[str, Sequence[_Line]]]:
    """The lines such as `qty: 5`, in order and by label."""
    lines = [
        _Line(
            folded(match["label"]),
            folded(match["value"]),
            Span(start=match.start("value"), end=match.end("value")),
        )
        for match in _LABELLED.finditer(text)
    ]
    by_label: dict[str, list[_Line]] = {}
    for line in lines:
        by_label.setdefault(line.label, []).append(line)
    return lines, by_label


def _counts(item: Evidence, text: str) -> Iterator[Span]:
    counted = _counted(text)
    mine = [
        (thing, values)
        for thing, places in counted.items()
        for place, values in places.items()
        if item.start <= place[0] and place[1] <= item.end
    ]
    for thing, values in mine:
        for (start, end), others in counted[thing].items():
            if (
                not values & others
                and not item.start <= start < item.end
                and not _REPLACED.search(text, max(0, start - 20), start)
            ):
                yield Span(start=start, end=end)


@lru_cache(maxsize=8)
def _counted(text: str) -> Mapping[str, Mapping[tuple[int, int], frozenset[float]]]:
    """The numbers before a word, by that word: where each stands, and its readings."""
    found: dict[str, dict[tuple[int, int], frozenset[float]]] = {}
    for number in numbers_in(text):
        thing = _COUNTED.match(text, number.end)
        if thing is not None:
            places = found.setdefault(thing[1].casefold(), {})
            place = number.start, number.end
            places[place] = places.get(place, frozenset()) | {number.value}
    return found
