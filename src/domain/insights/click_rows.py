"""Rows of the search log: which are accepted, one by one and by the million."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import gt
from typing import Any, Final

from domain.errors import Violation
from domain.insights.model import FIRST_DAY, LAST_DAY, MAX_COUNT, contradicts
from domain.text import MAX_LENGTH, label_problem


def click_violations(members: Mapping[str, object]) -> list[Violation]:
    """What is wrong with well-typed members of a row that is to be stored; absent ones are right.

    What `sql/queries/insights.sql` could not count later is not taken.
    """
    found = []
    query = members.get("search_query")
    if isinstance(query, str):
        problem = label_problem(query)
        if problem is not None:
            found.append(Violation(pointer="/search_query", detail=problem))
    clicks, impressions = members.get("clicks"), members.get("impressions")
    if isinstance(clicks, int) and isinstance(impressions, int):
        if clicks > impressions:
            detail = f"must not be more than impressions, which are {impressions}"
            found.append(Violation(pointer="/clicks", detail=detail))
        else:
            found += _rate_violations(members.get("click_through_rate"), clicks, impressions)
    day = members.get("search_date")
    if isinstance(day, date) and not FIRST_DAY <= day <= LAST_DAY:
        detail = f"must be a day from {FIRST_DAY} to {LAST_DAY}"
        found.append(Violation(pointer="/search_date", detail=detail))
    return found


def _rate_violations(stated: object, clicks: int, impressions: int) -> list[Violation]:
    if not isinstance(stated, int | float) or clicks < 0 or impressions < 0:
        return []
    if not contradicts(stated, clicks, impressions):
        return []
    right = f"{clicks / impressions:.6g}" if impressions else "null, as there are no impressions"
    detail = f"contradicts clicks and impressions: must be {right}, or left out"
    return [Violation(pointer="/click_through_rate", detail=detail)]


REQUIRED: Final = ("search_query", "clicks", "impressions")
COLUMNS: Final = (*REQUIRED, "click_through_rate", "search_date")
"""What a row of a file is made of. `search_date` is required too, unless a day is given for all."""

AcceptedRow = tuple[str, int, int, float | None, date]
"""A row that is taken, in the order of `COLUMNS`; the rate is clicks / impressions."""

LoggedRow = tuple[str | None, int | None, int | None, float | None, date | None]
"""A row of the log in the order of `COLUMNS`, which another program may have written."""

_SHOWN: Final = 80
_DAY: Final = "must be a day such as 2026-11-20"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPosition:
    """How far a file has been read.

    Attributes:
        offset: bytes; rows of a Parquet file.
        line: lines; rows of a Parquet file.
    """

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickImportState:
    """How the import of a file stands.

    Attributes:
        id: its number, from 1.
        fingerprint: of the file's content, SHA-256.
        name: what the file was called when the import began.
        options: how the file is read; an import goes on in the same way only.
        position: up to there the rows are in the log, or rejected.
        accepted: rows that went into the log.
        rejected: rows that did not.
        rejects_bytes: length of the file of rejected rows at that position.
        started_at: aware UTC.
        finished_at: aware UTC; None while rows of the file may be missing.
    """

    id: int
    fingerprint: bytes
    name: str
    options: str
    position: ReadPosition
    accepted: int
    rejected: int
    rejects_bytes: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickImportTotals:
    """All imports together.

    Attributes:
        unfinished: imports whose file was not read to its end.
        accepted: rows that went into the log.
        rejected: rows that did not.
    """

    unfinished: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that is not taken.

    Attributes:
        line: where it begins, from 1.
        row: its members by name, or what stands in the file, as far as it could be read.
        reasons: what is wrong, by JSON pointers into `row`.
    """

    line: int
    row: object
    reasons: Sequence[Violation]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickRowBlock:
    """Rows of a file that follow one another, by column and of any type.

    Attributes:
        columns: by names of `COLUMNS`, all of one length. Counts are integers, days are dates,
            rates are numbers where the file's value could be read as such; None where it is blank.
            A column that the file does not have is not there.
        lines: where each row begins.
        unreadable: what could not be read as rows at all.
        end: how far the file has been read with this block.
        read: the same in the unit of the source's size, for a progress bar.
    """

    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int]
    unreadable: Sequence[RejectedRow]
    end: ReadPosition
    read: int


