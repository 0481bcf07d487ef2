"""What is asked in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from domain.extraction.service import ExtractionService
from domain.jobs.items import ClaimedItem, ItemState, Settlement
from domain.jobs.model import Spending
from domain.jobs.reading import Plan
from domain.jobs.settling import spending_on
from ports.batch_language_model import BatchLanguageModel, BatchRequest
from ports.provider_batches import OpenBatch

_TOGETHER: Final = 50


async def compose(
    batch: OpenBatch,
    plan: Plan,
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


def groups_of(items: Sequence[ClaimedItem], plan: Plan) -> list[list[ClaimedItem]]:
    """Documents that one answer serves; the first of each stands for all."""
    if plan.question is None:
        return [[item] for item in items]
    groups: dict[str, list[ClaimedItem]] = {}
    for item in items:
        groups.setdefault(item.text, []).append(item)
    return list(groups.values())


def name_of(item: ClaimedItem, place: int) -> str:
    """The name of the request about one piece of a document, from 0."""
    return f"{item.position}-{place}"


def alike(first: Settlement, item: ClaimedItem) -> Settlement:
    """What becomes of a document whose text is that of another, at no further cost."""
    answered = first.state in {ItemState.VALID, ItemState.PARTIAL}
    return Settlement(
        item=item,
        state=first.state,
        known=first.extraction.id if answered and first.extraction is not None else None,
        charged=first.charged,
        delay_s=first.delay_s,
        reason=first.reason,
    )


class _Room:
    """What the caps of a job leave for a batch, by estimate."""

    def __init__(self, batch: OpenBatch) -> None:
        self._caps = batch.caps
        self._spending = batch.spending

    def takes(self, more: Spending) -> bool:
        """Whether this still fits; it is counted in any case."""
        fits = self._spending.reached(self._caps) is None
        self._spending += more
        return fits and self._spending.reached(self._caps) is None
