"""When things happen in the made-up shop: more on Sundays and Mondays, more in the evening."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Final

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
