"""`/health`: is the process up, and can it do its work."""

from __future__ import annotations

import asyncio
from typing import Literal

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Struct

from entrypoints.http.answers import json_response
from entrypoints.http.openapi import contract
from ports.readiness import Check


class Live(Struct):
    """The process answers."""

    status: Literal["ok"]


class Ready(Struct):
    """What each part said: `ok`, or in a word what is wrong."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]


@get(
    "/health/live",
    opt=contract(summary="The process is up", tag="health", returns=Live, example={"status": "ok"}),
)
async def live() -> Response[bytes]:
    """Touches nothing outside the process."""
    return json_response(Live(status="ok"))


@get(
    "/health/ready",
    opt=contract(
        summary="Database and queue answer",
        tag="health",
        returns=Ready,
        example={"status": "ok", "checks": {"database": "ok", "queue": "ok"}},
        more={
            503: (
                Ready,
                "A part does not answer",
                {"status": "unavailable", "checks": {"database": "does not answer", "queue": "ok"}},
            )
        },
    ),
)
async def ready(checks: NamedDependency[SkipValidation[dict[str, Check]]]) -> Response[bytes]:
    """Asks every part at once; 503 when one is not ready."""
    problems = await asyncio.gather(*(check.problem() for check in checks.values()))
    said = {name: problem or "ok" for name, problem in zip(checks, problems, strict=True)}
    well = not any(problems)
    return json_response(
        Ready(status="ok" if well else "unavailable", checks=said),
        status=200 if well else 503,
        headers={} if well else {"Retry-After": "5"},
    )
