"""Gemini's generateContent: requests, answers and errors as the Developer API spells them."""

from __future__ import annotations

from typing import Any

import msgspec

from fake_provider.calls import Call, Completion, Dialect, Problem, Refused
from fake_provider.scenario import DialectName, ErrorKind
from fake_provider.schemas import find_keyword

_RPC = "type.googleapis.com/google.rpc."
_SERVICE = "generativelanguage.googleapis.com"
_STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
# `responseSchema` is a subset of OpenAPI's schema object; these words are not in it.
_NOT_IN_OPENAPI_SUBSET = ("$ref", "$defs", "const", "oneOf", "allOf", "patternProperties")


def gemini_error(
    status: int, message: str, details: list[dict[str, Any]] | None = None
) -> tuple[int, dict[str, Any]]:
    """HTTP status and Google's error envelope."""
    error = {"code": status, "message": message, "status": _STATUSES[status]}
    return status, {"error": error | ({"details": details} if details else {})}


def duration(seconds: float) -> str:
    """A protobuf Duration in JSON: `53s`, `1.500s`."""
    whole = f"{seconds:.0f}"
    return f"{whole}s" if float(whole) == seconds else f"{seconds:.3f}s"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def member(raw: dict[str, Any], name: str) -> Any:
    """Google's parser takes a member's name in both spellings."""
    return raw.get(_camel(name), raw.get(name))


def _text_of(content: Any) -> str:
    parts = content.get("parts", ()) if isinstance(content, dict) else ()
    parts = [parts] if isinstance(parts, dict) else parts
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


class Gemini(Dialect):
    """`POST /v1beta/models/{model}:generateContent`."""

    name: DialectName = "gemini"

    def read(self, body: bytes, model: str) -> Call:
        """The schema comes in `responseSchema` or `responseJsonSchema`."""
        try:
            raw = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            message = f"Invalid JSON payload received. {error}"
            raise Refused(*gemini_error(400, message)) from error
        contents = raw.get("contents") if isinstance(raw, dict) else None
        if not contents:
            message = "* GenerateContentRequest.contents: contents is not specified\n"
            raise Refused(*gemini_error(400, message))
        contents = contents if isinstance(contents, list) else [contents]
        roles = {"model": "assistant"}
        turns = tuple(
            (roles.get(content.get("role"), "user"), _text_of(content)) for content in contents
        )
        system = member(raw, "system_instruction")
        if system is not None:
            turns = (("system", _text_of(system)), *turns)
        config = member(raw, "generation_config") or {}
        openapi = member(config, "response_schema")
        schema = openapi or member(config, "response_json_schema")
        return Call(
            dialect=self.name,
            model=model,
            turns=turns,
            schema=schema,
            json_mode=member(config, "response_mime_type") == "application/json",
            max_tokens=member(config, "max_output_tokens"),
            temperature=config.get("temperature"),
            extra={"openapi": openapi is not None},
        )

    def schema_fault(self, call: Call) -> str | None:
        """`responseSchema` knows a subset of OpenAPI's words only."""
        if call.schema is None:
            return None
        if not call.json_mode:
            return (
                "* GenerateContentRequest.generation_config.response_schema: only allowed when "
                "`response_mime_type` is `application/json`\n"
            )
        for keyword in _NOT_IN_OPENAPI_SUBSET if call.extra.get("openapi") else ():
            if find_keyword(call.schema, keyword):
                return (
                    f'Invalid JSON payload received. Unknown name "{keyword}" at '
                    "'generation_config.response_schema': Cannot find field."
                )
        return None

    def answer(self, call: Call, completion: Completion, request_id: str) -> Any:
        """A filtered candidate has a finish reason and no text."""
        usage: dict[str, Any] = {
            "promptTokenCount": completion.prompt_tokens,
            "totalTokenCount": completion.prompt_tokens + completion.completion_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": completion.prompt_tokens}],
        }
        tail = {"usageMetadata": usage, "modelVersion": call.model, "responseId": request_id[4:]}
        if completion.completion_tokens:
            usage["candidatesTokenCount"] = completion.completion_tokens
        candidate: dict[str, Any] = {
            "finishReason": completion.reason or _FINISHES.get(completion.finish, "STOP"),
            "index": 0,
        }
        # A filtered candidate comes without its text.
        if completion.finish == "content_filter":
            if candidate["finishReason"] == "SAFETY":
                candidate["safetyRatings"] = [
                    {
                        "category": "HARM_CATEGORY_DANGEROUS_CONTENT",
                        "probability": "HIGH",
                        "blocked": True,
                    }
                ]
        else:
            candidate["content"] = {"parts": [{"text": completion.content}], "role": "model"}
        return {"candidates": [candidate], **tail}

    def error(self, problem: Problem) -> tuple[int, Any]:
        """A blocked prompt is an answer without candidates, with status 200."""
        match problem.kind:
            case "prompt_blocked":
                return 200, _blocked(problem)
            case "bad_key":
                return gemini_error(400, _BAD_KEY, _BAD_KEY_DETAILS)
            case "rate_limited" | "slow_down" | "quota_exhausted":
                return _exhausted(problem)
            case "bad_schema" if problem.detail:
                return gemini_error(400, problem.detail)
        status, message = _ERRORS[problem.kind]
        return gemini_error(status, message.format_map(msgspec.structs.asdict(problem)))


