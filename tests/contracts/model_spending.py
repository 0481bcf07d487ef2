"""What every store of what keys spend on language models promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.access.audit import Actor, acting_as
from domain.access.model import NO_BUDGET, ApiKeyId, CallerKind, KeySpending
from domain.extraction.model import Extraction, ExtractionStatus
from ports.access import ModelSpendingReader
from ports.unit_of_work import UnitOfWorkFactory
from tests.contracts.contract import Contract
from tests.contracts.extraction_jobs import SPENT, a_result

NOBODY = ApiKeyId(2_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingStore:
    """A store in which nothing is spent yet.

    Attributes:
        new_key: makes a key.
        replaced: makes a key in the place of another.
        let_pass: moves what is stored into the past.
    """

    reader: ModelSpendingReader
    open_unit: UnitOfWorkFactory
    new_key: Callable[..., Awaitable[ApiKeyId]]
    replaced: Callable[[ApiKeyId], Awaitable[ApiKeyId]]
    let_pass: Callable[[timedelta], Awaitable[None]]

    async def add(
        self, extraction: Extraction, key_id: ApiKeyId | None, *, commit: bool = True
    ) -> None:
        """Store a result on behalf of a key, or of a command."""
        kind = CallerKind.COMMAND if key_id is None else CallerKind.KEY
        with acting_as(Actor(kind=kind, subject="a test", key_id=key_id)):
            async with self.open_unit() as unit:
                await unit.extractions.add(extraction)
                if key_id is not None:
                    assert (await unit.model_spending.today(key_id)).tokens
                if commit:
                    await unit.commit()


class ModelSpendingContract(Contract):
    """Subclasses give `store`."""

    @pytest.fixture
    def store(self) -> SpendingStore:
        raise NotImplementedError

    async def test_at_first_nothing_is_spent(self, store: SpendingStore) -> None:
        assert await store.reader.today(await store.new_key(NO_BUDGET)) == KeySpending()
        assert await store.reader.today(NOBODY) == KeySpending()

    async def test_stored_results_are_counted_for_their_key_those_that_failed_too(
        self, store: SpendingStore
    ) -> None:
        key_id, other = [await store.new_key(NO_BUDGET) for _ in range(2)]
        await store.add(a_result("a"), key_id)
        await store.add(a_result("b", ExtractionStatus.FAILED), key_id)
        await store.add(a_result("c"), None)
        assert await store.reader.today(key_id) == SPENT.of_key + SPENT.of_key
        assert await store.reader.today(other) == KeySpending()

    async def test_a_result_that_is_not_committed_is_not_counted(
        self, store: SpendingStore
    ) -> None:
        key_id = await store.new_key(NO_BUDGET)
        await store.add(a_result("a"), key_id, commit=False)
        assert await store.reader.today(key_id) == KeySpending()

    async def test_calls_of_unknown_price_are_counted_apart(self, store: SpendingStore) -> None:
        key_id = await store.new_key(NO_BUDGET)
        await store.add(a_result("a", cost_usd=None), key_id)
        expected = KeySpending(usd=Decimal(0), tokens=110, unpriced_calls=1)
        assert await store.reader.today(key_id) == expected

    async def test_a_new_day_begins_with_nothing(self, store: SpendingStore) -> None:
        key_id = await store.new_key(NO_BUDGET)
        await store.add(a_result("a"), key_id)
        await store.let_pass(timedelta(days=1))
        assert await store.reader.today(key_id) == KeySpending()

    async def test_keys_that_replace_one_another_have_one_account(
        self, store: SpendingStore
    ) -> None:
        first = await store.new_key(NO_BUDGET)
        await store.add(a_result("a"), first)
        second = await store.replaced(first)
        assert await store.reader.today(second) == SPENT.of_key
        third = await store.replaced(second)
        await store.add(a_result("b"), third)
        for key_id in (first, second, third):
            assert await store.reader.today(key_id) == replace(
                SPENT.of_key, usd=Decimal("0.002"), tokens=220
            )
