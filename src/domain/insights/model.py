"""Search insights: the words for them. What the numbers mean: `sql/queries/insights.sql`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import fsum
from typing import Final

from domain.errors import InvalidInput, Violation

DEFINITION_VERSION: Final = 2
"""Goes up when a stored figure would come out otherwise for the same rows."""


FIRST_DAY: Final = date(1, 1, 2)
LAST_DAY: Final = date(9999, 12, 30)
"""The days that can be analysed: those for which the database marks changes of their rows."""

MAX_COUNT: Final = 2_147_483_647
"""The most that a row's clicks or impressions can be."""


class RankBy(StrEnum):
    """What puts one query above another."""

    CTR = "ctr"  # the rate itself: 20/20 stands above 990/1000
    CTR_LOW = "ctr_low"  # the lower bound of the rate's 95 % interval: the other way round


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchClickRow:
    """What happened to one query on one day; a day may have many rows for a query.

    Rows come from other programs too, so every member may be None and no bound holds until
    `is_usable` has said so.

    Attributes:
        search_query: as typed, up to 255 characters.
        clicks: results clicked.
        impressions: results pages shown.
        search_date: UTC day.
        click_through_rate: what the writer says that clicks / impressions is; None where it says
            nothing. No figure is made from it; where it contradicts the counts, that is counted.
    """

    search_query: str | None
    clicks: int | None
    impressions: int | None
    search_date: date | None
    click_through_rate: float | None = None


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

    def previous(self) -> Period:
        """The period of the same length that ends the day before this one.

        Raises:
            InvalidInput: it would begin before `FIRST_DAY`.
        """
        if (self.first - FIRST_DAY).days < self.days:
            detail = f"leaves no {self.days} days before it, from {FIRST_DAY} on, to compare with"
            raise InvalidInput.of([Violation(pointer="from", detail=detail)])
        length = timedelta(days=self.days)
        return Period(first=self.first - length, last=self.last - length)

    @classmethod
    def of_day(cls, day: date) -> Period:
        """One day alone."""
        return cls(first=day, last=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRules:
    """Which queries are ranked, and which count as low performers.

    Attributes:
        top: best queries returned, 1..100.
        min_impressions: fewest impressions of a query that is ranked, 1 and up.
        rank_by: the order of the best.
        low_min_impressions: fewest impressions of a low performer, 1 and up; it also needs the
            impressions of the period's `low_percentile`, whichever is more.
        low_percentile: 0..1.
        low_ctr_ratio: a low performer's rate is below this share of the period's rate, 0..1.
        low_limit: low performers returned, 1..1000.

    Raises:
        InvalidInput: names every rule that is out of its bounds.
    """

    top: int = 5
    min_impressions: int = 20
    rank_by: RankBy = RankBy.CTR
    low_min_impressions: int = 100
    low_percentile: float = 0.75
    low_ctr_ratio: float = 0.5
    low_limit: int = 20

    def __post_init__(self) -> None:
        found = [
            Violation(pointer=name, detail=f"must be from {least} to {most}")
            for name, least, most in RULE_BOUNDS
            if not least <= getattr(self, name) <= most
        ]
        if found:
            raise InvalidInput.of(found)


RULE_BOUNDS: Final = (
    ("top", 1, 100),
    ("min_impressions", 1, MAX_COUNT),
    ("low_min_impressions", 1, MAX_COUNT),
    ("low_percentile", 0, 1),
    ("low_ctr_ratio", 0, 1),
    ("low_limit", 1, 1000),
)
"""Each number among `RankingRules` with the least and the most that it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCtr:
    """The click-through rate of one day, and the rows behind it.

    Attributes:
        average_ctr: mean of the rates of the rows with impressions, 0..1, to 12 decimals; None
            without such a row. Each row weighs the same.
        overall_ctr: sum of clicks over sum of impressions, 0..1; None without impressions. Each
            impression weighs the same.
        source_rows: rows that were counted.
        rated_rows: of them, those with impressions.
        distinct_queries: of the rows counted, by normalised query.
        blank_rows: rows left out because their query is NULL or blank.
        impossible_rows: rows left out because their clicks and impressions cannot be: NULL,
            negative, or more clicks than impressions.
        contradicting_rows: of the rows counted, those whose stored `click_through_rate` is not
            that of their counts.
    """

    day: date
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    source_rows: int
    rated_rows: int
    distinct_queries: int
    blank_rows: int
    impossible_rows: int
    contradicting_rows: int

    @property
    def anomalies(self) -> int:
        """Rows in which another program wrote what cannot be."""
        return self.impossible_rows + self.contradicting_rows


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
class LowPerformer(TopQuery):
    """A query that is shown often and clicked too rarely for that to be chance.

    Attributes:
        rank: 1 for the most clicks lost.
        lost_clicks: clicks that the period's rate would have brought beyond those it got.
    """

    lost_clicks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodInsights:
    """The three analyses of a period, all over the same rows.

    Attributes:
        days: every day of the period, oldest first, those without rows too.
        top_queries, low_performance_queries: by rank.
        undated_rows: rows of the whole log that have no day and so are in no period.
    """

    period: Period
    rules: RankingRules
    days: Sequence[DailyCtr]
    top_queries: Sequence[TopQuery]
    low_performance_queries: Sequence[LowPerformer]
    undated_rows: int

    @property
    def clicks(self) -> int:
        """Clicks of the period."""
        return sum(day.clicks for day in self.days)

    @property
    def impressions(self) -> int:
        """Impressions of the period."""
        return sum(day.impressions for day in self.days)

    @property
    def source_rows(self) -> int:
        """Rows of the period that were counted."""
        return sum(day.source_rows for day in self.days)

    @property
    def blank_rows(self) -> int:
        """Rows of the period left out because their query is NULL or blank."""
        return sum(day.blank_rows for day in self.days)

    @property
    def anomalies(self) -> int:
        """Rows of the period in which another program wrote what cannot be."""
        return sum(day.anomalies for day in self.days)

    @property
    def average_ctr(self) -> float | None:
        """Mean of the rates of the period's rows with impressions; None without such a row."""
        rated = sum(day.rated_rows for day in self.days)
        total = fsum(day.rated_rows * (day.average_ctr or 0.0) for day in self.days)
        return round(total / rated, 12) if rated else None

    @property
    def overall_ctr(self) -> float | None:
        """Sum of clicks over sum of impressions of the period; None without impressions.

        It is the baseline that low performers are measured by.
        """
        return self.clicks / self.impressions if self.impressions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInsight:
    """One day's insight as stored.

    A row that another program wrote has None for what it does not hold.

    Attributes:
        average_ctr, overall_ctr: see `DailyCtr`; the numbers of rows too.
        top_queries, low_performance_queries: None where nothing is stored, or something else.
        definition_version: the `DEFINITION_VERSION` that made the figures; None if not ours.
        computed_at: aware UTC instant at which the figures came out as they are; computing the
            same again leaves it.
        problems: why a list that is stored cannot be shown, by JSON pointer; mostly empty.
    """

    insight_date: date
    average_ctr: float | None
    overall_ctr: float | None
    clicks: int | None
    impressions: int | None
    source_rows: int | None
    distinct_queries: int | None
    blank_rows: int | None
    impossible_rows: int | None
    contradicting_rows: int | None
    top_queries: Sequence[TopQuery] | None
    low_performance_queries: Sequence[LowPerformer] | None
    definition_version: int | None
    computed_at: datetime | None
    problems: Sequence[Violation] = ()

    @property
    def anomalies(self) -> int | None:
        """Rows in which another program wrote what cannot be; None if they were not counted."""
        if self.impossible_rows is None or self.contradicting_rows is None:
            return None
        return self.impossible_rows + self.contradicting_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightFreshness:
    """How far the stored insights of a period are behind its rows.

    Attributes:
        pending_days: days, up to yesterday, that lack an insight or whose rows have changed since
            it was computed; oldest first.
        computed_at: when the latest of the period's insights came out as it is, aware UTC; None
            without one.
    """

    pending_days: Sequence[date]
    computed_at: datetime | None


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


CTR_TOLERANCE: Final = 0.005
"""How far a stored rate may be from clicks / impressions: it was rounded to two decimals."""

# Spelled out, because what a database calls a space depends on its locale. NFKC has turned the
# other spaces of Unicode into plain ones.
_SPACES: Final = re.compile("[ \t\n\v\f\r\u0085\u1680\u2028\u2029]+")


def normalised_query(text: str) -> str:
    """The key under which spellings of one query meet: NFKC, lower case, single spaces, trimmed.

    Normalised again after lower case, because some letters compose in lower case only. So the key
    of a key is itself. Letter case goes one character at a time, as in PostgreSQL: a final sigma
    stays a sigma.
    """
    lowered = "".join(
        "i" if character == "\u0130" else character.lower()
        for character in unicodedata.normalize("NFKC", text)
    )
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", lowered)).strip(" ")


def contradicts(click_through_rate: float | None, clicks: int, impressions: int) -> bool:
    """Whether a stated rate is not that of its counts; None states nothing.

    Without impressions there is no rate, so that any is a contradiction; NaN always is.
    """
    if click_through_rate is None:
        return False
    if impressions == 0:
        return True
    return not abs(click_through_rate - clicks / impressions) <= CTR_TOLERANCE
