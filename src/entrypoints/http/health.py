"""`/health`: is the process up, and can it do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Meta, Struct

from domain.errors import AppError
from domain.insights.refresher import InsightRefresher
from entrypoints.http.access.authentication import PUBLIC
from entrypoints.http.protocol.answers import JsonAnswer, Moment, json_response
from entrypoints.http.protocol.operations import get
from ports.health import ReadinessProbe

_TIMEOUT_S: Final = 2.0


class LivenessView(Struct):
    """The process answers."""

    EXAMPLE: ClassVar = {"status": "ok"}

    status: Literal["ok"]


class InsightsStatus(Struct):
    """How complete the search insights are. Late ones do not make the service unready.

    `pending_days`: days up to yesterday whose insight is missing or stale. `problem`: why a person
    should look; null when all is well.
    """

    EXAMPLE: ClassVar = {
        "last_success_at": "2026-11-22T08:50:00Z",
        "last_success_age_s": 1712.4,
        "next_run_at": "2026-11-23T00:20:00Z",
        "pending_days": 0,
        "problem": None,
    }

    last_success_at: Moment | None
    last_success_age_s: Annotated[float, Meta(ge=0)] | None
    next_run_at: Moment
    pending_days: Annotated[int, Meta(ge=0)]
    problem: str | None


class ReadinessView(Struct):
    """What each part said: `ok`, or in a word what is wrong; `insights` is null while unknown."""

    EXAMPLE: ClassVar = {
        "status": "ok",
        "checks": {"database": "ok", "queue": "ok"},
        "insights": InsightsStatus.EXAMPLE,
    }

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]
    insights: InsightsStatus | None


@get("/health/live", scope=PUBLIC, tags=["health"], stored=False)
async def live() -> JsonAnswer[LivenessView]:
    """The process is up.

    Touches nothing outside the process.
    """
    return json_response(LivenessView(status="ok"))


@get(
    "/health/ready",
    scope=PUBLIC,
    tags=["health"],
    stored=False,
    more={
        503: (
            ReadinessView,
            "A part does not answer",
            {
                "status": "unavailable",
                "checks": {"database": "does not answer", "queue": "ok"},
                "insights": None,
            },
        )
    },
)
async def ready(
    checks: NamedDependency[SkipValidation[dict[str, ReadinessProbe]]],
    insight_refresher: NamedDependency[SkipValidation[InsightRefresher]],
) -> JsonAnswer[ReadinessView]:
    """Database and queue answer; how complete the insights are.

    Asks every part at once; 503 when one is not ready.
    """
    found = await readiness(checks, insight_refresher)
    well = found.status == "ok"
    return json_response(
        found, status=200 if well else 503, headers={} if well else {"Retry-After": "5"}
    )


async def readiness(
    checks: Mapping[str, ReadinessProbe], refresher: InsightRefresher
) -> ReadinessView:
    """What each part says, all asked at once; takes about 2 s at most, and never raises."""
    insights, problems = await asyncio.gather(
        _insights(refresher),
        asyncio.gather(*(check.problem() for check in checks.values())),
    )
    said = {name: problem or "ok" for name, problem in zip(checks, problems, strict=True)}
    status: Literal["ok", "unavailable"] = "unavailable" if any(problems) else "ok"
    return ReadinessView(status=status, checks=said, insights=insights)


async def _insights(refresher: InsightRefresher) -> InsightsStatus | None:
    """How they stand; None when nobody can say in time, for which a check gives the reason."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            state = await refresher.state()
    except (AppError, TimeoutError):
        return None
    success = state.last_success
    return InsightsStatus(
        last_success_at=None if success is None else success.finished_at,
        last_success_age_s=state.last_success_age_s,
        next_run_at=state.next_run_at,
        pending_days=state.pending_days,
        problem=state.problem,
    )
