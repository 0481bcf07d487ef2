"""vLLM's OpenAI-compatible server, with the bodies that are its own."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from entrypoints.fake_provider.calls import Call, Completion, Dialect, Problem, Refused
from entrypoints.fake_provider.openai import read_chat
from entrypoints.fake_provider.scenario import DialectName, ErrorKind
from entrypoints.fake_provider.schemas import find_keyword

# What vLLM's grammar compiler has no rule for.
_UNSUPPORTED = ("uniqueItems", "patternProperties", "propertyNames", "contains")


_BAD = "BadRequestError"
# Status, type, parameter, message; the 429 and 5xx of load are those of a proxy in front.
_ERRORS: dict[ErrorKind, tuple[int, str, str | None, str]] = {
    "forbidden": (403, "PermissionDeniedError", None, "Forbidden"),
    "unknown_model": (404, "NotFoundError", "model", "The model `{model}` does not exist."),
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
            "This model's maximum context length is {limit} tokens. However, your request has "
            "{tokens} input tokens. Please reduce the length of the input messages."
        ),
    ),
    "bad_parameter": (
        400,
        _BAD,
        "temperature",
        "temperature must be non-negative, got {temperature}.",
    ),
    "bad_schema": (400, _BAD, None, "Grammar error: {detail}"),
    "prompt_blocked": (400, _BAD, None, "Invalid prompt"),
}


def vllm_error(
    message: str, type_: str, status: int, param: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and vLLM's error envelope."""
    return status, {"error": {"message": message, "type": type_, "param": param, "code": status}}


class VllmChat(Dialect):
    """`POST /v1/chat/completions` of a vLLM server."""

    name: DialectName = "vllm"

    def read(self, body: bytes, model: str) -> Call:  # noqa: ARG002 - the body names the model
        """The schema comes in `response_format` or in vLLM's own `structured_outputs`."""
        try:
            call, raw = read_chat(body, self.name)
        except Refused as refused:
            message = refused.body["error"]["message"]
            raise Refused(*vllm_error(message, "BadRequestError", 400)) from refused
        structured = raw.get("structured_outputs") or {}
        if isinstance(structured.get("json"), dict):
            call.schema = structured["json"]
        elif structured.get("json_object"):
            call.json_mode = True
        return call

    def schema_fault(self, call: Call) -> str | None:
        """Words that the grammar compiler has no rule for."""
        if call.schema is None:
            return None
        for keyword in _UNSUPPORTED:
            if find_keyword(call.schema, keyword):
                return f'Unimplemented keys: ["{keyword}"]'
        return None

    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """OpenAI's shape with vLLM's extra members."""
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
                        "tool_calls": [],
                        "reasoning": None,
                    },
                    "logprobs": None,
                    # An open model refuses in prose and knows no filter.
                    "finish_reason": "length" if completion.finish == "length" else "stop",
                    "stop_reason": None,
                    "token_ids": None,
                }
            ],
            "service_tier": None,
            "system_fingerprint": None,
            "usage": {
                "prompt_tokens": completion.prompt_tokens,
                "total_tokens": completion.prompt_tokens + completion.completion_tokens,
                "completion_tokens": completion.completion_tokens,
                "prompt_tokens_details": None,
            },
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "kv_transfer_params": None,
        }

    def error(self, problem: Problem) -> tuple[int, Any]:
        """A wrong key gets a body of another shape than everything else."""
        if problem.kind == "bad_key":
            return 401, {"error": "Unauthorized"}
        status, type_, param, message = _ERRORS[problem.kind]
        members = msgspec.structs.asdict(problem)
        members["detail"] = problem.detail or "the grammar cannot be compiled"
        return vllm_error(message.format_map(members), type_, status, param)
