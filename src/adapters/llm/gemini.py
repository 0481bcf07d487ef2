"""Google's Gemini over its own SDK."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import ValidationError

from adapters.llm.errors import failure
from adapters.llm.gemini_wire import answer_of, hint_s, kind_of, stated_limits, usage_of
from adapters.llm.hints import StatedLimits
from domain.extraction.calls import Attempt, CallFailed, FailureKind, Usage
from ports.language_model import Answer, Budget, LanguageModel, ModelProfile, Prompt

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
            kind = kind_of(error)
            self._stated.note(stated_limits(error))
            _log.info("gemini answered %s (%s)", error.code, kind)
            raise self._failed(kind, started, hint_s=hint_s(error)) from error
        except (json.JSONDecodeError, ValidationError, httpx2.DecodingError) as error:
            raise self._failed(FailureKind.BAD_RESPONSE, started) from error
        usage = usage_of(response)
        answer = answer_of(response, self._attempt(None, started, usage))
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


def _contents(prompt: Prompt) -> list[types.Content | str]:
    roles = {"user": "user", "assistant": "model"}
    return [
        types.Content(role=roles[message.role], parts=[types.Part(text=message.content)])
        for message in prompt.messages
        if message.role != "system"
    ]
