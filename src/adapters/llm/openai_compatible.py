"""Any server that speaks OpenAI's chat completions: OpenAI itself, llama.cpp, vLLM, Ollama, others.

What differs between them, and where that was read, stands in
`docs/how-to/openai-compatible-servers.md`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import openai

from adapters.llm.admission import ReportedRateLimits, limits_from_headers
from adapters.llm.failures import retry_after_s
from adapters.llm.replies import (
    ModelCall,
    ParsedResponse,
    RawResponse,
    elements,
    encodable,
    members,
    name_of,
    tokens,
    usage_of,
    word,
)
from domain.extraction.calls import FailureKind, TokenUsage
from ports.language_models import (
    Answer,
    FinishReason,
    LanguageModel,
    ModelProfile,
    Prompt,
    ResponseFormat,
    TimeBudget,
)

_log = logging.getLogger(__name__)


class OpenAICompatibleLanguageModel(LanguageModel):
    """One model behind the chat completions route.

    Args:
        client: its retries are off: there is one retry budget, and it is not the client's.
        profile: provider, model and how it is asked.
        call_timeout_s: longest wait for one answer, in seconds.
        stated: told the rate limits whenever an answer names them.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        profile: ModelProfile,
        call_timeout_s: float,
        stated: ReportedRateLimits,
    ) -> None:
        if client.max_retries:
            raise ValueError("the client must not retry: give it max_retries=0")
        self._client = client
        self._profile = profile
        self._call_timeout_s = call_timeout_s
        self._stated = stated
        self._stops_loops = False

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        """See the port; one request, no retry."""
        timeout_s = min(self._call_timeout_s, budget.timeout_s)
        call = ModelCall(self._profile)
        reply = await call.reply(
            self._client.chat.completions.with_raw_response.create(
                timeout=timeout_s,
                **request_body(prompt, self._profile, stops_loops=self._stops_loops),
            ),
            timeout_s=timeout_s,
        )
        self._stated.note(limits_from_headers(reply.headers))
        document = reply.document()
        refused = refusal_in(reply.status, document, reply.words())
        if refused is not None:
            _log.info(
                "%s answered %s (%s)%s",
                self._profile.provider,
                reply.status,
                refused.kind,
                _named(document),
            )
            hint_s = retry_after_s(reply.headers, now_s=time.time())
            usage = read_completion(document).usage
            raise call.failed(refused.kind, usage, hint_s=hint_s, detail=refused.detail)
        completion = read_completion(document)
        self._stops_loops = self._stops_loops or _is_vllm(document)
        self._check_whole(call, prompt, completion.usage)
        return call.answer(completion)

    def _check_whole(self, call: ModelCall, prompt: Prompt, usage: TokenUsage) -> None:
        """See that the server read all that was sent.

        Raises:
            ModelCallFailed: it cut the prompt to its context and said nothing, as Ollama does. In
                smaller pieces the text can still be read.
        """
        read, least = usage.input_tokens, least_tokens(prompt)
        if _FEWEST_IF_CUT <= read < least:
            _log.warning(
                "%s read %s tokens of a prompt of at least %s: its context is shorter than the %s"
                " tokens of the table of models",
                self._profile.provider,
                read,
                least,
                self._profile.context_tokens,
            )
            raise call.failed(FailureKind.TOO_LONG, usage, detail=_CUT_OFF)


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
_CUT_OFF: Final = (
    "{0} read a part of the prompt alone: it cuts what is longer than its context. Raise that (in"
    " Ollama by OLLAMA_CONTEXT_LENGTH), or give the model a row in LLM_MODELS_FILE with its"
    " `context_tokens`."
)
_FEWEST_IF_CUT: Final = 1_000
"""Fewer tokens than these may be what a server had to read anew: some do not count what they had
cached. A context of 2,048 tokens, the shortest that is in use, is cut to 1,027."""
_WORD: Final = re.compile(r"[^\W\d_]+|\d+")

# Up to 4 tokens, 32 times: no record repeats itself like that, and a loop ends after 128 tokens.
_LOOP: Final = {"max_pattern_size": 4, "min_count": 32}
_CUT: Final = frozenset({"length", "repetition", "max_tokens", "model_length"})
_BROKEN_OFF: Final = frozenset({"error", "abort"})
_REFUSED: Final = frozenset({"content_filter", "refusal", "safety"})
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


def request_body(
    prompt: Prompt, profile: ModelProfile, *, stops_loops: bool = False
) -> dict[str, Any]:
    """What is sent to the chat completions route.

    Args:
        prompt: what is asked.
        profile: who is asked, and how.
        stops_loops: the server is known to be vLLM. Others may refuse members of its own.
    """
    request: dict[str, Any] = {
        "model": profile.model,
        "messages": _messages(prompt, profile),
        **_format(prompt, profile),
        **profile.parameters,
    }
    if profile.provider == "openai":
        request["max_completion_tokens"] = prompt.max_output_tokens
    else:
        request["max_tokens"] = prompt.max_output_tokens
    if stops_loops:
        # Grammar-bound models can spend all their tokens on blanks between members. vLLM forbids
        # them by a setting of the server alone: it takes a request's `disable_any_whitespace` and
        # ignores it. So it is told to stop at a loop, of white space or of anything else.
        request["extra_body"] = {"repetition_detection": dict(_LOOP)}
    if prompt.tuned:
        # llama.cpp holds the adapter, and applies it for whoever asks.
        request["extra_body"] = {"lora": [{"id": 0, "scale": 1.0}]}
    return request


