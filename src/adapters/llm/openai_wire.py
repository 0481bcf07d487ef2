"""Chat completions as OpenAI's protocol writes them, whatever way they travel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import openai
from openai.types.chat import ChatCompletion

from domain.extraction.calls import Attempt, FailureKind, Usage
from ports.language_model import Answer, Finish, ModelProfile, Prompt

_QUOTA_CODES: Final = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
    }
)
_TOO_LONG_WORDS: Final = (
    "context_length_exceeded",
    "exceed_context_size",
    "maximum context length",
    "maximum number of tokens",
    "string_above_max_length",
)

# Up to 4 tokens, 32 times: no record repeats itself like that, and a loop ends after 128 tokens.
_LOOP: Final = {"max_pattern_size": 4, "min_count": 32}
_CUT: Final = frozenset({"length", "repetition"})
_REFUSED_CODES: Final = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
_BY_STATUS: Final[Mapping[int, FailureKind]] = {
    401: FailureKind.AUTH,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.AUTH,
    404: FailureKind.UNKNOWN_MODEL,
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER_ERROR,
    413: FailureKind.TOO_LONG,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}


def request_body(prompt: Prompt, profile: ModelProfile) -> dict[str, Any]:
    """What is sent to the chat completions route."""
    schema = dict(prompt.json_schema)
    request: dict[str, Any] = {
        "model": profile.model,
        "messages": [
            {"role": message.role, "content": message.content} for message in prompt.messages
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": prompt.schema_name, "strict": True, "schema": schema},
        },
        **profile.parameters,
    }
    if profile.provider == "openai":
        request["max_completion_tokens"] = prompt.max_output_tokens
    else:
        request["max_tokens"] = prompt.max_output_tokens
    if profile.provider == "vllm":
        # Grammar-bound models can spend all their tokens on blanks between members. vLLM forbids
        # them by a setting of the server alone: it takes a request's `disable_any_whitespace` and
        # ignores it. So it is told to stop at a loop, of white space or of anything else.
        request["extra_body"] = {"repetition_detection": dict(_LOOP)}
    return request


def kind_of_status(error: openai.APIStatusError) -> FailureKind:
    """The class of an error response."""
    described = {"code": error.code, "type": error.type, "param": error.param, "body": error.body}
    return kind_of(error.status_code, described)


def kind_of(status: int, error: Mapping[str, Any]) -> FailureKind:
    """The class of a response by its status and the members of its `error`."""
    code = error.get("code")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        quota = bool({code, error.get("type")} & _QUOTA_CODES)
        return FailureKind.QUOTA_EXHAUSTED if quota else FailureKind.RATE_LIMITED
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    words = json.dumps(error, default=str).lower()
    if error.get("param") == "input_tokens" or any(each in words for each in _TOO_LONG_WORDS):
        return FailureKind.TOO_LONG  # llama.cpp says so with 400 or 500, depending on its age
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FailureKind.SERVER_ERROR
    return FailureKind.REFUSED if code in _REFUSED_CODES else FailureKind.BAD_REQUEST


def answer_of(completion: Any, attempt: Attempt) -> Answer | None:
    """The first choice; None when the body was JSON, but not a completion."""
    if not isinstance(completion, ChatCompletion) or not completion.choices:
        return None
    choice = completion.choices[0]
    message = getattr(choice, "message", None)
    if message is None:
        return None
    if message.refusal or choice.finish_reason == "content_filter":
        return Answer(text="", finish=Finish.REFUSED, attempts=(attempt,))
    finish = Finish.TRUNCATED if choice.finish_reason in _CUT else Finish.COMPLETE
    return Answer(text=message.content or "", finish=finish, attempts=(attempt,))


def usage_of(completion: Any) -> Usage:
    """The tokens that a completion names."""
    usage = getattr(completion, "usage", None)
    if usage is None:
        return Usage()
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        output_tokens=usage.completion_tokens or 0,
    )
