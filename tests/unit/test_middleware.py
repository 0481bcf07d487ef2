from __future__ import annotations

import logging
from typing import Any

import pytest

from entrypoints.http.protocol.cross_origin import CrossOriginPolicy
from entrypoints.http.protocol.middleware import ExchangeMiddleware
from entrypoints.http.protocol.problems import ASK_ALLOWED
from entrypoints.http.protocol.statistics import RequestStatistics
from entrypoints.logs import request_id
from tests.unit.http_requests import a_scope

CLOSED = CrossOriginPolicy(())
SHOP = "https://shop.example"
NAMED = CrossOriginPolicy((SHOP, "http://127.0.0.1:5173"))


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


async def exchange(
    inner: Inner, scope: Any, cross_origin: CrossOriginPolicy = CLOSED
) -> dict[str, str]:
    """The headers of the answer; `:status` and `:body` are its other parts."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await ExchangeMiddleware(inner, cross_origin, RequestStatistics([], 1))(scope, receive, send)
    start, body = sent
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names))
    return {
        **{name.decode(): value.decode() for name, value in start["headers"]},
        ":status": str(start["status"]),
        ":body": body["body"].decode(),
    }


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
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["vary"] == "Authorization, Cookie"
    assert not [name for name in headers if name.startswith("access-control-")]


async def test_a_page_keeps_its_policy_and_gets_what_pages_have() -> None:
    inner = Inner(
        (b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", b"x")
    )
    headers = await exchange(inner, a_scope())
    assert headers["content-security-policy"] == "x"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


@pytest.mark.parametrize(
    ("given", "kept", "varies"),
    [
        ([(b"cache-control", b"public, max-age=3600")], "public, max-age=3600", None),
        (
            [(b"cache-control", b"private, max-age=9")],
            "private, max-age=9",
            "Authorization, Cookie",
        ),
        ([(b"etag", b'"1"')], "private, no-cache", "Authorization, Cookie"),
        ([(b"vary", b"Accept")], "no-store", "Accept, Authorization, Cookie"),
        (
            [(b"set-cookie", b"a=b"), (b"cache-control", b"public"), (b"etag", b'"1"')],
            "no-store",
            "Authorization, Cookie",
        ),
    ],
)
async def test_an_answer_is_kept_as_far_as_its_kind_allows(
    given: list[tuple[bytes, bytes]], kept: str, varies: str | None
) -> None:
    headers = await exchange(Inner(*given), a_scope())
    assert (headers["cache-control"], headers.get("vary")) == (kept, varies)


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8443", "shop.localhost:1", "localhost."])
async def test_the_name_of_this_machine_is_not_bound_to_https_for_every_port(host: str) -> None:
    headers = await exchange(Inner(), a_scope([("host", host)]))
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("host", ["shop.example", "localhost.example:8443", "[::1]:1", "10.0.0.1"])
async def test_other_names_are_bound_to_https(host: str) -> None:
    headers = await exchange(Inner(), a_scope([("host", host)]))
    assert headers["strict-transport-security"] == "max-age=31536000"


def asked_from(origin: str, *more: tuple[str, str], method: str = "GET") -> Any:
    return a_scope([("origin", origin), *more], method=method)


@pytest.mark.parametrize("origin", [SHOP, "http://127.0.0.1:5173"])
async def test_a_named_origin_may_read_every_answer(origin: str) -> None:
    headers = await exchange(Inner((b"vary", b"Accept")), asked_from(origin), NAMED)
    assert headers["access-control-allow-origin"] == origin
    assert {"ETag", "Location", "Link", "Retry-After", "X-Request-Id"} <= set(
        headers["access-control-expose-headers"].split(", ")
    )
    assert headers["vary"] == "Accept, Origin, Authorization, Cookie"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "",
        "https://shop.example.evil.com",
        "https://evilshop.example",
        "https://a.shop.example",
        "https://shop.example:8443",
        "https://shop.example/",
        "http://shop.example",
        "HTTPS://SHOP.EXAMPLE",
        "https://shop.example, https://evil.com",
        "https://shop_example",
        "https://shop.example@evil.com",
        "http://127.0.0.1",
        "http://localhost:5173",
    ],
)
async def test_any_other_origin_is_told_nothing(origin: str) -> None:
    for cross_origin in (NAMED, CLOSED):
        for method in ("GET", "OPTIONS"):
            asked = asked_from(origin, ("access-control-request-method", "GET"), method=method)
            inner = Inner()
            headers = await exchange(inner, asked, cross_origin)
            assert not [name for name in headers if name.startswith("access-control-")]
            assert inner.scope is not None
    headers = await exchange(Inner(), asked_from(origin), NAMED)
    assert headers["vary"] == "Origin, Authorization, Cookie"


async def test_two_origins_in_one_request_are_none() -> None:
    headers = await exchange(Inner(), asked_from(SHOP, ("origin", SHOP)), NAMED)
    assert "access-control-allow-origin" not in headers


async def test_what_everybody_may_keep_differs_by_origin_where_origins_are_named() -> None:
    public = (b"cache-control", b"public, max-age=3600")
    assert (await exchange(Inner(public), a_scope(), NAMED))["vary"] == "Origin"


async def test_a_preflight_is_answered_before_the_application_is_asked() -> None:
    inner = Inner()
    more = [
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,if-match"),
    ]
    headers = await exchange(inner, asked_from(SHOP, *more, method="OPTIONS"), NAMED)
    assert inner.scope is None
    assert (headers[":status"], headers[":body"]) == ("204", "")
    assert headers["access-control-allow-origin"] == SHOP
    assert "PATCH" in headers["access-control-allow-methods"].split(", ")
    taken = set(headers["access-control-allow-headers"].split(", "))
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match"} <= taken
    assert "Access-Control-Request-Method" in headers["vary"]
    assert "Origin" in headers["vary"].split(", ")


async def test_options_of_a_named_origin_that_is_no_preflight_is_asked_as_any_other() -> None:
    inner = Inner()
    await exchange(inner, asked_from(SHOP, method="OPTIONS"), NAMED)
    assert inner.scope["method"] == ASK_ALLOWED


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
    headers = await exchange(Inner(error=ZeroDivisionError()), asked_from(SHOP), NAMED)
    assert (headers[":status"], headers["content-type"]) == ("500", "application/problem+json")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == SHOP
    assert [record.getMessage() for record in caplog.records] == [
        "unexpected error",
        "GET /users 500",
    ]
    assert request_id.get() is None


async def test_an_exchange_that_fails_in_its_answer_is_broken_off() -> None:
    async def halfway(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    with pytest.raises(ZeroDivisionError):
        await ExchangeMiddleware(halfway, CLOSED, RequestStatistics([], 1))(
            a_scope(), receive, send
        )
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_what_is_not_http_goes_through_untouched() -> None:
    inner = Inner()
    scope = {"type": "lifespan"}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await ExchangeMiddleware(inner, CLOSED, RequestStatistics([], 1))(scope, receive, send)
    assert inner.scope is scope
    assert sent[0]["headers"] == []
