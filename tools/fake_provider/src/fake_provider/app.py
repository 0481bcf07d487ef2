"""The ASGI application: which path belongs to which dialect."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from fake_provider.calls import Dialect
from fake_provider.control import Control
from fake_provider.engine import Provider
from fake_provider.gemini_paths import GeminiPaths, is_gemini
from fake_provider.openai import OpenAIChat, error_body
from fake_provider.openai_paths import OpenAIPaths
from fake_provider.responses import OpenAIResponses
from fake_provider.vllm import VllmChat
from fake_provider.vllm_paths import VllmPaths
from fake_provider.wire import (
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    json_reply,
    raw_reply,
    read_request,
    send_reply,
)

Handler: TypeAlias = Callable[[Request], Awaitable[Reply | None]]


class FakeProviderApp:
    """Serves one `Provider` in all dialects.

    `/v1` is OpenAI, `/v1beta` Gemini (`/v1` too, with Gemini's key header), `/vllm` a vLLM server,
    `/_control` the control API.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._openai = OpenAIPaths(provider)
        self._gemini = GeminiPaths(provider)
        self._vllm = VllmPaths(provider)
        self._control = Control(provider, self._openai.forget, self._gemini.forget)
        self._completions: dict[str, Dialect] = {
            "/v1/chat/completions": OpenAIChat(),
            "/v1/responses": OpenAIResponses(),
            "/vllm/v1/chat/completions": VllmChat(),
        }
        self._prefixes: tuple[tuple[str, Handler], ...] = (
            ("/v1/", self._openai.handle),
            ("/vllm/", self._vllm.handle),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        request = await read_request(scope, receive, time.monotonic())
        if request is None:
            return
        reply = await self._reply(request)
        if reply is not None:
            await send_reply(scope, receive, send, reply)

    async def _reply(self, request: Request) -> Reply | None:
        if not request.path.startswith("/_control/"):
            fault = self.provider.faults.choose_for_path(request.path)
            if fault is not None:
                return raw_reply(fault.raw)
        dialect = self._completions.get(request.path)
        if dialect is not None and request.method == "POST":
            return await self.provider.exchange(dialect, request)
        if request.path.startswith("/_control/"):
            return self._control.handle(request)
        if self.provider.dead and not request.path.endswith(":generateContent"):
            return Reply(cut="before")
        if is_gemini(request):
            return await self._gemini.handle(request)
        for prefix, handle in self._prefixes:
            if request.path.startswith(prefix):
                return await handle(request)
        message = f"Invalid URL ({request.method} {request.path})"
        return json_reply(404, error_body(message, "invalid_request_error"))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        message: Any = await receive()
        await send({"type": "lifespan.startup.complete"})
        while message["type"] != "lifespan.shutdown":
            message = await receive()
        self._openai.forget()
        self._gemini.forget()
        self.provider.ledger.shut()
        await send({"type": "lifespan.shutdown.complete"})
