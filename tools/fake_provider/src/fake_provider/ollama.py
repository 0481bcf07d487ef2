"""Ollama's OpenAI-compatible routes, which cut a prompt to the context without a word."""

from __future__ import annotations

import json
import time
from typing import Any

from fake_provider.calls import Call, Completion, Dialect, Problem, Refused
from fake_provider.http import Reply, Request, json_reply
from fake_provider.openai import turns_of
from fake_provider.scenario import DialectName, ErrorKind, Scenario
from fake_provider.vllm import DEFAULT_MODEL

DEFAULT_CONTEXT_TOKENS = 4096
"""Of a machine with less than 24 GiB of video memory."""
_KEPT_TOKENS = 5
"""From the start of a prompt that is cut: `num_keep` and the mark of the beginning."""
_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
# The 401, 403, 429 and 504 are those of a proxy in front: Ollama has neither keys nor limits.
_ERRORS: dict[ErrorKind, tuple[int, str]] = {
    "bad_key": (401, "unauthorized"),
    "forbidden": (403, "forbidden"),
    "unknown_model": (404, "model '{model}' not found"),
    "rate_limited": (429, "too many requests"),
    "slow_down": (429, "too many requests"),
    "quota_exhausted": (429, "too many requests"),
    "overloaded": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "server_error": (500, "the model failed to generate a response"),
    "gateway_timeout": (504, "gateway timeout"),
    "context_too_long": (
        400,
        (
            "the prompt is longer than the context length currently available to the model; "
            "shorten the prompt, adjust the context length in settings, or use a model with a "
            "longer context length"
        ),
    ),
    "bad_parameter": (400, "invalid request"),
    "bad_schema": (500, "failed to parse grammar"),
    "prompt_blocked": (400, "invalid request"),
}


def ollama_error(status: int, message: str) -> tuple[int, dict[str, Any]]:
    """Status and Ollama's error envelope."""
    type_ = _TYPES.get(status, "api_error")
    return status, {"error": {"message": message, "type": type_, "param": None, "code": None}}


class OllamaChat(Dialect):
    """`POST /v1/chat/completions` of Ollama."""

    name: DialectName = "ollama"

    def read(self, body: bytes, model: str) -> Call:  # noqa: ARG002 - the body names the model
        """As Ollama reads it: members that it does not know are passed over."""
        try:
            raw = json.loads(body)
        except ValueError as error:
            raise Refused(*ollama_error(400, str(error))) from error
        if not isinstance(raw, dict) or not raw.get("messages"):
            raise Refused(*ollama_error(400, "[] is too short - 'messages'"))
        if raw.get("stream"):
            raise Refused(*ollama_error(400, "this fake provider does not stream"))
        call = Call(
            dialect="ollama",
            model=str(raw.get("model") or DEFAULT_MODEL),
            turns=turns_of(raw["messages"]),
        )
        call.max_tokens = raw.get("max_tokens")
        call.temperature = raw.get("temperature")
        wanted = raw.get("response_format") or {}
        match wanted.get("type"):
            case "json_object":
                call.json_mode = True
            case "json_schema":
                call.schema = (wanted.get("json_schema") or {}).get("schema")
        return call

    def cut(self, call: Call, context_tokens: int) -> bool:
        """Keep the first tokens of the prompt, and of the rest as much as fits half the context."""
        left = context_tokens - max((context_tokens - _KEPT_TOKENS) // 2, 1)
        call.document = call.document[-len(call.document) * left // call.prompt_tokens :]
        call.prompt_tokens = left
        return True

    def schema_fault(self, call: Call) -> str | None:  # noqa: ARG002 - none is known
        """It takes what llama.cpp makes a grammar of."""
        return None

    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """OpenAI's shape, with the members that Ollama has of it."""
        return {
            "id": f"chatcmpl-{int(request_id[4:], 16) % 999}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": call.model,
            "system_fingerprint": "fp_ollama",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": completion.content},
                    # It knows neither refusals nor loops.
                    "finish_reason": "length" if completion.finish == "length" else "stop",
                }
            ],
            "usage": {
                "prompt_tokens": completion.prompt_tokens,
                "completion_tokens": completion.completion_tokens,
                "total_tokens": completion.prompt_tokens + completion.completion_tokens,
            },
        }

    def error(self, problem: Problem) -> tuple[int, Any]:
        """By the table of this module."""
        status, message = _ERRORS[problem.kind]
        return ollama_error(status, message.format(model=problem.model))


def other_path(request: Request, scenario: Scenario) -> Reply:
    """The answer to a request that is no completion: which models there are, and which run."""
    path = request.path.removeprefix("/ollama")
    models = scenario.models or {DEFAULT_MODEL: scenario.default_model}
    if (request.method, path) == ("GET", "/v1/models"):
        data = [
            {"id": name, "object": "model", "created": int(time.time()), "owned_by": "library"}
            for name in models
        ]
        return json_reply(200, {"object": "list", "data": data})
    if (request.method, path) == ("GET", "/api/ps"):
        running = [
            {
                "name": name,
                "model": name,
                "context_length": card.context_tokens or DEFAULT_CONTEXT_TOKENS,
            }
            for name, card in models.items()
        ]
        return json_reply(200, {"models": running})
    return Reply(status=404, body=b"404 page not found", content_type=b"text/plain")
