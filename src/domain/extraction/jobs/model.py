"""Extraction jobs: many texts, each of which ends in one explicit state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from domain.access.model import ApiKeyId, KeySpending
from domain.errors import Conflict, Violation
from domain.extraction.calls import TokenUsage

MAX_COST_USD: Final = 1_000_000_000
MAX_TOKENS: Final = 2**62

JobId = NewType("JobId", int)
WorkerId = NewType("WorkerId", UUID)


class JobStatus(StrEnum):
    """How a job stands.

    RUNNING: workers take its documents. PAUSED: nobody takes them until it is resumed, whether a
    person, a used-up cap, budget or quota stopped it. FAILED: as it is configured no document
    can be done; it can be resumed after the repair. CANCELLED, COMPLETED: the end.
    """

    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


class JobCommand(StrEnum):
    """What a person may tell a job."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


_TRANSITIONS: Final[Mapping[JobCommand, tuple[JobStatus, frozenset[JobStatus]]]] = {
    JobCommand.PAUSE: (JobStatus.PAUSED, frozenset({JobStatus.RUNNING})),
    JobCommand.RESUME: (JobStatus.RUNNING, frozenset({JobStatus.PAUSED, JobStatus.FAILED})),
    JobCommand.CANCEL: (
        JobStatus.CANCELLED,
        frozenset({JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.FAILED}),
    ),
}


def transition(command: JobCommand) -> tuple[JobStatus, frozenset[JobStatus]]:
    """The status that `command` leads to, and those from which it does."""
    return _TRANSITIONS[command]


class ReasonCode(StrEnum):
    """Why a job does not run, beside the kinds of a provider's failure."""

    REQUESTED = "requested"
    COST_CAP = "cost_cap"
    TOKEN_CAP = "token_cap"  # noqa: S105 (a word, not a secret)
    UNKNOWN_PRICE = "unknown_price"
    MISCONFIGURED = "misconfigured"
    MODEL_BUDGET = "model_budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReason:
    """Why something is as it is.

    Attributes:
        code: a `ReasonCode` or the kind of a provider's failure.
        detail: one sentence with the remedy, if there is one.
    """

    code: str
    detail: str


def reason_of(command: JobCommand) -> StatusReason | None:
    """Why a job does not run once it followed `command`."""
    match command:
        case JobCommand.PAUSE:
            return StatusReason(code=ReasonCode.REQUESTED, detail="Somebody paused the job.")
        case JobCommand.CANCEL:
            return StatusReason(code=ReasonCode.REQUESTED, detail="Somebody cancelled the job.")
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCaps:
    """What a job may use.

    Attributes:
        max_cost_usd: US dollars by the price table (> 0); None for no cap.
        max_tokens: tokens sent and made (>= 1); None for no cap.
    """

    max_cost_usd: Decimal | None = None
    max_tokens: int | None = None

    def replaced_by(self, caps: JobCaps | None) -> JobCaps:
        """These caps, with those members of `caps` that are not None in their place."""
        if caps is None:
            return self
        return JobCaps(
            max_cost_usd=self.max_cost_usd if caps.max_cost_usd is None else caps.max_cost_usd,
            max_tokens=self.max_tokens if caps.max_tokens is None else caps.max_tokens,
        )

    def violations(self) -> list[Violation]:
        """What is wrong with these caps."""
        found = []
        if self.max_cost_usd is not None and not 0 < self.max_cost_usd <= MAX_COST_USD:
            detail = f"must be more than 0 and at most {MAX_COST_USD:,}"
            found.append(Violation(pointer="/max_cost_usd", detail=detail))
        if self.max_tokens is not None and not 1 <= self.max_tokens <= MAX_TOKENS:
            found.append(Violation(pointer="/max_tokens", detail=f"must be 1..{MAX_TOKENS}"))
        return found


class ProviderMode(StrEnum):
    """How providers are asked.

    DIRECT: one document at a time, at once. BATCH: many together by the first provider, within 24
    hours and at its batch price; what its answers leave open is asked directly.
    """

    DIRECT = "direct"
    BATCH = "batch"


class JobPriority(StrEnum):
    """How soon documents of a job are read: before those of the same caller with a lower one.

    Among callers it only weighs: while all wait, a caller's documents of high priority are read
    twice as often as another's of normal, and four times as often as one's of low priority.
    """

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def cost(self) -> int:
        """How far a document of this priority puts off the next turn of its caller."""
        return PRIORITY_COSTS[self]


