"""`/`: how the three jobs stand, where everything is, and how to begin."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import SkipValidation
from litestar.types import ExceptionHandlersMap

from domain.access.model import CallerKind, Scope
from domain.errors import AppError
from domain.extraction.jobs.model import ExtractionJob
from domain.insights.refresher import InsightRefresher
from domain.records.orders import OrderFilter
from entrypoints.http.access.authentication import OPTIONAL, known_caller, takes_page
from entrypoints.http.dashboard.figures import clicked, count, day, percent
from entrypoints.http.dashboard.rendering import on_dashboard_error, page
from entrypoints.http.health import InsightsStatus, ReadinessView, readiness
from ports.extraction_jobs import ExtractionJobRepository
from ports.health import ReadinessProbe
from ports.insights import SearchInsightRepository
from ports.records import OrderRepository, UserRepository

_ERRORS: Final[ExceptionHandlersMap] = dict.fromkeys(
    (AppError, HTTPException, Exception), on_dashboard_error
)
_LINKS: Final[Mapping[str, str]] = {
    "documentation": "/docs",
    "openapi": "/schema/openapi.json",
    "health": "/health/ready",
    "dashboard": "/dashboard",
    "sign_in": "/sign-in",
    "users": "/users",
    "orders": "/orders",
    "extractions": "/extractions",
    "extraction_jobs": "/extraction-jobs",
    "search_clicks": "/search-clicks",
    "search_insights": "/search-insights",
}
"""What a program that asks `/` is shown."""
_HEADERS: Final = {
    "Link": '</schema/openapi.json>; rel="service-desc", </docs>; rel="service-doc",'
    ' </health/ready>; rel="status"',  # RFC 8631
    "Vary": "Accept",
}
_FIRST: Final = (
    ("/users", '{"name": "Ines Moreau", "email": "ines@example.com"}'),
    (
        "/extractions",
        '{"schema": "order_message", "text": "Could Priya Nair have a dozen beeswax candles?"}',
    ),
    ("/search-clicks", '[{"search_query": "oat milk", "clicks": 12, "impressions": 40}]'),
)
"""What a first request to each of the jobs sends."""
_READ_WITHIN_S: Final = 2.0
_NONE: Final = "none yet"
_UNREAD: Final = (("Figures", "cannot be read now"),)

_log = logging.getLogger(__name__)


Facts: TypeAlias = Sequence[tuple[str, str]]
"""Labels, and what they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCard:
    """One of the three jobs.

    Attributes:
        key: of its heading, within the page.
        problem: why somebody should look at it; None when all is well, which `state` says.
        facts: none for who may not see them.
        links: labels and paths.
    """

    key: str
    title: str
    purpose: str
    problem: str | None
    state: str
    facts: Facts
    links: Sequence[tuple[str, str]]


@get("/", scope=OPTIONAL, exception_handlers=_ERRORS)
async def start_page(
    request: Request[Any, Any, Any],
    checks: NamedDependency[SkipValidation[dict[str, ReadinessProbe]]],
    insight_refresher: NamedDependency[SkipValidation[InsightRefresher]],
    users: NamedDependency[SkipValidation[UserRepository]],
    orders: NamedDependency[SkipValidation[OrderRepository]],
    extraction_jobs: NamedDependency[SkipValidation[ExtractionJobRepository]],
    search_insights: NamedDependency[SkipValidation[SearchInsightRepository]],
) -> Response[Any]:
    """The page for a browser; for a program, where everything is.

    A stranger sees what `/health/ready` says. Figures need the scopes of the routes that have them.
    """
    if not takes_page(request):
        body = msgspec.json.encode({"name": "Storekeeper", "links": _LINKS})
        return Response(body, media_type="application/json", headers=_HEADERS)
    caller = known_caller(request)
    ready = await readiness(checks, insight_refresher)

    async def facts(scope: Scope, read: Callable[[], Awaitable[Facts]]) -> Facts:
        if caller is None or not caller.may(scope):
            return ()
        try:
            async with asyncio.timeout(_READ_WITHIN_S):
                return await read()
        except AppError as error:
            _log.warning("the start page lacks figures: %s", error)
        except TimeoutError:
            _log.warning("the start page lacks figures: they took more than %s s", _READ_WITHIN_S)
        return _UNREAD

    records, extraction, insights = await asyncio.gather(
        facts(Scope.RECORDS_READ, lambda: _record_facts(users, orders)),
        facts(Scope.EXTRACT, lambda: _extraction_facts(extraction_jobs)),
        facts(Scope.INSIGHTS_READ, lambda: _insight_facts(search_insights)),
    )
    needs_key = caller is None or caller.kind is not CallerKind.LOCAL
    names = {
        "caller": caller,
        "needs_key": needs_key,
        "commands": _commands(request, with_key=needs_key),
        "cards": _cards(ready, records, extraction, insights),
        "problems": _unready(ready, ready.checks),
    }
    shown = page("start.html", names)
    shown.headers.update(_HEADERS)
    return shown


