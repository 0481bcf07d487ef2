"""Why a server of OpenAI's protocol did not do what it was asked, each in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from adapters.llm.replies import RawResponse, elements, members, name_of, word
from domain.extraction.calls import FailureKind

_BROKEN_OFF: Final = frozenset({"error", "abort"})
_REFUSED_CODES: Final = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
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
    "exceeds the available context",
    "context length currently available",
    "longer than the model's context length",
    "context size has been exceeded",
    "cannot truncate prompt",
    "trying to keep the first",
    "contextwindowexceeded",
)
_UNKNOWN_MODEL_WORDS: Final = ("model_not_found", "invalid model name", "not a valid model")
_NO_SYSTEM_ROLE_WORDS: Final = ("system role", "roles must alternate", "roles are supported")
_FORMAT_WORDS: Final = ("response_format", "json_schema", "structured output")

_NO_ROUTE: Final = (
    "No chat completions are served at the address of {0}. Set {1}_BASE_URL to that of its API,"
    " which ends in /v1 at most servers."
)
_LOADING: Final = "{0} is still loading the model."
_NO_SYSTEM_ROLE: Final = (
    "The chat template of the model at {0} takes no system message. Give the model a row in"
    " LLM_MODELS_FILE with `system_role: false`."
)
_FORMAT_REFUSED: Final = (
    "{0} refuses the JSON schema, or to be asked by one. Give the model a row in LLM_MODELS_FILE"
    " with `response_format: json_object`, or `text`."
)
_NO_GRAMMAR: Final = (
    "{0} can make no grammar of the JSON schema. Give the model a row in LLM_MODELS_FILE with"
    " `bounded: false`, or the schema's fields a smaller `max_length`."
)
_PARAMETER_REFUSED: Final = (
    "{{0}} does not take `{name}` as it is sent. Give the model a row in LLM_MODELS_FILE with"
    " `{name}: null`."
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a server did not do it.

    Attributes:
        kind: the class of it.
        detail: a template as in `failures.DETAILS` that says more than that of the kind.
    """

    kind: FailureKind
    detail: str | None = None


def refusal_in(status: int, document: Any, words: str) -> Refusal | None:
    """Why a server did not do it; None where it did.

    Some refuse with status 200, or break off an answer and say so in its place.

    Args:
        status: of the response.
        document: its JSON value; None for none.
        words: its body as text.
    """
    said = members(document)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _refusal(status, said.get("error", said), words)
    choice = members(next(iter(elements(said.get("choices"))), None))
    error = said.get("error") or choice.get("error")
    if error or word(choice.get("finish_reason")) in _BROKEN_OFF:
        return _refusal(_status_of(error), error, words)
    return None


def _status_of(error: Any) -> int:
    """The status that an error should have had."""
    code = str(members(error).get("code"))
    stated = re.fullmatch(r"[45][0-9]{2}", code)
    return int(code) if stated else HTTPStatus.INTERNAL_SERVER_ERROR


def _refusal(status: int, error: Any, words: str) -> Refusal:
    kind = kind_of(status, error, words)
    lower = words.lower()
    by_template = kind in {FailureKind.BAD_REQUEST, FailureKind.SERVER_ERROR}
    if by_template and any(each in lower for each in _NO_SYSTEM_ROLE_WORDS):
        return Refusal(kind=FailureKind.BAD_REQUEST, detail=_NO_SYSTEM_ROLE)
    # Who knows the route and not the model speaks of models, or of who serves one.
    missing = status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
    if "unexpected endpoint" in lower or (
        missing and "model" not in lower and "endpoints found" not in lower
    ):
        by_status = kind is FailureKind.UNKNOWN_MODEL
        return Refusal(kind=kind if by_status else FailureKind.BAD_REQUEST, detail=_NO_ROUTE)
    if kind is FailureKind.OVERLOADED and "loading model" in lower:
        return Refusal(kind=kind, detail=_LOADING)
    told = _told(error).lower()
    if kind is FailureKind.SERVER_ERROR and "response_format" in told:
        kind = FailureKind.BAD_REQUEST  # llama-cpp-python, of a body that it cannot take
    if kind is FailureKind.BAD_REQUEST:
        if "grammar" in told:
            return Refusal(kind=kind, detail=_NO_GRAMMAR)
        if any(each in told for each in _FORMAT_WORDS):
            return Refusal(kind=kind, detail=_FORMAT_REFUSED)
        for name in ("temperature", "seed"):
            if re.search(rf"\b{name}\b", told):
                return Refusal(kind=kind, detail=_PARAMETER_REFUSED.format(name=name))
    return Refusal(kind=kind)


def _told(error: Any) -> str:
    """What an error says: an object, the words themselves, or FastAPI's list of bad members."""
    described = members(error)
    said = [word(error), *(word(described.get(name)) for name in ("message", "param", "detail"))]
    for each in map(members, elements(described.get("detail"))):
        said += [word(each.get("msg")), *map(word, elements(each.get("loc")))]
    return " ".join(said)


def names_in(document: Any) -> str:
    """What an error names besides its words, which may hold those of a customer."""
    said = members(document)
    error = members(said.get("error", said))
    names = (name_of(error.get(each)) for each in ("type", "code", "param"))
    return "".join(f" {each}" for each in names if each)


def kind_of_reply(reply: RawResponse) -> FailureKind:
    """The class of a refusal."""
    document = members(reply.document())
    return kind_of(reply.status, document.get("error", document), reply.words())


def kind_of(status: int, error: Any, words: str) -> FailureKind:
    """The class of a refusal by its status, its `error` and whatever words come with it."""
    described = members(error)
    code, type_ = word(described.get("code")), word(described.get("type"))
    if status < HTTPStatus.BAD_REQUEST:
        return FailureKind.BAD_RESPONSE  # a redirect, say: nobody refused anything
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        quota = bool({code, type_} & _QUOTA_CODES)
        return FailureKind.QUOTA_EXHAUSTED if quota else FailureKind.RATE_LIMITED
    if status == HTTPStatus.FORBIDDEN and "reasons" in members(described.get("metadata")):
        return FailureKind.REFUSED  # OpenRouter, of a text that a moderator flagged
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    words = words.lower()
    if described.get("param") == "input_tokens" or any(each in words for each in _TOO_LONG_WORDS):
        return FailureKind.TOO_LONG  # llama.cpp says so with 400 or 500, depending on its age
    if any(each in words for each in _UNKNOWN_MODEL_WORDS):
        return FailureKind.UNKNOWN_MODEL
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FailureKind.SERVER_ERROR
    return FailureKind.REFUSED if code in _REFUSED_CODES else FailureKind.BAD_REQUEST
