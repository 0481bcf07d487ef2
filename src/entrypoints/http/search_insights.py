"""`/search-insights`."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import Meta, Struct, field

from domain.errors import InvalidInput, NotFound
from domain.insights.model import Analysis, Period, RankBy, Rules, StoredInsight
from domain.insights.service import InsightService
from domain.orders.model import MAX_INT
from entrypoints.http.answers import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    json_response,
    page_response,
)
from entrypoints.http.cursors import Cursors
from entrypoints.http.openapi import DATABASE_ERRORS, contract
from entrypoints.http.reading import read_query
from ports.search_insights import SearchAnalysis, SearchInsightStore

Day = Annotated[date, Meta(description="UTC day", examples=["2026-11-21"])]
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_TOP_EXAMPLE: Final = {
    "rank": 1,
    "query": "wool blanket",
    "clicks": 412,
    "impressions": 1000,
    "ctr": 0.412,
    "ctr_low": 0.3818,
    "ctr_high": 0.4428,
}
_LOW_EXAMPLE: Final = {
    "rank": 1,
    "query": "gift card",
    "clicks": 3,
    "impressions": 900,
    "ctr": 0.0033,
    "ctr_low": 0.0011,
    "ctr_high": 0.0098,
    "lost_clicks": 222.0,
}
_COUNTS_EXAMPLE: Final = {"clicks": 2500, "impressions": 10000, "average_ctr": 0.25}
_EXAMPLE: Final = {
    "insight_date": "2026-11-21",
    **_COUNTS_EXAMPLE,
    "mean_row_ctr": 0.24,
    "source_rows": 700,
    "excluded_rows": 2,
    "top_queries": [_TOP_EXAMPLE],
    "low_performance_queries": [_LOW_EXAMPLE],
    "definition_version": 1,
    "computed_at": "2026-11-22T00:20:00Z",
}
_LIVE_EXAMPLE: Final = {
    "from": "2026-11-21",
    "to": "2026-11-21",
    **_COUNTS_EXAMPLE,
    "rules": asdict(Rules()),
    "days": [
        {
            "date": "2026-11-21",
            **_COUNTS_EXAMPLE,
            "mean_row_ctr": 0.24,
            "source_rows": 700,
            "excluded_rows": 2,
        }
    ],
    "top_queries": [_TOP_EXAMPLE],
    "low_performance_queries": [_LOW_EXAMPLE],
}


class InsightView(Struct):
    """One day's insight as stored; a row of another program has null for what it does not know."""

    insight_date: Day
    average_ctr: float | None
    mean_row_ctr: float | None
    clicks: int | None
    impressions: int | None
    source_rows: int | None
    excluded_rows: int | None
    top_queries: Any
    low_performance_queries: Any
    definition_version: int | None
    computed_at: datetime | None


class InsightPage(Struct):
    """One page, newest day first."""

    items: list[InsightView]
    next: str | None


class InsightQuery(Struct, forbid_unknown_fields=True):
    """Days and position of the list."""

    first: Annotated[date, Meta(description="First day")] | None = field(name="from", default=None)
    last: Annotated[date, Meta(description="Last day")] | None = field(name="to", default=None)
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class LiveQuery(Struct, forbid_unknown_fields=True):
    """Period and rules of an analysis."""

    first: Annotated[date, Meta(description="First day; 28 days if not given")] | None = field(
        name="from", default=None
    )
    last: Annotated[date, Meta(description="Last day; yesterday if not given")] | None = field(
        name="to", default=None
    )
    top: Annotated[int, Meta(ge=1, le=100, description="Best queries; 5 if not given")] = 5
    min_impressions: Annotated[
        int, Meta(ge=1, le=MAX_INT, description="Fewest of a ranked query; 20 if not given")
    ] = 20
    rank_by: Annotated[
        RankBy,
        Meta(description="`wilson`, the rate's lower bound, if not given; `ctr`, the plain rate"),
    ] = RankBy.WILSON


class DayView(Struct):
    """One day; rates are null without impressions."""

    date: Day
    clicks: int
    impressions: int
    average_ctr: float | None
    mean_row_ctr: float | None
    source_rows: int
    excluded_rows: int


class TopQueryView(Struct):
    """One of the best queries, with the 95 % interval of its rate."""

    rank: int
    query: str
    clicks: int
    impressions: int
    ctr: float
    ctr_low: float
    ctr_high: float


class LowPerformerView(TopQueryView):
    """A query shown often and clicked too rarely."""

    lost_clicks: float


class RulesView(Struct):
    """The rules that the analysis went by."""

    top: int
    min_impressions: int
    rank_by: RankBy
    low_min_impressions: int
    low_percentile: float
    low_ctr_ratio: float
    low_limit: int


class AnalysisView(Struct):
    """The three analyses of a period."""

    first: Day = field(name="from")
    last: Day = field(name="to")
    clicks: int
    impressions: int
    average_ctr: float | None
    rules: RulesView
    days: list[DayView]
    top_queries: list[TopQueryView]
    low_performance_queries: list[LowPerformerView]


