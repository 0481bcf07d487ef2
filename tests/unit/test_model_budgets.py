"""What a key may spend on language models in a day; the fake keeps what the port promises."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.access.budgets import ModelBudgets, has_budget, until_midnight_s, used_up
from domain.access.model import (
    NO_BUDGET,
    ApiKeyId,
    Caller,
    CallerKind,
    KeySpending,
    ModelBudget,
)
from domain.errors import ModelBudgetUsedUp
from tests.contracts.model_spending import ModelSpendingContract, SpendingStore
from tests.fakes.access import MemoryModelSpending
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory


class TestMemoryModelSpending(ModelSpendingContract):
    @pytest.fixture
    def store(self) -> SpendingStore:
        clock = StandingClock()
        tables = RecordTables(clock=clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        return SpendingStore(
            reader=MemoryModelSpending(tables.spending),
            open_unit=MemoryUnitOfWorkFactory(tables),
            new_key=tables.new_key,
            replaced=tables.replaced,
            let_pass=let_pass,
        )


def spent(usd: str = "0", tokens: int = 0, unpriced_calls: int = 0) -> KeySpending:
    return KeySpending(usd=Decimal(usd), tokens=tokens, unpriced_calls=unpriced_calls)


@pytest.mark.parametrize(
    ("budget", "spending", "detail"),
    [
        (NO_BUDGET, spent("9", 9, 9), None),
        (ModelBudget(tokens=10), spent("9", 9, 9), None),
        (ModelBudget(tokens=10), spent(tokens=10), "10 of 10 tokens a day are used."),
        (ModelBudget(tokens=0), spent(), "0 of 0 tokens a day are used."),
        (ModelBudget(usd=Decimal(2)), spent("1.999999999"), None),
        (ModelBudget(usd=Decimal(2)), spent("2"), "2.000000 of 2 US dollars a day are used."),
        (ModelBudget(usd=Decimal(2), tokens=9), spent("1", 9), "9 of 9 tokens a day are used."),
    ],
)
def test_a_budget_is_used_up_when_as_much_is_spent(
    budget: ModelBudget, spending: KeySpending, detail: str | None
) -> None:
    assert used_up(budget, spending) == detail


def test_dollars_cannot_be_kept_with_a_price_that_is_not_known() -> None:
    detail = used_up(ModelBudget(usd=Decimal(2)), spent(unpriced_calls=1))
    assert detail is not None
    assert "LLM_PRICES_FILE" in detail


def test_a_day_ends_at_midnight_in_utc() -> None:
    assert until_midnight_s(datetime(2026, 12, 31, 23, 59, 59, 500_000, UTC)) == 0.5
    assert until_midnight_s(datetime(2026, 12, 31, tzinfo=UTC)) == 86_400


def caller(kind: CallerKind, key_id: ApiKeyId | None, budget: ModelBudget) -> Caller:
    return Caller(
        kind=kind, subject="s", name="n", scopes=frozenset(), key_id=key_id, budget=budget
    )


async def test_a_key_that_spent_its_budget_is_refused_until_midnight() -> None:
    tables = RecordTables(clock=StandingClock(datetime(2026, 11, 29, 22, tzinfo=UTC)))
    budgets, reader = (
        ModelBudgets(clock=tables.clock, at_once=2),
        MemoryModelSpending(tables.spending),
    )
    key_id = await tables.new_key(ModelBudget(tokens=100))
    asking = caller(CallerKind.KEY, key_id, ModelBudget(tokens=100))
    tables.spending.spend(key_id, spent(tokens=99), [])
    await budgets.check(asking, reader)
    tables.spending.spend(key_id, spent(tokens=99), [])
    with pytest.raises(ModelBudgetUsedUp, match="198 of 100 tokens") as refused:
        await budgets.check(asking, reader)
    assert refused.value.retry_after_s == 7200


@pytest.mark.parametrize(
    ("kind", "key_id", "budget"),
    [
        (CallerKind.KEY, ApiKeyId(1), NO_BUDGET),
        (CallerKind.TOKEN, None, NO_BUDGET),
        (CallerKind.COMMAND, None, NO_BUDGET),
    ],
)
async def test_who_has_no_budget_is_asked_for_nothing(
    kind: CallerKind, key_id: ApiKeyId | None, budget: ModelBudget
) -> None:
    tables = RecordTables(clock=StandingClock())
    asking = caller(kind, key_id, budget)
    assert not has_budget(asking)
    tables.spending.spend(ApiKeyId(1), spent("9", 9, 9), [])
    await ModelBudgets(clock=tables.clock, at_once=2).check(
        asking, MemoryModelSpending(tables.spending)
    )


async def test_of_many_requests_at_once_a_few_spend_and_the_others_see_it() -> None:
    tables = RecordTables(clock=StandingClock())
    budgets, reader = (
        ModelBudgets(clock=tables.clock, at_once=2),
        MemoryModelSpending(tables.spending),
    )
    key_id = await tables.new_key(ModelBudget(tokens=100))
    asking, free = [
        caller(CallerKind.KEY, key_id, budget) for budget in (ModelBudget(tokens=100), NO_BUDGET)
    ]
    under_way: list[int] = []

    async def ask(who: Caller) -> None:
        async with budgets.turn(who, reader):
            under_way.append(1)
            await asyncio.sleep(0)
            if who is asking:
                assert len(under_way) <= 2
            under_way.pop()
            tables.spending.spend(key_id, spent(tokens=40), [])

    outcomes = await asyncio.gather(*(ask(asking) for _ in range(50)), return_exceptions=True)
    assert 3 <= outcomes.count(None) <= 4
    assert all(isinstance(each, ModelBudgetUsedUp) for each in outcomes if each is not None)
    await asyncio.gather(*(ask(free) for _ in range(5)))
