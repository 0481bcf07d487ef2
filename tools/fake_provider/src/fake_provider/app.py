"""The ASGI application: which path belongs to which dialect, and the control API."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from fake_provider import ollama, vllm
from fake_provider.calls import Dialect
from fake_provider.gemini import Gemini
from fake_provider.gemini_batches import GeminiBatches
from fake_provider.http import (
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
from fake_provider.ledger import calls_per_text, early_calls
from fake_provider.ollama import OllamaChat
from fake_provider.openai import OpenAIChat, unknown_url
from fake_provider.openai_batches import OpenAIBatches
from fake_provider.provider import Provider
from fake_provider.scenario import Fault, ScenarioRefused, parse_scenario
from fake_provider.vllm import VllmChat

_GENERATE = re.compile(r"/v1(?:beta|alpha)?/models/(.+):generateContent$")


class FakeProviderApp:
    """Serves one `Provider` in all dialects.

    `/v1` is OpenAI, `/v1beta` Gemini (`/v1` too, with Gemini's key header), `/vllm` a vLLM server,
    `/ollama` Ollama, `/_control` the control API.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._openai = OpenAIBatches(provider)
        self._gemini = GeminiBatches(provider)
        self._control = Control(provider, self._openai.forget, self._gemini.forget)
        self._gemini_dialect = Gemini()
        self._chat_dialects: dict[str, Dialect] = {
            "/v1/chat/completions": OpenAIChat(),
            "/vllm/v1/chat/completions": VllmChat(),
            "/ollama/v1/chat/completions": OllamaChat(),
        }

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
        if request.path.startswith("/_control/"):
            return self._control.handle(request)
        fault = self.provider.faults.choose_for_path(request.path)
        if fault is not None:
            return raw_reply(fault.raw)
        if request.method == "POST":
            dialect = self._chat_dialects.get(request.path)
            if dialect is not None:
                return await self.provider.exchange(dialect, request)
            named = _GENERATE.match(request.path)
            if named is not None:
                return await self.provider.exchange(self._gemini_dialect, request, named.group(1))
        return Reply(cut="before") if self.provider.dead else self._other(request)

    def _other(self, request: Request) -> Reply:
        if _is_gemini(request):
            return self._gemini.handle(request)
        if request.path.startswith("/vllm/"):
            return vllm.other_path(request, self.provider.scenario)
        if request.path.startswith("/ollama/"):
            return ollama.other_path(request, self.provider.scenario)
        if request.path.startswith("/v1/"):
            return self._openai.handle(request)
        return unknown_url(request)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        message: Any = await receive()
        await send({"type": "lifespan.startup.complete"})
        while message["type"] != "lifespan.shutdown":
            message = await receive()
        self._openai.forget()
        self._gemini.forget()
        self.provider.ledger.shut()
        await send({"type": "lifespan.shutdown.complete"})


def _is_gemini(request: Request) -> bool:
    """Whether the request is Gemini's; its `/v1` overlaps with OpenAI's, but not its key header."""
    path = request.path
    if path.startswith(("/v1beta/", "/v1alpha/", "/upload/")):
        return True
    if not path.startswith("/v1/"):
        return False
    return bool(request.header(b"x-goog-api-key")) or ":" in path.rpartition("/")[2]


_SHOWN_EARLY_CALLS = 20


class _Death(msgspec.Struct, forbid_unknown_fields=True):
    for_s: float


class Control:
    """What stands below `/_control/`; it works in a dead period too."""

    def __init__(self, provider: Provider, *forget: Callable[[], None]) -> None:
        self._provider = provider
        self._forget = forget
        self._changes: dict[tuple[str, str], Callable[[bytes], None]] = {
            ("GET", "scenario"): lambda _: None,
            ("PUT", "scenario"): self._replace,
            ("PATCH", "scenario"): self._merge,
            ("POST", "script"): self._extend_script,
            ("DELETE", "script"): lambda _: provider.faults.clear(),
            ("POST", "answers"): lambda body: provider.answers.add(_object(body)),
            ("POST", "dead"): self._die,
        }

    def handle(self, request: Request) -> Reply:
        """Answer one control request; what it cannot read is a 400 with the reason."""
        name = request.path.removeprefix("/_control/")
        try:
            return self._answer(request.method, name, request)
        except (ScenarioRefused, ValueError) as error:
            return json_reply(400, {"detail": str(error)})

    def _answer(self, method: str, name: str, request: Request) -> Reply:
        match method, name:
            case "GET", "ledger":
                return self._rows(int(request.query.get("since", ["0"])[0]))
            case "GET", "summary":
                return json_reply(200, self._summary(request))
        change = self._changes.get((method, name))
        if change is None:
            return json_reply(404, {"detail": f"no control {method} /_control/{name}"})
        change(request.body)
        return json_reply(200, self._provider.scenario)

    def _replace(self, body: bytes) -> None:
        scenario = parse_scenario(_object(body))
        for forget in self._forget:
            forget()
        self._provider.reset(scenario)

    def _merge(self, body: bytes) -> None:
        known = msgspec.to_builtins(self._provider.scenario)
        self._provider.apply(parse_scenario(known | _object(body)))

    def _extend_script(self, body: bytes) -> None:
        self._provider.faults.extend(msgspec.json.decode(body, type=list[Fault]))

    def _die(self, body: bytes) -> None:
        self._provider.die(msgspec.json.decode(body, type=_Death).for_s)

    def _rows(self, since: int) -> Reply:
        lines = b"".join(
            msgspec.json.encode(entry) + b"\n" for entry in self._provider.ledger.entries(since)
        )
        return Reply(body=lines, content_type=b"application/x-ndjson")

    def _summary(self, request: Request) -> dict[str, Any]:
        provider = self._provider
        since = int(request.query.get("since", ["0"])[0])
        grace_s = float(request.query.get("grace_s", ["0"])[0])
        entries = list(provider.ledger.entries(since))
        early = early_calls(entries, grace_s=grace_s)
        per_text = calls_per_text(entries)
        return {
            "total": provider.ledger.total,
            "dropped": provider.ledger.dropped,
            "in_flight": provider.in_flight,
            "peak_in_flight": provider.peak_in_flight,
            "script_left": provider.faults.left,
            "statuses": Counter(str(entry.status) for entry in entries),
            "faults": Counter(entry.fault for entry in entries if entry.fault),
            "aborted": sum(entry.aborted for entry in entries),
            "prompt_tokens": sum(entry.prompt_tokens for entry in entries),
            "completion_tokens": sum(entry.completion_tokens for entry in entries),
            "distinct_texts": len(per_text),
            "most_calls_for_a_text": max(per_text.values(), default=0),
            "early_calls": len(early),
            "early": early[:_SHOWN_EARLY_CALLS],
        }


def _object(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body or b"{}", type=dict[str, Any])
