"""Calls to a language model: what they cost, how they fail and what follows from each failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from domain.errors import (
    AppError,
    BadAnswer,
    DependencyError,
    ModelRefusedText,
    ProviderMisconfigured,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderUnavailable,
)

T = TypeVar("T")

_FORMER_NAMES: Final[Mapping[str, str]] = {"vllm": "openai_compatible"}


def current_name(provider: str) -> str:
    """The name by which a provider goes now: requests, files and stored rows may hold a former."""
    return _FORMER_NAMES.get(provider, provider)


def names_of(provider: str) -> tuple[str, ...]:
    """The name of a provider, then those by which stored rows may know it."""
    return provider, *(former for former, now in _FORMER_NAMES.items() if now == provider)


def row_for(rows: Mapping[tuple[str, str], T], provider: str, model: str) -> T | None:
    """The row of a model in a table by provider and model; None when none fits.

    A model of the table that ends in `*` stands for all names that begin so. A whole name counts
    before those, and of those the longest.
    """
    if (provider, model) in rows:
        return rows[provider, model]
    fitting = [
        name
        for owner, name in rows
        if owner == provider and name.endswith("*") and model.startswith(name[:-1])
    ]
    return rows[provider, max(fitting, key=len)] if fitting else None


class FailureKind(StrEnum):
    """Why no usable answer came."""

    AUTH = "auth"
    UNKNOWN_MODEL = "unknown_model"
    BAD_REQUEST = "bad_request"
    QUOTA_EXHAUSTED = "quota_exhausted"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    CIRCUIT_OPEN = "circuit_open"
    BAD_RESPONSE = "bad_response"
    TOO_LONG = "too_long"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    WHITESPACE_LOOP = "whitespace_loop"
    INVALID_JSON = "invalid_json"
    SCHEMA_VIOLATION = "schema_violation"
    UNGROUNDED = "ungrounded"


class JobEffect(StrEnum):
    """What a failure of one text means for the job it belongs to.

    FAIL_ITEM: this text has failed, the others go on. RETRY_ITEM: this text may go back to the
    queue. PAUSE: no text can be done until somebody acts, and everything can go on then. STOP: no
    text of this job can ever be done as it is configured.
    """

    FAIL_ITEM = "fail_item"
    RETRY_ITEM = "retry_item"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """What follows from a failure.

    Attributes:
        tries: calls that may end this way before the failure stands (1 is no retry). A rate limit
            is not counted: it waits at the gate until the deadline.
        trips_breaker: whether it counts against the provider's circuit breaker.
        reduces_concurrency: whether fewer calls may run at once afterwards.
        falls_back: whether the next provider of a chain may be asked.
        job: what it means for a job.
    """

    tries: int = 1
    trips_breaker: bool = False
    reduces_concurrency: bool = False
    falls_back: bool = True
    job: JobEffect = JobEffect.FAIL_ITEM


FAILURE_POLICIES: Final[Mapping[FailureKind, FailurePolicy]] = {
    FailureKind.AUTH: FailurePolicy(job=JobEffect.STOP),
    FailureKind.UNKNOWN_MODEL: FailurePolicy(job=JobEffect.STOP),
    FailureKind.BAD_REQUEST: FailurePolicy(job=JobEffect.STOP),
    FailureKind.QUOTA_EXHAUSTED: FailurePolicy(job=JobEffect.PAUSE),
    FailureKind.RATE_LIMITED: FailurePolicy(reduces_concurrency=True, job=JobEffect.RETRY_ITEM),
    FailureKind.OVERLOADED: FailurePolicy(
        tries=4, trips_breaker=True, reduces_concurrency=True, job=JobEffect.RETRY_ITEM
    ),
    FailureKind.SERVER_ERROR: FailurePolicy(tries=3, trips_breaker=True, job=JobEffect.RETRY_ITEM),
    # Each may have been billed although no answer came: fewer tries.
    FailureKind.TIMEOUT: FailurePolicy(tries=2, trips_breaker=True, job=JobEffect.RETRY_ITEM),
    FailureKind.CONNECTION: FailurePolicy(tries=4, trips_breaker=True, job=JobEffect.RETRY_ITEM),
    FailureKind.CIRCUIT_OPEN: FailurePolicy(job=JobEffect.RETRY_ITEM),
    FailureKind.BAD_RESPONSE: FailurePolicy(tries=2, trips_breaker=True),
    FailureKind.TOO_LONG: FailurePolicy(),
    FailureKind.REFUSED: FailurePolicy(),
    FailureKind.TRUNCATED: FailurePolicy(),
    FailureKind.WHITESPACE_LOOP: FailurePolicy(),
    FailureKind.INVALID_JSON: FailurePolicy(),
    FailureKind.SCHEMA_VIOLATION: FailurePolicy(),
    FailureKind.UNGROUNDED: FailurePolicy(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionFailure:
    """One failure, in words that may be shown: never a provider's own text.

    Attributes:
        kind: its class.
        detail: what happened and, where there is one, the remedy.
        retry_after_s: when a new try makes sense, in seconds; None when unknown.
    """

    kind: FailureKind
    detail: str
    retry_after_s: float | None = None

    @property
    def policy(self) -> FailurePolicy:
        """What follows from it."""
        return FAILURE_POLICIES[self.kind]

    def as_error(self) -> AppError:
        """This failure as the error that a caller who waits for the answer gets."""
        match self.kind:
            case FailureKind.REFUSED:
                return ModelRefusedText(self.detail)
            case FailureKind.AUTH | FailureKind.UNKNOWN_MODEL | FailureKind.BAD_REQUEST:
                return ProviderMisconfigured(self.detail)
            case FailureKind.QUOTA_EXHAUSTED:
                return ProviderQuotaExhausted(self.detail, retry_after_s=self.retry_after_s or 3600)
            case FailureKind.RATE_LIMITED:
                return ProviderRateLimited(self.detail, retry_after_s=self.retry_after_s or 10)
            case (
                FailureKind.OVERLOADED
                | FailureKind.SERVER_ERROR
                | FailureKind.TIMEOUT
                | FailureKind.CONNECTION
                | FailureKind.CIRCUIT_OPEN
            ):
                return ProviderUnavailable(self.detail, retry_after_s=self.retry_after_s or 10)
            case _:
                return BadAnswer(self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens, as the provider counts them.

    Attributes:
        input_tokens: all tokens sent, cached ones included.
        cached_tokens: those of them that the provider had cached.
        output_tokens: all tokens made, hidden reasoning included.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    @property
    def total_tokens(self) -> int:
        """Sent and made."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a provider, whatever came of it.

    Attributes:
        provider: who was asked.
        model: with which model.
        outcome: None when an answer came, else why not.
        usage: tokens that the provider reported for this call.
        wait_s: time spent waiting for permission to call, in seconds.
        latency_s: time from request to answer, in seconds.
        batched: it was part of a batch, which has its own price.
    """

    provider: str
    model: str
    outcome: FailureKind | None
    usage: TokenUsage = TokenUsage()
    wait_s: float = 0.0
    latency_s: float = 0.0
    batched: bool = False


class ModelCallFailed(DependencyError):
    """A language model gave no usable answer.

    Attributes:
        failure: why.
        attempts: the calls that were made, failed ones and their usage included.
    """

    code = "provider_call_failed"

    def __init__(self, failure: ExtractionFailure, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(failure.detail)
        self.failure = failure
        self.attempts = attempts


_MILLION: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """US dollars for a million tokens.

    Attributes:
        input: tokens sent.
        cached: tokens sent that the provider had cached.
        output: tokens made.
    """

    input: Decimal
    cached: Decimal
    output: Decimal

    def of(self, usage: TokenUsage) -> Decimal:
        """The price of `usage`, in US dollars."""
        fresh = usage.input_tokens - usage.cached_tokens
        total = (
            self.input * fresh
            + self.cached * usage.cached_tokens
            + self.output * usage.output_tokens
        )
        return total / _MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """List prices by provider and model.

    Attributes:
        prices: `(provider, model)` to price, for `row_for`.
        batch: by provider, what part of the price counts in a batch.
    """

    prices: Mapping[tuple[str, str], TokenPrice]
    batch: Mapping[str, Decimal] = field(default_factory=dict)

    def price(self, provider: str, model: str) -> TokenPrice | None:
        """The price of a model; None when the table does not name it."""
        return row_for(self.prices, provider, model)

    def cost(self, attempts: Iterable[Attempt]) -> Decimal | None:
        """The price of all `attempts`, in US dollars; None when one has no known price."""
        total = Decimal(0)
        for attempt in attempts:
            if not attempt.usage.total_tokens:
                continue
            price = self.price(attempt.provider, attempt.model)
            part = self.batch.get(attempt.provider) if attempt.batched else Decimal(1)
            if price is None or part is None:
                return None
            total += price.of(attempt.usage) * part
        return total
