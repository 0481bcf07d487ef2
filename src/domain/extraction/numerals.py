"""What readers of numbers give and share: tokens, numerals, digits with separators."""

# ruff: noqa: RUF001 - the separators of the texts that are read
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

Exact: TypeAlias = int | Fraction
MOST_DIGITS: Final = 40
"""Longer rows of digits are names of things; nobody counts that far."""
SPACES: Final = " \u00a0\u2007\u2009\u202f"
SEPARATORS: Final = f".,'’ʼ٬٫，{SPACES}"
_SEPARATOR: Final = re.compile(f"[{SEPARATORS}]")
_ALIKE: Final = str.maketrans({**dict.fromkeys("’ʼ٬", "'"), **dict.fromkeys(SPACES, " ")})


@dataclass(frozen=True, slots=True)
class TextToken:
    """A word, or a number in digits with its readings.

    Attributes:
        start: offset of the first character.
        end: offset behind the last.
        word: casefolded; empty for digits.
        values: what digits say; empty for words.
    """

    start: int
    end: int
    word: str = ""
    values: tuple[Exact, ...] = ()


@dataclass(frozen=True, slots=True)
class NumeralSpan:
    """A stretch that says a number, with all its readings."""

    start: int
    end: int
    values: tuple[Exact, ...]


def amounts(written: str) -> tuple[Exact, ...]:
    """The readings of digits 0 to 9 with separators; none where they are no number.

    `1,234` and `1.234` are read with thousands and with decimals, but for three zeros, which are
    always thousands. `1,50,000` has Indian groups. Everything else has one reading: the last sign
    stands before decimals when it differs from those before it, or stands once before fewer or
    more than three digits.
    """
    written = written.translate(_ALIKE)
    parts, signs = _SEPARATOR.split(written), _SEPARATOR.findall(written)
    if sum(map(len, parts)) > MOST_DIGITS or not all(map(str.isdecimal, parts)):
        return ()
    found: list[Exact] = []
    if not signs or _grouped(parts, signs):
        found.append(int("".join(parts)))
    if signs and signs[-1] in ".,٫" and signs[-1] not in signs[:-1]:
        whole, decimals = parts[:-1], parts[-1]
        if (len(whole) == 1 or _grouped(whole, signs[:-1])) and not (found and decimals == "000"):
            found.append(Fraction(f"{''.join(whole)}.{decimals}"))
    return tuple(found)


def _grouped(parts: Sequence[str], signs: Sequence[str]) -> bool:
    """Whether they are groups of three digits, or of two and a last one of three as in India."""
    first, middle, last = parts[0], parts[1:-1], parts[-1]
    if len(set(signs)) > 1 or signs[0] == "٫" or first.startswith("0") or len(last) != 3:
        return False
    western = len(first) <= 3 and all(len(part) == 3 for part in middle)
    indian = len(first) <= 2 and signs[0] == "," and all(len(part) == 2 for part in middle)
    return western or indian
