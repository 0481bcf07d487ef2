"""Runs the fake provider under uvicorn, on a protocol that can break connections on purpose."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fake_provider.wire import TRANSPORT

if TYPE_CHECKING:
    from fake_provider.app import FakeProviderApp

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
