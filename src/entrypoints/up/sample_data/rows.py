"""The rows of a made-up shop by their seed: users, orders and searches."""

from __future__ import annotations

import random
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate
from math import comb
from typing import Final, NamedTuple

from domain.errors import InvalidInput, Violation
from entrypoints.up.sample_data.catalogue import MISSPELT, NOT_SOLD, PRODUCTS, TRANSLATED
from entrypoints.up.sample_data.people import person_name

_BY_WEEKDAY: Final = (1.15, 1.05, 1.0, 1.0, 0.85, 0.8, 1.2)
_NIGHT_AND_MORNING: Final = (3, 2, 1, 1, 1, 2, 4, 7, 10, 12, 13, 14)
_AFTERNOON_AND_EVENING: Final = (15, 13, 12, 12, 13, 15, 18, 22, 24, 20, 13, 7)
_BY_HOUR: Final = _NIGHT_AND_MORNING + _AFTERNOON_AND_EVENING
_CUMULATED: Final = [0.0, *accumulate(weight / sum(_BY_HOUR) for weight in _BY_HOUR)]
_DAY_S: Final = 86_400


def seeded(seed: int, part: str) -> random.Random:
    """The chance behind one part of the data, so that each part stays when another changes."""
    return random.Random(f"{seed}/{part}")  # noqa: S311 - rows, not secrets


def busy_days(
    rng: random.Random, total: int, *, first: date, last: date
) -> Iterator[tuple[date, int]]:
    """Shares `total` events out over the days: a slow rise, a week's rhythm, some chance.

    Yields:
        Every day from `first` to `last` and its number of events; the numbers add up to `total`.
    """
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    weights = [
        _BY_WEEKDAY[day.weekday()] * (1 + 0.4 * n / len(days)) * rng.uniform(0.93, 1.07)
        for n, day in enumerate(days)
    ]
    whole = sum(weights)
    given = 0
    for day, so_far in zip(days, accumulate(weights), strict=True):
        due = total if day == last else round(total * so_far / whole)
        yield day, due - given
        given = due


def moment(day: date, fraction: float) -> datetime:
    """The instant at which `fraction` (0 up to 1) of a day's events have happened, aware UTC."""
    hour = min(bisect_right(_CUMULATED, fraction) - 1, 23)
    start, end = _CUMULATED[hour], _CUMULATED[hour + 1]
    second = min(int((hour + (fraction - start) / (end - start)) * 3600), _DAY_S - 1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)


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
class SampleSpec:
    """How much is made, and from what.

    Attributes:
        users, orders, clicks: rows, 0 and up; orders need at least one user.
        seed: the same seed and `until` give the same rows, as soon as that day is over.
        until: the last day of the data; a UTC day.
        now: aware UTC; no row is later. A day that is not over has its rows by then, which are as
            many. None where `until` is over.
    """

    users: int
    orders: int
    clicks: int
    seed: int
    until: date
    now: datetime | None = None

    def __post_init__(self) -> None:
        found = [
            Violation(pointer=name, detail="must not be negative")
            for name in ("users", "orders", "clicks")
            if getattr(self, name) < 0
        ]
        if self.orders and not self.users:
            found.append(Violation(pointer="users", detail="must be at least 1 for orders"))
        if self.now is not None and self.until > self.now.date():
            detail = f"must not be after today, {self.now.date()} (UTC)"
            found.append(Violation(pointer="until", detail=detail))
        if found:
            raise InvalidInput.of(found)

    def moment(self, day: date, fraction: float) -> datetime:
        """As `moment`; of a day that is not over, of the part of it that is."""
        at = moment(day, fraction)
        if self.now is None or day != self.now.date():
            return at
        midnight = at.replace(hour=0, minute=0, second=0)
        elapsed = (self.now - midnight) / timedelta(days=1)
        return (midnight + (at - midnight) * elapsed).replace(microsecond=0)


_OPEN_DAYS: Final = 730
"""How long the shop has been open, in days."""
_QUANTITIES: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 24)
_QUANTITY_WEIGHTS: Final = list(accumulate((560, 210, 70, 55, 25, 30, 15, 15, 12, 8)))
_PRODUCT_WEIGHTS: Final = list(accumulate(1 / (rank + 2) for rank in range(len(PRODUCTS))))
_MAIL_HOSTS: Final = ("example.com", "example.org", "example.net", "mail.example")


