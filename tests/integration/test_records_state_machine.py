"""Memory and PostgreSQL walk through the same random histories and never disagree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)

from adapters.postgres.pool import Database
from adapters.postgres.records.orders import PostgresOrderRepository
from adapters.postgres.records.users import PostgresUserRepository
from domain.errors import AppError, InvalidInput
from domain.records.orders import MAX_INT, Order, OrderChanges, OrderDraft, OrderFilter, OrderId
from domain.records.users import User, UserChanges, UserDraft, UserId
from ports.records import OrderRepository, UserRepository
from tests.fakes.records import MemoryOrderRepository, MemoryUserRepository
from tests.fakes.system import StandingClock
from tests.fakes.tables import RecordTables
from tests.integration.records import emptied

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
emails = st.sampled_from(
    [
        *("a@x.org", "A@x.org", "b@x.org", "é@x.org", "É@x.org", "İ@x.org", "Σ@x"),
        *("e\u0301@x.org", "a@bü.x", "a@BU\u0308.x", "a@xn--b-eha.x", "a@\uff58.org", "a@xn--.x"),
    ]
)
versions = st.none() | st.frozensets(st.integers(0, 4), max_size=3)
quantities = st.integers(1, MAX_INT)
START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 2 * 86400).map(lambda seconds: START + timedelta(seconds=seconds))
Pair = tuple[int, int]
"""The id of one row in memory, and in PostgreSQL, where a refused insert uses a number up."""

NOBODY: Pair = (MAX_INT, MAX_INT)


@dataclass(frozen=True, slots=True)
class Side:
    """One store, and the number of each of its rows in order of their making."""

    users: UserRepository
    orders: OrderRepository
    user_numbers: dict[int | None, int]
    order_numbers: dict[int, int]

    def plain(self, found: Any) -> Any:
        """`found` in a form that is the same on both sides: no ids, no times of the clock."""
        if isinstance(found, User):
            return self.user_numbers[found.id], found.name, found.email, found.version
        if isinstance(found, Order):
            return (
                self.order_numbers[found.id],
                self.user_numbers[found.user_id],
                found.product_name,
                found.quantity,
                found.order_date,
                found.version,
            )
        if isinstance(found, InvalidInput):
            return type(found), found.violations
        if isinstance(found, AppError):
            return type(found)
        if isinstance(found, Sequence):
            return [self.plain(each) for each in found]
        return found


class Records(RuleBasedStateMachine):
    """Each rule does the same on both sides and compares what came of it."""

    loop: asyncio.AbstractEventLoop
    database: Database

    users: Bundle[Pair] = Bundle("users")
    orders: Bundle[Pair] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        for table in ("orders", "users"):
            emptying = self.database.execute(f"DELETE FROM {table}")  # noqa: S608
            self.loop.run_until_complete(emptying)
        tables = RecordTables(clock=StandingClock())
        self.sides = (
            Side(MemoryUserRepository(tables), MemoryOrderRepository(tables), {}, {}),
            Side(
                PostgresUserRepository(self.database),
                PostgresOrderRepository(self.database),
                {},
                {},
            ),
        )

    def both(self, do: Callable[[Side, int], Awaitable[Any]]) -> list[Any]:
        outcomes = []
        for place, side in enumerate(self.sides):
            try:
                outcome = self.loop.run_until_complete(_awaited(do(side, place)))
            except AppError as error:
                outcome = error
            if isinstance(outcome, User):
                side.user_numbers.setdefault(outcome.id, len(side.user_numbers))
            if isinstance(outcome, Order):
                side.order_numbers.setdefault(outcome.id, len(side.order_numbers))
            outcomes.append(outcome)
        ours, theirs = (side.plain(each) for side, each in zip(self.sides, outcomes, strict=True))
        assert ours == theirs
        return outcomes

    @rule(target=users, name=names, email=emails)
    def add_user(self, name: str, email: str) -> Any:
        draft = UserDraft(name=name, email=email)
        made = self.both(lambda side, _: side.users.add(draft))
        return (made[0].id, made[1].id) if isinstance(made[0], User) else multiple()

    @rule(user=users, name=st.none() | names, email=st.none() | emails, if_version=versions)
    def change_user(
        self, user: Pair, name: str | None, email: str | None, if_version: frozenset[int] | None
    ) -> None:
        changes = UserChanges(name=name, email=email)
        self.both(
            lambda side, at: side.users.change(UserId(user[at]), changes, if_version=if_version)
        )

    @rule(user=users, if_version=versions)
    def delete_user(self, user: Pair, if_version: frozenset[int] | None) -> None:
        self.both(lambda side, at: side.users.delete(UserId(user[at]), if_version=if_version))

    @rule(
        target=orders,
        user=users | st.just(NOBODY),
        name=names,
        quantity=quantities,
        moment=moments,
    )
    def add_order(self, user: Pair, name: str, quantity: int, moment: datetime) -> Any:
        made = self.both(
            lambda side, at: side.orders.add(
                OrderDraft(
                    user_id=UserId(user[at]),
                    product_name=name,
                    quantity=quantity,
                    order_date=moment,
                )
            )
        )
        return (made[0].id, made[1].id) if isinstance(made[0], Order) else multiple()

    @rule(
        order=orders,
        user=st.none() | users | st.just(NOBODY),
        quantity=st.none() | quantities,
        moment=st.none() | moments,
        if_version=versions,
    )
    def change_order(
        self,
        order: Pair,
        user: Pair | None,
        quantity: int | None,
        moment: datetime | None,
        if_version: frozenset[int] | None,
    ) -> None:
        self.both(
            lambda side, at: side.orders.change(
                OrderId(order[at]),
                OrderChanges(
                    user_id=None if user is None else UserId(user[at]),
                    quantity=quantity,
                    order_date=moment,
                ),
                if_version=if_version,
            )
        )

    @rule(order=orders, if_version=versions)
    def delete_order(self, order: Pair, if_version: frozenset[int] | None) -> None:
        self.both(lambda side, at: side.orders.delete(OrderId(order[at]), if_version=if_version))

    @rule(order=consumes(orders))
    def forget_order(self, order: Pair) -> None:
        self.both(lambda side, at: side.orders.get(OrderId(order[at])))

    @rule(limit=st.integers(1, 3), before=st.none() | users, email=st.none() | emails)
    def list_users(self, limit: int, before: Pair | None, email: str | None) -> None:
        self.both(
            lambda side, at: side.users.page(
                limit=limit, before=None if before is None else UserId(before[at]), email=email
            )
        )

    @rule(
        limit=st.integers(1, 3),
        before=st.none() | orders,
        user=st.none() | users,
        since=st.none() | moments,
        days=st.none() | st.integers(0, 2),
    )
    def list_orders(
        self,
        limit: int,
        before: Pair | None,
        user: Pair | None,
        since: datetime | None,
        days: int | None,
    ) -> None:
        self.both(
            lambda side, at: side.orders.page(
                OrderFilter(
                    user_id=None if user is None else UserId(user[at]),
                    since=since,
                    until=None if days is None else START + timedelta(days=days),
                ),
                limit=limit,
                before=None if before is None else OrderId(before[at]),
            )
        )

    def teardown(self) -> None:
        self.both(lambda side, _: side.users.page(limit=99))
        self.both(lambda side, _: side.orders.page(OrderFilter(), limit=99))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


@pytest.fixture
def machine(module_database_url: str) -> Iterator[type[Records]]:
    # A loop of its own: the rules are synchronous, and the tests' loop stands still meanwhile.
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    try:
        opened = loop.run_until_complete(stack.enter_async_context(emptied(module_database_url)))
        yield type("OpenRecords", (Records,), {"loop": loop, "database": opened})
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()


def test_memory_and_postgres_give_the_same_answers_to_any_history(machine: type[Records]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=40, stateful_step_count=30),
    )
