"""What a benchmark finds, and how several repeats become one figure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise and whether it is kept.

    Attributes:
        name: what is promised.
        wanted: the bound, in words and figures.
        measured: the figure.
        met: whether it keeps the bound.
    """

    name: str
    wanted: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one benchmark.

    Attributes:
        key: its letter.
        title: what it measures.
        setting: how, in a few sentences.
        columns: heads of the table, the row's name first.
        rows: the table's cells.
        targets: the promises that it checks.
        data: every single figure behind the table, as JSON can hold it.
        took_s: seconds that it took.
    """

    key: str
    title: str
    setting: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...]
    data: Any = field(default=None)
    took_s: float = 0.0


def at_least(name: str, values: Sequence[float], bound: float, *, digits: int = 3) -> Target:
    """The median of `values` has to reach `bound`."""
    return Target(
        name=name,
        wanted=f">= {bound:g}",
        measured=spread(values, digits=digits),
        met=statistics.median(values) >= bound,
    )


def at_most(name: str, values: Sequence[float], bound: float, *, digits: int = 3) -> Target:
    """The median of `values` may not exceed `bound`."""
    return Target(
        name=name,
        wanted=f"<= {bound:g}",
        measured=spread(values, digits=digits),
        met=statistics.median(values) <= bound,
    )


def never_more(name: str, values: Sequence[float], bound: float, *, digits: int = 0) -> Target:
    """Not one of `values` may exceed `bound`: for what must not happen even once."""
    return Target(
        name=name,
        wanted=f"<= {bound:g}, each time",
        measured=spread(values, digits=digits),
        met=max(values) <= bound,
    )


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """The median, and smallest and largest where there are several: `0.97 (0.95-0.98)`."""
    middle = f"{statistics.median(values):,.{digits}f}"
    low, high = f"{min(values):,.{digits}f}", f"{max(values):,.{digits}f}"
    return middle if low == high else f"{middle} ({low} to {high})"
