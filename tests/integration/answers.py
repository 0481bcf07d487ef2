"""What every answer of the HTTP API must have, whatever was asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from entrypoints.settings import Settings
from tests.integration.api import serving

# Words that only the inside knows.
_INSIDE = re.compile(
    r"(?i)asyncpg|sqlalchemy|litestar|msgspec|traceback|\bselect\b|\binsert\b|\bupdate\b.*\bset\b|"
    r"sqlstate|postgres|constraint|_fkey|_key\b|_check\b|\.py\b|127\.0\.0\.1:\d+"
)
_PROBLEM = {"type", "code", "title", "status", "detail", "instance"}


async def check_sound(response: httpx2.Response) -> None:
    """Assert the headers of every answer, and of a refusal the whole form."""
    headers = response.headers
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", headers["x-request-id"])
    assert headers["strict-transport-security"] == "max-age=31536000"
    check_secured(headers)
    assert response.status_code != 500
    body = await response.aread()
    if response.status_code in {204, 304}:
        assert body == b""
        assert not {"content-type", "content-length"} & headers.keys()
    if response.status_code >= 400 and response.request.url.path != "/health/ready":
        assert headers["content-type"] == "application/problem+json"
        if response.request.method != "HEAD":
            _check_problem(response)


def check_secured(headers: Mapping[str, str]) -> None:
    """Assert what a browser and a cache are told, whatever the answer is and whoever is asked."""
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("; frame-ancestors 'none'")
    assert "unsafe" not in policy
    assert "*" not in policy
    page = headers.get("content-type", "").startswith("text/html")
    if page:
        assert {"base-uri 'none'", "form-action"} <= {
            part if part.startswith("base") else part.split(" ")[0] for part in policy.split("; ")
        }
    else:
        assert policy == "default-src 'none'; frame-ancestors 'none'"
    assert page == ("permissions-policy" in headers) == ("cross-origin-opener-policy" in headers)
    if headers["cache-control"] != "public, max-age=3600":
        kept = "private, no-cache" if "etag" in headers else "no-store"
        assert headers["cache-control"] in {kept, "private, max-age=300"}
        assert {"Authorization", "Cookie"} <= set(headers["vary"].split(", "))


def _check_problem(response: httpx2.Response) -> None:
    problem = response.json()
    assert problem.keys() - {"errors"} == _PROBLEM
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["status"] == response.status_code
    assert problem["instance"] == response.headers["x-request-id"]
    assert not _INSIDE.search(response.text), response.text
    for error in problem.get("errors", []):
        assert error.keys() == {"pointer", "detail"}
        assert error["detail"]


def refusal(response: httpx2.Response, status: int, code: str, *pointers: str) -> dict[str, Any]:
    """Assert what was refused and where; the problem document."""
    assert response.status_code == status, response.text
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    assert [error["pointer"] for error in problem.get("errors", [])] == list(pointers)
    return problem


@asynccontextmanager
async def sound_api(settings: Settings, directory: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """As `serving`; every answer to the client is checked."""
    async with serving(settings, directory) as client:
        client.event_hooks["response"].append(check_sound)
        yield client


async def created(
    api: httpx2.AsyncClient, path: str, body: object, **headers: str
) -> dict[str, Any]:
    """POST `body` and assert that it was made."""
    response = await api.post(path, json=body, headers=headers)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["location"] == f"{path}/{made['id']}"
    assert response.headers["etag"] == '"1"'
    return made
