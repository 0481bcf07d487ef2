"""Which rows of the log of searches are taken, whoever sends them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from domain.errors import Violation
from domain.insights.model import FIRST_DAY, LAST_DAY
from domain.insights.rates import contradicts
from domain.text import label_problem


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
