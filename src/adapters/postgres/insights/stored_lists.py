"""The JSON of a stored insight's two lists, read back.

Other programs may write rows of `search_insights` too, in JSON of their own. What is not of the
documented shape is not passed on as if it were: the list is None, and a violation says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, TypeVar

from domain.errors import Violation
from domain.insights.model import LowPerformer, TopQuery

Q = TypeVar("Q", bound=TopQuery)
Members = Mapping[str, tuple[Callable[[Any], Any], Callable[[object], str | None]]]
"""By name: the type in which a member is kept, and what finds out why it cannot be."""

_MOST_PROBLEMS: Final = 10
_EXACT: Final = 2**53  # up to here each integer is a double of its own


def read_top_queries(document: object) -> tuple[Sequence[TopQuery] | None, Sequence[Violation]]:
    """The list that `document`, parsed JSON, holds; None and the reasons when it is of no list."""
    return _read(document, "/top_queries", TopQuery, _MEMBERS)


def read_low_performers(
    document: object,
) -> tuple[Sequence[LowPerformer] | None, Sequence[Violation]]:
    """As `read_top_queries`."""
    members = {**_MEMBERS, "lost_clicks": (float, _number)}
    return _read(document, "/low_performance_queries", LowPerformer, members)


def _read(
    document: object,
    pointer: str,
    kind: type[Q],
    members: Members,
) -> tuple[Sequence[Q] | None, Sequence[Violation]]:
    if document is None:
        return None, ()
    if not isinstance(document, list):
        return None, [Violation(pointer=pointer, detail="is stored as something else than a list")]
    found = []
    for place, entry in enumerate(document):
        at = f"{pointer}/{place}"
        if not isinstance(entry, dict):
            found.append(Violation(pointer=at, detail="is no object"))
            continue
        for name, (_, problem_of) in members.items():
            problem = problem_of(entry[name]) if name in entry else "is missing"
            if problem is not None:
                found.append(Violation(pointer=f"{at}/{name}", detail=problem))
    if found:
        return None, found[:_MOST_PROBLEMS]
    entries = (
        {name: made(entry[name]) for name, (made, _) in members.items()} for entry in document
    )
    return [kind(**entry) for entry in entries], ()


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "is no text"


def _count(value: object) -> str | None:
    return None if type(value) is int and value >= 0 else "is no integer of 0 and up"


def _number(value: object) -> str | None:
    fits = (type(value) is float and isfinite(value)) or (
        type(value) is int and abs(value) < _EXACT
    )
    return None if fits else "is no number"


def _rate(value: object) -> str | None:
    fits = isinstance(value, int | float) and _number(value) is None and 0 <= value <= 1
    return None if fits else "is no number from 0 to 1"


_MEMBERS: Final[Members] = {
    "rank": (int, _count),
    "query": (str, _text),
    "clicks": (int, _count),
    "impressions": (int, _count),
    "ctr": (float, _rate),
    "ctr_low": (float, _rate),
    "ctr_high": (float, _rate),
}
