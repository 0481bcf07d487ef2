from __future__ import annotations

import logging
from typing import Any

import pytest

from entrypoints.http.protocol.middleware import ExchangeMiddleware
from entrypoints.http.protocol.problems import ASK_ALLOWED
from entrypoints.logs import request_id
from tests.unit.http_requests import a_scope


class Inner:
    """An application that remembers what it was asked."""

    def __init__(self, *headers: tuple[bytes, bytes], error: Exception | None = None) -> None:
        self.scope: Any = None
        self.request_id: str | None = None
        self._headers = headers
        self._error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.request_id = request_id.get()
        if self._error:
            raise self._error
        await send({"type": "http.response.start", "status": 200, "headers": [*self._headers]})
        await send({"type": "http.response.body", "body": b"body"})


async def exchange(inner: Inner, scope: Any) -> dict[str, str]:
    """The headers of the answer."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await ExchangeMiddleware(inner)(scope, receive, send)
    start, body = sent
    assert body == {"type": "http.response.body", "body": b"body"}
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names))
    return {name.decode(): value.decode() for name, value in start["headers"]}


@pytest.mark.parametrize("given", ["a" * 8, "A-Z_0.9-trace", "0" * 64])
async def test_a_well_formed_request_id_is_kept(given: str) -> None:
    inner = Inner()
    headers = await exchange(inner, a_scope([("x-request-id", given)]))
    assert headers["x-request-id"] == given
    assert inner.request_id == given
    assert inner.scope["state"]["request_id"] == given


@pytest.mark.parametrize(
    "given", ["", "short-7", "x" * 65, "with space", "semi;colon", "new\nline-here", "umläut-id"]
)
async def test_another_request_id_is_replaced(given: str) -> None:
    inner = Inner()
    first = await exchange(inner, a_scope([("x-request-id", given)]))
    second = await exchange(inner, a_scope())
    assert len(first["x-request-id"]) == 32
    assert first["x-request-id"].isalnum()
    assert first["x-request-id"] != second["x-request-id"]


async def test_every_answer_has_the_security_headers_and_is_not_stored() -> None:
    headers = await exchange(Inner(), a_scope())
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


async def test_a_handler_may_allow_its_answer_to_be_stored() -> None:
    headers = await exchange(Inner((b"cache-control", b"public")), a_scope())
    assert headers["cache-control"] == "public"


@pytest.mark.parametrize(
    ("method", "inside"),
    [("GET", "GET"), ("HEAD", "GET"), ("PUT", "PUT"), ("OPTIONS", ASK_ALLOWED)],
)
async def test_head_is_a_get_inside_and_options_asks_for_the_methods(
    method: str, inside: str
) -> None:
    inner = Inner()
    scope = a_scope(method=method)
    await exchange(inner, scope)
    assert inner.scope["method"] == inside
    assert scope["method"] == method


async def test_each_exchange_has_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "storekeeper.access")
    await exchange(Inner(), a_scope(method="HEAD", path="/users/1", query="secret=1"))
    (record,) = caplog.records
    assert record.getMessage() == "HEAD /users/1 200"
    assert record.__dict__["ms"] >= 0


async def test_an_exchange_that_fails_is_logged_and_the_id_does_not_outlive_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "storekeeper.access")
    with pytest.raises(ZeroDivisionError):
        await exchange(Inner(error=ZeroDivisionError()), a_scope())
    assert [record.getMessage() for record in caplog.records] == ["GET /users 0"]
    assert request_id.get() is None


async def test_what_is_not_http_goes_through_untouched() -> None:
    inner = Inner()
    scope = {"type": "lifespan"}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await ExchangeMiddleware(inner)(scope, receive, send)
    assert inner.scope is scope
    assert sent[0]["headers"] == []