def _commands(request: Request[Any, Any, Any], *, with_key: bool) -> str:
    """What to type into a terminal for a first request to each of the jobs."""
    url = f"{request.scope['scheme']}://{request.headers.get('host', '')}"
    key = ' -H "Authorization: Bearer $KEY"' if with_key else ""
    return "\n".join(
        [
            f"URL={url}",
            *(["KEY=stk_…"] if with_key else []),
            *(f"curl{key} $URL{path} --json '{body}'" for path, body in _FIRST),
        ]
    )


def _cards(
    ready: ReadinessView, records: Facts, extraction: Facts, insights: Facts
) -> Sequence[JobCard]:
    database = _unready(ready, ("database",))
    state = ready.insights
    return [
        JobCard(
            key="records",
            title="Records",
            purpose="Users and orders, kept behind the API.",
            problem=database,
            state="Ready",
            facts=records,
            links=[
                ("Newest users", "/users"),
                ("Newest orders", "/orders"),
                ("API of users and orders", "/docs#/users"),
            ],
        ),
        JobCard(
            key="extraction",
            title="Extraction",
            purpose="Messages of customers become records, each value with its place in the text.",
            problem=_unready(ready, ready.checks),
            state="Ready to take messages",
            facts=extraction,
            links=[("Jobs", "/extraction-jobs"), ("API of extractions", "/docs#/extractions")],
        ),
        JobCard(
            key="insights",
            title="Search insights",
            purpose="What customers search, and how often they click what they are shown.",
            problem=database or (None if state is None else state.problem),
            state=_pending(state),
            facts=insights,
            links=[
                ("Dashboard", "/dashboard"),
                ("Stored days", "/search-insights"),
                ("API of insights", "/docs#/insights"),
            ],
        ),
    ]


def _unready(ready: ReadinessView, parts: Iterable[str]) -> str | None:
    """Which of the parts cannot do their work, in words; None when all can."""
    found = [f"{part}: {ready.checks[part]}" for part in parts if ready.checks[part] != "ok"]
    return "; ".join(found) or None


def _pending(state: InsightsStatus | None) -> str:
    if state is None:
        return "Ready, but it is not known now which days are stored"
    if not state.pending_days:
        return "Ready, complete up to yesterday"
    days = "1 day waits" if state.pending_days == 1 else f"{state.pending_days} days wait"
    return f"Ready, {days} for the worker’s next run"  # noqa: RUF001


async def _record_facts(users: UserRepository, orders: OrderRepository) -> Facts:
    user = [_numbered(each.id, each.created_at) for each in await users.page(limit=1)]
    newest = await orders.page(OrderFilter(), limit=1)
    order = [_numbered(each.id, each.order_date) for each in newest]
    return [("Newest user", "".join(user) or _NONE), ("Newest order", "".join(order) or _NONE)]


async def _extraction_facts(jobs: ExtractionJobRepository) -> Facts:
    workers = await jobs.workers()
    newest = [_job(each) for each in await jobs.page(limit=1)]
    return [
        ("Workers", count(workers) if workers else "none: jobs wait until one runs"),
        ("Newest job", "".join(newest) or _NONE),
        ("Model", "storekeeper doctor tells whether it answers"),
    ]


def _job(job: ExtractionJob) -> str:
    counts = job.counts
    return f"number {job.id}, {job.status}: {count(counts.done)} of {count(counts.total)} texts"


async def _insight_facts(insights: SearchInsightRepository) -> Facts:
    for newest in await insights.page(limit=1):
        shown = clicked(newest.clicks or 0, newest.impressions or 0)
        return [
            ("Newest day", day(newest.insight_date)),
            ("Click-through rate", f"{percent(newest.overall_ctr)}, {shown}"),
        ]
    return [("Newest day", _NONE)]


def _numbered(number: int, at: datetime | None) -> str:
    if at is None:
        return f"number {number}"
    at = at.astimezone(UTC)
    return f"number {number}, {day(at.date())} at {at:%H:%M}"
