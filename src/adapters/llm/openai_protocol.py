"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import openai

from adapters.llm.errors import failure, retry_after_s
from adapters.llm.hints import StatedLimits, limits_from_headers
from adapters.llm.openai_wire import answer_of, kind_of_status, request_body, usage_of
from domain.extraction.calls import Attempt, CallFailed, FailureKind, Usage
from ports.language_model import Answer, Budget, LanguageModel, ModelProfile, Prompt

_log = logging.getLogger(__name__)


class OpenAIProtocolLanguageModel(LanguageModel):
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
        stated: StatedLimits,
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

    async def complete(self, prompt: Prompt, budget: Budget) -> Answer:
        """See the port; one request, no retry."""
        timeout_s = min(self._call_timeout_s, budget.timeout_s)
        started = time.perf_counter()
        try:
            # The client's own timeout restarts with every byte; this one does not.
            async with asyncio.timeout(timeout_s):
                response = await self._client.chat.completions.with_raw_response.create(
                    timeout=timeout_s, **request_body(prompt, self._profile)
                )
                completion = response.parse()
        except (TimeoutError, openai.APITimeoutError) as error:
            raise self._failed(FailureKind.TIMEOUT, started) from error
        except openai.APIConnectionError as error:
            raise self._failed(FailureKind.CONNECTION, started) from error
        except openai.APIStatusError as error:
            self._stated.note(limits_from_headers(error.response.headers))
            kind = kind_of_status(error)
            _log.info("%s answered %s (%s)", self._profile.provider, error.status_code, kind)
            hint = retry_after_s(error.response.headers, now_s=time.time())
            raise self._failed(kind, started, hint_s=hint) from error
        except (json.JSONDecodeError, openai.APIError) as error:
            raise self._failed(FailureKind.BAD_RESPONSE, started) from error
        self._stated.note(limits_from_headers(response.headers))
        usage = usage_of(completion)
        answer = answer_of(completion, self._attempt(None, started, usage))
        if answer is None:
            raise self._failed(FailureKind.BAD_RESPONSE, started, usage)
        return answer

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
