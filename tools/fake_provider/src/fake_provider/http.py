"""HTTP under uvicorn: requests, replies, and connections that break on purpose."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import parse_qs

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fake_provider.rate_limits import Headers
from fake_provider.scenario import Raw

if TYPE_CHECKING:
    from fake_provider.app import FakeProviderApp


Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TRANSPORT = "fake_provider.transport"
"""Key in the scope's extensions under which the server hands over the connection."""

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Request(msgspec.Struct, kw_only=True):
    """One HTTP request, read to its end."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: list[tuple[bytes, bytes]]
    body: bytes
    receive: Receive
    arrived_s: float

    def header(self, name: bytes) -> str:
        """The first header of this (lower-case) name; empty when it is absent."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")

    @property
    def key(self) -> str:
        """The caller's API key, wherever the dialect carries it; empty for none."""
        bearer = self.header(b"authorization")
        if bearer:
            return bearer.removeprefix("Bearer ").strip()
        return self.header(b"x-goog-api-key") or self.query.get("key", [""])[0]


class Reply(msgspec.Struct, kw_only=True):
    """What goes back.

    Attributes:
        content_type: of the body; empty for no such header.
        cut: where the connection breaks, if it does.
        abrupt: whether it breaks with RST, as a crashed peer does, or with an orderly FIN.
    """

    status: int = 200
    body: bytes = b""
    content_type: bytes = b"application/json"
    headers: Headers = []
    cut: Literal["", "before", "mid_body"] = ""
    abrupt: bool = True


def json_reply(status: int, body: Any, headers: Headers | None = None) -> Reply:
    """A reply with a JSON body."""
    return Reply(status=status, body=msgspec.json.encode(body), headers=headers or [])


def raw_reply(raw: Raw) -> Reply:
    """A reply as a scenario writes it, byte for byte."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in raw.headers]
    typed = any(name.lower() == b"content-type" for name, _ in headers)
    return Reply(
        status=raw.status,
        body=raw.base64 or raw.text.encode(),
        content_type=b"" if typed else b"application/json",
        headers=headers,
        cut=raw.cut,
    )


async def read_request(scope: Scope, receive: Receive, arrived_s: float) -> Request | None:
    """The request of `scope`; None when the client left before its end."""
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body = message.get("body", b"")
    if message.get("more_body"):
        chunks = [body]
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
        body = b"".join(chunks)
    query = scope["query_string"]
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=parse_qs(query.decode("latin-1")) if query else {},
        headers=scope["headers"],
        body=body,
        receive=receive,
        arrived_s=arrived_s,
    )


async def client_left(receive: Receive, within_s: float) -> bool:
    """Wait `within_s` seconds; True at once when the client closes the connection."""
    try:
        async with asyncio.timeout(within_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


async def send_reply(scope: Scope, receive: Receive, send: Send, reply: Reply) -> None:
    """Send `reply`, or as much of it as `cut` lets through."""
    if reply.cut == "before":
        await _break(scope, receive, reply.abrupt)
        return
    headers = [
        *([(b"content-type", reply.content_type)] if reply.content_type else []),
        *([] if _framed(reply.headers) else [(b"content-length", b"%d" % len(reply.body))]),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.cut == "mid_body":
        half = reply.body[: len(reply.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        # The half has to be on the wire before the reset, which would throw it away.
        await asyncio.sleep(0.01)
        await _break(scope, receive, reply.abrupt)
        return
    await send({"type": "http.response.body", "body": reply.body})


def _framed(headers: Headers) -> bool:
    return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)


async def _break(scope: Scope, receive: Receive, abrupt: bool) -> None:
    transport = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        raise RuntimeError(
            "this server cannot break connections: start it with "
            "`fake_provider.http`, not with a bare uvicorn"
        )
    connection = transport.get_extra_info("socket")
    if abrupt and connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


SERVER: Final = "storekeeper-fake-provider"
"""The header by which everybody can tell that no model answers here."""


class BreakableProtocol(HttpToolsProtocol):
    """Puts the connection into the scope, because ASGI knows no way to break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send head and body of an answer at once.

        asyncio does so by itself only for sockets that were made with an explicit protocol;
        otherwise the body waits 40 ms for the client's delayed acknowledgement.
        """
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_message_begin(self) -> None:
        """Hand the connection over with each request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def shutdown(self) -> None:
        """A stop breaks the calls that still run; some are meant to hang for an hour."""
        super().shutdown()
        # Before its first request a connection has none, whatever uvicorn declares.
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.transport.abort()


def server_config(app: FakeProviderApp, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    """The server's settings for `app`; port 0 takes a free one.

    The protocol is fixed: another one could not play `reset`.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BreakableProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        headers=[("Server", SERVER)],
        proxy_headers=False,
        backlog=4096,
        timeout_keep_alive=75,
    )
