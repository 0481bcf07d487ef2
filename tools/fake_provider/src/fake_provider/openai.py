"""OpenAI's chat completions: requests, answers and errors as its API spells them."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from fake_provider.calls import Call, Completion, Dialect, Problem, Refused
from fake_provider.http import Reply, Request, json_reply
from fake_provider.rate_limits import go_duration
from fake_provider.scenario import DialectName, ErrorKind
from fake_provider.schemas import strictness_fault


def error_body(
    message: str, type_: str, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """OpenAI's error envelope."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def invalid_request(
    message: str, *, code: str | None = None, param: str | None = None, status: int = 400
) -> Refused:
    """A refusal of type `invalid_request_error`."""
    return Refused(status, error_body(message, "invalid_request_error", code, param))


def read_json(body: bytes) -> dict[str, Any]:
    """The request as a JSON object.

    Raises:
        Refused: it is no JSON object, or asks for a stream.
    """
    try:
        raw = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise invalid_request(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't "
            "using your HTTP library correctly. The OpenAI API expects a JSON payload, but what "
            "was sent was not valid JSON.)"
        ) from error
    if not isinstance(raw, dict):
        raise invalid_request("Invalid type: the request must be a JSON object.")
    if raw.get("stream"):
        raise invalid_request(
            "Unsupported value: this fake provider does not stream; leave 'stream' out.",
            code="unsupported_value",
            param="stream",
        )
    return raw


def text_of(content: Any) -> str:
    """The text of a message's content, a string or a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def turns_of(messages: list[Any]) -> tuple[tuple[str, str], ...]:
    """Role and text of each message; `developer` counts as `system`."""
    return tuple(
        (
            "system" if message.get("role") == "developer" else str(message.get("role", "user")),
            text_of(message.get("content")),
        )
        for message in messages
        if isinstance(message, dict)
    )


def read_chat(body: bytes, dialect: DialectName) -> tuple[Call, dict[str, Any]]:
    """The call in a chat completions request, and the request itself.

    Raises:
        Refused: a member is missing or of the wrong type.
    """
    raw = read_json(body)
    model = raw.get("model")
    if not isinstance(model, str):
        raise invalid_request("you must provide a model parameter")
    messages = raw.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid_request(
            "Missing required parameter: 'messages'.",
            code="missing_required_parameter",
            param="messages",
        )
    call = Call(dialect=dialect, model=model, turns=turns_of(messages))
    response_format = raw.get("response_format") or {}
    if response_format.get("type") == "json_schema":
        wanted = response_format.get("json_schema") or {}
        if not isinstance(wanted.get("schema"), dict):
            raise invalid_request(
                "Missing required parameter: 'response_format.json_schema.schema'.",
                code="missing_required_parameter",
                param="response_format.json_schema.schema",
            )
        call.schema, call.schema_name = wanted["schema"], str(wanted.get("name", ""))
        call.extra = {"strict": wanted.get("strict") is True}
    call.json_mode = response_format.get("type") == "json_object"
    call.max_tokens = raw.get("max_completion_tokens") or raw.get("max_tokens")
    call.temperature = raw.get("temperature")
    return call, raw


class _Row(msgspec.Struct, frozen=True):
    """One kind of error; the texts are templates over the members of a `Problem`."""

    status: int
    type_: str
    code: str | None
    message: str
    param: str | None = None


_INVALID = "invalid_request_error"
_SERVER = "The server had an error while processing your request. Sorry about that!"
_ERRORS: dict[ErrorKind, _Row] = {
    "bad_key": _Row(
        401,
        _INVALID,
        "invalid_api_key",
        "Incorrect API key provided: {shown_key}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
    ),
    "forbidden": _Row(
        403,
        "request_forbidden",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    "unknown_model": _Row(
        404,
        _INVALID,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "rate_limited": _Row(
        429,
        "{scope}",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-fake on {scope} per min: "
        "Limit {limit}.{try_again} Visit https://platform.openai.com/account/rate-limits to learn "
        "more.",
    ),
    "slow_down": _Row(
        429,
        "requests",
        "slow_down",
        "Your requests increased too fast. Please reduce your request rate to its original level "
        "and then increase it gradually.",
    ),
    "quota_exhausted": _Row(
        429,
        "insufficient_quota",
        "credit_balance_exhausted",
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, read the docs: "
        "https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    "overloaded": _Row(
        503,
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
    "server_error": _Row(500, "server_error", None, _SERVER),
    "gateway_timeout": _Row(504, "server_error", None, _SERVER),
    "context_too_long": _Row(
        400,
        _INVALID,
        "context_length_exceeded",
        "This model's maximum context length is {limit} tokens. However, your messages resulted "
        "in {tokens} tokens. Please reduce the length of the messages.",
        "messages",
    ),
    "bad_parameter": _Row(
        400,
        _INVALID,
        "unsupported_value",
        "Unsupported value: 'temperature' does not support {temperature} with this model. Only "
        "the default (1) value is supported.",
        "temperature",
    ),
    "bad_schema": _Row(
        400,
        _INVALID,
        None,
        "Invalid schema for response_format '{schema_name}': {detail}",
        "response_format",
    ),
    "prompt_blocked": _Row(
        400,
        _INVALID,
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
        "Please try again with a different prompt.",
    ),
}


def openai_error(problem: Problem) -> tuple[int, Any]:
    """Status and body of each problem."""
    row = _ERRORS[problem.kind]
    wait_s = problem.retry_after_s
    members = msgspec.structs.asdict(problem) | {
        "detail": problem.detail or "schema is too large.",
        "shown_key": f"{problem.key[:8]}{'*' * 8}{problem.key[-4:]}",
        "try_again": "" if wait_s is None else f" Please try again in {go_duration(wait_s)}.",
    }
    return row.status, error_body(
        row.message.format_map(members),
        row.type_.format_map(members),
        problem.code or row.code,
        row.param,
    )


def unknown_url(request: Request) -> Reply:
    """The answer to a path that nothing stands at."""
    message = f"Invalid URL ({request.method} {request.path})"
    return json_reply(404, error_body(message, "invalid_request_error"))


class OpenAIChat(Dialect):
    """`POST /v1/chat/completions`."""

    name: DialectName = "openai"

    def read(self, body: bytes, model: str) -> Call:  # noqa: ARG002 - the body names the model
        """`response_format` carries the schema."""
        return read_chat(body, self.name)[0]

    def schema_fault(self, call: Call) -> str | None:
        """Checked in strict mode alone."""
        if call.schema is None or not call.extra.get("strict"):
            return None
        return strictness_fault(call.schema)

    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """A refusal stands in `message.refusal` and finishes with `stop`."""
        refused = completion.finish == "refusal"
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if refused else completion.content,
            "refusal": completion.content if refused else None,
            "annotations": [],
        }
        return {
            "id": f"chatcmpl-{request_id[4:]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": call.model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": "stop" if refused else completion.finish,
                }
            ],
            "usage": {
                "prompt_tokens": completion.prompt_tokens,
                "completion_tokens": completion.completion_tokens,
                "total_tokens": completion.prompt_tokens + completion.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 0,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            },
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        }

    def error(self, problem: Problem) -> tuple[int, Any]:
        """By the table of `openai_error`."""
        return openai_error(problem)
