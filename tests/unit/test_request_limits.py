"""The algorithm against a plain bucket of water; the form of limits; the limiter of one process."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.valkey.request_limits import LocalRequestLimiter
from domain.access.limits import (
    LARGEST_COST,
    LEASE_PART,
    BadLimit,
    RateLimit,
    network_of,
    own_limit,
    page_cost,
    read_rate_limits,
    take,
)
from ports.access import RequestLimiter
from tests.contracts.request_limits import SLOW, SLOWER, RequestLimiterContract

GROUPS = ("records", "extract")

limits = st.builds(
    RateLimit,
    name=st.just("any"),
    units=st.integers(1, 5000),
    period_s=st.sampled_from([1, 60, 3600]),
    burst=st.integers(1, 300),
)
steps = st.lists(
    st.tuples(st.integers(0, 5_000_000), st.integers(-3, 40), st.integers(0, 200)), max_size=60
)


class TestLocalRequestLimiter(RequestLimiterContract):
    @pytest.fixture
    def limiter(self) -> RequestLimiter:
        return LocalRequestLimiter()


class Water:
    """A bucket that is filled drop by drop: the plain simulation.

    One unit is `interval_us` drops, and each microsecond brings one.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.unit = limit.interval_us
        self.most = limit.burst * self.unit
        self.drops = self.most

    def passes(self, after_us: int) -> None:
        self.drops = min(self.most, self.drops + after_us)

    def holds(self, cost: int) -> bool:
        return min(cost * self.unit, self.most) <= self.drops

    def give(self, units: int) -> None:
        self.drops = min(self.most, self.drops - min(units * self.unit, self.most))


@given(st.lists(limits, min_size=1, max_size=3), steps)
def test_limits_are_buckets_that_fill_drop_by_drop(
    given_limits: Sequence[RateLimit], moves: Sequence[tuple[int, int, int]]
) -> None:
    buckets = [Water(limit) for limit in given_limits]
    arrivals, now = [0] * len(given_limits), 1_700_000_000_000_000
    for after_us, cost, wanted in moves:
        now += after_us
        for bucket in buckets:
            bucket.passes(after_us)
        passes = cost <= 0 or all(bucket.holds(cost) for bucket in buckets)
        spare = min(bucket.drops // bucket.unit for bucket in buckets) // LEASE_PART
        decision = take(given_limits, arrivals, now, cost=cost, wanted=wanted)
        arrivals = [each.arrival_us for each in decision.buckets]
        if passes:
            assert decision.granted == (cost if cost <= 0 else max(cost, min(wanted, spare)))
            assert decision.wait_us == 0
            for bucket in buckets:
                bucket.give(decision.granted)
        else:
            assert decision.granted is None
            just_before, then = decision.wait_us - 1, decision.wait_us
            for after, enough in ((just_before, False), (then, True)):
                later = take(given_limits, arrivals, now + after, cost=cost)
                assert (later.granted is not None) is enough
        for each, bucket in zip(decision.buckets, buckets, strict=True):
            assert each.left == bucket.drops // bucket.unit
            assert each.full_us == bucket.most - bucket.drops


@given(limits, st.integers(0, 2**60), st.integers(0, 2**60))
def test_no_stored_moment_empties_a_bucket_for_longer_than_it_takes_to_fill(
    limit: RateLimit, stored: int, now: int
) -> None:
    decision = take([limit], [stored], now, cost=limit.burst)
    assert decision.wait_us <= limit.burst * limit.interval_us


@given(limits)
def test_no_period_has_more_than_its_units(limit: RateLimit) -> None:
    assert limit.interval_us * limit.units >= limit.period_s * 1_000_000
    assert limit.window_s * 1_000_000 >= limit.burst * limit.interval_us


@pytest.mark.parametrize(("rows", "cost"), [(0, 1), (1, 1), (50, 1), (51, 2), (100, 2), (200, 4)])
def test_a_list_costs_by_the_rows_that_it_may_have(rows: int, cost: int) -> None:
    assert page_cost(rows) == cost


def test_limits_are_read_from_a_line() -> None:
    found = read_rate_limits(
        " records=600/min  burst 100 , records=50000/day,extract = 30/s burst 40,", GROUPS
    )
    assert found == {
        "records": (
            RateLimit(name="records-min", units=600, period_s=60, burst=100),
            RateLimit(name="records-day", units=50_000, period_s=86_400, burst=5000),
        ),
        "extract": (RateLimit(name="extract-s", units=30, period_s=1, burst=40),),
    }


def test_a_small_limit_still_lets_the_dearest_request_pass() -> None:
    (limit,) = read_rate_limits("records=5/h", GROUPS)["records"]
    assert limit.burst == LARGEST_COST
    assert own_limit(1).burst == LARGEST_COST


def test_limits_can_be_off() -> None:
    assert read_rate_limits("off", GROUPS) == {"records": (), "extract": ()}
    assert read_rate_limits("records=off", GROUPS) == {"records": ()}
    assert read_rate_limits("", GROUPS) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("600/min", "'600/min' is not GROUP=LIMIT with a group of records, extract"),
        ("orders=600/min", "'orders=600/min' is not GROUP=LIMIT"),
        ("records=600", "records=600 is not UNITS/PERIOD"),
        ("records=0/min", "records=0/min is not UNITS/PERIOD"),
        ("records=600/minute", "a period of s, min, h, day"),
        ("records=600/min burst", "records=600/min burst is not"),
        ("records=600/min burst 9", "would refuse for ever what costs 10"),
        ("records=20000/s", "at most 10000 a second"),
        ("records=1/day burst 400", "takes more than a year to come back"),
        ("records=600/min, records=10/min", "records has two limits for the same period"),
        ("records=off, records=10/min", "records is off and has a limit"),
        ("records=10/min, records=off", "records is off and has a limit"),
    ],
)
def test_a_text_that_is_no_limit_is_refused_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(BadLimit) as refused:
        read_rate_limits(text, GROUPS)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_failures_count_by_the_network_that_one_caller_has(address: str, network: str) -> None:
    assert network_of(ip_address(address)) == network


def test_failures_of_nobody_knows_where_count_together() -> None:
    assert network_of(None) == "None"


async def test_a_process_keeps_so_many_buckets_and_forgets_the_one_not_used_longest() -> None:
    limiter = LocalRequestLimiter(most_buckets=2)
    for bucket in ("a", "b", "a", "c"):
        await limiter.take(bucket, [SLOWER], 2)
    assert (await limiter.take("a", [SLOWER], 1)).wait_s is not None
    assert (await limiter.take("b", [SLOWER], 4)).wait_s is None


async def test_a_bucket_whose_limits_are_others_now_begins_anew() -> None:
    limiter = LocalRequestLimiter(now=lambda: 1000.0)
    await limiter.take("a", [SLOWER], 4)
    assert (await limiter.take("a", [SLOW, SLOWER], 4)).wait_s is None
