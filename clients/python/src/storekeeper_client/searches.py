"""What was searched and clicked, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Final, Literal, TypeAlias
from uuid import uuid4

import msgspec

from storekeeper_client.calls import (
    JSON,
    Call,
    Page,
    Steps,
    batches,
    encoded,
    given,
    once,
    page_reader,
    path_of,
    reads,
)
from storekeeper_client.errors import Moment
from storekeeper_client.resources import D, Listing, Operation, Resource

RankBy: TypeAlias = Literal["ctr", "ctr_low"]

_ROWS: Final = 5_000
_BYTES: Final = 900_000
"""Of a request, below the service's usual limit of 1 MiB."""


class SearchClick(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to one query on one day; several rows for a query add up.

    Attributes:
        search_query: as typed, 1..255 characters, not blank.
        clicks: at most as many as impressions.
        impressions: 0 and up.
        click_through_rate: clicks / impressions, to be checked; need not be given.
        search_date: a day of UTC; today if not given.
    """

    search_query: str
    clicks: int
    impressions: int
    click_through_rate: float | None = None
    search_date: date | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows were written."""

    accepted: int


class SearchClicks(Resource[D]):
    """`/search-clicks`. Needs the scope `insights:write`."""

    @Operation
    def append(
        self, rows: Iterable[SearchClick], *, idempotency_key: str | None = None
    ) -> Call[Accepted]:
        """Write down rows, all of them or none, in one request of 1 MiB at most.

        Args:
            rows: one at least.
            idempotency_key: your name for the request; one is made if not given.

        Raises:
            InvalidInput: `errors` names each bad member by its row, or the body is too large.
        """
        return _append(rows, idempotency_key)

    @Operation
    def import_rows(
        self, rows: Iterable[SearchClick], *, idempotency_key: str | None = None
    ) -> Steps[int]:
        """Write down any number of rows, in requests of 5000 at most; how many those were.

        Each request is written or not; where one fails, those before it are written.

        Args:
            rows: are gone through once, as they are sent.
            idempotency_key: your name for the whole: called again within 24 hours with the same
                name and rows, it goes on where it failed, and nothing is written twice.

        Raises:
            InvalidInput: `errors` names each bad member by its row in the request that failed; a
                note says which rows those were.
        """
        name = str(uuid4()) if idempotency_key is None else idempotency_key
        written = 0
        for nth, part in enumerate(batches(rows, most=_ROWS, most_bytes=_BYTES), start=1):
            note = (
                f"Rows {written} to {written + len(part) - 1} (from 0) were in the request that"
                " failed; those before them are written."
            )
            answer: Accepted = yield replace(_append(part, f"{name}-{nth}"), note=note)
            written += answer.accepted
        return written


_ACCEPTED: Final = reads(Accepted)


def _append(rows: Iterable[SearchClick], idempotency_key: str | None) -> Call[Accepted]:
    return Call(
        method="POST",
        path="/search-clicks",
        headers={"Content-Type": JSON, **once(idempotency_key)},
        body=encoded(tuple(rows)),
        read=_ACCEPTED,
    )


class TopQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One of the best queries, with the 95 % interval of its rate."""

    rank: int
    query: str
    clicks: int
    impressions: int
    ctr: float
    ctr_low: float
    ctr_high: float


class LowPerformer(TopQuery, frozen=True, kw_only=True):
    """A query shown often and clicked too rarely."""

    lost_clicks: float


class InsightProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stored list cannot be shown."""

    pointer: str
    detail: str


class DailyInsight(msgspec.Struct, frozen=True, kw_only=True):
    """One day's insight as stored; None stands where another program stored something else."""

    insight_date: date
    average_ctr: float | None
    overall_ctr: float | None
    clicks: int | None
    impressions: int | None
    source_rows: int | None
    distinct_queries: int | None
    blank_rows: int | None
    anomalies: int | None
    impossible_rows: int | None
    contradicting_rows: int | None
    top_queries: tuple[TopQuery, ...] | None
    low_performance_queries: tuple[LowPerformer, ...] | None
    definition_version: int | None
    computed_at: Moment | None
    problems: tuple[InsightProblem, ...]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of UTC; rates are None without impressions."""

    day: date = msgspec.field(name="date")
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    source_rows: int
    distinct_queries: int
    blank_rows: int
    anomalies: int
    impossible_rows: int
    contradicting_rows: int


class RankingRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that an analysis went by; `rank_by` is `ctr` or `ctr_low`."""

    top: int
    min_impressions: int
    rank_by: str
    low_min_impressions: int
    low_percentile: float
    low_ctr_ratio: float
    low_limit: int


class RankChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a query did in a list since the period before; a rank is None where it was not in it.

    `change` is `entered`, `moved`, `stayed` or `left`.
    """

    query: str
    change: str
    rank: int | None
    previous_rank: int | None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed in the two lists since the period before, whose figures stand here too."""

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    top_queries: tuple[RankChange, ...]
    low_performance_queries: tuple[RankChange, ...]


class PeriodInsights(msgspec.Struct, frozen=True, kw_only=True):
    """The analyses of a period; `trend` where the period before was to be compared."""

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    clicks: int
    impressions: int
    average_ctr: float | None
    overall_ctr: float | None
    source_rows: int
    blank_rows: int
    anomalies: int
    undated_rows: int
    rules: RankingRules
    days: tuple[Day, ...]
    top_queries: tuple[TopQuery, ...]
    low_performance_queries: tuple[LowPerformer, ...]
    trend: Changes | None = None


class QueryDay(msgspec.Struct, frozen=True, kw_only=True):
    """One query on one day; rates are None without impressions."""

    day: date = msgspec.field(name="date")
    searches: int
    clicks: int
    impressions: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


class QueryHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One query through a period."""

    query: str
    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    days: tuple[QueryDay, ...]


class SearchInsights(Resource[D]):
    """`/search-insights`. Needs the scope `insights:read`, to compute a day `insights:write`."""

    @Listing
    def list(
        self,
        *,
        first: date | None = None,
        last: date | None = None,
        page_size: int | None = None,
    ) -> Call[Page[DailyInsight]]:
        """The stored days, newest first.

        Args:
            first: first day of UTC.
            last: last day, included.
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(from_=first, to=last, limit=page_size)
        return Call(method="GET", path="/search-insights", query=query, read=_DAYS)

    @Operation
    def get(self, day: date) -> Call[DailyInsight]:
        """One stored day.

        Raises:
            NotFound: it is not computed yet.
        """
        return Call(method="GET", path=path_of("search-insights", day.isoformat()), read=_DAY)

    @Operation
    def compute(self, day: date) -> Call[DailyInsight]:
        """Compute and store one day now; again is the same.

        Raises:
            InvalidInput: it is not over yet.
        """
        return Call(method="POST", path=path_of("search-insights", day.isoformat()), read=_DAY)

    @Operation
    def analyse(
        self,
        *,
        first: date | None = None,
        last: date | None = None,
        top: int | None = None,
        min_impressions: int | None = None,
        rank_by: RankBy | None = None,
        low_min_impressions: int | None = None,
        low_percentile: float | None = None,
        low_ctr_ratio: float | None = None,
        low_limit: int | None = None,
        compare: Literal["previous"] | None = None,
    ) -> Call[PeriodInsights]:
        """Any period, from the log itself.

        Args:
            first: first day of UTC; 28 days if not given.
            last: last day, included; yesterday if not given. At most 366 days.
            top: so many best queries, 1..100; 5 if not given.
            min_impressions: fewest of a ranked query; 20 if not given.
            rank_by: `ctr` if not given, or its lower bound.
            low_min_impressions: fewest of a low performer; 100 if not given.
            low_percentile: low performers are shown as often as that share; 0.75 if not given.
            low_ctr_ratio: their rate is below that share of the period's; 0.5 if not given.
            low_limit: so many low performers, 1..1000; 20 if not given.
            compare: `previous` adds the trend against the period of the same length before.

        Raises:
            InvalidInput: `errors` names each bad parameter.
        """
        query = given(
            from_=first,
            to=last,
            top=top,
            min_impressions=min_impressions,
            rank_by=rank_by,
            low_min_impressions=low_min_impressions,
            low_percentile=low_percentile,
            low_ctr_ratio=low_ctr_ratio,
            low_limit=low_limit,
            compare=compare,
        )
        return Call(method="GET", path="/search-insights/live", query=query, read=_PERIOD)

    @Operation
    def history(
        self, search_query: str, *, first: date | None = None, last: date | None = None
    ) -> Call[QueryHistory]:
        """One query through a period, day by day.

        Args:
            search_query: in any spelling of the same normalised form.
            first: first day of UTC; 28 days if not given.
            last: last day, included; yesterday if not given. At most 366 days.

        Raises:
            InvalidInput: the query is blank, or the period is reversed or too long.
        """
        query = given(query=search_query, from_=first, to=last)
        return Call(method="GET", path="/search-insights/history", query=query, read=_HISTORY)


_DAY: Final = reads(DailyInsight)
_DAYS: Final = page_reader(DailyInsight)
_PERIOD: Final = reads(PeriodInsights)
_HISTORY: Final = reads(QueryHistory)
