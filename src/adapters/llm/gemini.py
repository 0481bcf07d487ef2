"""Google's Gemini over its own SDK."""

from __future__ import annotations

import logging

from google import genai
from google.genai import types

from adapters.llm.gemini_wire import hint_s, kind_of_reply, read_completion, stated_limits
from adapters.llm.hints import StatedLimits
from adapters.llm.replies import ModelCall
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
