"""Orders: what they are and what may be said of them. No I/O, no clock, no ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from domain.errors import Violation
from domain.records.users import UserId
from domain.text import label_problem

OrderId = NewType("OrderId", int)

MAX_INT: Final = 2_147_483_647
"""The largest value of an INT column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as stored.

    A row that another program wrote may lack user, quantity or date: the columns allow it.

    Attributes:
        id: 1..2,147,483,647, given by the database.
        product_name: 1..255 characters, not blank, as typed.
        quantity: 1..2,147,483,647.
        order_date: aware UTC.
        version: 1 and up, one more with every change.
    """

    id: OrderId
    user_id: UserId | None
    product_name: str
    quantity: int | None
    order_date: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """An order that is to be stored; without `order_date` the database gives the time."""

    user_id: UserId
    product_name: str
    quantity: int
    order_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanges:
    """What is to change; None leaves a member as it is.

    An order's date never changes: `order_date`, when given, must be the stored one.
    """

    user_id: UserId | None = None
    product_name: str | None = None
    quantity: int | None = None
    order_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders a list holds; None does not restrict.

    Attributes:
        product_name: this name to the letter.
        since: `order_date` at or after, aware.
        until: `order_date` before, aware.
    """

    user_id: UserId | None = None
    product_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def order_violations(members: Mapping[str, object]) -> list[Violation]:
    """What is wrong with well-typed members; absent ones and None are right."""
    found = []
    for name in ("user_id", "quantity"):
        value = members.get(name)
        if isinstance(value, int) and not 1 <= value <= MAX_INT:
            found.append(Violation(pointer=f"/{name}", detail=f"must be in 1..{MAX_INT}"))
    product_name = members.get("product_name")
    problem = label_problem(product_name) if isinstance(product_name, str) else None
    if problem is not None:
        found.append(Violation(pointer="/product_name", detail=problem))
    return found


ORDER_DATE_IS_FIXED = Violation(
    pointer="/order_date", detail="cannot be changed; leave it out or send the stored value"
)

USER_DOES_NOT_EXIST = Violation(pointer="/user_id", detail="no user has this id")
