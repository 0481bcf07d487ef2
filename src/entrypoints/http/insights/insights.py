"""`/search-insights`."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final, TypeAlias

from litestar import Controller
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from domain.access.limits import HEAVY_COST
from domain.access.model import Scope
from domain.errors import InvalidInput, NotFound, Violation
from domain.insights.model import Period, normalised_query
from domain.insights.service import InsightService
from entrypoints.http.insights.insight_views import (
    ComparedQuery,
    DailyInsightView,
    Day,
    HistoryQuery,
    InsightListQuery,
    InsightPage,
    PeriodInsightsView,
    QueryHistoryView,
    history_view,
    insight_view,
    period_insights_view,
    period_over_period_view,
)
from entrypoints.http.protocol.answers import JsonAnswer, json_response
from entrypoints.http.protocol.operations import get, post
from entrypoints.http.protocol.parameters import InPath, PageOf, Query
from ports.insights import SearchAnalyser, SearchInsightRepository

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Store = NamedDependency[SkipValidation[SearchInsightRepository]]
Live = NamedDependency[SkipValidation[SearchAnalyser]]
Service = NamedDependency[SkipValidation[InsightService]]


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


DayInPath: TypeAlias = Annotated[date, InPath(_day, Day)]


class SearchInsightController(Controller):
    """Insights into searches."""

    path = "/search-insights"
    tags = ("insights",)

    @get(scope=Scope.INSIGHTS_READ)
    async def list_search_insights(
        self, page: PageOf[InsightListQuery], search_insights: Store
    ) -> JsonAnswer[InsightPage]:
        """List the stored daily insights, newest first."""
        first, last = page.query.first, page.query.last
        if first is not None and last is not None:
            Period(first=first, last=last)  # refuses a reversed one
        found = await search_insights.page(
            limit=page.read_limit, before=page.before(date.fromordinal), first=first, last=last
        )
        return page.answer(
            InsightPage, found, insight_view, lambda each: each.insight_date.toordinal()
        )

    @get("/live", scope=Scope.INSIGHTS_READ, cost=HEAVY_COST)
    async def analyse_searches(
        self, query: Query[ComparedQuery], search_analyser: Live, insight_service: Service
    ) -> JsonAnswer[PeriodInsightsView]:
        """Analyse any period from the log itself, by rules of your own."""
        period, rules = insight_service.period(query.first, query.last), query.rules()
        if query.compare is not None:
            return json_response(
                period_over_period_view(await insight_service.period_over_period(period, rules))
            )
        return json_response(period_insights_view(await search_analyser.analyse(period, rules)))

    @get("/history", scope=Scope.INSIGHTS_READ, cost=HEAVY_COST)
    async def follow_search_query(
        self, query: Query[HistoryQuery], search_analyser: Live, insight_service: Service
    ) -> JsonAnswer[QueryHistoryView]:
        """Follow one query through a period, day by day."""
        if not normalised_query(query.query):
            raise InvalidInput.of([Violation(pointer="query", detail="must not be blank")])
        period = insight_service.period(query.first, query.last)
        return json_response(history_view(await search_analyser.history(query.query, period)))

    @get("/{insight_date:str}", scope=Scope.INSIGHTS_READ)
    async def get_search_insight(
        self, insight_date: DayInPath, search_insights: Store
    ) -> JsonAnswer[DailyInsightView]:
        """Fetch one day's stored insight."""
        return json_response(insight_view(await search_insights.get(insight_date)))

    @post(
        "/{insight_date:str}",
        scope=Scope.INSIGHTS_WRITE,
        cost=HEAVY_COST,
        status=200,
        errors=[InvalidInput],
    )
    async def compute_search_insight(
        self, insight_date: DayInPath, insight_service: Service
    ) -> JsonAnswer[DailyInsightView]:
        """Compute and store one day's insight now; again is the same."""
        return json_response(insight_view(await insight_service.compute(insight_date)))
