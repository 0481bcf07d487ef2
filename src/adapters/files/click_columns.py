"""The columns of a file of searches: which they are, and their values where they can be read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from adapters.files.line_files import unfit
from domain.insights.click_rows import COLUMNS, REQUIRED
from domain.text import closest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickColumnNames:
    """The names of the columns in a file.

    Attributes:
        named: the file's name for a column of `COLUMNS`, where it is another.
        dated: whether the rows name their day; if not, one is given for all.
    """

    named: Mapping[str, str]
    dated: bool

    def name(self, column: str) -> str:
        """What the file calls `column`."""
        return self.named.get(column, column)

    def among(self, heading: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The columns of `COLUMNS` that are in the file, and its names of what is not read.

        Raises:
            InvalidInput: names every column that is missing or there twice.
        """
        wanted = {column: self.name(column) for column in COLUMNS}
        needed = {*REQUIRED, *self.named, *(["search_date"] if self.dated else [])}
        missing = [column for column in COLUMNS if column in needed]
        missing = [column for column in missing if wanted[column] not in heading]
        if missing:
            raise unfit("; ".join(self._missing(column, heading) for column in missing))
        if len(set(wanted.values())) < len(wanted):
            raise unfit("cannot have one column for two: see --column")
        twice = [name for name in wanted.values() if heading.count(name) > 1]
        if twice:
            raise unfit(f"has the column {twice[0]!r} twice")
        found = [column for column, name in wanted.items() if name in heading]
        read = {wanted[column] for column in found}
        return found, [name for name in heading if name and name not in read]

    def _missing(self, column: str, heading: Sequence[str]) -> str:
        shown = ", ".join(map(repr, heading[:20])) or "none"
        others = [name for name in heading if name not in map(self.name, COLUMNS)]
        folded = {name.casefold(): name for name in others}
        close = closest(self.name(column).casefold(), folded, likeness=0.5)
        example = "NAME" if close is None else folded[close]
        remedy = f"name it by --column {column}={example}"
        if column == "search_date":
            remedy += ", or give all rows a day by --date"
        return f"has no column {self.name(column)!r} (it has {shown}): {remedy}"

    def __str__(self) -> str:
        """In a line that is the same each time."""
        renamed = [f"{column}={self.named[column]}" for column in COLUMNS if column in self.named]
        return ", ".join(["", *renamed]) if renamed else ""


LONGEST_LINE: Final = 1_048_576
"""Bytes; no row of searches comes near."""

_INTEGER: Final = re.compile(r"(-?[0-9]{1,20})(?:\.0{1,20})?")
_NUMBER: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_OF_NUMBERS: Final = b"0123456789.eE-"
_MOST_DIGITS: Final = 40
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def counts_of_texts(texts: Sequence[str]) -> Sequence[int | str | None]:
    """Integers; None for a blank, and the text itself where it is no integer."""
    together = "".join(texts)
    if together.isascii() and together.isdigit():  # no sign, space or underscore: all for `int`
        try:
            return list(map(int, texts))
        except ValueError:  # a blank one, or one too long to be a number
            pass
    return [_count(text.strip(" \t")) for text in texts]


def counts_of_numbers(values: Sequence[Any]) -> Sequence[Any]:
    """Integers; to JSON 2.0 is the integer 2. What is no number stays as it is."""
    if set(map(type, values)) == {int}:
        return values
    return [int(each) if isinstance(each, float) and each.is_integer() else each for each in values]


def rates_of_texts(texts: Sequence[str]) -> Sequence[float | str | None]:
    """Numbers; None for a blank, and the text itself where it is no number."""
    together = "".join(texts)
    # Of these characters alone, and not too many, `float` takes what the grammar does.
    if together.isascii() and not together.encode().translate(None, _OF_NUMBERS):
        try:
            rates = [float(text) if text else None for text in texts]
        except ValueError:
            pass
        else:
            if max(map(len, texts)) <= _MOST_DIGITS and not {math.inf, -math.inf} & {*rates}:
                return rates
    return [_rate(text.strip(" \t")) for text in texts]


class DayParser:
    """Turns texts into days: a file has few, and each is read once."""

    def __init__(self) -> None:
        self._known = _KnownDays()

    def of_texts(self, texts: Sequence[Any]) -> Sequence[Any]:
        """Days; None for a blank. What is no text, or not like 2026-11-20, stays as it is."""
        try:
            return list(map(self._known.__getitem__, texts))
        except (ValueError, TypeError):  # no day; no text
            return [self._one(each) for each in texts]

    def _one(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = value.strip(" \t")
        try:
            return self._known[text] if text else None
        except ValueError:
            return value


class _KnownDays(dict[str, date]):
    def __missing__(self, text: str) -> date:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        day = self[text] = date.fromisoformat(text)
        return day


def _count(text: str) -> int | str | None:
    # 12.0 is how pandas writes the 12 of a column that has gaps.
    found = _INTEGER.fullmatch(text)
    return int(found[1]) if found else text or None


def _rate(text: str) -> float | str | None:
    if not _NUMBER.fullmatch(text) or len(text) > _MOST_DIGITS:
        return text or None
    rate = float(text)
    return rate if math.isfinite(rate) else text
