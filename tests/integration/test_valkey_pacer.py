"""The lanes in Valkey follow the same rules, and its absence stops nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.llm.throttle import Limits, LocalPacer, Pacer
from adapters.llm.valkey_throttle import SharedPacer, ValkeyPacer
from tests.contracts.pacing import PacerContract


class TestValkeyPacer(PacerContract):
    @pytest.fixture
    async def pacer(self, redis_url: str) -> AsyncIterator[Pacer]:
        async with Redis.from_url(redis_url) as client:
            yield ValkeyPacer(client)


class TestSharedPacer(PacerContract):
    @pytest.fixture
    async def pacer(self, redis_url: str) -> AsyncIterator[Pacer]:
        async with Redis.from_url(redis_url) as client:
            yield SharedPacer(ValkeyPacer(client), LocalPacer())


class TestSharedPacerWithoutValkey(PacerContract):
    @pytest.fixture
    async def pacer(self) -> AsyncIterator[Pacer]:
        async with Redis(host="127.0.0.1", port=free_port()) as client:
            yield SharedPacer(ValkeyPacer(client), LocalPacer())


async def test_two_processes_share_one_gate(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        first = SharedPacer(ValkeyPacer(one), LocalPacer())
        second = SharedPacer(ValkeyPacer(other), LocalPacer())
        await first.limited("shared-gate", hint_s=30)
        turn = await second.turn("shared-gate", tokens=1, patience_s=0)
    assert not turn.granted
    assert turn.wait_s > 25


async def test_two_processes_share_one_rate(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        pacers = [SharedPacer(ValkeyPacer(each), LocalPacer()) for each in (one, other)]
        await pacers[0].learn("shared-rate", Limits(requests_per_minute=6, tokens_per_minute=None))
        turns = [
            await pacers[nth % 2].turn("shared-rate", tokens=1, patience_s=100) for nth in range(6)
        ]
    waits = [turn.wait_s for turn in turns]
    assert waits == sorted(waits)
    assert waits[-1] > 45


async def test_what_was_learned_before_valkey_went_away_still_holds(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    pacer = SharedPacer(ValkeyPacer(client), LocalPacer())
    await pacer.limited("leaving", hint_s=30)
    client.connection_pool.connection_kwargs["port"] = free_port()
    await client.connection_pool.disconnect()
    turn = await pacer.turn("leaving", tokens=1, patience_s=0)
    await client.aclose()
    assert not turn.granted
    assert turn.wait_s > 25


async def test_many_calls_that_find_valkey_away_say_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Redis(host="127.0.0.1", port=free_port()) as client:
        pacer = SharedPacer(ValkeyPacer(client), LocalPacer())
        calls = (pacer.turn("lane", tokens=1, patience_s=60) for _ in range(8))
        turns = await asyncio.gather(*calls)
    assert any(turn.granted for turn in turns)
    told = [each for each in caplog.records if "Valkey does not answer" in each.message]
    assert len(told) == 1
