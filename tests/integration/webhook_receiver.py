"""A receiver of webhooks over TLS, on a loopback port, which answers as a test tells it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

NAME = "receiver.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request; names of headers in small letters."""

    path: str
    server_name: str | None
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer as bytes; `_` in names of headers stands for `-`."""
    lines = [f"HTTP/1.1 {status} Told", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Receiver:
    """What came, and how it is answered.

    Attributes:
        port: where it listens, on 127.0.0.1.
        ca: file of the certificate authority that it is trusted by.
        answers: the answer to a request; None for none at all.
        endless: whether more and more follows it.
        hangs: whether nothing follows it, and the connection stays open.
        connections: how many were made.
    """

    ca: Path
    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: Callable[[Received], bytes | None] = lambda _: answer(204)
    endless: bool = False
    hangs: bool = False
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def tls(self) -> ssl.SSLContext:
        """What trusts it."""
        return ssl.create_default_context(cafile=self.ca)

    async def until(self, count: int) -> list[Received]:
        """The first `count` requests, once they have come."""
        async with asyncio.timeout(180):
            while len(self.received) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.received[:count]


@asynccontextmanager
async def receiving(directory: Path, *names: str) -> AsyncIterator[Receiver]:
    """A receiver whose certificate is for `names`; `receiver.example` if there are none."""
    authority = trustme.CA()
    ca = directory / "receiver-ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (NAME,))).configure_cert(context)
    receiver = Receiver(ca)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    waiting: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        waiting.add(task)
        receiver.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers["content-length"]))
            request = Received(
                path=first.split(" ")[1],
                server_name=asked[-1] if asked else None,
                headers=headers,
                body=body,
            )
            receiver.received.append(request)
            receiver.arrived.set()
            told = receiver.answers(request)
            if told is None:
                await reader.read()  # until the sender gives up
            else:
                writer.write(told)
                while receiver.endless:
                    await writer.drain()
                    writer.write(b"x" * 65_536)
                await writer.drain()
                if receiver.hangs:
                    await reader.read()
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        waiting.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(waiting):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
