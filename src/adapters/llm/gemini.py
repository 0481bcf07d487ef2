"""Google's Gemini over its own SDK."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from google import genai
from google.genai import types

from adapters.llm.admission import RateLimits, ReportedRateLimits, whole
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
from ports.language_models import (
    Answer,
    FinishReason,
    LanguageModel,
    ModelProfile,
    Prompt,
    TimeBudget,
)

_log = logging.getLogger(__name__)


class GeminiLanguageModel(LanguageModel):
    """One Gemini model.

    Args:
        client: made without `retry_options`, so that it does not retry.
        profile: provider, model and how it is asked.
        call_timeout_s: longest wait for one answer, in seconds.
        stated: told the rate limits whenever a refusal names them.
    """

    def __init__(
        self,
        client: genai.Client,
        *,
        profile: ModelProfile,
        call_timeout_s: float,
        stated: ReportedRateLimits,
    ) -> None:
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
            self._client.aio.models.generate_content(
                model=self._profile.model,
                contents=_contents(prompt),
                config=self._config(prompt, timeout_s),
            ),
            timeout_s=timeout_s,
        )
        if not reply.good:
            kind = kind_of_reply(reply)
            self._stated.note(stated_limits(reply))
            _log.info("gemini answered %s (%s)", reply.status, kind)
            raise call.failed(kind, hint_s=hint_s(reply))
        return call.answer(read_completion(reply.document()))

    def _config(self, prompt: Prompt, timeout_s: float) -> types.GenerateContentConfig:
        system = next(m.content for m in prompt.messages if m.role == "system")
        return types.GenerateContentConfig(
            system_instruction=system,
            response_mime_type="application/json",
            response_json_schema=dict(prompt.json_schema),
            max_output_tokens=prompt.max_output_tokens,
            should_return_http_response=True,  # its models are not read
            # The SDK takes milliseconds and tells the server, which gives up in time too.
            http_options=types.HttpOptions(timeout=max(1, round(timeout_s * 1000))),
            **self._profile.parameters,  # type: ignore[arg-type]
        )


def _contents(prompt: Prompt) -> list[types.Content | str]:
    roles = {"user": "user", "assistant": "model"}
    return [
        types.Content(role=roles[message.role], parts=[types.Part(text=message.content)])
        for message in prompt.messages
        if message.role != "system"
    ]


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


def kind_of_reply(reply: RawResponse) -> FailureKind:
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


def stated_limits(reply: RawResponse) -> RateLimits | None:
    """The quota a minute that a refusal names by an id such as `...RequestsPerMinute...`."""
    found: dict[str, int] = {}
    for violation in _violations(_details(reply.document())):
        quota, value = word(violation.get("quotaId")), whole(str(violation.get("quotaValue", "")))
        if "PerMinute" in quota and value is not None:
            found["tokens" if "Token" in quota else "requests"] = value
    if not found:
        return None
    return RateLimits(
        requests_per_minute=found.get("requests"), tokens_per_minute=found.get("tokens")
    )


def hint_s(reply: RawResponse) -> float | None:
    """The wait that the body names, else the headers, in seconds."""
    for each in _details(reply.document()):
        match = _DURATION.fullmatch(word(each.get("retryDelay")))
        if match:
            return float(match[1])
    return retry_after_s(reply.headers, now_s=time.time())


def read_completion(document: Any) -> ParsedResponse:
    """The first candidate; without a text when there is neither one nor a reason for that."""
    response = members(document)
    usage = _usage(response.get("usageMetadata"))
    if word(members(response.get("promptFeedback")).get("blockReason")):
        return ParsedResponse(usage=usage, text="", finish=FinishReason.REFUSED)
    candidate = next(iter(elements(response.get("candidates"))), None)
    if not isinstance(candidate, Mapping):
        return ParsedResponse(usage=usage)
    reason = word(candidate.get("finishReason"))
    if reason in _REFUSING:
        return ParsedResponse(usage=usage, text="", finish=FinishReason.REFUSED)
    text = _said(candidate.get("content"))
    if text is None:
        return ParsedResponse(usage=usage)
    finish = FinishReason.TRUNCATED if reason == "MAX_TOKENS" else FinishReason.COMPLETE
    return ParsedResponse(usage=usage, text=encodable(text), finish=finish)


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


def _usage(metadata: Any) -> TokenUsage:
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
