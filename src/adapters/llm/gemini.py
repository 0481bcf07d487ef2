"""Google's Gemini over its own SDK."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import ValidationError

from adapters.llm.errors import failure, retry_after_s
from adapters.llm.hints import Limits, StatedLimits
from domain.extraction.calls import Attempt, CallFailed, FailureKind, Usage
from ports.language_model import Answer, Budget, Finish, LanguageModel, ModelProfile, Prompt

_log = logging.getLogger(__name__)

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
        stated: StatedLimits,
    ) -> None:
        self._client = client
        self._profile = profile
        self._call_timeout_s = call_timeout_s
        self._stated = stated

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
        """See the port; one request, no retry."""
        timeout_s = min(self._call_timeout_s, budget.timeout_s)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.aio.models.generate_content(
                    model=self._profile.model,
                    contents=_contents(prompt),
                    config=self._config(prompt, timeout_s),
                )
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise self._failed(FailureKind.TIMEOUT, started) from error
        except httpx2.TransportError as error:
            raise self._failed(FailureKind.CONNECTION, started) from error
        except errors.APIError as error:
            kind = _kind(error)
            self._stated.note(_stated_limits(error))
            _log.info("gemini answered %s (%s)", error.code, kind)
            raise self._failed(kind, started, hint_s=_hint_s(error)) from error
        except (json.JSONDecodeError, ValidationError, httpx2.DecodingError) as error:
            raise self._failed(FailureKind.BAD_RESPONSE, started) from error
        usage = _usage(response)
        answer = _answer(response, self._attempt(None, started, usage))
        if answer is None:
            raise self._failed(FailureKind.BAD_RESPONSE, started, usage)
        return answer

    def _config(self, prompt: Prompt, timeout_s: float) -> types.GenerateContentConfig:
        system = next(m.content for m in prompt.messages if m.role == "system")
        return types.GenerateContentConfig(
            system_instruction=system,
            response_mime_type="application/json",
            response_json_schema=dict(prompt.json_schema),
            max_output_tokens=prompt.max_output_tokens,
            # The SDK takes milliseconds and tells the server, which gives up in time too.
            http_options=types.HttpOptions(timeout=max(1, round(timeout_s * 1000))),
            **self._profile.parameters,  # type: ignore[arg-type]
        )

    def _failed(
        self,
        kind: FailureKind,
        started: float,
        usage: Usage | None = None,
        *,
        hint_s: float | None = None,
    ) -> CallFailed:
        failed = failure(self._profile.provider, kind, retry_after_s=hint_s)
        return CallFailed(failed, (self._attempt(kind, started, usage),))

    def _attempt(
        self, outcome: FailureKind | None, started: float, usage: Usage | None = None
    ) -> Attempt:
        return Attempt(
            provider=self._profile.provider,
            model=self._profile.model,
            outcome=outcome,
            usage=usage or Usage(),
            latency_s=time.perf_counter() - started,
        )


def _kind(error: errors.APIError) -> FailureKind:
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


def _stated_limits(error: errors.APIError) -> Limits | None:
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


def _hint_s(error: errors.APIError) -> float | None:
    """The wait that the body names, else the headers, in seconds."""
    for each in _details(error.details):
        match = _DURATION.fullmatch(str(each.get("retryDelay", "")))
        if match:
            return float(match[1])
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    return retry_after_s(headers, now_s=time.time())


def _contents(prompt: Prompt) -> list[types.Content | str]:
    roles = {"user": "user", "assistant": "model"}
    return [
        types.Content(role=roles[message.role], parts=[types.Part(text=message.content)])
        for message in prompt.messages
        if message.role != "system"
    ]


def _answer(response: types.GenerateContentResponse, attempt: Attempt) -> Answer | None:
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


def _usage(response: types.GenerateContentResponse) -> Usage:
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
