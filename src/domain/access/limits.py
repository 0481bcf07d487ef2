"""How much a caller may ask for in a time: the generic cell rate algorithm (GCRA).

A limit is a bucket of `burst` cost units that fills by one unit in each interval. Its whole state
is one moment, the *theoretical arrival*: when the bucket will be full again. So it needs one number
in a store, and what was never asked for needs none. All numbers are whole.

    limit 60/min burst 20: an interval of 1 s
    full  ──take 5──▶ 15 left, full again in 5 s ──3 s──▶ 18 left ──take 20──▶ refused: in 2 s
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

READ_COST: Final = 1
"""A look at one resource."""
PAGE_ROWS: Final = 50
"""Rows of a list that cost one unit."""
WRITE_COST: Final = 2
"""A change, of one row or of a body of them."""
HEAVY_COST: Final = 10
"""An extraction, or figures that are computed from many rows at once."""
LARGEST_COST: Final = HEAVY_COST

LEASE_PART: Final = 10
"""Who takes more than is needed at once gets at most this part of what is left, such as a tenth."""

_MICROSECONDS: Final = 1_000_000
_PERIODS: Final = {"s": 1, "min": 60, "h": 3600, "day": 86_400}
_MOST_A_SECOND: Final = 10_000
_LONGEST_WINDOW_S: Final = 365 * 86_400
_FORM: Final = re.compile(
    r"(?P<units>[1-9][0-9]{0,8})/(?P<period>s|min|h|day)(?: burst (?P<burst>[1-9][0-9]{0,8}))?"
)
OFF: Final = "off"


class BadLimit(ValueError):
    """A text is no limit; the message says what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many cost units in a period, and so many of them at once.

    Attributes:
        name: tells it from others of the same bucket, such as `records-min`.
        units: in each period, >= 1.
        period_s: >= 1.
        burst: what a caller who was quiet may take at once, in units, >= 1.
        interval_us: in which one unit comes back, rounded up: never more than was stated.
    """

    name: str
    units: int
    period_s: int
    burst: int

    @property
    def interval_us(self) -> int:
        """See the class."""
        return -(-self.period_s * _MICROSECONDS // self.units)

    @property
    def window_s(self) -> int:
        """How long an empty bucket takes to fill, in whole seconds, rounded up."""
        return -(-self.burst * self.interval_us // _MICROSECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A limit's bucket after it was asked.

    Attributes:
        arrival_us: the theoretical arrival, in microseconds of the clock that was given.
        left: whole units in it.
        full_us: until it is full, in microseconds, >= 0.
    """

    arrival_us: int
    left: int
    full_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketDecision:
    """What became of a charge.

    Attributes:
        granted: units that were taken, as asked for or more; None when refused: none was.
        wait_us: until the same charge would pass if nobody else took anything; 0 when granted.
        buckets: one for each limit.
    """

    granted: int | None
    wait_us: int
    buckets: Sequence[Bucket]


