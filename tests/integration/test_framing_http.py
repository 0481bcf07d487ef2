"""HTTP/1.1 as clients and proxies frame it, byte for byte over TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest

from entrypoints.logs import TextLogFormatter
from tests.integration.answers import check_secured
from tests.integration.api import serving, settings_for

PATIENCE_S = 120.0
_numbers = count(1)


@dataclass(frozen=True)
class Answer:
    """One response, its body put together."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem document that it has to be."""
        assert self.status == status, self
        assert self.headers["content-type"] == "application/problem+json"
        check_secured(self.headers)
        found: dict[str, Any] = msgspec.json.decode(self.body)
        assert (found["code"], found["status"]) == (code, status)
        assert found["type"] == f"/problems/{code}"
        assert found["instance"] == self.headers["x-request-id"]
        assert len(found["instance"]) >= 8
        return found


@dataclass(frozen=True)
class Wire:
    """A TLS connection, without a client that would mend what it sends."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        """Send the parts, each in a record of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self, *, to_head: bool = False) -> Answer:
        """The next final response; interim ones are skipped."""
        async with asyncio.timeout(PATIENCE_S):
            status, headers = await self.head()
            while status == 100:
                status, headers = await self.head()
            if to_head or status in {204, 304}:
                body = b""
            elif "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            else:
                body = await self._chunks()
            return Answer(status, headers, body)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next response."""
        async with asyncio.timeout(PATIENCE_S):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        assert len({name for name, _ in pairs}) == len(pairs)
        return int(first.split(" ")[1]), dict(pairs)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def is_closed(self) -> bool:
        """Whether the server ends the connection, with nothing more said."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read() == b""

    async def works_on(self) -> None:
        """Assert that the connection takes another request."""
        await self.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await self.answer()
        assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


@dataclass(frozen=True)
class Server:
    """Where the application listens."""

    port: int
    trusted: ssl.SSLContext

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        """A connection of one's own."""
        reader, writer = await asyncio.open_connection("localhost", self.port, ssl=self.trusted)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()


@pytest.fixture(scope="module")
async def server(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    directory: Path = tmp_path_factory.mktemp("api")
    settings = settings_for(module_database_url, redis_url, max_job_body_bytes=3_000_000)
    async with serving(settings, directory) as client:
        made = await client.post("/users", json={"name": "Ann", "email": "ann@example.com"})
        assert made.headers["location"] == "/users/1"
        trusted = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        yield Server(httpx2.URL(client.base_url).port or 0, trusted)


@dataclass(frozen=True)
class Asked:
    """A request, and what answers it."""

    method: str
    path: str
    status: int
    body: bytes = b""
    media: str = "application/json"
    headers: tuple[str, ...] = field(default=())


REQUESTS: Final = {
    "fetch": Asked("GET", "/users/1", 200),
    "page": Asked("GET", "/docs", 200),
    "dashboard": Asked("GET", "/dashboard", 200),
    "head": Asked("HEAD", "/users/1", 200),
    "ask for methods": Asked("OPTIONS", "/users", 204),
    "not there": Asked("GET", "/nowhere", 404),
    "create": Asked("POST", "/users", 201, b'{"name":"Bo","email":"bo%d@example.com"}'),
    "invalid": Asked("POST", "/users", 422, b'{"name":""}'),
    "replace": Asked("PUT", "/users/1", 200, b'{"name":"Ann Lee","email":"ann@example.com"}'),
    "change": Asked("PATCH", "/users/1", 200, b'{"name":"Ann %d"}'),
    "delete": Asked("DELETE", "/users/99999", 404),
    "rows": Asked(
        *("POST", "/search-clicks", 201),
        *(b'{"search_query":"oak","clicks":1,"impressions":2}\n' * 400, "application/x-ndjson"),
    ),
    "texts": Asked(
        "POST", "/extraction-jobs", 202, b'{"text":"two chairs"}\n' * 400, "application/x-ndjson"
    ),
}

HTTP2_SETTINGS: Final = "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
FRAMINGS: Final[dict[str, tuple[str, ...]]] = {
    "plain": (),
    "Upgrade: h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", HTTP2_SETTINGS),
    "Upgrade: TLS/1.2": ("Connection: upgrade", "upgrade: TLS/1.2, HTTP/1.1"),
    "Upgrade: websocket": (
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "two upgrades": ("Connection: Upgrade", "Upgrade: a", "Connection: upgrade", "Upgrade: b"),
    "an upgrade without Connection": ("Upgrade: h2c",),
    "Expect: 100-continue": ("Expect: 100-continue",),
    "another Expect": ("Expect: the-unexpected",),
}


def request_of(
    asked: Asked, *more: str, chunked: bool = False, target: str = "", version: str = "1.1"
) -> tuple[bytes, bytes]:
    """Head and body."""
    body = asked.body.replace(b"%d", b"%d" % next(_numbers))
    lines = [f"{asked.method} {target or asked.path} HTTP/{version}", "Host: localhost"]
    lines += [*more, *asked.headers]
    if body:
        lines.append(f"Content-Type: {asked.media}")
        lines.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}")
    if body and chunked:
        half = len(body) // 2
        parts = [b"%x;name=value\r\n%b\r\n" % (len(p), p) for p in (body[:half], body[half:])]
        # A trailer is no header: with this one a write would be refused.
        body = b"".join([*parts, b'0\r\nIf-Match: "77"\r\n\r\n'])
    return "\r\n".join([*lines, "", ""]).encode(), body


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(
    ("name", "chunked"),
    [(name, False) for name in REQUESTS] + [(n, True) for n, each in REQUESTS.items() if each.body],
)
async def test_a_framing_changes_no_answer_and_the_connection_works_on(
    server: Server, name: str, framing: str, chunked: bool
) -> None:
    asked = REQUESTS[name]
    async with server.wire() as wire:
        for pieces in (True, False):
            head, body = request_of(asked, *FRAMINGS[framing], chunked=chunked)
            # All at once, or torn where a parser has to go on in the middle.
            sent = (head[:9], head[9:-1], head[-1:], body[:1], body[1:])
            await wire.send(*(sent if pieces else (head + body,)))
            answer = await wire.answer(to_head=asked.method == "HEAD")
            assert answer.status == asked.status, answer
            assert answer.headers["x-request-id"]
            await wire.works_on()


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_absolute_form_is_the_path(server: Server, name: str) -> None:
    asked = REQUESTS[name]
    async with server.wire() as wire:
        await wire.send(*request_of(asked, target=f"https://shop.example:8443{asked.path}"))
        answer = await wire.answer(to_head=asked.method == "HEAD")
        assert answer.status == asked.status
        await wire.works_on()


