"""What providers send back, taken from the wire as it came.

The SDKs build requests and carry keys; what they make of a response is not looked at. Their models
take whatever a server sends for what it should have sent, and fail later, anywhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2

from adapters.llm.failures import failure, unforeseen
from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
    TokenUsage,
)
from domain.extraction.confidence import AnswerToken
from domain.strict_json import NotStrictJson, read_json
from ports.language_models import Answer, FinishReason, ModelProfile

_log = logging.getLogger(__name__)

_MOST_TOKENS: Final = 10_000_000
"""Of one call; no model takes nearly as many, and cost and pace are reckoned with the count."""
_LONGEST_NAME: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """One HTTP response.

    Attributes:
        status: its code.
        headers: names without regard to case.
        body: without its encoding; empty when a refusal's body cannot be had.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the provider did what it was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def document(self) -> Any:
        """The JSON value of the body; None when it is no strict JSON."""
        try:
            return read_json(self.body)
        except NotStrictJson as error:
            _log.debug("a response with status %s %s", self.status, error)
            return None

    def words(self) -> str:
        """The body as text, whatever it is, for words that tell one refusal from another."""
        return self.body[:100_000].decode(errors="replace")


class _Wire:
    """The latest response to the latest request of a call; None until it comes."""

    response: httpx2.Response | None = None


_wire: ContextVar[_Wire] = ContextVar("_wire")


async def _sent(_: httpx2.Request) -> None:
    wire = _wire.get(None)
    if wire is not None:
        wire.response = None


async def _came(response: httpx2.Response) -> None:
    wire = _wire.get(None)
    if wire is not None:
        wire.response = response


HOOKS: Final[Mapping[str, list[Callable[..., Awaitable[None]]]]] = {
    "request": [_sent],
    "response": [_came],
}
"""For the HTTP client of each SDK; `reply_to` sees nothing without them."""


async def reply_to(provider: str, call: Awaitable[object], *, timeout_s: float) -> RawResponse:
    """What the provider sends back to the last request of an SDK's `call`.

    Args:
        provider: its name, for the words of a failure.
        call: a method of an SDK whose HTTP client has `HOOKS`; what it returns or raises does not
            matter once there is a response.
        timeout_s: longest wait, in seconds. An SDK's own timeout restarts with every byte.

    Raises:
        ModelCallFailed: no response that can be read; without attempts.
    """
    wire = _Wire()
    token = _wire.set(wire)
    problem: Exception | None = None
    try:
        async with asyncio.timeout(timeout_s):
            await call
    except Exception as error:  # noqa: BLE001 (whatever an SDK raises is a failure of the call)
        problem = error
    finally:
        _wire.reset(token)
    response = wire.response
    if response is not None:
        try:
            body = response.content
        except httpx2.ResponseNotRead:  # it broke on the way, or its encoding is garbage
            if response.is_error:
                body = b""  # the status says enough
            else:
                raise ModelCallFailed(_without_reply(provider, problem)) from problem
        return RawResponse(status=response.status_code, headers=response.headers, body=body)
    raise ModelCallFailed(_without_reply(provider, problem)) from problem


def _without_reply(provider: str, problem: Exception | None) -> ExtractionFailure:
    causes = list(_causes(problem))
    if any(isinstance(each, TimeoutError | httpx2.TimeoutException) for each in causes):
        return failure(provider, FailureKind.TIMEOUT)
    if any(isinstance(each, httpx2.TransportError) for each in causes):
        return failure(provider, FailureKind.CONNECTION)
    if any(isinstance(each, httpx2.DecodingError) for each in causes):
        return failure(provider, FailureKind.BAD_RESPONSE)
    return unforeseen(provider, problem)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedResponse:
    """What a dialect reads in a response.

    Attributes:
        usage: the tokens that it names; counts that cannot be are 0.
        text: the model's words; None when the response holds no answer.
        finish: why the model stopped.
        tokens: those of the text; empty where the response does not tell their log-probabilities.
    """

    usage: TokenUsage
    text: str | None = None
    finish: FinishReason = FinishReason.COMPLETE
    tokens: tuple[AnswerToken, ...] = ()


