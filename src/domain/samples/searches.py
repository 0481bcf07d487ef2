"""Searches in the made-up shop: a few queries make most of them, and some of those find nothing."""

from __future__ import annotations

import random
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from itertools import accumulate
from math import comb
from typing import Final, NamedTuple

from domain.samples.calendar import busy_days, seeded
from domain.samples.catalogue import MISSPELT, NOT_SOLD, PRODUCTS, TRANSLATED
from domain.samples.model import ClickRow, SampleSize

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


def search_clicks(size: SampleSize) -> Iterator[ClickRow]:
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
