"""Search insights: the words for them. What the numbers mean stands in `domain.insights.rates`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from domain.errors import InvalidInput, Violation

DEFINITION_VERSION: Final = 1
"""Goes up when a stored figure would come out otherwise for the same rows."""


FIRST_DAY: Final = date(1, 1, 2)
LAST_DAY: Final = date(9999, 12, 30)
"""The days that can be analysed; PostgreSQL's driver takes the days outside for infinity."""


class RankBy(StrEnum):
    """What puts one query above another."""

    WILSON = "wilson"  # the lower bound of the rate's 95 % interval: 40/100 stands above 1/1
    CTR = "ctr"  # the rate itself: 1/1 stands above 40/100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchClick:
    """What happened to one query on one day; a day may have many rows for a query.

    Rows come from other programs too, so every member may be None and no bound holds until
    `is_usable` has said so.

    Attributes:
        search_query: as typed, up to 255 characters.
        clicks: results clicked.
        impressions: results pages shown.
        search_date: UTC day.
    """

    search_query: str | None
    clicks: int | None
    impressions: int | None
    search_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The days from `first` to `last`, both included, from `FIRST_DAY` to `LAST_DAY`."""

    first: date
    last: date

    def __post_init__(self) -> None:
        outside = [
            Violation(pointer=pointer, detail=f"must be a day from {FIRST_DAY} to {LAST_DAY}")
            for pointer, day in (("from", self.first), ("to", self.last))
            if not FIRST_DAY <= day <= LAST_DAY
        ]
        if outside:
            raise InvalidInput.of(outside)
        if self.first > self.last:
            detail = f"must not be after `to`, which is {self.last}"
            raise InvalidInput.of([Violation(pointer="from", detail=detail)])

    @property
    def days(self) -> int:
        """How many days, 1 and up."""
        return (self.last - self.first).days + 1

    @classmethod
    def of_day(cls, day: date) -> Period:
        """One day alone."""
        return cls(first=day, last=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which queries are ranked, and which count as low performers.

    Attributes:
        top: best queries returned, 1..100.
        min_impressions: fewest impressions of a query that is ranked, 1 and up.
        rank_by: the order of the best.
        low_min_impressions: fewest impressions of a low performer, 1 and up; it also needs the
            impressions of the period's `low_percentile`, whichever is more.
        low_percentile: 0..1.
        low_ctr_ratio: a low performer's rate is below this share of the period's rate, 0..1.
        low_limit: low performers returned, at most.
    """

    top: int = 5
    min_impressions: int = 20
    rank_by: RankBy = RankBy.WILSON
    low_min_impressions: int = 100
    low_percentile: float = 0.75
    low_ctr_ratio: float = 0.5
    low_limit: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCtr:
    """The click-through rate of one day.

    Attributes:
        average_ctr: sum of clicks over sum of impressions, 0..1; None without impressions.
        mean_row_ctr: mean of the rates of the rows with impressions, 0..1, to 12 decimals; None
            without such a row.
        source_rows: rows that were counted.
        excluded_rows: rows of that day that `is_usable` refuses.
    """

    day: date
    clicks: int
    impressions: int
    average_ctr: float | None
    mean_row_ctr: float | None
    source_rows: int
    excluded_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopQuery:
    """One of the best queries of a period.

    Attributes:
        rank: 1 for the best.
        query: normalised.
        ctr: 0..1.
        ctr_low, ctr_high: Wilson's 95 % interval of `ctr`.
    """

    rank: int
    query: str
    clicks: int
    impressions: int
    ctr: float
    ctr_low: float
    ctr_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LowPerformer:
    """A query that is shown often and clicked too rarely for that to be chance.

    Attributes:
        rank: 1 for the most clicks lost.
        query: normalised.
        ctr: 0..1.
        ctr_low, ctr_high: Wilson's 95 % interval of `ctr`.
        lost_clicks: clicks that the period's rate would have brought beyond those it got.
    """

    rank: int
    query: str
    clicks: int
    impressions: int
    ctr: float
    ctr_low: float
    ctr_high: float
    lost_clicks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The three analyses of a period, all over the same rows.

    Attributes:
        days: every day of the period, oldest first, those without rows too.
        top_queries, low_performance_queries: by rank.
    """

    period: Period
    rules: Rules
    days: Sequence[DailyCtr]
    top_queries: Sequence[TopQuery]
    low_performance_queries: Sequence[LowPerformer]

    @property
    def clicks(self) -> int:
        """Clicks of the period."""
        return sum(day.clicks for day in self.days)

    @property
    def impressions(self) -> int:
        """Impressions of the period."""
        return sum(day.impressions for day in self.days)

    @property
    def average_ctr(self) -> float | None:
        """Sum of clicks over sum of impressions of the period; None without impressions."""
        return self.clicks / self.impressions if self.impressions else None


Document = object
"""Stored JSON: an array of objects by rank, or whatever another program has stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInsight:
    """One day's insight as stored.

    A row that another program wrote has only the first three figures, in its own JSON, and
    None for the rest.

    Attributes:
        average_ctr, mean_row_ctr: see `DailyCtr`.
        top_queries, low_performance_queries: the members of `TopQuery` and `LowPerformer`.
        definition_version: the `DEFINITION_VERSION` that made the figures.
        computed_at: aware UTC instant at which the figures came out as they are; computing the
            same again leaves it.
    """

    insight_date: date
    average_ctr: float | None
    top_queries: Document
    low_performance_queries: Document
    mean_row_ctr: float | None
    clicks: int | None
    impressions: int | None
    source_rows: int | None
    excluded_rows: int | None
    definition_version: int | None
    computed_at: datetime | None
