"""What a key may spend on language models in a day of UTC, and what follows once that is spent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from typing import Final
from weakref import WeakValueDictionary

from domain.access.model import NO_BUDGET, ApiKeyId, Caller, KeySpending, ModelBudget
from domain.errors import ModelBudgetUsedUp
from ports.access import ModelSpendingReader
from ports.clock import Clock

USED_UP: Final = (
    "The model budget of the job's key is used up for today. It goes on by itself after midnight"
    " (UTC), or once the budget is raised."
)
"""Why a job is paused."""


def used_up(budget: ModelBudget, spent: KeySpending) -> str | None:
    """What of a budget is used up, in a sentence; None while there is some left.

    A budget in dollars cannot be kept with calls of unknown price, and so counts as used up.
    """
    if budget.tokens is not None and spent.tokens >= budget.tokens:
        return f"{spent.tokens} of {budget.tokens} tokens a day are used."
    if budget.usd is None:
        return None
    if spent.unpriced_calls:
        return (
            "The price of a model is not known, so a budget in US dollars cannot be kept. Name the"
            " model in LLM_PRICES_FILE, or give the key a budget in tokens."
        )
    if spent.usd >= budget.usd:
        return f"{spent.usd:.6f} of {budget.usd} US dollars a day are used."
    return None


def until_midnight_s(now: datetime) -> float:
    """Seconds until the next day of UTC begins, > 0."""
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return (midnight - now).total_seconds()


class ModelBudgets:
    """Stops callers who spent what they may.

    Args:
        clock: says when a day of UTC ends.
        at_once: requests of one key with a budget that ask a model at once, in this process (>= 1).
    """

    def __init__(self, *, clock: Clock, at_once: int) -> None:
        self._clock = clock
        self._at_once = at_once
        self._turns: WeakValueDictionary[ApiKeyId, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, caller: Caller, spending: ModelSpendingReader) -> AsyncIterator[None]:
        """Ask a model, and store what that cost, inside the block, which waits for its turn.

        So whoever asks for much at once spends no more than `at_once` calls beyond the budget.

        Args:
            caller: who asks.
            spending: what keys spent today.

        Raises:
            ModelBudgetUsedUp: none of its budget is left.
        """
        if not has_budget(caller):
            yield
            return
        assert caller.key_id is not None
        turns = self._turns.setdefault(caller.key_id, asyncio.Semaphore(self._at_once))
        async with turns:
            await self.check(caller, spending)
            yield

    async def check(self, caller: Caller, spending: ModelSpendingReader) -> None:
        """Make sure that a caller has some of its budget left before a model is asked for it.

        What is under way is not counted before it is stored: so much may be spent beyond.

        Args:
            caller: who asks.
            spending: what keys spent today.

        Raises:
            ModelBudgetUsedUp: it has none left.
        """
        if not has_budget(caller):
            return
        assert caller.key_id is not None
        detail = used_up(caller.budget, await spending.today(caller.key_id))
        if detail is not None:
            raise ModelBudgetUsedUp(
                f"The model budget of this key is used up for today: {detail}",
                retry_after_s=until_midnight_s(self._clock.now()),
            )


def has_budget(caller: Caller) -> bool:
    """Whether what a caller spends on language models is limited."""
    return caller.key_id is not None and caller.budget != NO_BUDGET
