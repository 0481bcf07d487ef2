"""Users and orders of the made-up shop, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

from domain.samples.calendar import busy_days, moment, seeded
from domain.samples.catalogue import PRODUCTS
from domain.samples.model import OrderRow, SampleSize, UserRow
from domain.samples.people import person

_OPEN_DAYS: Final = 730
"""How long the shop has been open, in days."""
_QUANTITIES: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 24)
_QUANTITY_WEIGHTS: Final = list(accumulate((560, 210, 70, 55, 25, 30, 15, 15, 12, 8)))
_PRODUCT_WEIGHTS: Final = list(accumulate(1 / (rank + 2) for rank in range(len(PRODUCTS))))
_MAIL_HOSTS: Final = ("example.com", "example.org", "example.net", "mail.example")


def users(size: SampleSize, *, first_id: int) -> Iterator[UserRow]:
    """`size.users` people with ids from `first_id`; the id in the address keeps it unique."""
    rng = seeded(size.seed, "users")
    user_id = first_id
    for day, count in _signups(size):
        for nth in range(count):
            someone = person(rng)
            email = f"{someone.latin}.{user_id}@{rng.choice(_MAIL_HOSTS)}"
            created_at = moment(day, (nth + rng.random()) / count)
            yield UserRow(user_id, someone.name, email, created_at)
            user_id += 1


def orders(size: SampleSize, *, first_user_id: int) -> Iterator[OrderRow]:
    """`size.orders` orders of the users above, none before its user signed up.

    Early users order more than late ones, and best sellers are ordered most.
    """
    if size.orders == 0:
        return
    rng = seeded(size.seed, "orders")
    known = 0
    signups = _signups(size)
    days = busy_days(rng, size.orders, first=_opening(size.until), last=size.until)
    waiting = 0  # orders due on days before anyone had signed up
    for (day, count), (_, new_users) in zip(days, signups, strict=True):
        due = count + waiting
        if known == 0 and day != size.until:
            known += new_users
            waiting = due
            continue
        waiting = 0
        # On the last day those of the day order too: without any older user, at its very end.
        buyers = known or new_users
        for nth in range(due):
            yield OrderRow(
                first_user_id + int(buyers * rng.random() ** 1.6),
                rng.choices(PRODUCTS, cum_weights=_PRODUCT_WEIGHTS)[0].name,
                rng.choices(_QUANTITIES, cum_weights=_QUANTITY_WEIGHTS)[0],
                moment(day, (nth + rng.random()) / due if known else 1.0),
            )
        known += new_users


def _signups(size: SampleSize) -> Iterator[tuple[date, int]]:
    rng = seeded(size.seed, "signups")
    return busy_days(rng, size.users, first=_opening(size.until), last=size.until)


def _opening(until: date) -> date:
    return until - timedelta(days=_OPEN_DAYS - 1)
