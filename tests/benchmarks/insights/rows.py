"""Ten million rows of `search_clicks`, made up by a seed: a day at a time, in about a second each.

A day's rows depend on the seed, the day and their number alone, so a longer history begins with
the shorter one. `python -m tests.benchmarks.insights.rows --rows 1000000 FILE.csv` writes a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from entrypoints.up.sample_data.catalogue import PRODUCTS

COLUMNS: Final = (
    "search_query",
    "clicks",
    "impressions",
    "click_through_rate",
    "search_date",
)
FIRST_DAY: Final = date(2026, 8, 1)
_MAX_IMPRESSIONS: Final = 80
_MEAN_IMPRESSIONS: Final = 14
_OTHER_SPELLING: Final = 0.12
_ODD: Final = 0.001
_ZIPF: Final = 1.07
_KINDS: Final = (
    *("", "best", "cheap", "small", "large", "black", "white", "grey", "green", "blue", "red"),
    *("wooden", "vintage", "modern", "round", "square", "foldable", "outdoor", "organic"),
    *("nordic", "handmade", "light", "heavy", "premium", "used", "new", "kids", "xl", "mini"),
    *("weiße", "élégant", "brass", "beech"),
)
_ENDS: Final = (
    *("", "sale", "set", "replacement", "review", "near me", "offer", "black friday", "gift"),
    *("delivery today", "spare parts", "size guide", "for small rooms", "for two", "with lid"),
    *("without plug", "2026", "second hand", "return", "colours", "instructions", "manual"),
    *("discount code", "vs", "warranty", "test", "comparison", "for beginners", "under 50"),
    *("under 100", "made in europe", "bundle", "wholesale", "waterproof", "for the office"),
    *("for the balcony", "cleaning", "refill"),
)
_OTHERS: Final[Sequence[Callable[[str], str]]] = (
    str.title,
    str.upper,
    lambda text: f" {text}",
    lambda text: text.replace(" ", "  "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How large a log is.

    Attributes:
        days: from `FIRST_DAY` on.
        rows_a_day: the same every day, so that a longer history is nothing but longer.
        odd: with a few rows that cannot be counted (blank query, more clicks than impressions) and
            a few whose stored rate contradicts the counts, as other programs leave them.
    """

    days: int
    rows_a_day: int
    odd: bool = True
    seed: int = 1

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.days * self.rows_a_day

    @property
    def last_day(self) -> date:
        """The newest day."""
        return FIRST_DAY + timedelta(days=self.days - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queries:
    """All queries, most searched first.

    Attributes:
        spellings: the plain one, then others that mean the same.
        cumulated: by Zipf's law, up to 1.
        rates: clicks an impression, as a rule.
    """

    spellings: list[Any]
    cumulated: Any
    rates: Any


def csv_blocks(log: Log) -> Iterator[bytes]:
    """The rows of `COLUMNS` as CSV without a head, a block a day, oldest day first."""
    for number in range(log.days):
        yield day_block(log, number)


def day_block(log: Log, number: int) -> bytes:
    """The CSV of one day, counted from 0."""
    queries = _queries(log.seed)
    rng = np.random.default_rng([log.seed, number])
    size = log.rows_a_day
    at = np.searchsorted(queries.cumulated, rng.random(size))
    impressions = np.minimum(rng.exponential(_MEAN_IMPRESSIONS, size).astype(np.int64), 80)
    clicks = rng.binomial(impressions, queries.rates[at])
    spelling = rng.integers(1, len(queries.spellings), size)
    spelling[rng.random(size) >= _OTHER_SPELLING] = 0
    texts = np.choose(spelling, [each[at] for each in queries.spellings])
    ends = _ends(FIRST_DAY + timedelta(days=number))[clicks, impressions]
    if log.odd:
        odd = rng.random(size) < _ODD
        kind = rng.integers(0, 3, size)
        texts[odd & (kind == 0)] = " "
        day = FIRST_DAY + timedelta(days=number)
        ends[odd & (kind == 1)] = f",9,1,,{day}\n"
        ends[odd & (kind == 2)] = f",1,10,0.9,{day}\n"
    return "".join(chain.from_iterable(zip(texts.tolist(), ends.tolist(), strict=True))).encode()


def _ends(day: date) -> Any:
    """What follows the query in a line, by clicks and impressions."""
    found = np.empty((_MAX_IMPRESSIONS + 1, _MAX_IMPRESSIONS + 1), dtype=object)
    for impressions in range(_MAX_IMPRESSIONS + 1):
        for clicks in range(impressions + 1):
            rate = clicks / impressions if impressions else ""
            found[clicks, impressions] = f",{clicks},{impressions},{rate},{day}\n"
    return found


@cache
def _queries(seed: int) -> _Queries:
    rng = np.random.default_rng(seed)
    texts = [
        " ".join(filter(None, (kind, product.search, end)))
        for product in PRODUCTS
        for kind in _KINDS
        for end in _ENDS
    ]
    plain = np.array(texts, dtype=object)[rng.permutation(len(texts))]
    weights = 1 / (np.arange(len(plain)) + 2.7) ** _ZIPF
    return _Queries(
        spellings=[
            plain,
            *(np.array([other(t) for t in plain], dtype=object) for other in _OTHERS),
        ],
        cumulated=np.cumsum(weights) / weights.sum(),
        # Most are clicked now and then, some hardly ever.
        rates=rng.beta(1.4, 6.0, len(plain)),
    )


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rows", default=1_000_000, show_default=True, help="In all.")
@click.option("--days", default=100, show_default=True)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same rows.")
@click.option("--odd/--no-odd", default=True, help="With a few rows that cannot be counted.")
def main(path: Path, rows: int, days: int, seed: int, odd: bool) -> None:
    """Write a log as a CSV file with a head."""
    log = Log(days=days, rows_a_day=rows // days, odd=odd, seed=seed)
    with path.open("wb") as file:
        file.write((",".join(COLUMNS) + "\n").encode())
        file.writelines(csv_blocks(log))
    click.echo(f"{log.rows:,} rows of {log.days} days in {path}")


if __name__ == "__main__":
    main()
