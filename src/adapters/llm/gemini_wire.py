"""Answers and errors as Gemini writes them, whatever way they travel."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from google.genai import errors, types

from adapters.llm.errors import retry_after_s
from adapters.llm.hints import Limits
from domain.extraction.calls import Attempt, FailureKind, Usage
from ports.language_model import Answer, Finish

_REFUSING: Final = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}
)
_BAD_KEY: Final = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
_BY_STATUS: Final[Mapping[int, FailureKind]] = {
    401: FailureKind.AUTH,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.AUTH,
    404: FailureKind.UNKNOWN_MODEL,
    408: FailureKind.TIMEOUT,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMEOUT,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s")
_TOO_LONG: Final = re.compile(
    r"token count.{0,40}exceeds|maximum number of tokens|exceeds the maximum.{0,20}tokens",
    re.IGNORECASE,
)


def kind_of(error: errors.APIError) -> FailureKind:
    """The class of an error response."""
    details = list(_details(error.details))
    words = json.dumps(error.details, default=str)
    if error.code == HTTPStatus.TOO_MANY_REQUESTS:
        out = _out_of_quota(details, words)
        return FailureKind.QUOTA_EXHAUSTED if out else FailureKind.RATE_LIMITED
    if any(each.get("reason") in _BAD_KEY for each in details):
        return FailureKind.AUTH  # said with 400
    if error.code in _BY_STATUS:
        return _BY_STATUS[error.code]
    if _TOO_LONG.search(words):
        return FailureKind.TOO_LONG  # said with 400, and by some versions with 500
    server = error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return FailureKind.SERVER_ERROR if server else FailureKind.BAD_REQUEST


def stated_limits(error: errors.APIError) -> Limits | None:
    """The quota a minute that a refusal names by an id such as `...RequestsPerMinute...`."""
    found: dict[str, int] = {}
    for each in _details(error.details):
        for violation in each.get("violations") or []:
            quota, value = str(violation.get("quotaId", "")), str(violation.get("quotaValue", ""))
            if "PerMinute" in quota and value.isdigit() and int(value) > 0:
                found["tokens" if "Token" in quota else "requests"] = int(value)
    if not found:
        return None
    return Limits(requests_per_minute=found.get("requests"), tokens_per_minute=found.get("tokens"))


def hint_s(error: errors.APIError) -> float | None:
    """The wait that the body names, else the headers, in seconds."""
    for each in _details(error.details):
        match = _DURATION.fullmatch(str(each.get("retryDelay", "")))
        if match:
            return float(match[1])
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    return retry_after_s(headers, now_s=time.time())


def answer_of(response: types.GenerateContentResponse, attempt: Attempt) -> Answer | None:
    """The first candidate; None when there is neither one nor a reason for there being none."""
    feedback = response.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        return Answer(text="", finish=Finish.REFUSED, attempts=(attempt,))
    if not response.candidates:
        return None
    candidate = response.candidates[0]
    reason = candidate.finish_reason.name if candidate.finish_reason is not None else "STOP"
    if reason in _REFUSING:
        return Answer(text="", finish=Finish.REFUSED, attempts=(attempt,))
    parts = (candidate.content.parts if candidate.content is not None else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    finish = Finish.TRUNCATED if reason == "MAX_TOKENS" else Finish.COMPLETE
    return Answer(text=text, finish=finish, attempts=(attempt,))


def usage_of(response: types.GenerateContentResponse) -> Usage:
    """The tokens that a response names."""
    usage = response.usage_metadata
    if usage is None:
        return Usage()
    return Usage(
        input_tokens=usage.prompt_token_count or 0,
        cached_tokens=usage.cached_content_token_count or 0,
        output_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
    )


def _details(body: Any) -> Iterator[Mapping[str, Any]]:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    for each in (error.get("details") or []) if isinstance(error, Mapping) else []:
        if isinstance(each, Mapping):
            yield each


def _out_of_quota(details: list[Mapping[str, Any]], words: str) -> bool:
    """A day's quota is used up, or there is none at all; waiting a minute does not help."""
    ids = [
        str(violation.get("quotaId", ""))
        for each in details
        for violation in each.get("violations") or []
    ]
    return any("PerDay" in each for each in ids) or bool(re.search(r"limit: 0\b", words))
