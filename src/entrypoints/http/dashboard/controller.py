"""`/dashboard`: the insights as pages for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath, SkipValidation
from litestar.types import ExceptionHandlersMap
from msgspec import Meta

from domain.access.limits import HEAVY_COST
from domain.access.model import Scope
from domain.errors import AppError, InvalidInput, Violation
from domain.insights.model import Period, normalised_query
from domain.insights.service import MAX_PERIOD_DAYS, InsightService
from entrypoints.http.access.authentication import PUBLIC
from entrypoints.http.dashboard import charts, exports
from entrypoints.http.dashboard.charts import HALF, PHONE, WIDE
from entrypoints.http.dashboard.exports import (
    DASHBOARD_EXAMPLE,
    DashboardExport,
    dashboard_view,
)
from entrypoints.http.dashboard.links import DashboardLinks
from entrypoints.http.dashboard.pages import overview_page, query_page
from entrypoints.http.dashboard.rendering import MEDIA_TYPES, asset, drawn, on_dashboard_error, page
from entrypoints.http.insights.insight_views import MAX_KEY, LiveQuery
from entrypoints.http.protocol import operations
from entrypoints.http.protocol.answers import json_response
from entrypoints.http.protocol.bodies import query_pairs, read_query
from entrypoints.http.protocol.parameters import InPath, Query
from entrypoints.http.protocol.security_headers import ASSET
from ports.insights import SearchAnalyser
from ports.reports import ChartRenderer

Service = NamedDependency[SkipValidation[InsightService]]
Live = NamedDependency[SkipValidation[SearchAnalyser]]
Renderer = NamedDependency[SkipValidation[ChartRenderer]]
Asked = Request[Any, Any, Any]

_EVERYWHERE: Final = (WIDE, PHONE)
_ERRORS: Final[ExceptionHandlersMap] = dict.fromkeys(
    (AppError, HTTPException, Exception), on_dashboard_error
)


class DashboardQuery(LiveQuery, forbid_unknown_fields=True, kw_only=True):
    """The period, by its days or by how many up to yesterday, and the rules."""

    days: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_PERIOD_DAYS,
                description="So many days up to yesterday; not together with `from` or `to`",
            ),
        ]
        | None
    ) = None


class DrillDownQuery(DashboardQuery, forbid_unknown_fields=True, kw_only=True):
    """The same for one query; the rules are those of the page to go back to."""

    query: Annotated[
        str, Meta(min_length=1, max_length=MAX_KEY, description="In any spelling", examples=["rug"])
    ]


def _export_name(raw: str) -> str:
    """The file that a path names.

    Raises:
        NotFoundException: there is none of this name.
    """
    if raw not in {"overview.json", *exports.TABLES}:
        raise NotFoundException
    return raw


ExportName: TypeAlias = Annotated[
    str,
    InPath(
        _export_name,
        Literal["overview.json", "days.csv", "top-queries.csv", "low-performers.csv"],
    ),
]


class DashboardController(Controller):
    """Pages, their files, and what they show as files."""

    path = "/dashboard"
    exception_handlers = _ERRORS

    @get(scope=Scope.INSIGHTS_READ, cost=HEAVY_COST)
    async def show(
        self, request: Asked, insight_service: Service, chart_renderer: Renderer
    ) -> Response[str]:
        """All queries of a period."""
        query = read_query(request, DashboardQuery)
        period = period_of(query, insight_service)
        found = await insight_service.period_over_period(period, query.rules())
        links = DashboardLinks(
            given=dict(query_pairs(request.scope["query_string"])), period=period
        )
        current = found.current
        pictures = {}
        if current.source_rows:
            pictures["daily"] = await drawn(
                chart_renderer, lambda slot: charts.daily_chart(current, slot), _EVERYWHERE
            )
        if current.top_queries:
            pictures["top"] = await drawn(
                chart_renderer,
                lambda slot: charts.top_chart(current, links.query, slot),
                (HALF, PHONE),
            )
        if current.low_performance_queries:
            pictures["low"] = await drawn(
                chart_renderer,
                lambda slot: charts.low_chart(current, links.query, slot),
                _EVERYWHERE,
            )
        names = overview_page(found, links, insight_service.period(None, None))
        return page("overview.html", {**names, "links": links, "charts": pictures})

    @get("/query", scope=Scope.INSIGHTS_READ, cost=HEAVY_COST)
    async def show_query(
        self,
        request: Asked,
        insight_service: Service,
        search_analyser: Live,
        chart_renderer: Renderer,
    ) -> Response[str]:
        """One query through a period."""
        query = read_query(request, DrillDownQuery)
        period = period_of(query, insight_service)
        found = await search_analyser.history(key_of(query), period)
        links = DashboardLinks(
            given=dict(query_pairs(request.scope["query_string"])), period=period
        )
        pictures = {}
        if any(each.searches for each in found.days):
            pictures["history"] = await drawn(
                chart_renderer, lambda slot: charts.history_chart(found, slot), _EVERYWHERE
            )
        names = query_page(found, links, insight_service.period(None, None))
        return page("query.html", {**names, "links": links, "charts": pictures})

    @operations.get(
        "/export/query.csv",
        scope=Scope.INSIGHTS_READ,
        cost=HEAVY_COST,
        tags=["insights"],
        returns=str,
        media=exports.CSV,
        example=exports.HISTORY_EXAMPLE,
    )
    async def export_query(
        self, query: Query[DrillDownQuery], insight_service: Service, search_analyser: Live
    ) -> Response[bytes]:
        """Save one query's history as shown on its page."""
        period = period_of(query, insight_service)
        found = await search_analyser.history(key_of(query), period)
        return exports.csv_file(exports.history_table(found), "query", period)

    @operations.get(
        "/export/{name:str}",
        scope=Scope.INSIGHTS_READ,
        cost=HEAVY_COST,
        tags=["insights"],
        returns=DashboardExport,
        example=DASHBOARD_EXAMPLE,
        more_media={exports.CSV: exports.DAYS_EXAMPLE},
    )
    async def export_dashboard(
        self, name: ExportName, query: Query[DashboardQuery], insight_service: Service
    ) -> Response[bytes]:
        """Save what the dashboard shows."""
        period = period_of(query, insight_service)
        found = await insight_service.period_over_period(period, query.rules())
        if name in exports.TABLES:
            table = exports.TABLES[name](found)
            return exports.csv_file(table, name.removesuffix(".csv"), period)
        headers = exports.saved_as(name, period)
        return json_response(dashboard_view(found), headers=headers)

    @get("/assets/{name:str}", scope=PUBLIC)
    async def file(self, name: FromPath[str], chart_renderer: Renderer) -> Response[bytes]:
        """A stylesheet or script of the pages."""
        if name not in MEDIA_TYPES:
            raise NotFoundException
        before = chart_renderer.stylesheet.encode() if name.endswith(".css") else b""
        headers = {"Cache-Control": ASSET}
        return Response(before + asset(name), media_type=MEDIA_TYPES[name], headers=headers)


def period_of(query: DashboardQuery, service: InsightService) -> Period:
    """The period that a query string asks for; 28 days up to yesterday if it names none.

    Raises:
        InvalidInput: the period cannot be analysed, or is given in both ways.
    """
    if query.days is None:
        return service.period(query.first, query.last)
    if query.first is not None or query.last is not None:
        detail = "must not be given together with `from` or `to`"
        raise InvalidInput.of([Violation(pointer="days", detail=detail)])
    last = service.period(None, None).last
    return service.period(last - timedelta(days=query.days - 1), last)


def key_of(query: DrillDownQuery) -> str:
    """The query asked for, normalised.

    Raises:
        InvalidInput: it is missing or blank.
    """
    key = normalised_query(query.query)
    if not key:
        raise InvalidInput.of([Violation(pointer="query", detail="must not be blank")])
    return key