Store = NamedDependency[SkipValidation[SearchInsightStore]]
Live = NamedDependency[SkipValidation[SearchAnalysis]]
Service = NamedDependency[SkipValidation[InsightService]]
Sealer = NamedDependency[SkipValidation[Cursors]]


class SearchInsightController(Controller):
    """Insights into searches."""

    path = "/search-insights"

    @get(
        opt=contract(
            summary="List the stored daily insights, newest first",
            tag="insights",
            returns=InsightPage,
            example={"items": [_EXAMPLE], "next": None},
            query=InsightQuery,
            errors=DATABASE_ERRORS,
            response_headers=("Link",),
        )
    )
    async def list_search_insights(
        self, request: Request[Any, Any, Any], search_insights: Store, cursors: Sealer
    ) -> Response[bytes]:
        """One page."""
        query = read_query(request, InsightQuery)
        if query.first is not None and query.last is not None:
            Period(first=query.first, last=query.last)  # refuses a reversed one
        given = {"from": query.first, "to": query.last}
        filters = {name: None if day is None else str(day) for name, day in given.items()}
        before = cursors.position(query.cursor, self.path, filters)
        found = await search_insights.page(
            limit=query.limit + 1,
            before=None if before is None else date.fromordinal(before),
            first=query.first,
            last=query.last,
        )
        shown = found[: query.limit]
        next_path = None
        if len(found) > query.limit:
            position = shown[-1].insight_date.toordinal()
            next_path = cursors.next_path(self.path, filters, position, query.limit)
        return page_response([_view(insight) for insight in shown], next_path)

    @get(
        "/live",
        opt=contract(
            summary="Analyse any period from the log itself, by rules of your own",
            tag="insights",
            returns=AnalysisView,
            example=_LIVE_EXAMPLE,
            query=LiveQuery,
            errors=DATABASE_ERRORS,
        ),
    )
    async def analyse_searches(
        self,
        request: Request[Any, Any, Any],
        search_analysis: Live,
        insight_service: Service,
    ) -> Response[bytes]:
        """Analyse a period."""
        query = read_query(request, LiveQuery)
        period = insight_service.period(query.first, query.last)
        rules = Rules(top=query.top, min_impressions=query.min_impressions, rank_by=query.rank_by)
        return json_response(_analysis(await search_analysis.analyse(period, rules)))

    @get(
        "/{insight_date:str}",
        opt=contract(
            summary="Fetch one day's stored insight",
            tag="insights",
            returns=InsightView,
            example=_EXAMPLE,
            path={"insight_date": Day},
            errors=(NotFound, *DATABASE_ERRORS),
        ),
    )
    async def get_search_insight(
        self, insight_date: FromPath[str], search_insights: Store
    ) -> Response[bytes]:
        """Fetch one."""
        return json_response(_view(await search_insights.get(_day(insight_date))))

    @post(
        "/{insight_date:str}",
        status_code=200,
        opt=contract(
            summary="Compute and store one day's insight now; again is the same",
            tag="insights",
            returns=InsightView,
            example=_EXAMPLE,
            path={"insight_date": Day},
            errors=(NotFound, InvalidInput, *DATABASE_ERRORS),
        ),
    )
    async def compute_search_insight(
        self, insight_date: FromPath[str], insight_service: Service
    ) -> Response[bytes]:
        """Compute one."""
        return json_response(_view(await insight_service.compute(_day(insight_date))))


def _day(raw: str) -> date:
    """The day in a path.

    Raises:
        NotFound: not the form YYYY-MM-DD of a day, so nothing has it.
    """
    try:
        # The pattern first: fromisoformat reads 20261121 and 2026-W47-6 too.
        return date.fromisoformat(raw if _DAY.fullmatch(raw) else "")
    except ValueError:
        raise NotFound("There is no such day; days are written YYYY-MM-DD.") from None


def _view(insight: StoredInsight) -> InsightView:
    return InsightView(**asdict(insight))


def _analysis(found: Analysis) -> AnalysisView:
    return AnalysisView(
        first=found.period.first,
        last=found.period.last,
        clicks=found.clicks,
        impressions=found.impressions,
        average_ctr=found.average_ctr,
        rules=RulesView(**asdict(found.rules)),
        days=[
            DayView(
                date=day.day,
                clicks=day.clicks,
                impressions=day.impressions,
                average_ctr=day.average_ctr,
                mean_row_ctr=day.mean_row_ctr,
                source_rows=day.source_rows,
                excluded_rows=day.excluded_rows,
            )
            for day in found.days
        ],
        top_queries=[TopQueryView(**asdict(query)) for query in found.top_queries],
        low_performance_queries=[
            LowPerformerView(**asdict(query)) for query in found.low_performance_queries
        ],
    )
