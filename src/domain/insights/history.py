"""One query, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain.insights.model import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDay:
    """One query on one day.

    Attributes:
        searches: rows that were counted.
        ctr: clicks over impressions, 0..1; None without impressions.
        ctr_low, ctr_high: Wilson's 95 % interval of `ctr`; None without impressions.
    """

    day: date
    searches: int
    clicks: int
    impressions: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryHistory:
    """One query through a period.

    Attributes:
        query: normalised.
        days: every day of the period, oldest first, those without rows too.
    """

    query: str
    period: Period
    days: Sequence[QueryDay]