class ModelCall:
    """One call to a model, from its start until it is an answer or a failure.

    Args:
        profile: who is asked.
        batched: it is a line of a batch, which has no time of its own.
    """

    def __init__(self, profile: ModelProfile, *, batched: bool = False) -> None:
        self._profile = profile
        self._batched = batched
        self._started = time.perf_counter()

    async def reply(self, call: Awaitable[object], *, timeout_s: float) -> RawResponse:
        """As `reply_to`, with this call as the attempt of a failure."""
        try:
            return await reply_to(self._profile.provider, call, timeout_s=timeout_s)
        except ModelCallFailed as error:
            failed = error.failure
            raise ModelCallFailed(
                failed, (self._attempt(failed.kind, TokenUsage()),)
            ) from error.__cause__

    def answer(self, completion: ParsedResponse) -> Answer:
        """The answer in `completion`.

        Raises:
            ModelCallFailed: there is none.
        """
        if completion.text is None:
            _log.warning("%s sent a response that holds no completion", self._profile.provider)
            raise self.failed(FailureKind.BAD_RESPONSE, completion.usage)
        attempt = self._attempt(None, completion.usage)
        return Answer(
            text=completion.text,
            finish=completion.finish,
            attempts=(attempt,),
            tokens=completion.tokens,
        )

    def failed(
        self,
        kind: FailureKind,
        usage: TokenUsage | None = None,
        *,
        hint_s: float | None = None,
        detail: str | None = None,
    ) -> ModelCallFailed:
        """This call as a failure of `kind`; `hint_s` and `detail` are as of `failure`."""
        failed = failure(self._profile.provider, kind, retry_after_s=hint_s, detail=detail)
        return ModelCallFailed(failed, (self._attempt(kind, usage or TokenUsage()),))

    def broken(self, error: Exception) -> ModelCallFailed:
        """This call as the failure that an exception of no known kind is."""
        failed = unforeseen(self._profile.provider, error)
        return ModelCallFailed(failed, (self._attempt(failed.kind, TokenUsage()),))

    def _attempt(self, outcome: FailureKind | None, usage: TokenUsage) -> Attempt:
        return Attempt(
            provider=self._profile.provider,
            model=self._profile.model,
            outcome=outcome,
            usage=usage,
            latency_s=0.0 if self._batched else time.perf_counter() - self._started,
            batched=self._batched,
        )


def members(value: Any) -> Mapping[str, Any]:
    """The members of a JSON object; none of what is no object."""
    return value if isinstance(value, Mapping) else {}


def elements(value: Any) -> list[Any]:
    """The elements of a JSON array; none of what is no array."""
    return value if isinstance(value, list) else []


def word(value: Any) -> str:
    """A JSON string; empty for what is none."""
    return value if isinstance(value, str) else ""


def name_of(value: Any) -> str:
    """An identifier of the provider's that can be stored and sent back; empty for what is none."""
    name = word(value)
    return name if name.isascii() and name.isprintable() and len(name) <= _LONGEST_NAME else ""


def tokens(value: Any) -> int:
    """A count of tokens; 0 for what can be none, which is logged."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS:
        return value
    _log.warning("a provider's count of tokens is ignored: it is no number of 0..%s", _MOST_TOKENS)
    return 0


def usage_of(*, sent: Any, cached: Any, made: int) -> TokenUsage:
    """The usage of a call, with no more tokens cached than were sent."""
    input_tokens = tokens(sent)
    cached_tokens = tokens(cached)
    return TokenUsage(
        input_tokens=input_tokens,
        cached_tokens=cached_tokens if cached_tokens <= input_tokens else 0,
        output_tokens=made,
    )


def encodable(text: str) -> str:
    """`text` with U+FFFD for halves of surrogate pairs: a model was cut inside a character.

    Nobody could store them or send them back. A value that holds U+FFFD stands in no text, so it
    is asked for again.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
