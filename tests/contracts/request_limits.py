"""What every `RequestLimiter` holds; the rules are written twice, in Python and in Lua."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import pytest

from domain.access.limits import RateLimit
from ports.access import LimitDecision, RequestLimiter
from tests.contracts.contract import Contract

SLOW = RateLimit(name="slow", units=12, period_s=86_400, burst=12)
"""Whose units do not come back while a test runs."""
SLOWER = RateLimit(name="slower", units=4, period_s=86_400, burst=4)
QUICK = RateLimit(name="quick", units=10_000, period_s=1, burst=10)


def left(allowance: LimitDecision) -> Sequence[int]:
    return [state.left + allowance.held for state in allowance.states]


class RequestLimiterContract(Contract):
    @pytest.fixture
    def limiter(self) -> RequestLimiter:
        raise NotImplementedError

    @pytest.fixture
    def bucket(self) -> str:
        return f"key:{secrets.token_hex(4)}:records"

    async def test_a_new_bucket_holds_its_burst_and_not_one_unit_more(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        answers = [await limiter.take(bucket, [SLOW], 1) for _ in range(13)]
        assert [left(each) for each in answers] == [[n] for n in (*range(11, -1, -1), 0)]
        assert [each.wait_s is None for each in answers] == [True] * 12 + [False]
        assert answers[-1].wait_s == pytest.approx(7200, abs=60)

    async def test_a_refusal_takes_nothing_and_less_may_still_pass(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        await limiter.take(bucket, [SLOW], 10)
        refused = await limiter.take(bucket, [SLOW], 5)
        assert refused.wait_s == pytest.approx(3 * 7200, abs=60)
        assert left(refused) == [2]
        assert (await limiter.take(bucket, [SLOW], 2)).wait_s is None

    async def test_requests_at_the_same_time_share_one_bucket(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        answers = await asyncio.gather(*(limiter.take(bucket, [SLOW], 1) for _ in range(40)))
        assert sum(each.wait_s is None for each in answers) == 12

    async def test_all_limits_hold_or_nothing_is_taken(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        assert left(await limiter.take(bucket, [SLOW, SLOWER], 3)) == [9, 1]
        refused = await limiter.take(bucket, [SLOW, SLOWER], 3)
        assert refused.wait_s == pytest.approx(2 * 21_600, abs=60)
        assert left(refused) == [9, 1]
        assert [state.limit for state in refused.states] == [SLOW, SLOWER]

    async def test_what_is_put_back_may_be_taken_again(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        await limiter.take(bucket, [SLOWER], 4)
        assert (await limiter.take(bucket, [SLOWER], 1)).wait_s is not None
        await limiter.take(bucket, [SLOWER], -1)
        assert (await limiter.take(bucket, [SLOWER], 1)).wait_s is None
        assert (await limiter.take(bucket, [SLOWER], 1)).wait_s is not None

    async def test_putting_back_fills_no_bucket_beyond_its_burst(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        assert left(await limiter.take(bucket, [SLOWER], -3)) == [4]

    async def test_more_than_a_burst_costs_the_burst(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        assert left(await limiter.take(bucket, [SLOWER], 50)) == [0]
        assert (await limiter.take(bucket, [SLOWER], 50)).wait_s == pytest.approx(86_400, abs=60)

    async def test_units_come_back(self, limiter: RequestLimiter, bucket: str) -> None:
        await limiter.take(bucket, [QUICK], 10)
        while (answer := await limiter.take(bucket, [QUICK], 10)).wait_s is not None:
            await asyncio.sleep(answer.wait_s)
        assert answer.states[0].full_s <= 0.001

    async def test_it_is_full_when_all_units_are_back(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        (state,) = (await limiter.take(bucket, [SLOW], 3)).states
        assert state.full_s == pytest.approx(3 * 7200, abs=60)

    async def test_one_bucket_does_not_wait_for_another(
        self, limiter: RequestLimiter, bucket: str
    ) -> None:
        await limiter.take(bucket, [SLOWER], 4)
        assert (await limiter.take(f"{bucket}-b", [SLOWER], 4)).wait_s is None