@pytest.mark.parametrize("name", REQUESTS)
async def test_http_1_0_is_answered_and_closed(server: Server, name: str) -> None:
    asked = REQUESTS[name]
    async with server.wire() as wire:
        # It knows no interim answers.
        await wire.send(*request_of(asked, "Expect: 100-continue", version="1.0"))
        status, headers = await wire.head()
        assert (status, headers["connection"]) == (asked.status, "close")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET http://localhost HTTP/1.1", 200),
        ("GET http://localhost?x=1 HTTP/1.1", 200),
        ("GET HTTPS://u:p@[::1]:80/health/live?x#y HTTP/1.1", 200),
        ("GET //health/live HTTP/1.1", 200),
        ("GET /health/live? HTTP/1.1", 200),
        ("OPTIONS * HTTP/1.1", 204),
        ("\r\n\r\nGET /health/live HTTP/1.1", 200),
        ("QUERY /users HTTP/1.1", 405),
        ("TRACE /users HTTP/1.1", 405),
    ],
)
async def test_every_form_of_a_target_is_answered(server: Server, line: str, status: int) -> None:
    async with server.wire() as wire:
        await wire.send(f"{line}\r\nHost:\r\n\r\n".encode())
        answer = await wire.answer()
        assert answer.status == status, answer
        assert answer.headers["x-request-id"]
        await wire.works_on()


