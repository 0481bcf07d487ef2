"""Numbers as people write them: digits with any separators, words, dozens, CJK numerals."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from domain.extraction.words import CONNECTORS, MULTIPLIERS, UNITS

_TOKEN: Final = re.compile(r"(?P<digits>\d+(?:[.,'’\u00a0\u202f ]\d+)*)|(?P<word>[^\W\d_]+)")
_LONGEST_WORD: Final = 24
_CJK: Final = re.compile(r"[〇零一二两兩三四五六七八九十百千万萬]+")
_CJK_DOZENS: Final = re.compile(
    r"(?P<count>\d{1,6}|[〇零一二两兩三四五六七八九十百千万萬]{1,8}|半)\s?(?:ダース|打)"
)
_CJK_DIGITS: Final = {c: i for i, c in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "兩": 2,
}
_CJK_SCALES: Final = {"十": 10, "百": 100, "千": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One reading of a number; ambiguous spellings (`1.200`) have two.

    Attributes:
        value: what it says.
        start: offset of its first character.
        end: offset behind its last character.
    """

    value: float
    start: int
    end: int


def numbers_in(text: str) -> list[Number]:
    """Every number in `text`, in order, each with all its readings."""
    found = [*_latin(text), *_cjk(text), *_cjk_dozens(text)]
    return sorted(found, key=lambda number: (number.start, -number.end))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A digit group or a number word; `factor` marks words that multiply what stands before."""

    values: tuple[float, ...]
    factor: bool
    start: int
    end: int


def _latin(text: str) -> Iterator[Number]:
    run: list[_Piece] = []
    for piece in _pieces(text):
        if run and not _continues(text[run[-1].end : piece.start], run[-1], piece):
            yield from _readings(run)
            run = []
        run.append(piece)
    if run:
        yield from _readings(run)


def _pieces(text: str) -> Iterator[_Piece]:
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if match["digits"]:
            before = text[start - 1 : start]
            # The 4 of "A4" and the 8 of "M8" are names; "x3" is a count.
            if before.isalpha() and before not in "xX" and not _is_cjk(before):
                continue
            yield _Piece(tuple(_digit_readings(match["digits"])), False, start, end)
            continue
        word = unicodedata.normalize("NFC", match["word"]).casefold()
        if word in UNITS:
            yield _Piece((UNITS[word],), False, start, end)
        elif word in MULTIPLIERS:
            yield _Piece((MULTIPLIERS[word],), True, start, end)
        elif (compound := _german(word)) is not None:
            yield _Piece((compound,), False, start, end)


def _continues(gap: str, before: _Piece, piece: _Piece) -> bool:
    """Whether `piece` belongs to the number that `before` is part of."""
    words = gap.replace("-", " ").casefold().split()
    if gap.strip(" -\u00a0\n") and not all(word in CONNECTORS for word in words):
        return False
    if piece.factor:
        return True
    if before.factor:
        return before.values[0] >= 100 and piece.values[0] < before.values[0]
    if piece.values[0] == 0.5:  # "two and a half", "one and a half dozen"
        return words == ["and", "a"] and before.values[0] >= 1
    # "twenty five", but not "five six" nor "3 4"
    return before.values[0] in {20, 30, 40, 50, 60, 70, 80, 90} and 0 < piece.values[0] < 10


def _readings(run: list[_Piece]) -> Iterator[Number]:
    start, end = run[0].start, run[-1].end
    for first in run[0].values:
        total, current = 0.0, 0.0
        for index, piece in enumerate(run):
            value = first if index == 0 else piece.values[0]
            if not piece.factor:
                current += value
            elif value >= 1000:
                total, current = total + (current or 1) * value, 0.0
            else:
                current = (current or 1) * value
        yield Number(value=total + current, start=start, end=end)


def _digit_readings(digits: str) -> Iterator[float]:
    """`1.200` is 1200 and 1.2; `1,200.50` is 1200.5 only; `12,5` is 12.5 only."""
    plain = unicodedata.normalize("NFKC", digits)
    parts = re.split(r"[.,'’ ]", plain)
    separators = re.findall(r"[.,'’ ]", plain)
    if not separators:
        yield float(parts[0])
        return
    grouped = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3
    if grouped and len(set(separators)) == 1:
        yield float("".join(parts))
        if set(separators) <= {" "}:  # "12 500" may be two numbers
            yield from (float(part) for part in parts)
            return
    last = separators[-1]
    thousands_before = all(len(part) == 3 for part in parts[1:-1])
    if last in ".," and thousands_before and all(each != last for each in separators[:-1]):
        yield float("".join(parts[:-1]) + "." + parts[-1])
    elif not grouped:
        yield from (float(part) for part in parts)


def _german(word: str) -> float | None:
    """`fünfundzwanzig` and its Dutch sister `vijfentwintig`."""
    if len(word) > _LONGEST_WORD:
        return None
    for joint in ("und", "en", "ën"):
        head, _, tail = word.partition(joint)
        while tail:
            if (
                UNITS.get(tail, 0) in {20, 30, 40, 50, 60, 70, 80, 90}
                and 0 < UNITS.get(head, 0) < 10
            ):
                return UNITS[tail] + UNITS[head]
            more, _, rest = tail.partition(joint)
            head, tail = head + joint + more, rest
    return None


def _is_cjk(character: str) -> bool:
    return "\u3040" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3"


def _cjk(text: str) -> Iterator[Number]:
    for match in _CJK.finditer(text):
        value = _cjk_value(match.group())
        if value is not None:
            yield Number(value=value, start=match.start(), end=match.end())


def _cjk_dozens(text: str) -> Iterator[Number]:
    """`2ダース`, `两打`, `半ダース`: the count before is read too, as a number of its own."""
    for match in _CJK_DOZENS.finditer(text):
        count = unicodedata.normalize("NFKC", match["count"])
        dozens = 0.5 if count == "半" else float(count) if count.isdecimal() else _cjk_value(count)
        if dozens is not None:
            yield Number(value=12 * dozens, start=match.start(), end=match.end())


def _cjk_value(numeral: str) -> float | None:
    total, section, digit = 0, 0, 0
    if not any(c in "十百千万萬" for c in numeral):
        return float("".join(str(_CJK_DIGITS[c]) for c in numeral))
    for previous, character in pairwise("零" + numeral):
        if character in _CJK_DIGITS:
            if previous in _CJK_DIGITS and _CJK_DIGITS[previous] and previous != "零":
                return None
            digit = _CJK_DIGITS[character]
        elif character in _CJK_SCALES:
            section += (digit or 1) * _CJK_SCALES[character]
            digit = 0
        else:
            total = (total + section + digit) * 10_000
            section = digit = 0
    return float(total + section + digit)
