"""Evidence: the quote stands in the text, and the value follows from the quote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.extraction.matching import Span, folded, locate, locate_all
from domain.extraction.model import Evidence
from domain.extraction.numbers import numbers_in
from domain.extraction.schema import Field, FieldType, Scalar, Schema, Value
from domain.extraction.words import MONTHS

_WORD: Final = re.compile(r"[^\W\d_]+")
_JUDGED: Final = frozenset({FieldType.BOOLEAN, FieldType.ENUM})
"""Types whose value is a judgement over the passage, not a copy of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """What the text backs.

    Attributes:
        values: the fields whose values hold, absent ones (null, empty list) included.
        evidence: where they stand, in the order of the fields.
        faults: for each other field, why its value does not hold, in words for the model.
        unquoted: judged fields that hold without a passage, as the model gave none.
    """

    values: Mapping[str, Value]
    evidence: tuple[Evidence, ...]
    faults: Mapping[str, str]
    unquoted: tuple[str, ...] = ()


def ground(
    schema: Schema,
    values: Mapping[str, Value],
    quotes: Mapping[str, Sequence[str | None]] | None,
    text: str,
    *,
    forbidden: Sequence[Span] = (),
) -> Grounding:
    """Check each value against the text.

    Args:
        schema: the record's shape.
        values: valid values by field; fields that are missing here are not looked at.
        quotes: by field, the quote of the value or of each list item; None when the model gives
            bare values and the evidence has to be searched.
        text: what the model read.
        forbidden: passages that back nothing, since they instruct the reader.
    """
    held: dict[str, Value] = {}
    evidence: list[Evidence] = []
    faults: dict[str, str] = {}
    unquoted: list[str] = []
    for field in schema.fields:
        if field.name not in values:
            continue
        value = values[field.name]
        items = value if isinstance(value, list) else [] if value is None else [value]
        given = list(quotes.get(field.name, ())) if quotes is not None else []
        spans: list[Span] = []
        for index, item in enumerate(items):
            quote = given[index] if index < len(given) else None
            outcome = (
                _search(field, item, text, forbidden)
                if quotes is None
                else _verify(field, item, quote, text, forbidden)
            )
            if isinstance(outcome, str):
                faults[field.name] = outcome
                break
            if outcome is None:
                unquoted.append(field.name)
            else:
                spans.append(outcome)
        else:
            held[field.name] = value
            evidence.extend(
                Evidence(field=field.name, quote=text[s.start : s.end], start=s.start, end=s.end)
                for s in spans
            )
    return Grounding(
        values=held,
        evidence=tuple(evidence),
        faults=faults,
        unquoted=tuple(dict.fromkeys(unquoted)),
    )


def _verify(
    field: Field, value: Scalar, quote: str | None, text: str, forbidden: Sequence[Span]
) -> Span | str:
    """Where the quote stands, or what is wrong with it."""
    if not quote or not quote.strip():
        return "has a value but no quote; copy the words of the text, or answer null"
    places = list(locate_all(text, quote, whole_words=False))
    if not places:
        return "has a quote that does not stand in the text; copy it word for word, or answer null"
    allowed = [place for place in places if not _within(place, forbidden)]
    if not allowed:
        return "is quoted from words that instruct the reader; use the facts of the text only"
    if not follows(field, value, quote):
        return "has a value that does not follow from its quote; quote the words that state it"
    return allowed[0]


def _search(field: Field, value: Scalar, text: str, forbidden: Sequence[Span]) -> Span | str | None:
    """Where the value stands; None for a judgement that no word of the text states."""
    for place in _places(field, value, text):
        if not _within(place, forbidden):
            return place
    if field.type in _JUDGED:
        return None
    return "has a value that does not stand in the text; use the words of the text, or answer null"


def _places(field: Field, value: Scalar, text: str) -> Sequence[Span]:
    if field.type.numeric:
        return [
            Span(start=number.start, end=number.end)
            for number in numbers_in(text)
            if number.value == value
        ]
    if field.type is FieldType.BOOLEAN:
        return []
    if field.type is FieldType.DATE:
        return [span for span in _date_passages(text) if _states_date(value, text, span)]
    return list(locate_all(text, str(value).replace("_", " ")))


def follows(field: Field, value: Scalar, quote: str) -> bool:
    """Whether `value` can be read out of `quote`.

    Numbers: one reading of a number in the quote equals it ("two dozen" is 24). Dates: the quote
    names its day, month and year. Strings: its words stand in the quote. Booleans and enums are
    judgements over the quote: that it stands in the text is all that can be checked.
    """
    if field.type in _JUDGED:
        return True
    if field.type.numeric:
        return any(number.value == value for number in numbers_in(quote))
    if field.type is FieldType.DATE:
        return _states_date(value, quote, Span(start=0, end=len(quote)))
    if locate(quote, str(value)) is not None:
        return True
    stated = set(folded(quote).split())
    wanted = folded(str(value)).split()
    return bool(wanted) and set(wanted) <= stated


def _states_date(value: Scalar, text: str, span: Span) -> bool:
    wanted = date.fromisoformat(str(value))
    passage = text[span.start : span.end]
    numbers = {int(digits) for digits in re.findall(r"\d+", passage)}
    month_named = any(
        MONTHS.get(word.casefold()) == wanted.month for word in _WORD.findall(passage)
    )
    cjk_or_digits = wanted.month in numbers
    return (
        wanted.day in numbers
        and (month_named or cjk_or_digits)
        and (wanted.year in numbers or wanted.year % 100 in numbers)
    )


_DATE_PASSAGE: Final = re.compile(
    r"\d{1,4}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,4}日?"
    r"|\d{1,2}(?:st|nd|rd|th|\.|º)?\s+(?:de\s+|of\s+)?[^\W\d_]{3,10}\.?,?\s+(?:de\s+)?\d{2,4}"
    r"|[^\W\d_]{3,10}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{2,4}"
)


def _date_passages(text: str) -> list[Span]:
    return [Span(start=m.start(), end=m.end()) for m in _DATE_PASSAGE.finditer(text)]


def _within(place: Span, passages: Sequence[Span]) -> bool:
    return any(p.start <= place.start and place.end <= p.end for p in passages)
