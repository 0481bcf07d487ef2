"""The paths of a vLLM server beside chat completions."""

from __future__ import annotations

import time
from typing import Any

from fake_provider.calls import Problem, Refused, count_tokens
from fake_provider.engine import Provider
from fake_provider.openai import text_of
from fake_provider.scenario import Model
from fake_provider.vllm import VERSION, VllmChat
from fake_provider.vllm_requests import DEFAULT_MODEL, read_object
from fake_provider.wire import Reply, Request, json_reply

_CONTEXT_TOKENS = 8192
_METHOD = {
    "/health": b"GET",
    "/ping": b"GET",
    "/version": b"GET",
    "/metrics": b"GET",
    "/tokenize": b"POST",
    "/v1/models": b"GET",
    "/v1/chat/completions": b"POST",
}


class VllmPaths:
    """`/vllm/health`, `/vllm/version`, `/vllm/v1/models`, `/vllm/tokenize`, `/vllm/metrics`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def handle(self, request: Request) -> Reply:
        """Answer one request below `/vllm/`."""
        path = request.path.removeprefix("/vllm")
        # Behind a key stands what is below /v1, known paths or not, and nothing else.
        if path.startswith("/v1/") and request.key in self._provider.scenario.bad_keys:
            return self._error(Problem(kind="bad_key"))
        match request.method, path:
            case ("GET", "/health") | ("GET" | "POST", "/ping"):
                return Reply(content_type=b"")
            case "GET", "/version":
                return json_reply(200, {"version": VERSION})
            case "GET", "/metrics":
                return self._metrics()
            case "POST", "/tokenize":
                return self._tokenize(request.body)
            case "GET", "/v1/models":
                return json_reply(200, {"object": "list", "data": self._models()})
        allowed = _METHOD.get(path)
        if allowed is not None:
            headers = [(b"allow", allowed)]
            return json_reply(405, {"detail": "Method Not Allowed"}, headers)
        return json_reply(404, {"detail": "Not Found"})

    def _error(self, problem: Problem) -> Reply:
        return json_reply(*VllmChat().error(problem))

    def _models(self) -> list[dict[str, Any]]:
        now_s = int(time.time())
        return [
            {
                "id": name,
                "object": "model",
                "created": now_s,
                "owned_by": "vllm",
                "root": name,
                "parent": None,
                "max_model_len": card.context_tokens or _CONTEXT_TOKENS,
                "permission": [
                    {
                        "id": f"modelperm-{number:016x}",
                        "object": "model_permission",
                        "created": now_s,
                        "allow_create_engine": False,
                        "allow_sampling": True,
                        "allow_logprobs": True,
                        "allow_search_indices": False,
                        "allow_view": True,
                        "allow_fine_tuning": False,
                        "organization": "*",
                        "group": None,
                        "is_blocking": False,
                    }
                ],
            }
            for number, (name, card) in enumerate(self._cards().items())
        ]

    def _cards(self) -> dict[str, Model]:
        scenario = self._provider.scenario
        return dict(scenario.models or {DEFAULT_MODEL: scenario.default_model})

    def _metrics(self) -> Reply:
        labels = f'engine="0",model_name="{next(iter(self._cards()))}"'
        text = (
            "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
            "# TYPE vllm:num_requests_running gauge\n"
            f"vllm:num_requests_running{{{labels}}} {float(self._provider.in_flight)}\n"
            "# HELP vllm:num_requests_waiting Number of requests waiting to be processed.\n"
            "# TYPE vllm:num_requests_waiting gauge\n"
            f"vllm:num_requests_waiting{{{labels}}} 0.0\n"
        )
        return Reply(body=text.encode(), content_type=b"text/plain; version=1.0.0; charset=utf-8")

    def _tokenize(self, body: bytes) -> Reply:
        try:
            raw = read_object(body)
        except Refused as refused:
            return json_reply(refused.status, refused.body)
        cards = self._cards()
        model = str(raw.get("model") or next(iter(cards)))
        if self._provider.scenario.models is not None and model not in cards:
            return self._error(Problem(kind="unknown_model", model=model, models=tuple(cards)))
        card = cards.get(model, self._provider.scenario.default_model)
        texts = [text_of(message.get("content")) for message in raw.get("messages", ())]
        tokens = count_tokens("\n".join([*texts, str(raw.get("prompt", ""))]))
        return json_reply(
            200,
            {
                "count": tokens,
                "max_model_len": card.context_tokens or _CONTEXT_TOKENS,
                "tokens": list(range(tokens)),
                "token_strs": None,
            },
        )
