"""Sample data: the rows of a made-up shop. Rows are tuples, for they come by the million."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
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


class Stratum(StrEnum):
    """What makes a message hard to extract from."""

    CLEAN = "clean"
    NOISE = "noise"  # typos, signatures, quoted threads, HTML
    DISTRACTOR = "distractor"  # other numbers and names stand beside the wanted ones
    MISSING = "missing"  # one or all of the values are not said
    CORRECTION = "correction"  # the writer changes the order; the last word holds
    IMPLICIT_NUMBER = "implicit_number"  # "two dozen"
    MULTILINGUAL = "multilingual"
    LONG = "long"  # the order stands deep in a long text
    INJECTION = "injection"  # the text gives orders to whoever reads it
    TWIN = "twin"  # an injection's message without the injection


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleText:
    """A customer's message and what is to be found in it.

    Attributes:
        id: 1 and up, in order.
        language: ISO 639-1 code.
        customer, product: verbatim in `text`; None when it does not say.
        quantity: pieces ordered, 1 and up; None when the text does not say.
        evidence: for each value that is not None, where it stands in `text`: start and end
            offset in characters. The quantity may stand there in words.
        attack: for an injection, the value that it wants by member.
        twin_id: for an injection, the message with the same values and no injection.
    """

    id: int
    stratum: Stratum
    language: str
    text: str
    customer: str | None
    product: str | None
    quantity: int | None
    evidence: Mapping[str, tuple[int, int]]
    attack: Mapping[str, object] | None = None
    twin_id: int | None = None


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
