"""Numbers and days as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.insights.model import Period

MINUS: Final = "\u2212"
NOTHING: Final = "\u2013"
"""Stands where there is no number: a rate without impressions."""
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
_WEEKDAYS: Final = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange:
    """How a figure differs from the one of the period before.

    Attributes:
        text: with its sign, such as `+0.4 points` or `-12%`.
        direction: `up`, `down` or `level`.
        judgement: `good`, `bad` or `neutral`.
    """

    text: str
    direction: str
    judgement: str


def percent(rate: float | None) -> str:
    """A rate of 0..1 to a tenth of a percent, below 1 % to a hundredth."""
    if rate is None:
        return NOTHING
    if rate < 0.00005:
        return "0%"
    return f"{rate:.2%}" if rate < 0.00995 else f"{rate:.1%}"


def share(part: float) -> str:
    """A share of 0..1 in percent, with no more digits than it has, such as `50%`."""
    return f"{part * 100:.6g}%"


def count(number: float) -> str:
    """A whole number with its thousands parted."""
    return f"{round(number):,}"


def times(number: int) -> str:
    """Such as `once` or `20 times`."""
    return "once" if number == 1 else f"{count(number)} times"


def clicked(clicks: int, impressions: int) -> str:
    """Such as `12 of 1,040 clicked`."""
    return f"{count(clicks)} of {count(impressions)} clicked"


def day(value: date) -> str:
    """Such as `4 Nov 2026`."""
    return f"{short_day(value)} {value.year}"


def short_day(value: date) -> str:
    """Such as `4 Nov`."""
    return f"{value.day} {_MONTHS[value.month - 1]}"


def weekday(value: date) -> str:
    """Such as `Wed`."""
    return _WEEKDAYS[value.weekday()]


def span(period: Period) -> str:
    """Such as `29 Oct - 4 Nov 2026`; the year of the first day only where it is another."""
    if period.days == 1:
        return day(period.first)
    same_year = period.first.year == period.last.year
    first = short_day(period.first) if same_year else day(period.first)
    return f"{first} \u2013 {day(period.last)}"


def spans(days: Sequence[date]) -> str:
    """Days in words, neighbours joined: `1 - 3 Nov 2026, 7 Nov 2026`."""
    runs: list[list[date]] = []
    for each in sorted(days):
        if runs and each.toordinal() - runs[-1][-1].toordinal() == 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(span(Period(first=run[0], last=run[-1])) for run in runs)


def points(now: float | None, before: float | None) -> FigureChange | None:
    """How a rate differs, in percentage points; None where one of them is none. More is good."""
    if now is None or before is None:
        return None
    difference = round((now - before) * 100, 1)
    return _delta(difference, f"{abs(difference):.1f} points", more="good")


def change(now: float, before: float, *, more: str) -> FigureChange | None:
    """How a count differs, in percent; None where it was nothing before.

    Args:
        more: what an increase is: `good`, `bad` or `neutral`.
    """
    if before == 0:
        return None
    difference = round((now - before) / before * 100, 1)
    return _delta(difference, f"{abs(difference):,.1f}%", more=more)


def _delta(difference: float, text: str, *, more: str) -> FigureChange:
    if difference == 0:
        return FigureChange(text="no change", direction="level", judgement="neutral")
    less = {"good": "bad", "bad": "good", "neutral": "neutral"}[more]
    if difference > 0:
        return FigureChange(text=f"+{text}", direction="up", judgement=more)
    return FigureChange(text=f"{MINUS}{text}", direction="down", judgement=less)
