"""Sample data: the rows of a made-up shop. Rows are tuples, for they come by the million."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from domain.errors import InvalidInput, Violation


class UserRow(NamedTuple):
    """A row of `users`; `created_at` is aware UTC."""

    id: int
    name: str
    email: str
    created_at: datetime


class OrderRow(NamedTuple):
    """A row of `orders` without its id; `order_date` is aware UTC."""

    user_id: int
    product_name: str
    quantity: int
    order_date: datetime


class ClickRow(NamedTuple):
    """A row of `search_clicks` without its id."""

    search_query: str
    clicks: int
    impressions: int
    click_through_rate: float | None
    search_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """How much is made, and from what.

    Attributes:
        users, orders, clicks, texts: rows, 0 and up; orders need at least one user.
        seed: the same seed and `until` give the same rows.
        until: the last day of the data; a UTC day.
    """

    users: int
    orders: int
    clicks: int
    texts: int
    seed: int
    until: date

    def __post_init__(self) -> None:
        found = [
            Violation(pointer=name, detail="must not be negative")
            for name in ("users", "orders", "clicks", "texts")
            if getattr(self, name) < 0
        ]
        if self.orders and not self.users:
            found.append(Violation(pointer="users", detail="must be at least 1 for orders"))
        if found:
            raise InvalidInput.of(found)
