"""The lanes of one process are what the contract says, to the second."""

from __future__ import annotations

import pytest

from adapters.llm.admission import (
    BLIND_WAIT_S,
    LocalAdmissionControl,
    ProviderAdmissionControl,
    RateLimits,
)
from tests.contracts.admission_control import AdmissionControlContract


class TestLocalAdmissionControl(AdmissionControlContract):
    @pytest.fixture(autouse=True)
    def clock(self) -> None:
        self.now_s = 1000.0

    @pytest.fixture
    def admission(self) -> ProviderAdmissionControl:
        return LocalAdmissionControl(now=lambda: self.now_s)

    async def pass_time(self, seconds: float) -> None:
        self.now_s += seconds


async def test_waits_without_a_hint_grow_while_refusals_follow_each_other() -> None:
    now = 1000.0
    admission = LocalAdmissionControl(now=lambda: now)
    waits = []
    for _ in range(9):
        assert (await admission.acquire("lane", tokens=1, max_wait_s=60)).granted
        waits.append(await admission.limited("lane", hint_s=None))
        now += waits[-1]
    assert waits == [*BLIND_WAIT_S, BLIND_WAIT_S[-1], BLIND_WAIT_S[-1]]
    await admission.answered("lane", unplanned_tokens=0)
    assert await admission.limited("lane", hint_s=None) == BLIND_WAIT_S[0]


async def test_calls_that_were_refused_together_count_once_however_late_they_come_back() -> None:
    now = 1000.0
    admission = LocalAdmissionControl(now=lambda: now)
    for _ in range(64):
        await admission.limited("lane", hint_s=0)
        now += 0.1
    assert (await admission.state("lane")).refusals == 1
    assert await admission.closed_s("lane") <= BLIND_WAIT_S[0]


async def test_what_refuses_everything_is_soon_asked_twice_a_minute() -> None:
    now, calls = 0.0, []
    admission = LocalAdmissionControl(now=lambda: now)
    while now < 600:
        granted = 0
        while granted < 64 and (await admission.acquire("lane", tokens=1, max_wait_s=0)).granted:
            granted += 1
        calls += [now] * granted
        if granted:
            await admission.limited("lane", hint_s=0.001)
        now += 0.05
    first = [at for at in calls if at == 0]
    assert len(first) == 64, "nothing was known yet"
    assert len([at for at in calls if 0 < at < 4]) == 3
    assert len([at for at in calls if 300 <= at < 600]) == 10


async def test_an_inferred_rate_settles_near_the_real_one() -> None:
    """A provider that lets 10 calls a second pass and says nothing about it."""
    now, allowance, passed, refused = 0.0, 10.0, 0, 0
    admission = LocalAdmissionControl(now=lambda: now)
    while now < 120:
        permit = await admission.acquire("lane", tokens=1, max_wait_s=60)
        now += permit.wait_s + 0.005
        allowance = min(10.0, allowance + (permit.wait_s + 0.005) * 10)
        if now < 20:  # it may learn
            passed = refused = 0
        if allowance >= 1:
            allowance -= 1
            passed += 1
            await admission.answered("lane", unplanned_tokens=0)
        else:
            refused += 1
            await admission.limited("lane", hint_s=0.2)
    assert passed / 100 > 0.9 * 10
    assert refused / (passed + refused) < 0.02


async def test_a_stated_limit_is_never_exceeded() -> None:
    now = 0.0
    admission = LocalAdmissionControl(now=lambda: now)
    await admission.learn("lane", RateLimits(requests_per_minute=120, tokens_per_minute=None))
    calls = []
    for _ in range(240):
        permit = await admission.acquire("lane", tokens=1, max_wait_s=1000)
        calls.append(now + permit.wait_s)
    for start in calls:
        assert sum(start <= call < start + 60 for call in calls) <= 120
