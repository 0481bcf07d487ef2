"""What becomes of a document after a try to read it, and of its job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    JobEffect,
    PriceTable,
    TokenUsage,
)
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, ItemState, JobConsequence
from domain.extraction.jobs.model import ExtractionJob, JobSpending, JobStatus, StatusReason
from domain.extraction.model import Extraction, ExtractionResult, ExtractionStatus

_UNCHARGED: Final = frozenset({FailureKind.RATE_LIMITED, FailureKind.CIRCUIT_OPEN})
_BLIND_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a document is tried.

    Attributes:
        attempts: charged attempts after which a failure stands (>= 1).
        first_delay_s: wait after the first of them; it doubles each time.
        longest_delay_s: where the doubling ends.
    """

    attempts: int = 5
    first_delay_s: float = 2.0
    longest_delay_s: float = 120.0

    def delay_s(self, attempts: int, chance: Callable[[], float]) -> float:
        """The wait after so many charged attempts (>= 1), spread from half of it to all of it.

        Args:
            attempts: failed attempts so far.
            chance: a number from 0 to 1.
        """
        full = min(self.longest_delay_s, self.first_delay_s * 2.0 ** (attempts - 1))
        return full * (0.5 + chance() / 2)


def settle(
    item: ClaimedItem,
    extraction: Extraction,
    *,
    retry_policy: RetryPolicy,
    chance: Callable[[], float],
    cache_key: bytes | None = None,
) -> ItemSettlement:
    """What a result means for its document and its job.

    A success or a failure of the text itself is its end. A provider's passing failure gives the
    document back: charged and after a delay, or, when the provider asked to wait, uncharged with a
    wait for the whole job. What no text can get around stops or pauses the job, uncharged.

    Args:
        item: the document.
        extraction: what reading it came to.
        retry_policy: how often it is tried.
        chance: a number from 0 to 1, to spread what would come back together.
        cache_key: the reservation to end with it.
    """
    result = extraction.result
    spending = spending_of(result)
    failure = result.failure
    if failure is None:
        return ItemSettlement(
            item=item,
            state=ItemState(result.status.value),
            extraction=extraction,
            spending=spending,
            cache_key=cache_key,
        )
    return _failed(
        ItemSettlement(
            item=item,
            state=ItemState.REFUSED
            if result.status is ExtractionStatus.REFUSED
            else ItemState.FAILED,
            extraction=extraction,
            spending=spending,
            cache_key=cache_key,
        ),
        failure,
        retry_policy,
        chance,
    )


def settle_unasked(
    item: ClaimedItem,
    failure: ExtractionFailure,
    *,
    retry_policy: RetryPolicy,
    chance: Callable[[], float],
) -> ItemSettlement:
    """What it means for a document that nobody was asked about it, although that was the plan."""
    ended = ItemSettlement(item=item, state=ItemState.FAILED)
    return _failed(ended, failure, retry_policy, chance)


def _failed(
    ended: ItemSettlement,
    failure: ExtractionFailure,
    retry_policy: RetryPolicy,
    chance: Callable[[], float],
) -> ItemSettlement:
    """`ended` if the failure stands, else its document back in the queue."""
    reason = StatusReason(code=failure.kind, detail=failure.detail)
    effect = failure.policy.job
    charged = effect is JobEffect.RETRY_ITEM and failure.kind not in _UNCHARGED
    attempts = ended.item.attempts + charged
    if effect is JobEffect.FAIL_ITEM or (charged and attempts >= retry_policy.attempts):
        return replace(ended, charged=charged, reason=reason)
    consequence = None
    if effect is JobEffect.STOP:
        consequence = JobConsequence(reason=reason, status=JobStatus.FAILED)
    elif effect is JobEffect.PAUSE:
        consequence = JobConsequence(reason=reason, status=JobStatus.PAUSED)
    elif not charged:
        consequence = JobConsequence(reason=reason, wait_s=failure.retry_after_s or _BLIND_WAIT_S)
    return replace(
        ended,
        state=ItemState.PENDING,
        extraction=None,
        charged=charged,
        delay_s=retry_policy.delay_s(attempts, chance) if charged else 0.0,
        reason=reason,
        consequence=consequence,
    )


def settle_broken(
    item: ClaimedItem, *, retry_policy: RetryPolicy, chance: Callable[[], float]
) -> ItemSettlement:
    """The document made us fail, not the provider: tried again as often as any other."""
    attempts = item.attempts + 1
    ended = attempts >= retry_policy.attempts
    return ItemSettlement(
        item=item,
        state=ItemState.FAILED if ended else ItemState.PENDING,
        charged=True,
        delay_s=0.0 if ended else retry_policy.delay_s(attempts, chance),
        reason=StatusReason(
            code="internal", detail="Reading this text failed in a way not foreseen."
        ),
    )


def give_back(
    item: ClaimedItem,
    *,
    consequence: JobConsequence | None = None,
    cache_key: bytes | None = None,
) -> ItemSettlement:
    """The document was not tried."""
    return ItemSettlement(
        item=item, state=ItemState.PENDING, consequence=consequence, cache_key=cache_key
    )


def spending_of(result: ExtractionResult) -> JobSpending:
    """What the calls behind a result used."""
    return _spending(result.attempts, result.cost_usd)


def spending_on(attempts: Sequence[Attempt], prices: PriceTable) -> JobSpending:
    """What calls used."""
    return _spending(attempts, prices.cost(attempts))


def _spending(attempts: Sequence[Attempt], cost_usd: Decimal | None) -> JobSpending:
    priced = cost_usd is not None
    return JobSpending(
        calls=len(attempts),
        usage=sum((attempt.usage for attempt in attempts), TokenUsage()),
        cost_usd=cost_usd or Decimal(0),
        unpriced_calls=0 if priced else sum(each.usage.total_tokens > 0 for each in attempts),
    )


def next_status(
    job: ExtractionJob, consequences: Sequence[JobConsequence] = ()
) -> tuple[JobStatus, StatusReason | None]:
    """How a job stands after documents of it were settled.

    A job whose documents are all done is completed, whatever stopped it meanwhile; one that does
    not run stays as it is; else a failure comes before a pause, and a pause before a used-up cap.

    Args:
        job: with the settled documents counted.
        consequences: what the settled documents mean for it.
    """
    if job.status is not JobStatus.CANCELLED and job.counts.done == job.counts.total:
        return JobStatus.COMPLETED, None
    if job.status is not JobStatus.RUNNING:
        return job.status, job.reason
    for status in (JobStatus.FAILED, JobStatus.PAUSED):
        for consequence in consequences:
            if consequence.status is status:
                return status, consequence.reason
    reached = job.spending.reached(job.caps)
    return (JobStatus.RUNNING, None) if reached is None else (JobStatus.PAUSED, reached)