def _messages(prompt: Prompt, profile: ModelProfile) -> list[dict[str, str]]:
    messages = [{"role": each.role, "content": each.content} for each in prompt.messages]
    if not profile.system_role:
        system, first, *others = messages
        both = f"{system['content']}\n\n{first['content']}"
        return [{"role": first["role"], "content": both}, *others]
    return messages


def _format(prompt: Prompt, profile: ModelProfile) -> dict[str, Any]:
    schema = dict(prompt.json_schema)
    match profile.response_format:
        case ResponseFormat.JSON_SCHEMA:
            named = {"name": prompt.schema_name, "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case ResponseFormat.JSON_OBJECT:
            return {"response_format": {"type": "json_object", "schema": schema}}
        case ResponseFormat.TEXT:
            return {}


def least_tokens(prompt: Prompt) -> int:
    """Tokens that `prompt` has at least, whoever counts: tokenizers join no two words."""
    return sum(1 for each in prompt.messages for _ in _WORD.finditer(each.content))


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
    if any(each in lower for each in _NO_SYSTEM_ROLE_WORDS):
        return Refusal(kind=FailureKind.BAD_REQUEST, detail=_NO_SYSTEM_ROLE)
    # Who knows the route and not the model speaks of models, or of who serves one.
    missing = status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
    if "unexpected endpoint" in lower or (
        missing and "model" not in lower and "endpoints found" not in lower
    ):
        return Refusal(kind=FailureKind.BAD_REQUEST, detail=_NO_ROUTE)
    if kind is FailureKind.OVERLOADED and "loading model" in lower:
        return Refusal(kind=kind, detail=_LOADING)
    if kind is FailureKind.BAD_REQUEST:
        told = _told(error).lower()
        if "grammar" in told:
            return Refusal(kind=kind, detail=_NO_GRAMMAR)
        if any(each in told for each in _FORMAT_WORDS):
            return Refusal(kind=kind, detail=_FORMAT_REFUSED)
        for name in ("temperature", "seed"):
            if re.search(rf"\b{name}\b", told):
                return Refusal(kind=kind, detail=_PARAMETER_REFUSED.format(name=name))
    return Refusal(kind=kind)


def _told(error: Any) -> str:
    """What an error says, whether it is an object or the words themselves."""
    described = members(error)
    return word(error) or " ".join(
        word(described.get(name)) for name in ("message", "param", "detail")
    )


def _named(document: Any) -> str:
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


def read_completion(document: Any) -> ParsedResponse:
    """The first choice of a chat completion; without a text when the document is none."""
    usage = _usage(members(document).get("usage"))
    choice = members(next(iter(elements(members(document).get("choices"))), None))
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return ParsedResponse(usage=usage)
    text, refused = _said(message.get("content"))
    finish_reason = word(choice.get("finish_reason")).lower()
    if refused or word(message.get("refusal")) or finish_reason in _REFUSED:
        return ParsedResponse(usage=usage, text="", finish=FinishReason.REFUSED)
    if text is None:
        return ParsedResponse(usage=usage)
    finish = FinishReason.TRUNCATED if finish_reason in _CUT else FinishReason.COMPLETE
    if finish is FinishReason.COMPLETE and not text.strip():
        # Grammar and thinking at once: some servers take the whole answer for the thinking.
        text = word(message.get("reasoning_content")) or word(message.get("reasoning")) or text
    return ParsedResponse(usage=usage, text=encodable(text), finish=finish)


def _is_vllm(document: Any) -> bool:
    """Whether an answer has marks of vLLM."""
    said = members(document)
    return "kv_transfer_params" in said or word(said.get("system_fingerprint")).startswith("vllm-")


def _said(content: Any) -> tuple[str | None, bool]:
    """The text of a message's content, None when it is no content, and whether it is a refusal.

    Servers of reasoning models send a list of parts, of which only those of text are the answer.
    """
    if content is None:
        return "", False
    if isinstance(content, str):
        return content, False
    if not isinstance(content, list):
        return None, False
    texts: list[str] = []
    for part in content:
        given = {"text": part} if isinstance(part, str) else members(part)
        match given.get("type", "text"):
            case "refusal":
                return "", True
            case "text" | "output_text":
                text = given.get("text")
                if not isinstance(text, str):
                    return None, False
                texts.append(text)
    return "".join(texts), False


def _usage(usage: Any) -> TokenUsage:
    given = members(usage)
    return usage_of(
        sent=given.get("prompt_tokens"),
        cached=members(given.get("prompt_tokens_details")).get("cached_tokens"),
        made=tokens(given.get("completion_tokens")),
    )
