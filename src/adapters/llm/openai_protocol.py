"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import openai
from openai.types.chat import ChatCompletion

from adapters.llm.errors import failure, retry_after_s
from adapters.llm.hints import StatedLimits, limits_from_headers
from domain.extraction.calls import Attempt, CallFailed, FailureKind, Usage
from ports.language_model import Answer, Budget, Finish, LanguageModel, ModelProfile, Prompt

_log = logging.getLogger(__name__)

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
                    timeout=timeout_s, **self._request(prompt)
                )
                completion = response.parse()
        except (TimeoutError, openai.APITimeoutError) as error:
            raise self._failed(FailureKind.TIMEOUT, started) from error
        except openai.APIConnectionError as error:
            raise self._failed(FailureKind.CONNECTION, started) from error
        except openai.APIStatusError as error:
            self._stated.note(limits_from_headers(error.response.headers))
            kind = _kind(error)
            _log.info("%s answered %s (%s)", self._profile.provider, error.status_code, kind)
            hint = retry_after_s(error.response.headers, now_s=time.time())
            raise self._failed(kind, started, hint_s=hint) from error
        except (json.JSONDecodeError, openai.APIError) as error:
            raise self._failed(FailureKind.BAD_RESPONSE, started) from error
        self._stated.note(limits_from_headers(response.headers))
        usage = _usage(completion)
        answer = _answer(completion, self._attempt(None, started, usage))
        if answer is None:
            raise self._failed(FailureKind.BAD_RESPONSE, started, usage)
        return answer

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        schema = dict(prompt.json_schema)
        request: dict[str, Any] = {
            "model": self._profile.model,
            "messages": [
                {"role": message.role, "content": message.content} for message in prompt.messages
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": prompt.schema_name, "strict": True, "schema": schema},
            },
            **self._profile.parameters,
        }
        if self._profile.provider == "openai":
            request["max_completion_tokens"] = prompt.max_output_tokens
        else:
            request["max_tokens"] = prompt.max_output_tokens
        if self._profile.provider == "vllm":
            # Grammar-bound models can spend all their tokens on blanks between members.
            request["extra_body"] = {
                "structured_outputs": {"json": schema, "disable_any_whitespace": True}
            }
        return request

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


def _kind(error: openai.APIStatusError) -> FailureKind:
    if error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        quota = bool({error.code, error.type} & _QUOTA_CODES)
        return FailureKind.QUOTA_EXHAUSTED if quota else FailureKind.RATE_LIMITED
    if error.status_code in _BY_STATUS:
        return _BY_STATUS[error.status_code]
    words = f"{error.code or ''} {json.dumps(error.body, default=str)}".lower()
    if error.param == "input_tokens" or any(each in words for each in _TOO_LONG_WORDS):
        return FailureKind.TOO_LONG  # llama.cpp says so with 400 or 500, depending on its age
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FailureKind.SERVER_ERROR
    return FailureKind.REFUSED if error.code in _REFUSED_CODES else FailureKind.BAD_REQUEST


def _answer(completion: Any, attempt: Attempt) -> Answer | None:
    """The first choice; None when the body was JSON, but not a completion."""
    if not isinstance(completion, ChatCompletion) or not completion.choices:
        return None
    choice = completion.choices[0]
    message = getattr(choice, "message", None)
    if message is None:
        return None
    if message.refusal or choice.finish_reason == "content_filter":
        return Answer(text="", finish=Finish.REFUSED, attempts=(attempt,))
    finish = Finish.TRUNCATED if choice.finish_reason == "length" else Finish.COMPLETE
    return Answer(text=message.content or "", finish=finish, attempts=(attempt,))


def _usage(completion: Any) -> Usage:
    usage = getattr(completion, "usage", None)
    if usage is None:
        return Usage()
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
        output_tokens=usage.completion_tokens or 0,
    )
