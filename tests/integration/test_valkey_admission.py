"""The lanes in Valkey follow the same rules, and its absence stops nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.llm.admission import LocalAdmissionControl, ProviderAdmissionControl, RateLimits
from adapters.llm.valkey_admission import SharedAdmissionControl, ValkeyAdmissionControl
from tests.contracts.admission_control import AdmissionControlContract


class TestValkeyAdmissionControl(AdmissionControlContract):
    @pytest.fixture
    async def admission(self, redis_url: str) -> AsyncIterator[ProviderAdmissionControl]:
        async with Redis.from_url(redis_url) as client:
            yield ValkeyAdmissionControl(client)


class TestSharedAdmissionControl(AdmissionControlContract):
    @pytest.fixture
    async def admission(self, redis_url: str) -> AsyncIterator[ProviderAdmissionControl]:
        async with Redis.from_url(redis_url) as client:
            yield SharedAdmissionControl(ValkeyAdmissionControl(client), LocalAdmissionControl())


class TestSharedAdmissionControlWithoutValkey(AdmissionControlContract):
    @pytest.fixture
    async def admission(self) -> AsyncIterator[ProviderAdmissionControl]:
        async with Redis(host="127.0.0.1", port=free_port()) as client:
            yield SharedAdmissionControl(ValkeyAdmissionControl(client), LocalAdmissionControl())


async def test_two_processes_share_one_gate(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        first = SharedAdmissionControl(ValkeyAdmissionControl(one), LocalAdmissionControl())
        second = SharedAdmissionControl(ValkeyAdmissionControl(other), LocalAdmissionControl())
        await first.limited("shared-gate", hint_s=30)
        permit = await second.acquire("shared-gate", tokens=1, max_wait_s=0)
    assert not permit.granted
    assert permit.wait_s > 25


async def test_two_processes_share_one_rate(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        pacers = [
            SharedAdmissionControl(ValkeyAdmissionControl(each), LocalAdmissionControl())
            for each in (one, other)
        ]
        await pacers[0].learn(
            "shared-rate", RateLimits(requests_per_minute=6, tokens_per_minute=None)
        )
        permits = [
            await pacers[nth % 2].acquire("shared-rate", tokens=1, max_wait_s=100)
            for nth in range(6)
        ]
    waits = [permit.wait_s for permit in permits]
    assert waits == sorted(waits)
    assert waits[-1] > 45


async def test_what_was_learned_before_valkey_went_away_still_holds(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    admission = SharedAdmissionControl(ValkeyAdmissionControl(client), LocalAdmissionControl())
    await admission.limited("leaving", hint_s=30)
    client.connection_pool.connection_kwargs["port"] = free_port()
    await client.connection_pool.disconnect()
    permit = await admission.acquire("leaving", tokens=1, max_wait_s=0)
    await client.aclose()
    assert not permit.granted
    assert permit.wait_s > 25


async def test_many_calls_that_find_valkey_away_say_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Redis(host="127.0.0.1", port=free_port()) as client:
        admission = SharedAdmissionControl(ValkeyAdmissionControl(client), LocalAdmissionControl())
        calls = (admission.acquire("lane", tokens=1, max_wait_s=60) for _ in range(8))
        permits = await asyncio.gather(*calls)
    assert any(permit.granted for permit in permits)
    told = [each for each in caplog.records if "Valkey does not answer" in each.message]
    assert len(told) == 1