def _blocked(problem: Problem) -> dict[str, Any]:
    return {
        "promptFeedback": {"blockReason": problem.reason or "PROHIBITED_CONTENT"},
        "usageMetadata": {
            "promptTokenCount": problem.tokens,
            "totalTokenCount": problem.tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": problem.tokens}],
        },
        "modelVersion": problem.model,
    }


_BAD_KEY = "API key not valid. Please pass a valid API key."
_BAD_KEY_DETAILS: list[dict[str, Any]] = [
    {
        "@type": f"{_RPC}ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": _SERVICE},
    },
    {"@type": f"{_RPC}LocalizedMessage", "locale": "en-US", "message": _BAD_KEY},
]
_ERRORS: dict[ErrorKind, tuple[int, str]] = {
    "forbidden": (
        403,
        (
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API."
        ),
    ),
    "unknown_model": (
        404,
        (
            "models/{model} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods."
        ),
    ),
    "overloaded": (503, "The model is overloaded. Please try again later."),
    "server_error": (
        500,
        (
            "An internal error has occurred. Please retry or report in "
            "https://developers.generativeai.google/guide/troubleshooting"
        ),
    ),
    "gateway_timeout": (504, "Deadline expired before operation could complete."),
    "context_too_long": (
        400,
        "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit}).",
    ),
    "bad_parameter": (
        400,
        (
            "* GenerateContentRequest.generation_config.temperature: temperature must be in the "
            "range [0.0, 2.0].\n"
        ),
    ),
    "bad_schema": (
        400,
        (
            "The specified schema produces a constraint that has too many states for serving. "
            "Typical causes of this error are schemas with lots of text (for example, very long "
            "property or enum names), schemas with long array length limits (especially when "
            "nested), or schemas using complex value matchers (for example, integers or numbers "
            "with minimum/maximum bounds or strings with complex formats like date-time)"
        ),
    ),
}
_QUOTA_IDS = {
    "requests": "GenerateRequestsPerMinutePerProjectPerModel",
    "tokens": "GenerateContentInputTokensPerModelPerMinute",
    "day": "GenerateRequestsPerDayPerProjectPerModel",
}
_METRICS = {
    "requests": f"{_SERVICE}/generate_requests_per_model",
    "tokens": f"{_SERVICE}/generate_content_paid_tier_input_token_count",
    "day": f"{_SERVICE}/generate_requests_per_model_per_day",
}


def _exhausted(problem: Problem) -> tuple[int, Any]:
    period = "day" if problem.kind == "quota_exhausted" else problem.scope
    metric = _METRICS[period]
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. \n"
        f"* Quota exceeded for metric: {metric}, limit: {problem.limit}, model: {problem.model}\n"
    )
    violation = {
        "quotaMetric": metric,
        "quotaId": problem.code or _QUOTA_IDS[period],
        "quotaDimensions": {"location": "global", "model": problem.model},
        "quotaValue": str(problem.limit),
    }
    links = [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ]
    details: list[dict[str, Any]] = [
        {"@type": f"{_RPC}QuotaFailure", "violations": [violation]},
        {"@type": f"{_RPC}Help", "links": links},
    ]
    if problem.retry_after_s is not None and problem.hint in ("auto", "body"):
        message += f"Please retry in {problem.retry_after_s}s."
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": duration(problem.retry_after_s)})
    return gemini_error(429, message, details)
