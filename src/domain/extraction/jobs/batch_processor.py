"""One batch on its way from its documents to their settlements."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from domain.access.budgets import used_up
from domain.extraction.calls import ExtractionFailure, FailureKind, ModelCallFailed
from domain.extraction.jobs.item_processor import until_answered, without_result
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, ItemState, JobConsequence
from domain.extraction.jobs.model import JobSpending, JobStatus, ReasonCode, StatusReason
from domain.extraction.jobs.reader import DocumentExtractor, ExtractionPlan
from domain.extraction.jobs.settlement import RetryPolicy, give_back, settle_unasked, spending_on
from domain.extraction.service import ExtractionService
from ports.extraction_jobs import ClaimedBatch, ExtractionCache, ExtractionQueue, ProviderBatches
from ports.language_models import Answer, BatchId, BatchLanguageModel, BatchRequest

_TOGETHER: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How batches are made and looked after.

    Attributes:
        documents: of one batch, at most (>= 1).
        poll_s: how often a provider is asked how a batch stands.
        lease_s: after so long without a sign of life another process looks after a batch.
        unsure_s: so long after a submission of unknown end a provider may still show the batch.
        retry_s: wait after a failure of the provider.
        concurrency: answers that are read, and asked again where needed, at once.
    """

    documents: int = 2_000
    poll_s: float = 30.0
    lease_s: float = 60.0
    unsure_s: float = 120.0
    retry_s: float = 60.0
    concurrency: int = 16


async def compose(
    batch: ClaimedBatch,
    plan: ExtractionPlan,
    items: Sequence[ClaimedItem],
    extraction: ExtractionService,
    model: BatchLanguageModel,
) -> tuple[Sequence[BatchRequest], Sequence[ClaimedItem]]:
    """The requests for `items`, and those items for which caps or the provider leave no room.

    One document is asked about in any case: the job still runs.
    """
    room, provider = _Room(batch), plan.chain[0]
    requests: list[BatchRequest] = []
    owners: list[ClaimedItem] = []
    groups = groups_of(items, plan)
    for number, group in enumerate(groups):
        if number % _TOGETHER == 0:
            await asyncio.sleep(0)
        first = group[0]
        prompts = extraction.first_prompts(first.text, plan.schema, provider).values()
        likely = [extraction.likely_call(prompt, provider) for prompt in prompts]
        if not room.takes(spending_on(likely, extraction.prices)) and requests:
            break
        for place, prompt in enumerate(prompts):
            requests.append(BatchRequest(custom_id=name_of(first, place), prompt=prompt))
            owners.append(first)
    fit = model.first_batch(requests) if requests else 0
    if fit < len(requests):
        whole = fit
        while whole and owners[whole] is owners[whole - 1]:
            whole -= 1
        fit = whole or fit  # a document that is too large alone is asked in part, then directly
    asked = {owner.position for owner in owners[:fit]}
    left = [item for group in groups if group[0].position not in asked for item in group]
    return requests[:fit], left


def groups_of(items: Sequence[ClaimedItem], plan: ExtractionPlan) -> list[list[ClaimedItem]]:
    """Documents that one answer serves; the first of each stands for all."""
    if plan.cache_query is None:
        return [[item] for item in items]
    groups: dict[str, list[ClaimedItem]] = {}
    for item in items:
        groups.setdefault(item.text, []).append(item)
    return list(groups.values())


def name_of(item: ClaimedItem, place: int) -> str:
    """The name of the request about one piece of a document, from 0."""
    return f"{item.position}-{place}"


def alike(first: ItemSettlement, item: ClaimedItem) -> ItemSettlement:
    """What becomes of a document whose text is that of another, at no further cost."""
    answered = first.state in {ItemState.VALID, ItemState.PARTIAL}
    return ItemSettlement(
        item=item,
        state=first.state,
        cached=first.extraction.id if answered and first.extraction is not None else None,
        charged=first.charged,
        delay_s=first.delay_s,
        reason=first.reason,
    )


class _Room:
    """What the caps of a job and the budget of its key leave for a batch, by estimate."""

    def __init__(self, batch: ClaimedBatch) -> None:
        self._caps = batch.caps
        self._spending = batch.spending
        self._budget = batch.budget
        self._spent_today = batch.spent_today

    def takes(self, more: JobSpending) -> bool:
        """Whether this still fits; it is counted in any case."""
        fits = self._fits()
        self._spending += more
        self._spent_today += more.of_key
        return fits and self._fits()

    def _fits(self) -> bool:
        return (
            self._spending.reached(self._caps) is None
            and used_up(self._budget, self._spent_today) is None
        )


_log = logging.getLogger(__name__)

BatchModels: TypeAlias = Mapping[str, Callable[[], Awaitable[BatchLanguageModel]]]

