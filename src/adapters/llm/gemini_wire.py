"""Answers and errors as Gemini writes them, whatever way they travel."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from adapters.llm.errors import retry_after_s
from adapters.llm.hints import Limits, whole
from adapters.llm.replies import (
    Completion,
    Reply,
    elements,
    encodable,
    members,
    tokens,
    usage_of,
    word,
)
from domain.extraction.calls import FailureKind, Usage
from ports.language_model import Finish

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
_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_TOO_LONG: Final = re.compile(
    r"token count.{0,40}exceeds|maximum number of tokens|exceeds the maximum.{0,20}tokens",
    re.IGNORECASE,
)


def kind_of_reply(reply: Reply) -> FailureKind:
    """The class of a refusal."""
    return kind_of(reply.status, reply.document(), reply.words())


def kind_of(status: int, document: Any, words: str) -> FailureKind:
    """The class of a refusal by its status, its body and whatever words come with it."""
    details = _details(document)
    if status < HTTPStatus.BAD_REQUEST:
        return FailureKind.BAD_RESPONSE  # a redirect, say: nobody refused anything
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        out = _out_of_quota(details, words)
        return FailureKind.QUOTA_EXHAUSTED if out else FailureKind.RATE_LIMITED
    if any(word(each.get("reason")) in _BAD_KEY for each in details):
        return FailureKind.AUTH  # said with 400
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if _TOO_LONG.search(words):
        return FailureKind.TOO_LONG  # said with 400, and by some versions with 500
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return FailureKind.SERVER_ERROR if server else FailureKind.BAD_REQUEST


def stated_limits(reply: Reply) -> Limits | None:
    """The quota a minute that a refusal names by an id such as `...RequestsPerMinute...`."""
    found: dict[str, int] = {}
    for violation in _violations(_details(reply.document())):
        quota, value = word(violation.get("quotaId")), whole(str(violation.get("quotaValue", "")))
        if "PerMinute" in quota and value is not None:
            found["tokens" if "Token" in quota else "requests"] = value
    if not found:
        return None
    return Limits(requests_per_minute=found.get("requests"), tokens_per_minute=found.get("tokens"))


def hint_s(reply: Reply) -> float | None:
    """The wait that the body names, else the headers, in seconds."""
    for each in _details(reply.document()):
        match = _DURATION.fullmatch(word(each.get("retryDelay")))
        if match:
            return float(match[1])
    return retry_after_s(reply.headers, now_s=time.time())


def read_completion(document: Any) -> Completion:
    """The first candidate; without a text when there is neither one nor a reason for that."""
    response = members(document)
    usage = _usage(response.get("usageMetadata"))
    if word(members(response.get("promptFeedback")).get("blockReason")):
        return Completion(usage=usage, text="", finish=Finish.REFUSED)
    candidate = next(iter(elements(response.get("candidates"))), None)
    if not isinstance(candidate, Mapping):
        return Completion(usage=usage)
    reason = word(candidate.get("finishReason"))
    if reason in _REFUSING:
        return Completion(usage=usage, text="", finish=Finish.REFUSED)
    text = _said(candidate.get("content"))
    if text is None:
        return Completion(usage=usage)
    finish = Finish.TRUNCATED if reason == "MAX_TOKENS" else Finish.COMPLETE
    return Completion(usage=usage, text=encodable(text), finish=finish)


def _said(content: Any) -> str | None:
    """The text of a candidate's content, thoughts and calls left out; None when it is no content.

    Gemini leaves out `parts`, and all of the content, when thinking has used up the tokens.
    """
    if content is None:
        return ""
    if not isinstance(content, Mapping):
        return None
    parts = content.get("parts")
    if parts is None:
        return ""
    if not isinstance(parts, list):
        return None
    texts: list[str] = []
    for part in parts:
        if not isinstance(part, Mapping):
            return None
        text = part.get("text")
        if part.get("thought") or text is None:
            continue
        if not isinstance(text, str):
            return None
        texts.append(text)
    return "".join(texts)


def _usage(metadata: Any) -> Usage:
    given = members(metadata)
    return usage_of(
        sent=given.get("promptTokenCount"),
        cached=given.get("cachedContentTokenCount"),
        made=tokens(given.get("candidatesTokenCount")) + tokens(given.get("thoughtsTokenCount")),
    )


def _details(body: Any) -> list[Mapping[str, Any]]:
    """The details of an error; some routes wrap it into an array of one."""
    document = members(body[0] if isinstance(body, list) and body else body)
    error = members(document.get("error", document))
    return [members(each) for each in elements(error.get("details"))]


def _violations(details: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for each in details:
        yield from map(members, elements(each.get("violations")))


def _out_of_quota(details: list[Mapping[str, Any]], words: str) -> bool:
    """A day's quota is used up, or there is none at all; waiting a minute does not help."""
    ids = [word(violation.get("quotaId")) for violation in _violations(details)]
    return any("PerDay" in each for each in ids) or bool(re.search(r"limit: 0\b", words))
