"""The HTTP application: routes, dependencies, error handlers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware

from domain.access.authentication import Authenticator
from domain.access.caller_limits import CallerLimits
from domain.access.key_cache import KeyUsage
from domain.access.sessions import SessionService
from domain.errors import AppError
from entrypoints.addresses import opens_locally
from entrypoints.container.models import warm_up
from entrypoints.container.services import Container, open_container
from entrypoints.http.access.audit_log import list_audit_log
from entrypoints.http.access.authentication import ANY_CALLER
from entrypoints.http.access.keys import KeyController
from entrypoints.http.access.middleware import AccessMiddleware
from entrypoints.http.access.sign_in import sign_in, sign_in_page, sign_out, sign_out_page
from entrypoints.http.comparison.comparisons import ComparisonController
from entrypoints.http.dashboard.controller import DashboardController
from entrypoints.http.docs import docs_asset, docs_page
from entrypoints.http.extraction.extractions import ExtractionController
from entrypoints.http.extraction.job_bodies import MAX_JSON_BYTES
from entrypoints.http.extraction.jobs import ExtractionJobController
from entrypoints.http.extraction.schemas import ExtractionSchemaController
from entrypoints.http.health import live, ready
from entrypoints.http.insights.clicks import SearchClickController
from entrypoints.http.insights.insights import SearchInsightController
from entrypoints.http.metrics import metrics
from entrypoints.http.protocol.cross_origin import CrossOriginPolicy
from entrypoints.http.protocol.middleware import ExchangeMiddleware
from entrypoints.http.protocol.openapi import document
from entrypoints.http.protocol.pages import Cursors
from entrypoints.http.protocol.problems import (
    on_app_error,
    on_http_error,
    on_unexpected,
    problem_page,
)
from entrypoints.http.protocol.statistics import ProcessState, RequestStatistics
from entrypoints.http.records.orders import OrderController
from entrypoints.http.records.users import UserController
from entrypoints.http.start_page import start_page
from entrypoints.http.webhooks.webhooks import (
    WebhookDeliveryController,
    WebhookEndpointController,
)
from entrypoints.settings import Settings
from ports.health import ConnectionPool

_log = logging.getLogger(__name__)

_USES_WRITTEN_EVERY_S: Final = 10.0
_WATCHED_EVERY_S: Final = 0.5
_LATELY: Final = 120
"""Looks that the longest lag of the loop is taken of: a minute, so that no scrape misses it."""
_PLACES_FOR_EACH: Final = 4
"""Processes that may be alive at a time, for each that is wanted: those replaced end slowly."""

_PROVIDED: Final[Mapping[str, Callable[[Container], object]]] = {
    "session_service": lambda parts: parts.session_service(),
    "users": lambda parts: parts.users(),
    "user_service": lambda parts: parts.user_service(),
    "orders": lambda parts: parts.orders(),
    "order_service": lambda parts: parts.order_service(),
    "search_clicks": lambda parts: parts.search_clicks(),
    "search_analyser": lambda parts: parts.search_analyser(),
    "search_insights": lambda parts: parts.search_insights(),
    "insight_service": lambda parts: parts.insight_service(),
    "chart_renderer": lambda parts: parts.chart_renderer(),
    "insight_refresher": lambda parts: parts.insight_refresher(),
    "extractions": lambda parts: parts.extractions(),
    "extraction_schemas": lambda parts: parts.extraction_schemas(),
    "schema_registry": lambda parts: parts.schema_registry(),
    "model_spending": lambda parts: parts.model_spending(),
    "model_budgets": lambda parts: parts.model_budgets(),
    "single_extraction": lambda parts: parts.single_extraction(),
    "extraction_jobs": lambda parts: parts.extraction_jobs(),
    "extraction_job_service": lambda parts: parts.extraction_job_service(),
    "result_formats": lambda parts: parts.result_formats(),
    "comparisons": lambda parts: parts.comparisons(),
    "comparison_jobs": lambda parts: parts.comparison_jobs(),
    "comparison_writers": lambda parts: parts.comparison_writers(),
    "api_keys": lambda parts: parts.api_keys(),
    "key_service": lambda parts: parts.key_service(),
    "audit_log": lambda parts: parts.audit_log(),
    "webhook_endpoints": lambda parts: parts.webhook_endpoints(),
    "webhook_deliveries": lambda parts: parts.webhook_deliveries(),
    "webhook_service": lambda parts: parts.webhook_service(),
    "open_unit": lambda parts: parts.open_unit(),
    "checks": lambda parts: parts.checks(),
    "request_limiter": lambda parts: parts.request_limiter(),
    "extraction_activity": lambda parts: parts.extraction_activity(),
    "click_imports": lambda parts: parts.click_imports(),
    "provider_gates": lambda parts: parts.provider_gates(),
}
"""What handlers may ask for, by the names of their parameters."""


def build_app(
    settings: Settings,
    open_: Callable[[Settings], AbstractAsyncContextManager[Container]] = open_container,
) -> ExchangeMiddleware:
    """The ASGI application; `open_` gives its parts when it starts and takes them when it ends."""
    app = routed_app(settings, open_)
    return ExchangeMiddleware(
        app, CrossOriginPolicy(settings.cors_origins), app.state.request_statistics
    )


def routed_app(
    settings: Settings,
    open_: Callable[[Settings], AbstractAsyncContextManager[Container]] = open_container,
) -> Litestar:
    """The routes, without what every exchange has besides; see `build_app`."""
    holder: dict[str, Container] = {}

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with open_(settings) as container:
            holder["container"] = container
            beside = [
                asyncio.create_task(container.key_changes().follow(container.key_cache().forget)),
                asyncio.create_task(_write_uses(container.key_uses())),
                asyncio.create_task(_tell_what_is_not_ready(container)),
                asyncio.create_task(warm_up(settings)),
                asyncio.create_task(_watch_process(container.database(), statistics)),
            ]
            yield
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            statistics.show(None)
            await container.key_uses().write()

    def authenticator() -> Authenticator:
        return holder["container"].authenticator()

    def sessions() -> SessionService:
        return holder["container"].session_service()

    def limits() -> CallerLimits:
        return holder["container"].caller_limits()

    def provided(part: Callable[[Container], object]) -> Provide:
        return Provide(lambda: part(holder["container"]), sync_to_thread=False)

    cursors = Cursors(settings.secret_key.get_secret_value().encode())
    app = Litestar(
        route_handlers=[
            UserController,
            OrderController,
            SearchClickController,
            SearchInsightController,
            DashboardController,
            ExtractionController,
            ExtractionSchemaController,
            Router(
                path="/",
                route_handlers=[ExtractionJobController],
                request_max_body_size=settings.max_job_body_bytes,
            ),
            Router(
                path="/",
                route_handlers=[ComparisonController],
                request_max_body_size=max(MAX_JSON_BYTES, settings.max_body_bytes),
            ),
            KeyController,
            WebhookEndpointController,
            WebhookDeliveryController,
            list_audit_log,
            sign_in_page,
            sign_in,
            sign_out_page,
            sign_out,
            live,
            ready,
            metrics,
            openapi_json,
            docs_page,
            docs_asset,
            problem_page,
            start_page,
        ],
        dependencies={
            **{name: provided(part) for name, part in _PROVIDED.items()},
            "cursors": Provide(lambda: cursors, sync_to_thread=False),
            "request_statistics": Provide(lambda: statistics, sync_to_thread=False),
            "rules": Provide(lambda: None, sync_to_thread=False),  # a controller may have its own
        },
        exception_handlers={
            AppError: on_app_error,
            HTTPException: on_http_error,
            Exception: on_unexpected,
        },
        middleware=[
            DefineMiddleware(
                AccessMiddleware,
                authenticator=authenticator,
                sessions=sessions,
                limits=limits,
                tells_limits=settings.rate_limit_headers,
                opens_locally=opens_locally(settings),
            )
        ],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
    )
    statistics = RequestStatistics(
        ((method, route.path_format) for route in app.routes for method in route.methods),
        _PLACES_FOR_EACH * settings.workers,
    )
    app.state.request_statistics = statistics
    return app


async def _tell_what_is_not_ready(container: Container) -> None:
    """Say at once, not at the first request, that the server cannot do its work yet."""
    for name, check in container.checks().items():
        problem = await check.problem()
        if problem is not None:
            _log.warning("%s %s: requests that need it get 503 until that is mended", name, problem)


async def _watch_process(pool: ConnectionPool, statistics: RequestStatistics) -> None:
    """Show how this process stands, again and again; a loop that is late shows it by itself."""
    loop = asyncio.get_running_loop()
    lags: deque[float] = deque([0.0], maxlen=_LATELY)
    while True:
        usage = pool.usage()
        statistics.show(
            ProcessState(
                pool_busy=usage.busy,
                pool_idle=usage.idle,
                pool_most=usage.most,
                loop_lag_s=max(lags),
            )
        )
        due = loop.time() + _WATCHED_EVERY_S
        await asyncio.sleep(_WATCHED_EVERY_S)
        lags.append(max(0.0, loop.time() - due))


async def _write_uses(uses: KeyUsage) -> None:
    while True:
        await asyncio.sleep(_USES_WRITTEN_EVERY_S)
        await uses.write()


@cache
def _document(app: Litestar) -> bytes:
    return msgspec.json.encode(document(app, version=version("storekeeper")))


@get("/schema/openapi.json", scope=ANY_CALLER)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI 3.1 document."""
    return Response(
        _document(request.app),
        media_type="application/vnd.oai.openapi+json",
        headers={"Cache-Control": "private, max-age=300"},
    )
