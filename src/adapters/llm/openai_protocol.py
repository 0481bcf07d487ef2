"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp."""

from __future__ import annotations

import logging
import time

import openai

from adapters.llm.errors import retry_after_s
from adapters.llm.hints import StatedLimits, limits_from_headers
from adapters.llm.openai_wire import kind_of_reply, read_completion, request_body
from adapters.llm.replies import ModelCall
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
