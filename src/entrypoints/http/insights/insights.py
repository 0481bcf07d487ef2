"""`/search-insights`."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from domain.errors import InvalidInput, NotFound, Violation
from domain.insights.model import Period
from domain.insights.rates import normalised_query
from domain.insights.service import InsightService
from entrypoints.http.insights.insight_views import (
    ANALYSIS_EXAMPLE,
    HISTORY_EXAMPLE,
    INSIGHT_EXAMPLE,
    AnalysisView,
    ComparedQuery,
    Day,
    HistoryQuery,
    InsightPage,
    InsightQuery,
    InsightView,
    QueryHistoryView,
    analysis_view,
    history_view,
    insight_view,
    overview_view,
)
from entrypoints.http.protocol.answers import json_response, page_response
from entrypoints.http.protocol.bodies import read_query
from entrypoints.http.protocol.openapi import contract
from entrypoints.http.protocol.operations import DATABASE_ERRORS
from entrypoints.http.protocol.pages import Cursors
from ports.search_insights import SearchAnalysis, SearchInsightStore

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

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
            example={"items": [INSIGHT_EXAMPLE], "next": None},
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
        return page_response([insight_view(insight) for insight in shown], next_path)

    @get(
        "/live",
        opt=contract(
            summary="Analyse any period from the log itself, by rules of your own",
            tag="insights",
            returns=AnalysisView,
            example=ANALYSIS_EXAMPLE,
            query=ComparedQuery,
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
        query = read_query(request, ComparedQuery)
        period, rules = insight_service.period(query.first, query.last), query.rules()
        if query.compare is not None:
            return json_response(overview_view(await insight_service.overview(period, rules)))
        return json_response(analysis_view(await search_analysis.analyse(period, rules)))

    @get(
        "/history",
        opt=contract(
            summary="Follow one query through a period, day by day",
            tag="insights",
            returns=QueryHistoryView,
            example=HISTORY_EXAMPLE,
            query=HistoryQuery,
            errors=DATABASE_ERRORS,
        ),
    )
    async def follow_search_query(
        self,
        request: Request[Any, Any, Any],
        search_analysis: Live,
        insight_service: Service,
    ) -> Response[bytes]:
        """Follow one."""
        query = read_query(request, HistoryQuery)
        if not normalised_query(query.query):
            raise InvalidInput.of([Violation(pointer="query", detail="must not be blank")])
        period = insight_service.period(query.first, query.last)
        return json_response(history_view(await search_analysis.history(query.query, period)))

    @get(
        "/{insight_date:str}",
        opt=contract(
            summary="Fetch one day's stored insight",
            tag="insights",
            returns=InsightView,
            example=INSIGHT_EXAMPLE,
            path={"insight_date": Day},
            errors=(NotFound, *DATABASE_ERRORS),
        ),
    )
    async def get_search_insight(
        self, insight_date: FromPath[str], search_insights: Store
    ) -> Response[bytes]:
        """Fetch one."""
        return json_response(insight_view(await search_insights.get(_day(insight_date))))

    @post(
        "/{insight_date:str}",
        status_code=200,
        opt=contract(
            summary="Compute and store one day's insight now; again is the same",
            tag="insights",
            returns=InsightView,
            example=INSIGHT_EXAMPLE,
            path={"insight_date": Day},
            errors=(NotFound, InvalidInput, *DATABASE_ERRORS),
        ),
    )
    async def compute_search_insight(
        self, insight_date: FromPath[str], insight_service: Service
    ) -> Response[bytes]:
        """Compute one."""
        return json_response(insight_view(await insight_service.compute(_day(insight_date))))


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