PRIORITY_COSTS: Final[Mapping[JobPriority, int]] = {
    JobPriority.LOW: 4,
    JobPriority.NORMAL: 2,
    JobPriority.HIGH: 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What is done with every document of a job.

    Attributes:
        schema: name of the schema.
        schema_version: its version, fixed when the job is made.
        providers: who is asked, in order.
        reuse: whether a known result of the same question answers a document.
        mode: how providers are asked.
        priority: how soon.
    """

    schema: str
    schema_version: int
    providers: tuple[str, ...]
    reuse: bool = True
    mode: ProviderMode = ProviderMode.DIRECT
    priority: JobPriority = JobPriority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpending:
    """What calls used.

    Attributes:
        calls: calls to providers, failed ones included.
        usage: their tokens.
        cost_usd: their price; calls without a known price add nothing.
        unpriced_calls: how many of them used tokens of unknown price.
    """

    calls: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: Decimal = Decimal(0)
    unpriced_calls: int = 0

    def __add__(self, other: JobSpending) -> JobSpending:
        return JobSpending(
            calls=self.calls + other.calls,
            usage=self.usage + other.usage,
            cost_usd=self.cost_usd + other.cost_usd,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
        )

    @property
    def of_key(self) -> KeySpending:
        """The same, as it is held against the budget of a key."""
        return KeySpending(
            usd=self.cost_usd, tokens=self.usage.total_tokens, unpriced_calls=self.unpriced_calls
        )

    def reached(self, caps: JobCaps) -> StatusReason | None:
        """The cap that stops a job that used so much."""
        if caps.max_tokens is not None and self.usage.total_tokens >= caps.max_tokens:
            detail = (
                f"{self.usage.total_tokens} of {caps.max_tokens} tokens are used."
                " Resume with a higher max_tokens."
            )
            return StatusReason(code=ReasonCode.TOKEN_CAP, detail=detail)
        if caps.max_cost_usd is None:
            return None
        if self.unpriced_calls:
            detail = (
                "The price of a model is not known, so max_cost_usd cannot be kept."
                " Name the model in LLM_PRICES_FILE, or cap max_tokens in a new job."
            )
            return StatusReason(code=ReasonCode.UNKNOWN_PRICE, detail=detail)
        if self.cost_usd >= caps.max_cost_usd:
            detail = (
                f"{self.cost_usd:.6f} of {caps.max_cost_usd} US dollars are used."
                " Resume with a higher max_cost_usd."
            )
            return StatusReason(code=ReasonCode.COST_CAP, detail=detail)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCounts:
    """How many documents of a job stand how; they add up to `total`."""

    total: int
    pending: int = 0
    running: int = 0
    valid: int = 0
    partial: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def done(self) -> int:
        """Documents that a worker is done with."""
        return self.valid + self.partial + self.refused + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionJob:
    """A job as it stands.

    Attributes:
        id: its identity.
        status: see `JobStatus`.
        reason: why it does not run; None while it does.
        spec: what is done with each document.
        caps: what it may use.
        counts: its documents by state.
        reused: documents that a known result answered.
        spending: what its calls used.
        rate_per_s: documents done a second over the last minute; None when none was.
        waits_until: until then no document is taken, because a provider asked for a pause.
        created_at: when it was made, aware UTC.
        finished_at: when it was completed or cancelled.
        key_id: the key with which it was made; None if without one.
    """

    id: JobId
    status: JobStatus
    reason: StatusReason | None
    spec: JobSpec
    caps: JobCaps
    counts: ItemCounts
    reused: int
    spending: JobSpending
    rate_per_s: float | None
    waits_until: datetime | None
    created_at: datetime
    finished_at: datetime | None
    key_id: ApiKeyId | None = None

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end at the present rate; None when nobody can tell."""
        left = self.counts.pending + self.counts.running
        if self.status is not JobStatus.RUNNING or not self.rate_per_s:
            return None
        return left / self.rate_per_s

    def refusal(
        self, command: JobCommand, caps: JobCaps | None = None, *, used_up: str | None = None
    ) -> Conflict:
        """Why it does not follow `command`.

        Args:
            command: what was asked.
            caps: that were to stand in place of its own.
            used_up: what of its key's model budget is used up; None when there is some left.
        """
        if command is JobCommand.RESUME and self.status in _TRANSITIONS[command][1]:
            reached = self.spending.reached(self.caps.replaced_by(caps))
            if reached is not None:
                return Conflict(f"Job {self.id} would stop again at once: {reached.detail}")
            if used_up is not None:
                return Conflict(
                    f"Job {self.id} would stop again at once: of its key's model budget, {used_up}"
                )
        return Conflict(f"Job {self.id} is {self.status}; it cannot {command}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to make.

    Attributes:
        spec: what is done with each document.
        caps: what it may use.
        key_id: the key with which it is made; None if without one.
    """

    spec: JobSpec
    caps: JobCaps = JobCaps()
    key_id: ApiKeyId | None = None
