"""The count in Valkey follows the same rules, and its absence stops nobody."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.valkey.request_limits import (
    LocalRequestLimiter,
    SharedRequestLimiter,
    ValkeyRequestLimiter,
)
from domain.access.limits import RateLimit
from ports.access import RequestLimiter
from tests.contracts.request_limits import QUICK, SLOW, SLOWER, RequestLimiterContract

WIDE = RateLimit(name="wide", units=1000, period_s=86_400, burst=1000)


def shared(client: Redis, *, now: Callable[[], float] = time.monotonic) -> SharedRequestLimiter:
    """Patient: a slow machine is not taken for a Valkey that is away."""
    return SharedRequestLimiter(
        ValkeyRequestLimiter(client), LocalRequestLimiter(), now=now, patience_s=30
    )


class TestValkeyRequestLimiter(RequestLimiterContract):
    @pytest.fixture
    async def limiter(self, redis_url: str) -> AsyncIterator[RequestLimiter]:
        async with Redis.from_url(redis_url) as client:
            yield ValkeyRequestLimiter(client)


class TestSharedRequestLimiter(RequestLimiterContract):
    @pytest.fixture
    async def limiter(self, redis_url: str) -> AsyncIterator[RequestLimiter]:
        async with Redis.from_url(redis_url) as client:
            yield shared(client)


class TestSharedRequestLimiterWithoutValkey(RequestLimiterContract):
    @pytest.fixture
    async def limiter(self) -> AsyncIterator[RequestLimiter]:
        async with Redis(host="127.0.0.1", port=free_port()) as client:
            yield SharedRequestLimiter(ValkeyRequestLimiter(client), LocalRequestLimiter())


class CountingLimiter(ValkeyRequestLimiter):
    """Knows how often Valkey was asked."""

    calls = 0

    async def lease(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        self.calls += 1
        return await super().lease(*args, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def bucket() -> str:
    return f"key:{secrets.token_hex(4)}:records"


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that takes connections and never answers."""
    held = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.read()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.close()


async def test_the_keys_of_a_bucket_go_by_themselves(redis_url: str, bucket: str) -> None:
    async with Redis.from_url(redis_url) as client:
        limiter = ValkeyRequestLimiter(client)
        await limiter.take(bucket, [SLOW, SLOWER], 2)
        keys = [f"storekeeper:limits:{{{bucket}}}:{limit.name}" for limit in (SLOW, SLOWER)]
        lives_ms = [await client.pttl(key) for key in keys]
        assert lives_ms == [
            pytest.approx(2 * 7_200_000, abs=60_000),
            pytest.approx(2 * 21_600_000, abs=60_000),
        ]
        await limiter.take(bucket, [SLOW, SLOWER], -2)
        assert await client.exists(*keys) == 0


async def test_two_processes_together_get_no_more_than_the_limit(
    redis_url: str, bucket: str
) -> None:
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        processes = [shared(one), shared(other)]
        answers = await asyncio.gather(
            *(processes[nth % 2].take(bucket, [WIDE], 1) for nth in range(1500))
        )
    passed = sum(each.wait_s is None for each in answers)
    assert 900 <= passed <= 1000


async def test_a_busy_caller_and_a_flood_make_few_round_trips(redis_url: str, bucket: str) -> None:
    async with Redis.from_url(redis_url) as client:
        counting = CountingLimiter(client)
        limiter = SharedRequestLimiter(
            counting, LocalRequestLimiter(), now=lambda: 5.0, patience_s=30
        )
        passed = [await limiter.take(bucket, [WIDE], 1) for _ in range(1000)]
        assert all(each.wait_s is None for each in passed)
        assert counting.calls < 120
        before = counting.calls
        refused = [await limiter.take(bucket, [WIDE], 1) for _ in range(1000)]
        assert all(each.wait_s is not None for each in refused)
        assert counting.calls == before + 1


async def test_a_quiet_caller_is_counted_to_the_unit(redis_url: str, bucket: str) -> None:
    now = 5.0
    async with Redis.from_url(redis_url) as client:
        limiter = shared(client, now=lambda: now)
        for _ in range(40):
            now += 0.6
            allowance = await limiter.take(bucket, [WIDE], 1)
    assert allowance.states[0].left == 960


async def test_what_was_taken_in_advance_is_dropped_after_a_second(
    redis_url: str, bucket: str
) -> None:
    now = 5.0
    async with Redis.from_url(redis_url) as client:
        limiter = shared(client, now=lambda: now)
        held = 0
        while held < 3:
            held = (await limiter.take(bucket, [WIDE], 1)).held
        now += 2
        assert (await limiter.take(bucket, [WIDE], 1)).held == 0


async def test_a_silent_valkey_is_told_of_once_and_holds_up_one_request(
    caplog: pytest.LogCaptureFixture, bucket: str
) -> None:
    async with silent_server() as port, Redis(host="127.0.0.1", port=port) as client:
        counting = CountingLimiter(client)
        limiter = SharedRequestLimiter(counting, LocalRequestLimiter())
        answers = await asyncio.gather(*(limiter.take(bucket, [SLOW], 1) for _ in range(40)))
        assert counting.calls == 1
    assert sum(each.wait_s is None for each in answers) == 12
    assert not limiter.is_shared()
    assert len([each for each in caplog.records if "Valkey does not answer" in each.message]) == 1


async def test_valkey_that_is_back_is_used_again_and_that_is_told_once(
    redis_url: str, caplog: pytest.LogCaptureFixture, bucket: str
) -> None:
    caplog.set_level(logging.INFO)
    now = 5.0
    client = Redis.from_url(redis_url)
    port = client.connection_pool.connection_kwargs["port"]
    limiter = shared(client, now=lambda: now)
    await limiter.take("another", [QUICK], 1)
    await client.connection_pool.disconnect()
    client.connection_pool.reset()
    client.connection_pool.connection_kwargs["port"] = free_port()
    for _ in range(5):
        now += 1
        await limiter.take(bucket, [SLOW], 1)
        assert not limiter.is_shared()
    client.connection_pool.reset()
    client.connection_pool.connection_kwargs["port"] = port
    now += 6
    answers = await asyncio.gather(*(limiter.take(bucket, [SLOW], 1) for _ in range(30)))
    await client.aclose()
    assert limiter.is_shared()
    assert any(each.wait_s is None for each in answers)
    told = [each.message for each in caplog.records if "Valkey" in each.message]
    assert ["again" in each for each in told] == [False, True]
