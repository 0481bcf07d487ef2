"""vLLM's OpenAI-compatible server, with the bodies that are its own."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from fake_provider.calls import Call, Completion, Dialect, Problem, Refused
from fake_provider.http import Reply, Request, json_reply
from fake_provider.openai import turns_of
from fake_provider.scenario import DialectName, ErrorKind, Model, Scenario
from fake_provider.schemas import find_keyword

DEFAULT_MODEL = "fake-model"
DEFAULT_CONTEXT_TOKENS = 131_072
_NO_CONSTRAINT = (
    "You must use one kind of structured outputs constraint but none are specified: {'json': None, "
    "'regex': None, 'choice': None, 'grammar': None, 'json_object': None, "
    "'disable_any_whitespace': False, 'disable_additional_properties': False, "
    "'whitespace_pattern': None, 'structural_tag': None, '_backend': None, "
    "'_backend_was_auto': False}"
)


def vllm_error(
    message: str, type_: str, status: int, param: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and vLLM's error envelope."""
    return status, {"error": {"message": message, "type": type_, "param": param, "code": status}}


def invalid(message: str, param: str | None = None) -> Refused:
    """A refusal by vLLM's own checks."""
    return Refused(*vllm_error(message, "BadRequestError", 400, param))


def read_object(body: bytes) -> dict[str, Any]:
    """The request as a JSON object.

    Raises:
        Refused: it is none.
    """
    if not body:
        raise _unreadable("missing", "body", "Field required", "None")
    try:
        raw = json.loads(body)
    except json.JSONDecodeError as error:
        where = f"body.{error.pos}"
        raise _unreadable(
            "json_invalid", where, "JSON decode error", "<dict of 0 items>", error.msg
        ) from error
    except UnicodeDecodeError as error:
        raise invalid(str(error)) from error
    if not isinstance(raw, dict):
        detail = "Input should be a valid dictionary or object to extract fields from"
        raise _unreadable("model_attributes_type", "body", detail, _shown(raw))
    return raw


def read_call(body: bytes) -> Call:
    """The call in a chat completions request.

    The schema stands in `response_format` or in vLLM's own `structured_outputs`; the former wins.

    Raises:
        Refused: the body is no such request.
    """
    raw = read_object(body)
    if "messages" not in raw:
        raise _unreadable("missing", "body.messages", "Field required", _shown(raw))
    messages = raw["messages"]
    if not isinstance(messages, list):
        detail = "Input should be a valid list"
        raise _unreadable("list_type", "body.messages", detail, _shown(messages))
    if not messages:
        raise invalid(
            "Cannot apply chat template to an empty conversation. Provide at least one message."
        )
    if raw.get("stream"):
        raise invalid("this fake provider does not stream; leave 'stream' out.", "stream")
    call = Call(
        dialect="vllm", model=str(raw.get("model") or DEFAULT_MODEL), turns=turns_of(messages)
    )
    call.max_tokens = raw.get("max_completion_tokens") or raw.get("max_tokens")
    call.temperature = raw.get("temperature")
    call.stop_after = (raw.get("repetition_detection") or {}).get("min_count")
    structured = raw.get("structured_outputs") or {}
    if isinstance(structured.get("json"), dict):
        call.schema = structured["json"]
    call.json_mode = bool(structured.get("json_object"))
    _read_format(call, raw.get("response_format") or {})
    return call


def _read_format(call: Call, response_format: dict[str, Any]) -> None:
    match response_format.get("type"):
        case "json_schema":
            wanted = response_format.get("json_schema")
            if wanted is None:
                raise invalid(
                    "When response_format type is 'json_schema', the 'json_schema' field must be "
                    "provided. (parameter=response_format)",
                    "response_format",
                )
            if not isinstance(wanted.get("schema"), dict):
                raise invalid(_NO_CONSTRAINT)
            call.schema, call.schema_name = wanted["schema"], str(wanted.get("name", ""))
        case "json_object":
            call.json_mode = True


def _unreadable(kind: str, where: str, detail: str, given: str, reason: str = "") -> Refused:
    """A refusal by the layer before vLLM's own checks, which words it in another way."""
    error: dict[str, Any] = {"type": kind, "loc": where, "msg": detail, "input": given}
    if reason:
        error["ctx"] = {"error": reason}
    return Refused(*vllm_error(f"1 validation error:\n  {error}", "Bad Request", 400, where))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"<{type(value).__name__} of {len(value)} items>"
    return str(value)


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


def other_path(request: Request, scenario: Scenario) -> Reply:
    """The answer to a request that is no completion: which models there are, and nothing else."""
    path = request.path.removeprefix("/vllm")
    # Behind a key stands what is below /v1, known paths or not, and nothing else.
    if path.startswith("/v1/") and request.key in scenario.bad_keys:
        return json_reply(*VllmChat().error(Problem(kind="bad_key")))
    if (request.method, path) == ("GET", "/v1/models"):
        models = scenario.models or {DEFAULT_MODEL: scenario.default_model}
        return json_reply(
            200, {"object": "list", "data": [_card(*each) for each in models.items()]}
        )
    if path == "/v1/chat/completions":
        return json_reply(405, {"detail": "Method Not Allowed"}, [(b"allow", b"POST")])
    return json_reply(404, {"detail": "Not Found"})


def _card(name: str, model: Model) -> dict[str, Any]:
    """A model as the list has it; its `permission` is left out."""
    return {
        "id": name,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "vllm",
        "root": name,
        "parent": None,
        "max_model_len": model.context_tokens or DEFAULT_CONTEXT_TOKENS,
    }
