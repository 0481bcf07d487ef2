"""The paths of a vLLM server beside chat completions."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from entrypoints.fake_provider.calls import count_tokens
from entrypoints.fake_provider.engine import Provider
from entrypoints.fake_provider.openai import text_of
from entrypoints.fake_provider.vllm import vllm_error
from entrypoints.fake_provider.wire import Reply, Request, json_reply

_CONTEXT_TOKENS = 8192


class VllmPaths:
    """`/vllm/health`, `/vllm/version`, `/vllm/v1/models`, `/vllm/tokenize`, `/vllm/metrics`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def handle(self, request: Request) -> Reply:
        """Answer one request below `/vllm/`."""
        path = request.path.removeprefix("/vllm")
        match request.method, path:
            case "GET", "/health" | "/ping":
                return Reply()
            case "GET", "/version":
                return json_reply(200, {"version": "0.32.0"})
            case "GET", "/metrics":
                return self._metrics()
            case "POST", "/tokenize":
                return self._tokenize(request.body)
            case "GET", "/v1/models":
                if request.key in self._provider.scenario.bad_keys:
                    return json_reply(401, {"error": "Unauthorized"})
                return json_reply(200, {"object": "list", "data": self._models()})
            case _, "/health" | "/version" | "/metrics" | "/tokenize" | "/v1/models":
                return json_reply(405, {"detail": "Method Not Allowed"})
            case _, "/v1/chat/completions":
                return json_reply(405, {"detail": "Method Not Allowed"})
        return json_reply(404, {"detail": "Not Found"})

    def _models(self) -> list[dict[str, Any]]:
        scenario = self._provider.scenario
        return [
            {
                "id": name,
                "object": "model",
                "created": int(time.time()),
                "owned_by": "vllm",
                "root": name,
                "parent": None,
                "max_model_len": card.context_tokens or _CONTEXT_TOKENS,
                "permission": [],
            }
            for name, card in (scenario.models or {"fake-model": scenario.default_model}).items()
        ]

    def _metrics(self) -> Reply:
        running = self._provider.in_flight
        text = (
            "# TYPE vllm:num_requests_running gauge\n"
            f'vllm:num_requests_running{{model_name="fake-model"}} {running}\n'
            "# TYPE vllm:num_requests_waiting gauge\n"
            'vllm:num_requests_waiting{model_name="fake-model"} 0\n'
        )
        return Reply(body=text.encode(), content_type=b"text/plain; version=0.0.4; charset=utf-8")

    def _tokenize(self, body: bytes) -> Reply:
        try:
            raw = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            return json_reply(*vllm_error(str(error), "BadRequestError", 400))
        texts = [text_of(message.get("content")) for message in raw.get("messages", ())]
        tokens = count_tokens("\n".join([*texts, str(raw.get("prompt", ""))]))
        return json_reply(
            200,
            {
                "count": tokens,
                "max_model_len": self._provider.scenario.default_model.context_tokens
                or _CONTEXT_TOKENS,
                "tokens": list(range(tokens)),
                "token_strs": None,
            },
        )
