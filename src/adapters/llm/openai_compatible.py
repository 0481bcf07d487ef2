"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from math import isfinite
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
    tokens,
    usage_of,
    word,
)
from domain.extraction.calls import FailureKind, TokenUsage
from domain.extraction.confidence import AnswerToken, tokens_of
from ports.language_models import (
    Answer,
    FinishReason,
    LanguageModel,
    ModelProfile,
    Prompt,
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
                timeout=timeout_s, **request_body(prompt, self._profile)
            ),
            timeout_s=timeout_s,
        )
        self._stated.note(limits_from_headers(reply.headers))
        if not reply.good:
            kind = kind_of_reply(reply)
            _log.info("%s answered %s (%s)", self._profile.provider, reply.status, kind)
            raise call.failed(kind, hint_s=retry_after_s(reply.headers, now_s=time.time()))
        return call.answer(read_completion(reply.document()))


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
    if prompt.tuned:
        # llama.cpp holds the adapter, and applies it for whoever asks.
        request["extra_body"] = {"lora": [{"id": 0, "scale": 1.0}]}
    if prompt.log_probabilities:
        # Without a number, llama.cpp sends the 20 likeliest tokens at each place.
        request |= {"logprobs": True, "top_logprobs": 1}
    return request


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
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    words = words.lower()
    if described.get("param") == "input_tokens" or any(each in words for each in _TOO_LONG_WORDS):
        return FailureKind.TOO_LONG  # llama.cpp says so with 400 or 500, depending on its age
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
    finish_reason = word(choice.get("finish_reason"))
    if refused or word(message.get("refusal")) or finish_reason == "content_filter":
        return ParsedResponse(usage=usage, text="", finish=FinishReason.REFUSED)
    if text is None:
        return ParsedResponse(usage=usage)
    finish = FinishReason.TRUNCATED if finish_reason in _CUT else FinishReason.COMPLETE
    text = encodable(text)
    return ParsedResponse(usage=usage, text=text, finish=finish, tokens=_tokens(choice, text))


def _tokens(choice: Mapping[str, Any], text: str) -> tuple[AnswerToken, ...]:
    """The tokens of `text` with their log-probabilities; none where one is odd or missing.

    llama.cpp holds tokens back that end inside a character, and tells the log-probability of the
    last of them alone, with the bytes of them all.
    """
    pieces: list[tuple[bytes, float]] = []
    for entry in map(members, elements(members(choice.get("logprobs")).get("content"))):
        said, log_probability = _bytes(entry), _log_probability(entry)
        if said is None or log_probability is None:
            return ()
        pieces.append((said, log_probability))
    return tokens_of(pieces, text)


def _bytes(entry: Mapping[str, Any]) -> bytes | None:
    """What a token says; None for what says nothing that can be read."""
    given = entry.get("bytes")
    if given is None:  # OpenAI's way for a token that has no bytes of its own
        return encodable(word(entry.get("token"))).encode()
    if isinstance(given, list) and all(type(byte) is int and 0 <= byte <= 255 for byte in given):
        return bytes(given)
    return None


def _log_probability(entry: Mapping[str, Any]) -> float | None:
    """Of a token; None for what can be none."""
    given = entry.get("logprob")
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if isfinite(given) and given <= 0 else None


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