def take(
    limits: Sequence[RateLimit],
    arrivals_us: Sequence[int],
    now_us: int,
    *,
    cost: int,
    wanted: int = 0,
) -> BucketDecision:
    """Take `cost` units out of the bucket of every limit, or out of none.

    Args:
        limits: at least one.
        arrivals_us: the stored moment of each; 0 where nothing is stored.
        now_us: the time.
        cost: units; below zero they are put back. More than a burst is as much as the burst, for
            else it would be refused for ever.
        wanted: as many as these are taken if that leaves the buckets well filled (`LEASE_PART`).
    """
    spent = [
        # Neither fuller than full nor emptier than empty, whatever clock or limit it was made by.
        min(max(arrival, now_us), now_us + limit.burst * limit.interval_us)
        for limit, arrival in zip(limits, arrivals_us, strict=True)
    ]
    wait_us = max(
        arrival - now_us - (limit.burst - min(cost, limit.burst)) * limit.interval_us
        for limit, arrival in zip(limits, spent, strict=True)
    )
    granted: int | None = cost
    if cost > 0:
        room = min(
            _left(limit, arrival - now_us) for limit, arrival in zip(limits, spent, strict=True)
        )
        granted = max(cost, min(wanted, room // LEASE_PART)) if wait_us <= 0 else None
    spent = [
        max(now_us, arrival + min(granted or 0, limit.burst) * limit.interval_us)
        for limit, arrival in zip(limits, spent, strict=True)
    ]
    return BucketDecision(
        granted=granted,
        wait_us=wait_us if granted is None else 0,
        buckets=[
            Bucket(
                arrival_us=arrival,
                left=_left(limit, arrival - now_us),
                full_us=arrival - now_us,
            )
            for limit, arrival in zip(limits, spent, strict=True)
        ],
    )


def _left(limit: RateLimit, full_us: int) -> int:
    """Whole units in a bucket that is full in `full_us`."""
    return limit.burst + -full_us // limit.interval_us


def page_cost(rows: int) -> int:
    """What a list of at most `rows` rows costs, in units."""
    return max(1, -(-rows // PAGE_ROWS))


def read_rate_limits(text: str, groups: Sequence[str]) -> Mapping[str, Sequence[RateLimit]]:
    """The limits of each group that `text` names; none for a group that is `off`.

    The form is `records=6000/min burst 1000, records=500000/day, extract=off`: a group may have
    several, which all hold. Periods are s, min, h and day. A limit without a burst has a tenth of
    its units, or `LARGEST_COST` if that is more. `off` alone is off for all groups.

    Args:
        text: without any, no group is named.
        groups: that there are.

    Raises:
        BadLimit: the message names the part and what is allowed.
    """
    if text.strip() == OFF:
        return dict.fromkeys(groups, ())
    found: dict[str, tuple[RateLimit, ...]] = {}
    for part in (each.strip() for each in text.split(",") if each.strip()):
        group, equals, stated = (each.strip() for each in part.partition("="))
        if not equals or group not in groups:
            raise BadLimit(
                f"{part!r} is not GROUP=LIMIT with a group of {', '.join(groups)}, such as"
                f" {groups[0]}=600/min burst 100"
            )
        known = found.get(group)
        if known is not None and (stated == OFF or not known):
            raise BadLimit(f"{group} is off and has a limit")
        if stated == OFF:
            found[group] = ()
            continue
        limit = _read_limit(group, " ".join(stated.split()))
        if any(each.period_s == limit.period_s for each in known or ()):
            raise BadLimit(f"{group} has two limits for the same period")
        found[group] = (*(known or ()), limit)
    return found


def _read_limit(group: str, text: str) -> RateLimit:
    form = _FORM.fullmatch(text)
    if form is None:
        raise BadLimit(
            f"{group}={text} is not UNITS/PERIOD [burst UNITS] or {OFF}, with a period of"
            f" {', '.join(_PERIODS)}, such as {group}=600/min burst 100"
        )
    units, period_s = int(form["units"]), _PERIODS[form["period"]]
    burst = int(form["burst"]) if form["burst"] else max(LARGEST_COST, units // 10)
    if burst < LARGEST_COST:
        raise BadLimit(
            f"{group}={text}: a burst of less than {LARGEST_COST} would refuse for ever what"
            f" costs {LARGEST_COST}"
        )
    if units > _MOST_A_SECOND * period_s:
        raise BadLimit(f"{group}={text}: at most {_MOST_A_SECOND} a second")
    if burst * period_s > _LONGEST_WINDOW_S * units:
        raise BadLimit(f"{group}={text}: such a burst takes more than a year to come back")
    return RateLimit(name=f"{group}-{form['period']}", units=units, period_s=period_s, burst=burst)


def own_limit(units: int) -> RateLimit:
    """The limit of a key that has one of its own: `units` a minute, of all groups together.

    Args:
        units: >= 1.
    """
    return RateLimit(name="key-min", units=units, period_s=60, burst=max(LARGEST_COST, units // 10))


def network_of(address: IPv4Address | IPv6Address | None) -> str:
    """Whose failures count together: an IPv4 address, the /64 of an IPv6 address.

    Args:
        address: None counts with all others that are not known.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(IPv6Network((int(address), 64), strict=False))
    return str(getattr(address, "ipv4_mapped", address))
