"""vLLM's OpenAI-compatible server, with the bodies that are its own."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from fake_provider.calls import Call, Completion, Dialect, Problem
from fake_provider.scenario import DialectName, ErrorKind
from fake_provider.schemas import find_keyword
from fake_provider.vllm_requests import DEFAULT_MODEL, read_call, vllm_error

VERSION = "0.32.0"

# What vLLM's grammar compilers have no rule for.
_UNSUPPORTED = ("uniqueItems", "contains", "minContains", "maxContains")

_BAD = "BadRequestError"
# Status, type, parameter, message; the 429 and 5xx of load are those of a proxy in front.
_ERRORS: dict[ErrorKind, tuple[int, str, str | None, str]] = {
    "forbidden": (403, "PermissionDeniedError", None, "Forbidden"),
    "unknown_model": (
        404,
        "NotFoundError",
        "model",
        "The model `{model}` does not exist. Valid aliases: {aliases}.",
    ),
    "rate_limited": (429, "RateLimitError", None, "Too Many Requests"),
    "slow_down": (429, "RateLimitError", None, "Too Many Requests"),
    "quota_exhausted": (429, "RateLimitError", None, "Too Many Requests"),
    "overloaded": (503, "ServiceUnavailableError", None, "Service Unavailable"),
    "server_error": (500, "InternalServerError", None, "Internal server error"),
    "gateway_timeout": (504, "GatewayTimeoutError", None, "Gateway Timeout"),
    "context_too_long": (
        400,
        _BAD,
        "input_tokens",
        (
            # It stops counting behind the limit.
            "This model's maximum context length is {limit} tokens. However, your prompt contains "
            "at least {over} input tokens, which exceeds this limit even without any output "
            "tokens. Please reduce the length of the input prompt. "
            "(parameter=input_tokens, value={over})"
        ),
    ),
    "bad_parameter": (
        400,
        _BAD,
        "temperature",
        (
            "temperature must be non-negative, got {temperature}. "
            "(parameter=temperature, value={temperature})"
        ),
    ),
    "bad_schema": (400, _BAD, None, "Grammar error: {detail}"),
    "prompt_blocked": (400, _BAD, None, "Invalid prompt"),
}


class VllmChat(Dialect):
    """`POST /v1/chat/completions` of a vLLM server."""

    name: DialectName = "vllm"

    def read(self, body: bytes, model: str) -> Call:  # noqa: ARG002 - the body names the model
        """As vLLM reads it."""
        return read_call(body)

    def schema_fault(self, call: Call) -> str | None:
        """Words that the grammar compiler has no rule for."""
        if call.schema is None:
            return None
        found = [keyword for keyword in _UNSUPPORTED if find_keyword(call.schema, keyword)]
        return f"Unimplemented keys: {msgspec.json.encode(found).decode()}" if found else None

    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """OpenAI's shape with vLLM's extra members."""
        looped = completion.finish == "repetition"
        cut = looped or completion.finish == "length"
        return {
            "id": f"chatcmpl-{request_id[4:]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": call.model,
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": completion.content,
                        "refusal": None,
                        "annotations": None,
                        "audio": None,
                        "function_call": None,
                        "reasoning": None,
                    },
                    "logprobs": None,
                    # An open model refuses in prose and knows no filter.
                    "finish_reason": completion.finish if cut else "stop",
                    "stop_reason": "repetition_detected" if looped else None,
                    "token_ids": None,
                    "routed_experts": None,
                }
            ],
            "service_tier": None,
            "system_fingerprint": f"vllm-{VERSION}-0fa4e0fa",
            "usage": {
                "prompt_tokens": completion.prompt_tokens,
                "total_tokens": completion.prompt_tokens + completion.completion_tokens,
                "completion_tokens": completion.completion_tokens,
                "prompt_tokens_details": None,
                "completion_tokens_details": None,
            },
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "prompt_text": None,
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "metrics": None,
        }

    def error(self, problem: Problem) -> tuple[int, Any]:
        """A wrong key gets a body of another shape than everything else."""
        if problem.kind == "bad_key":
            return 401, {"error": "Unauthorized"}
        status, type_, param, message = _ERRORS[problem.kind]
        members = msgspec.structs.asdict(problem)
        members["detail"] = problem.detail or "the grammar cannot be compiled"
        members["aliases"] = ", ".join(problem.models or (DEFAULT_MODEL,))
        members["over"] = problem.limit + 1
        return vllm_error(message.format_map(members), type_, status, param)
