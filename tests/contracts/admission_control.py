"""What every `ProviderAdmissionControl` holds: its rules stand in Python and in Lua."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from adapters.llm.admission import (
    BLIND_QUOTA_S,
    BLIND_WAIT_S,
    BURST_S,
    FAILURES_TO_OPEN,
    OPEN_S,
    SAFETY,
    ProviderAdmissionControl,
    RateLimits,
    WaitCause,
)
from ports.language_models import GateState
from tests.contracts.contract import Contract

SLACK_S = 1.5
"""How much of a wait may have passed while a slow machine asked for it."""


def about(seconds: float) -> object:
    return pytest.approx(seconds - SLACK_S / 2, abs=SLACK_S / 2 + 0.01)


class AdmissionControlContract(Contract):
    @pytest.fixture
    def admission(self) -> ProviderAdmissionControl:
        raise NotImplementedError

    @pytest.fixture
    def lane(self) -> str:
        return f"lane-{secrets.token_hex(4)}"

    async def pass_time(self, seconds: float) -> None:
        """Wait; a control whose clock a test holds needs not."""
        await asyncio.sleep(seconds)

    async def test_an_unknown_lane_is_free(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        for _ in range(50):
            permit = await admission.acquire(lane, tokens=1000, max_wait_s=0)
            assert permit.granted
            assert permit.wait_s == 0
        assert await admission.closed_s(lane) == 0

    async def test_permits_are_spaced_by_the_requests_a_minute(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.learn(lane, RateLimits(requests_per_minute=6, tokens_per_minute=None))
        waits = [(await admission.acquire(lane, tokens=1, max_wait_s=60)).wait_s for _ in range(4)]
        assert waits[0] == 0
        step = 10 / SAFETY
        for nth in (1, 2, 3):
            assert waits[nth] == about(nth * step - BURST_S)

    async def test_permits_are_spaced_by_the_tokens_a_minute(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.learn(lane, RateLimits(requests_per_minute=6000, tokens_per_minute=600))
        first = await admission.acquire(lane, tokens=100, max_wait_s=60)
        second = await admission.acquire(lane, tokens=200, max_wait_s=60)
        third = await admission.acquire(lane, tokens=1, max_wait_s=60)
        assert first.wait_s == 0
        assert second.wait_s == about(10 / SAFETY - BURST_S)
        assert third.wait_s == about(30 / SAFETY - BURST_S)

    async def test_tokens_that_were_not_planned_are_paid_later(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.learn(lane, RateLimits(requests_per_minute=None, tokens_per_minute=600))
        await admission.acquire(lane, tokens=100, max_wait_s=0)
        await admission.answered(lane, unplanned_tokens=200)
        permit = await admission.acquire(lane, tokens=1, max_wait_s=60)
        assert permit.wait_s == about(30 / SAFETY - BURST_S)

    async def test_a_permit_beyond_the_longest_wait_is_not_reserved(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.learn(lane, RateLimits(requests_per_minute=6, tokens_per_minute=None))
        await admission.acquire(lane, tokens=1, max_wait_s=0)
        for _ in range(5):
            refused = await admission.acquire(lane, tokens=1, max_wait_s=1)
            assert not refused.granted
            assert refused.obstacle is WaitCause.RATE
            assert refused.wait_s == about(10 / SAFETY - BURST_S)

    async def test_a_hint_shuts_the_gate_for_everybody_and_spaces_who_waits(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.learn(lane, RateLimits(requests_per_minute=6, tokens_per_minute=None))
        assert await admission.limited(lane, hint_s=20) == about(20)
        assert await admission.closed_s(lane) == about(20)
        first = await admission.acquire(lane, tokens=1, max_wait_s=120)
        second = await admission.acquire(lane, tokens=1, max_wait_s=120)
        assert first.wait_s == about(20)
        assert second.wait_s == about(20 + 10 / SAFETY - BURST_S)

    async def test_a_shorter_hint_does_not_open_the_gate_earlier(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.limited(lane, hint_s=30)
        assert await admission.limited(lane, hint_s=1) == about(30)

    async def test_without_a_hint_the_wait_is_short_at_first(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        assert await admission.limited(lane, hint_s=None) <= BLIND_WAIT_S[0] + 0.01

    @pytest.mark.parametrize("hint_s", [None, 0, -5, 0.001, 0.49, float("nan")])
    async def test_behind_a_refusal_without_a_usable_hint_one_call_at_a_time_tries(
        self, admission: ProviderAdmissionControl, lane: str, hint_s: float | None
    ) -> None:
        assert await admission.limited(lane, hint_s=hint_s) == pytest.approx(
            BLIND_WAIT_S[0], abs=0.01
        )
        permits = [await admission.acquire(lane, tokens=1, max_wait_s=60) for _ in range(5)]
        assert [permit.granted for permit in permits] == [True, False, False, False, False]
        await admission.answered(lane, unplanned_tokens=0)
        assert (await admission.acquire(lane, tokens=1, max_wait_s=60)).granted
        assert (await admission.state(lane)).refusals == 0

    async def test_a_hint_lets_all_out_behind_it(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.limited(lane, hint_s=0.5)
        permits = [await admission.acquire(lane, tokens=1, max_wait_s=60) for _ in range(5)]
        assert all(permit.granted for permit in permits)

    @pytest.mark.parametrize("hint_s", [1e12, float("inf"), 1e308])
    async def test_a_hint_shuts_the_gate_for_an_hour_at_most_and_a_quota_for_a_day(
        self, admission: ProviderAdmissionControl, lane: str, hint_s: float
    ) -> None:
        assert await admission.limited(lane, hint_s=hint_s) == about(3600)
        assert await admission.exhausted(lane, hint_s=hint_s) == about(86_400)

    async def test_a_quota_that_is_used_up_holds_back_who_leaves_probes_to_others(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        assert await admission.exhausted(lane, hint_s=None) == about(BLIND_QUOTA_S)
        assert (await admission.acquire(lane, tokens=1, max_wait_s=0)).granted
        refused = await admission.acquire(lane, tokens=1, max_wait_s=0, probes=False)
        assert refused.obstacle is WaitCause.QUOTA
        assert refused.wait_s == about(BLIND_QUOTA_S)
        await admission.answered(lane, unplanned_tokens=0)
        assert (await admission.acquire(lane, tokens=1, max_wait_s=0, probes=False)).granted

    async def test_the_probe_of_an_open_circuit_is_not_for_who_leaves_it_to_others(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        for _ in range(FAILURES_TO_OPEN):
            await admission.failed(lane)
        while (state := await admission.state(lane)).circuit_s > 0:
            await self.pass_time(state.circuit_s)
        refused = await admission.acquire(lane, tokens=1, max_wait_s=60, probes=False)
        assert not refused.granted
        assert refused.obstacle is WaitCause.CIRCUIT
        assert (await admission.acquire(lane, tokens=1, max_wait_s=60)).granted
        state = await admission.state(lane)
        assert (state.circuit_open, state.failures, state.probes) == (True, FAILURES_TO_OPEN, 1)

    async def test_reopening_forgets_everything_but_the_stated_limits(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.learn(lane, RateLimits(requests_per_minute=6, tokens_per_minute=None))
        for _ in range(FAILURES_TO_OPEN):
            await admission.failed(lane)
        await admission.exhausted(lane, hint_s=None)
        await admission.limited(lane, hint_s=600)
        await admission.reopen(lane)
        assert await admission.state(lane) == GateState(
            gate_s=0,
            hinted=True,
            refusals=0,
            circuit_open=False,
            circuit_s=0,
            failures=0,
            quota_s=0,
            probes=0,
        )
        assert (await admission.acquire(lane, tokens=1, max_wait_s=0, probes=False)).wait_s == 0
        second = await admission.acquire(lane, tokens=1, max_wait_s=60)
        assert second.wait_s == about(10 / SAFETY - BURST_S)

    async def test_one_lane_does_not_wait_for_another(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.limited(lane, hint_s=30)
        assert (await admission.acquire(f"{lane}-b", tokens=1, max_wait_s=0)).granted

    async def test_where_no_limit_is_stated_a_refusal_teaches_one(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        await admission.answered(lane, unplanned_tokens=0)
        await self.pass_time(1.1)
        for _ in range(9):
            await admission.answered(lane, unplanned_tokens=0)
        await admission.limited(lane, hint_s=0.5)
        waits = [(await admission.acquire(lane, tokens=1, max_wait_s=60)).wait_s for _ in range(30)]
        assert waits[-1] > 1

    async def test_failures_in_a_row_open_the_circuit(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        for _ in range(FAILURES_TO_OPEN - 1):
            await admission.failed(lane)
        assert (await admission.acquire(lane, tokens=1, max_wait_s=0)).granted
        await admission.failed(lane)
        refused = await admission.acquire(lane, tokens=1, max_wait_s=60)
        assert not refused.granted
        assert refused.obstacle is WaitCause.CIRCUIT
        assert 0 < refused.wait_s <= OPEN_S[0]

    async def test_an_answer_between_failures_starts_the_count_anew(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        for _ in range(FAILURES_TO_OPEN - 1):
            await admission.failed(lane)
        await admission.answered(lane, unplanned_tokens=0)
        await admission.failed(lane)
        assert (await admission.acquire(lane, tokens=1, max_wait_s=0)).granted

    async def test_an_open_circuit_lets_one_probe_out_whose_answer_closes_it(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        for _ in range(FAILURES_TO_OPEN):
            await admission.failed(lane)
        permit = await admission.acquire(lane, tokens=1, max_wait_s=60)
        while not permit.granted:
            await self.pass_time(permit.wait_s)
            permit = await admission.acquire(lane, tokens=1, max_wait_s=60)
        others = [await admission.acquire(lane, tokens=1, max_wait_s=60) for _ in range(5)]
        assert not any(other.granted for other in others)
        await admission.answered(lane, unplanned_tokens=0)
        assert (await admission.acquire(lane, tokens=1, max_wait_s=0)).granted

    async def test_a_failed_probe_opens_the_circuit_for_longer(
        self, admission: ProviderAdmissionControl, lane: str
    ) -> None:
        for _ in range(FAILURES_TO_OPEN):
            await admission.failed(lane)
        permit = await admission.acquire(lane, tokens=1, max_wait_s=60)
        while not permit.granted:
            await self.pass_time(permit.wait_s)
            permit = await admission.acquire(lane, tokens=1, max_wait_s=60)
        await admission.failed(lane)
        refused = await admission.acquire(lane, tokens=1, max_wait_s=60)
        assert refused.wait_s == about(OPEN_S[1])