def check_rows(
    block: ClickRowBlock, day: date | None
) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    """The rows of a block that are taken, and the others, each in the order of the file.

    Args:
        block: what was read.
        day: of the rows that name none; None refuses them.
    """
    if not block.lines:
        return [], list(block.unreadable)
    taken = _all_rows(block.columns, len(block.lines), day)
    if taken is not None:
        return taken, list(block.unreadable)
    taken = []
    rejected = list(block.unreadable)
    names = tuple(block.columns)
    for line, values in zip(block.lines, zip(*block.columns.values(), strict=True), strict=True):
        members = dict(zip(names, values, strict=True))
        if day is not None and members.get("search_date") is None:
            members["search_date"] = day
        reasons = row_violations(members)
        if reasons:
            rejected.append(RejectedRow(line=line, row=members, reasons=reasons))
        else:
            clicks, impressions = members["clicks"], members["impressions"]
            rate = clicks / impressions if impressions else None
            taken.append(
                (members["search_query"], clicks, impressions, rate, members["search_date"])
            )
    rejected.sort(key=lambda each: each.line)
    return taken, rejected


def row_violations(members: Mapping[str, object]) -> list[Violation]:
    """What is wrong with a row of members of any type; an absent one is as good as None."""
    found = []
    typed: dict[str, object] = {}
    for name in COLUMNS:
        value = members.get(name)
        problem = _problem(name, value)
        if problem is None:
            typed[name] = value
        else:
            found.append(Violation(pointer=f"/{name}", detail=problem))
    return found + click_violations(typed)


def _problem(name: str, value: object) -> str | None:
    """Why a member is not of its type, or None when it is."""
    if value is None:
        return None if name == "click_through_rate" else "is missing"
    if name == "search_query":
        return None if isinstance(value, str) else f"must be a text, is {_shown(value)}"
    if name == "search_date":
        is_day = isinstance(value, date) and not isinstance(value, datetime)
        return None if is_day else f"{_DAY}, is {_shown(value)}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "click_through_rate":
        return None if is_number else f"must be a number, is {_shown(value)}"
    if isinstance(value, int) and is_number and 0 <= value <= MAX_COUNT:
        return None
    return f"must be an integer from 0 to {MAX_COUNT}, is {_shown(value)}"


def _all_rows(
    columns: Mapping[str, Sequence[Any]], size: int, day: date | None
) -> list[AcceptedRow] | None:
    """All rows of a block if each of them is right; None if one may be wrong."""
    queries, clicks, impressions = (columns[name] for name in REQUIRED)
    days = columns.get("search_date", [None] * size)
    if day is not None and None in days:
        days = [day if each is None else each for each in days]
    rates = _rates(columns, clicks, impressions) if _counts_right(clicks, impressions) else None
    if rates is None or not (_queries_right(queries) and _days_right(days)):
        return None
    return list(zip(queries, clicks, impressions, rates, days, strict=True))


def _queries_right(queries: Sequence[Any]) -> bool:
    """Whether `domain.text.label_problem` finds nothing in any of them."""
    if set(map(type, queries)) != {str}:
        return False
    together = "".join(queries)
    try:
        together.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return (
        "\x00" not in together
        and max(map(len, queries)) <= MAX_LENGTH
        and all(map(str.strip, queries))
    )


def _counts_right(clicks: Sequence[Any], impressions: Sequence[Any]) -> bool:
    return (
        set(map(type, clicks)) == {int} == set(map(type, impressions))
        and min(clicks) >= 0
        and max(impressions) <= MAX_COUNT
        and not any(map(gt, clicks, impressions))
    )


def _days_right(days: Sequence[Any]) -> bool:
    return set(map(type, days)) == {date} and min(days) >= FIRST_DAY and max(days) <= LAST_DAY


def _rates(
    columns: Mapping[str, Sequence[Any]], clicks: Sequence[int], impressions: Sequence[int]
) -> list[float | None] | None:
    """The rate of each row, unless one that the file states is wrong."""
    rates = [c / n if n else None for c, n in zip(clicks, impressions, strict=True)]
    stated = columns.get("click_through_rate")
    if stated is None or stated == rates:
        return rates
    if not set(map(type, stated)) <= {float, int, type(None)}:
        return None
    for said, rate, c, n in zip(stated, rates, clicks, impressions, strict=True):
        if said != rate and contradicts(said, c, n):
            return None
    return rates


def _shown(value: object) -> str:
    shown = repr(
        value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
    )
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
