"""Requests without a server, for the parts that read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Request


def a_request(
    *headers: tuple[str, str], method: str = "GET", path: str = "/users", query: str = ""
) -> Request[Any, Any, Any]:
    """A request without a body."""
    return Request(a_scope(headers, method=method, path=path, query=query))


def a_scope(
    headers: Iterable[tuple[str, str]] = (),
    *,
    method: str = "GET",
    path: str = "/users",
    query: str = "",
) -> Any:
    """An ASGI scope."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "state": {"request_id": "request-1"},
    }