_NO_ANSWER: Final = ExtractionFailure(
    kind=FailureKind.SERVER_ERROR, detail="The batch ended without an answer for this text."
)
_UNDOUBTED: Final = frozenset(
    {
        FailureKind.AUTH,
        FailureKind.UNKNOWN_MODEL,
        FailureKind.BAD_REQUEST,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.RATE_LIMITED,
        FailureKind.TOO_LONG,
    }
)
"""Answers of the provider to a submission after which there is no batch."""


class LostBatch(Exception):
    """Another process looks after the batch by now."""


class BatchProcessor:
    """Brings a batch one step further each time: submits it, looks after it, settles it.

    Args:
        batches: where they are kept.
        queue: where documents are settled.
        cache: what was asked before.
        extraction: knows what is asked.
        reader: reads answers, and asks directly where they leave something open.
        models: the providers that take batches; each is opened at its first use.
        retry_policy: how often a document is tried.
        chance: a number from 0 to 1.
        options: how much at once, and how often what.
    """

    def __init__(
        self,
        *,
        batches: ProviderBatches,
        queue: ExtractionQueue,
        cache: ExtractionCache,
        extraction: ExtractionService,
        reader: DocumentExtractor,
        models: BatchModels,
        retry_policy: RetryPolicy,
        chance: Callable[[], float],
        options: BatchOptions,
    ) -> None:
        self._batches = batches
        self._queue = queue
        self._cache = cache
        self._extraction = extraction
        self._reader = reader
        self._models = models
        self._retry_policy = retry_policy
        self._chance = chance
        self._options = options

    async def advance(self, batch: ClaimedBatch) -> float | None:
        """Bring it one step further; returns when to look again, in seconds, None once closed.

        Raises:
            LostBatch: another process looks after it.
        """
        plan = await self._reader.plan(batch.spec)
        provider = batch.spec.providers[0]
        if isinstance(plan, ExtractionPlan) and provider not in self._models:
            plan = _no_batches(provider)
        if isinstance(plan, JobConsequence):
            return await self._stop(batch, plan)
        try:
            model = await self._models[provider]()
            if batch.provider_id is None:
                return await self._submit(batch, plan, model)
            return await self._look(batch, batch.provider_id, plan, model)
        except ModelCallFailed as error:
            _log.warning("batch %s: %s", batch.id, error)
            return error.failure.retry_after_s or self._options.retry_s

    async def _stop(self, batch: ClaimedBatch, consequence: JobConsequence) -> float | None:
        """It cannot be looked after here; what is at the provider already waits for the repair."""
        if batch.job_status is not JobStatus.CANCELLED and (
            batch.provider_id is not None or batch.unsure_s is not None
        ):
            _log.error("batch %s waits: %s", batch.id, consequence.reason.detail)
            return self._options.retry_s
        items = await self._batches.items(batch.id)
        await self._settle(batch, [give_back(item, consequence=consequence) for item in items])
        await self._batches.close(batch.id)
        return None

    # --- on the way to the provider

    async def _submit(
        self, batch: ClaimedBatch, plan: ExtractionPlan, model: BatchLanguageModel
    ) -> float | None:
        if batch.unsure_s is not None:
            # Somebody died on the way, or heard no answer: there may be a batch already.
            if batch.unsure_s < self._options.unsure_s:
                return self._options.unsure_s - batch.unsure_s
            found = await model.find(str(batch.id))
            if found is not None:
                await self._note(batch, provider_id=found)
                return 0.0
        if batch.job_status is not JobStatus.RUNNING:
            await self._batches.close(batch.id)
            return None
        requests = await self._requests(batch, plan, model)
        if not requests:
            await self._batches.close(batch.id)
            return None
        provider = plan.chain[0]
        asked = self._extraction.prompt_hash(plan.schema, provider)
        await self._note(batch, prompt_hash=asked, unsure=True)
        try:
            provider_id = await model.submit(str(batch.id), requests)
        except ModelCallFailed as error:
            failure = error.failure
            if failure.kind not in _UNDOUBTED:
                raise
            await self._note(batch)
            if failure.kind is FailureKind.RATE_LIMITED:
                raise
            await self._end(batch, await self._batches.items(batch.id), failure)
            return None
        await self._note(batch, provider_id=provider_id)
        _log.info(
            "batch %s: %s prompts are %s at %s", batch.id, len(requests), provider_id, provider
        )
        return self._options.poll_s

    async def _requests(
        self, batch: ClaimedBatch, plan: ExtractionPlan, model: BatchLanguageModel
    ) -> Sequence[BatchRequest]:
        """What is asked; documents that need no question or have no room leave the batch."""
        items = await self._answer_known(batch, plan, await self._batches.items(batch.id))
        requests, left = await compose(batch, plan, items, self._extraction, model)
        await self._settle(batch, [give_back(item) for item in left])
        return requests

    # --- at the provider and back

    async def _look(
        self,
        batch: ClaimedBatch,
        provider_id: BatchId,
        plan: ExtractionPlan,
        model: BatchLanguageModel,
    ) -> float | None:
        if batch.job_status is JobStatus.CANCELLED:
            await model.cancel(provider_id)
            await self._batches.close(batch.id)
            return None
        status = await model.status(provider_id)
        if not status.ended:
            return self._options.poll_s
        asked = self._extraction.prompt_hash(plan.schema, plan.chain[0])
        if batch.prompt_hash != asked:
            _log.error(
                "batch %s was asked with another model or prompt than is configured now: its"
                " answers wait. Configure it as it was, or cancel job %s.",
                batch.id,
                batch.job_id,
            )
            return self._options.retry_s
        said: dict[str, Answer | ModelCallFailed] = {}
        async for outcome in model.outcomes(provider_id):
            said[outcome.custom_id] = outcome.result
        items = await self._answer_known(batch, plan, await self._batches.items(batch.id))
        unasked: list[ClaimedItem] = []
        slots = asyncio.Semaphore(self._options.concurrency)
        async with asyncio.TaskGroup() as group:
            for each in groups_of(items, plan):
                pieces = self._extraction.first_prompts(each[0].text, plan.schema, plan.chain[0])
                names = {piece: name_of(each[0], place) for place, piece in enumerate(pieces)}
                given = {piece: said.pop(name) for piece, name in names.items() if name in said}
                if not given:
                    unasked.extend(each)
                    continue
                await slots.acquire()
                task = group.create_task(self._read(batch, each, plan, given))
                task.add_done_callback(lambda _: slots.release())
        await self._end(batch, unasked, status.failure or _NO_ANSWER)
        return None

    async def _read(
        self,
        batch: ClaimedBatch,
        group: Sequence[ClaimedItem],
        plan: ExtractionPlan,
        given: Mapping[str, Answer | ModelCallFailed],
    ) -> None:
        first, *others = group
        settlement = await self._reader.read(first, plan, given)
        extraction = settlement.extraction
        if extraction is not None:
            waited_s = extraction.result.latency_s + batch.age_s
            extraction = replace(extraction, result=replace(extraction.result, latency_s=waited_s))
            settlement = replace(settlement, extraction=extraction)
        same = [alike(settlement, item) for item in others]
        try:
            await self._settle(batch, [settlement, *same])
        except Exception:  # one result that the store does not take must not take others along
            if extraction is None:
                raise
            _log.exception("a result cannot be stored")
            await self._settle(batch, [without_result(each) for each in [settlement, *same]])

    # --- what both ways need

    async def _answer_known(
        self, batch: ClaimedBatch, plan: ExtractionPlan, items: Sequence[ClaimedItem]
    ) -> Sequence[ClaimedItem]:
        """Settle what is known by now; returns the others."""
        query = plan.cache_query
        if query is None or not items:
            return items
        texts = list(dict.fromkeys(item.text for item in items))
        known = await until_answered(lambda: self._cache.lookup(texts, query))
        await self._settle(
            batch,
            [
                ItemSettlement(item=item, state=ItemState(answer.status.value), cached=answer.id)
                for item in items
                if (answer := known.get(item.text)) is not None
            ],
        )
        return [item for item in items if item.text not in known]

    async def _end(
        self, batch: ClaimedBatch, unasked: Sequence[ClaimedItem], failure: ExtractionFailure
    ) -> None:
        """Close the batch, in which some documents were not asked about because of `failure`."""
        if unasked:
            _log.warning(
                "batch %s left out %s documents: %s", batch.id, len(unasked), failure.detail
            )
        await self._settle(
            batch,
            [
                settle_unasked(item, failure, retry_policy=self._retry_policy, chance=self._chance)
                for item in unasked
            ],
        )
        await self._batches.close(batch.id)

    async def _settle(self, batch: ClaimedBatch, settlements: Sequence[ItemSettlement]) -> None:
        if settlements:
            await until_answered(lambda: self._queue.settle(batch.id, settlements))

    async def _note(
        self,
        batch: ClaimedBatch,
        *,
        prompt_hash: str | None = None,
        provider_id: BatchId | None = None,
        unsure: bool = False,
    ) -> None:
        kept = await until_answered(
            lambda: self._batches.note(
                batch, prompt_hash=prompt_hash, provider_id=provider_id, unsure=unsure
            )
        )
        if not kept:
            raise LostBatch


def _no_batches(provider: str) -> JobConsequence:
    detail = (
        f"The worker has no batch API for {provider!r}. Configure openai or gemini as the first"
        " provider of the job, or make a job without batches."
    )
    return JobConsequence(
        reason=StatusReason(code=ReasonCode.MISCONFIGURED, detail=detail), status=JobStatus.FAILED
    )
