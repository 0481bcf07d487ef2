"""What the contract suites of the records ask of an adapter, and what they start from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import pytest

from domain.records.orders import Order, OrderDraft
from domain.records.users import User, UserDraft, UserId
from ports.records import OrderRepository, UserRepository
from ports.unit_of_work import UnitOfWorkFactory
from tests.contracts.contract import Contract

_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """One store that starts empty.

    Attributes:
        users, orders: outside of any unit; each call is a transaction of its own.
        let_pass: makes everything that is stored older by so much.
    """

    users: UserRepository
    orders: OrderRepository
    open_unit: UnitOfWorkFactory
    let_pass: Callable[[timedelta], Awaitable[None]]


class RecordsContract(Contract):
    """A suite over `records`."""

    @pytest.fixture
    def records(self) -> Records:
        raise NotImplementedError


def a_user(name: str = "Ann Lee", email: str | None = None) -> UserDraft:
    """A user with an e-mail of its own."""
    return UserDraft(name=name, email=email or f"ann.{next(_numbers)}@example.com")


def an_order(user_id: UserId, product_name: str = "oak chair", quantity: int = 2) -> OrderDraft:
    """An order without a date."""
    return OrderDraft(user_id=user_id, product_name=product_name, quantity=quantity)


async def stored_user(records: Records) -> User:
    """A user who is there already."""
    return await records.users.add(a_user())


async def stored_order(records: Records) -> Order:
    """An order that is there already, of a user of its own."""
    return await records.orders.add(an_order((await stored_user(records)).id))