def users(size: SampleSpec, *, first_id: int) -> Iterator[UserRow]:
    """`size.users` people with ids from `first_id`; the id in the address keeps it unique."""
    rng = seeded(size.seed, "users")
    user_id = first_id
    for day, count in _signups(size):
        for nth in range(count):
            someone = person_name(rng)
            email = f"{someone.latin}.{user_id}@{rng.choice(_MAIL_HOSTS)}"
            created_at = size.moment(day, (nth + rng.random()) / count)
            yield UserRow(user_id, someone.name, email, created_at)
            user_id += 1


def orders(size: SampleSpec, *, first_user_id: int) -> Iterator[OrderRow]:
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
                size.moment(day, (nth + rng.random()) / due if known else 1.0),
            )
        known += new_users


def _signups(size: SampleSpec) -> Iterator[tuple[date, int]]:
    rng = seeded(size.seed, "signups")
    return busy_days(rng, size.users, first=_opening(size.until), last=size.until)


def _opening(until: date) -> date:
    return until - timedelta(days=_OPEN_DAYS - 1)


DAYS: Final = 90
"""How far back the searches go, in days."""
_OUTAGE: Final = (34, 35, 36)
"""Days before the last on which the shop's search was broken and found half as much."""
_MAX_IMPRESSIONS: Final = 80
_OTHER_SPELLING: Final = 0.12
"""Share of rows whose query is typed in another way that means the same."""


class _Query(NamedTuple):
    text: str
    percent: int  # how many of a hundred impressions are clicked, as a rule


def search_clicks(size: SampleSpec) -> Iterator[ClickRow]:
    """`size.clicks` rows, oldest day first."""
    rng = seeded(size.seed, "clicks")
    queries, weights = _queries(rng)
    first = size.until - timedelta(days=DAYS - 1)
    draw = rng.random
    for day, count in busy_days(rng, size.clicks, first=first, last=size.until):
        broken = (size.until - day).days in _OUTAGE
        for query, percent in rng.choices(queries, cum_weights=weights, k=count):
            impressions = min(int(rng.expovariate(1 / 14)), _MAX_IMPRESSIONS)
            cumulated = _binomial(impressions, percent // 2 if broken else percent)
            clicks = min(bisect_left(cumulated, draw()), impressions)
            text = rng.choice(_SPELLINGS)(query) if draw() < _OTHER_SPELLING else query
            rate = clicks / impressions if impressions else None
            yield ClickRow(text, clicks, impressions, rate, day)


def _queries(rng: random.Random) -> tuple[Sequence[_Query], Sequence[float]]:
    """All queries, most searched first, and their cumulated weights by Zipf's law."""
    ranked: list[tuple[float, _Query]] = []

    def add(rank: float, text: str, low: int, high: int) -> None:
        ranked.append((rank * rng.uniform(0.7, 1.4), _Query(text, rng.randint(low, high))))

    rank_of = {product.search: rank for rank, product in enumerate(PRODUCTS, start=1)}
    for rank, product in enumerate(PRODUCTS, start=1):
        add(rank, product.search, 26, 46)
        add(rank + 30, f"{product.search} sale", 12, 24)
        add(rank + 45, f"best {product.search}", 18, 30)
        add(rank + 60, f"{product.search} replacement", 3, 12)
        add(rank + 80, product.name.lower(), 38, 58)
    for rank, category in enumerate(dict.fromkeys(p.category for p in PRODUCTS), start=1):
        add(rank * 2, category, 14, 24)
    for rank, text in enumerate(NOT_SOLD, start=1):
        add(rank * 4, text, 0, 3)
    for right, wrong in MISSPELT.items():
        add(rank_of[right] + 15, wrong, 2, 6)
    for text, right in TRANSLATED.items():
        add(rank_of[right] + 25, text, 1, 8)
    ranked.sort(key=lambda entry: entry[0])
    weights = list(accumulate(1 / (place + 2.7) ** 1.07 for place in range(len(ranked))))
    return [query for _, query in ranked], weights


@cache
def _binomial(count: int, percent: int) -> Sequence[float]:
    """Cumulated probabilities of 0, 1, ... successes in `count` trials."""
    p = percent / 100
    return list(
        accumulate(comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(count + 1))
    )


def _wide(text: str) -> str:
    """ASCII letters in the full width of East Asian keyboards."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


_SPELLINGS: Final[Sequence[Callable[[str], str]]] = (
    str.title,
    str.title,
    str.upper,
    lambda text: f"{text} ",
    lambda text: f" {text}",
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: unicodedata.normalize("NFD", text),
    _wide,
)