GET: Final = b"GET /users HTTP/1.1\r\nHost: localhost\r\n"
POST: Final = b"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BAD: Final = (400, "malformed_request")
UNKNOWN: Final = (501, "not_implemented")
OTHER: Final = (505, "http_version_not_supported")
UNREADABLE: Final[dict[str, tuple[bytes, tuple[int, str]]]] = {
    "UTF-8 in the path": ("GET /users/ü HTTP/1.1\r\nHost: a\r\n\r\n".encode(), BAD),
    "UTF-8 in the query": ("GET /users?email=ü HTTP/1.1\r\nHost: a\r\n\r\n".encode(), BAD),
    "a blank in the path": (b"GET /users/a b HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "no path": (b"GET users HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "* of GET": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "no port": (b"GET http://a:port/users HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "no version": (b"GET /users\r\n\r\n", OTHER),
    "HTTP/2.0": (b"GET /users HTTP/2.0\r\nHost: a\r\n\r\n", OTHER),
    "HTTP/1.2": (b"GET /users HTTP/1.2\r\nHost: a\r\n\r\n", OTHER),
    "HTTP/2 without TLS": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00", OTHER),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03\x01", UNKNOWN),
    "an unknown method": (b"FROB /users HTTP/1.1\r\nHost: a\r\n\r\n", UNKNOWN),
    "a method in lower case": (b"get /users HTTP/1.1\r\nHost: a\r\n\r\n", UNKNOWN),
    "TLS in TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", UNKNOWN),
    "bare line feeds": (b"GET /users HTTP/1.1\nHost: a\n\n", BAD),
    "no Host": (b"GET /users HTTP/1.1\r\n\r\n", BAD),
    "two Hosts": (GET + b"Host: localhost\r\n\r\n", BAD),
    "no name as Host": (b"GET /users HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD),
    "a folded header": (GET + b"X-Folded: a\r\n b\r\n\r\n", BAD),
    "a blank before the colon": (GET + b"If-Match : a\r\n\r\n", BAD),
    "no colon": (GET + b"If-Match\r\n\r\n", BAD),
    "NUL in a header": (GET + b"X: a\x00b\r\n\r\n", BAD),
    "a name that is not ASCII": (GET + "ü: 1\r\n\r\n".encode(), BAD),
    "large headers": (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", (431, "headers_too_large")),
    "many headers": (GET + b"X: a\r\n" * 20_000 + b"\r\n", (431, "headers_too_large")),
    "headers without an end": (GET + b"X: " + b"a" * 400_000, (431, "headers_too_large")),
    "a long target": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", (414, "target_too_long")),
    "a target without an end": (b"GET /" + b"a" * 400_000, (414, "target_too_long")),
    "no length": (POST + b"Content-Length: 2x\r\n\r\n{}", BAD),
    "a negative length": (POST + b"Content-Length: -2\r\n\r\n{}", BAD),
    "a length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999\r\n\r\n{}", BAD),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", BAD),
    "length and chunks": (
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        BAD,
    ),
    "chunks and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        BAD,
    ),
    "gzip as coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n{}", UNKNOWN),
    "gzip in chunks": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        UNKNOWN,
    ),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", BAD),
    "chunks in HTTP/1.0": (
        b"POST /users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        BAD,
    ),
    "a bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", BAD),
    "a bad second chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n-1\r\n", BAD),
    "a chunk longer than said": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n", BAD),
    "a chunk extension without an end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 400_000,
        BAD,
    ),
    "trailers without an end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 80_000,
        BAD,
    ),
    "a bad chunk after an upgrade": (
        POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        BAD,
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_is_no_request_is_a_problem_whose_id_is_in_the_log(
    server: Server, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "storekeeper.access")
    caplog.handler.setFormatter(TextLogFormatter())
    sent, (status, code) = UNREADABLE[name]
    async with server.wire() as wire:
        await wire.send(sent)
        answer = await wire.answer()
        found = answer.problem(status, code)
        assert answer.headers["connection"] == "close"
        assert await wire.is_closed()
    line = caplog.text.splitlines()[-1]
    assert f" {status} " in line
    assert f"request_id={found['instance']}" in line


async def test_a_request_id_that_came_before_the_fault_is_kept(server: Server) -> None:
    async with server.wire() as wire:
        await wire.send(GET + b"X-Request-Id: my-own-trace\r\nY: 1\r\nbad header\r\n\r\n")
        found = (await wire.answer()).problem(*BAD)
        assert found["instance"] == "my-own-trace"


async def test_requests_in_a_row_are_answered_in_their_order_up_to_the_bad_one(
    server: Server,
) -> None:
    upgrade = FRAMINGS["Upgrade: h2c"]
    first = b"".join(request_of(REQUESTS["change"], *upgrade, chunked=True))
    second = b"".join(request_of(REQUESTS["not there"], *upgrade))
    third = b"".join(request_of(REQUESTS["rows"]))
    async with server.wire() as wire:
        await wire.send(first + second + third + GET + b"no colon\r\n\r\n" + third)
        assert [(await wire.answer()).status for _ in range(3)] == [200, 404, 201]
        (await wire.answer()).problem(*BAD)
        assert await wire.is_closed()


async def test_a_bad_chunk_after_the_answer_ends_the_connection(server: Server) -> None:
    async with server.wire() as wire:
        await wire.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        (await wire.answer()).problem(404, "not_found")
        await wire.send(b"zz\r\n")
        assert await wire.is_closed()


async def test_the_body_is_asked_for_before_it_is_sent(server: Server) -> None:
    async with server.wire() as wire:
        head, body = request_of(REQUESTS["create"], "Expect: 100-continue")
        await wire.send(head)
        assert await wire.head() == (100, {})
        await wire.send(body)
        assert (await wire.answer()).status == 201
        await wire.works_on()


async def test_a_body_that_is_refused_unread_is_not_asked_for(server: Server) -> None:
    asked = Asked("POST", "/users", 415, b"a=b", "application/x-www-form-urlencoded")
    async with server.wire() as wire:
        head, _ = request_of(asked, "Expect: 100-continue")
        await wire.send(head)
        status, _ = await wire.head()
        assert status == 415
