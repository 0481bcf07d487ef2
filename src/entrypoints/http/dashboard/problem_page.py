"""Refusals and failures as pages, for those who ask for pages."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from domain.errors import AppError
from entrypoints.http.dashboard.rendering import page
from entrypoints.http.protocol.problems import Problem, on_app_error, on_http_error, on_unexpected


def on_dashboard_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The problem document; a page if the caller says that it takes HTML, as browsers do."""
    if isinstance(error, AppError):
        answer = on_app_error(request, error)
    elif isinstance(error, HTTPException):
        answer = on_http_error(request, error)
    else:
        answer = on_unexpected(request, error)
    if "text/html" not in request.headers.get("accept", ""):
        return answer
    problem = msgspec.json.decode(answer.content, type=Problem)
    retry_after_s = answer.headers.get("Retry-After")
    names = {"problem": problem, "retry_after_s": retry_after_s}
    shown = page("problem.html", names, status=problem.status)
    if retry_after_s is not None:
        shown.headers["Retry-After"] = retry_after_s
    return shown
