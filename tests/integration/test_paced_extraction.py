"""The whole stack over a provider that pushes back: SDK, pacing in Valkey, retries, the service."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from redis.asyncio import Redis

from adapters.llm.clients import ModelConfig
from adapters.llm.connections import open_language_models
from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import FailureKind
from domain.extraction.model import ExtractionResult, ExtractionStatus
from domain.extraction.schema import ORDER_MESSAGE
from domain.extraction.service import ExtractionService
from entrypoints.prices import read_prices
from fake_provider.scenario import Fault, Latency, Limit, Scenario
from fake_provider.testing import FakeInThread, running_fake


@asynccontextmanager
async def two_processes(
    fake: FakeInThread, redis_url: str, *, concurrency: int = 8
) -> AsyncIterator[list[ExtractionService]]:
    """Two services that share nothing but Valkey, as two workers would."""
    configs = [
        ModelConfig(
            provider="openai",
            model=f"gpt-4o-mini-{secrets.token_hex(4)}",  # a lane of this test's own
            base_url=fake.openai_base_url,
            api_key="k",
        ),
        ModelConfig(
            provider="openai_compatible",
            model="m",
            base_url=fake.vllm_base_url,
            api_key=secrets.token_hex(4),
        ),
    ]
    async with (
        Redis.from_url(redis_url) as one,
        Redis.from_url(redis_url) as other,
        open_language_models(
            configs, call_timeout_s=30, concurrency=concurrency, valkey=one
        ) as first,
        open_language_models(
            configs, call_timeout_s=30, concurrency=concurrency, valkey=other
        ) as second,
    ):
        yield [
            ExtractionService(
                models=models,
                chain=("openai",),
                validator=PydanticRecordValidator(),
                prices=read_prices(),
                monotonic=time.monotonic,
                new_mark=partial(secrets.token_hex, 4),
            )
            for models in (first, second)
        ]


async def read_all(
    services: Sequence[ExtractionService], count: int, chain: Sequence[str] = ("openai",)
) -> list[ExtractionResult]:
    return await asyncio.gather(
        *(
            services[nth % len(services)].extract(
                f"Hi, Maria Lopez here. Could we get {nth + 2} oat milk cartons by friday?",
                ORDER_MESSAGE,
                chain=chain,
                deadline_s=120,
            )
            for nth in range(count)
        )
    )


async def test_a_wait_that_one_worker_is_told_holds_for_the_other(redis_url: str) -> None:
    with running_fake(Scenario(latency=Latency(mean_s=0.02))) as fake:
        async with two_processes(fake, redis_url, concurrency=4) as services:
            await read_all(services, 2)
            fake.script(Fault(kind="rate_limited", retry_after_s=2.0))
            results = await read_all(services, 60)
        [refusal] = [entry for entry in fake.entries if entry.status == 429]
        assert refusal.done_s is not None
        early = [e for e in fake.entries if refusal.done_s < e.arrived_s < refusal.done_s + 2.0]
    # What either had in hand when the refusal was written is no fault of theirs; the rest is.
    assert len(early) <= 2 * 2 * 4, "a worker that was not told sends its thirty"
    assert {result.status for result in results} == {ExtractionStatus.VALID}
    assert sum(len(result.attempts) for result in results) == 61


async def test_two_workers_keep_to_one_limit(redis_url: str) -> None:
    limit = Limit(rpm=600, burst_s=1)
    with running_fake(Scenario(limits=(limit,), latency=Latency(mean_s=0.02))) as fake:
        async with two_processes(fake, redis_url) as services:
            results = await read_all(services, 60)
        refused = sum(entry.status == 429 for entry in fake.entries)
    assert {result.status for result in results} == {ExtractionStatus.VALID}
    assert refused <= 2, "the limit stands in the first answer"


async def test_a_fifth_of_faults_costs_calls_and_loses_nothing(redis_url: str) -> None:
    rates = tuple(
        Fault(kind=kind, probability=0.05)
        for kind in ("server_error", "reset", "invalid_json", "overloaded")
    )
    with running_fake(Scenario(seed=3, rates=rates)) as fake:
        async with two_processes(fake, redis_url) as services:
            results = await read_all(services, 100)
    assert Counter(result.status for result in results)[ExtractionStatus.VALID] >= 99
    calls = sum(len(result.attempts) for result in results)
    assert 110 <= calls <= 150


async def test_a_dead_provider_is_left_for_the_next_and_soon_not_even_asked(
    redis_url: str,
) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind="server_error", dialect="openai", times=None))
        async with two_processes(fake, redis_url) as services:
            results = await read_all(services, 40, chain=("openai", "openai_compatible"))
        dead = sum(entry.dialect == "openai" for entry in fake.entries)
    assert {result.provider for result in results} == {"openai_compatible"}
    assert {result.status for result in results} == {ExtractionStatus.VALID}
    reasons = {reason for result in results for _, reason in result.fallbacks}
    assert FailureKind.CIRCUIT_OPEN in reasons
    assert dead <= 30, "of 120 that blind retries would have made"


@pytest.mark.parametrize("kind", ["quota_exhausted", "bad_key", "unknown_model"])
async def test_what_no_retry_helps_is_asked_once_a_text(redis_url: str, kind: str) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind=kind, times=None))  # type: ignore[arg-type]  # one of the kinds
        async with two_processes(fake, redis_url) as services:
            results = await read_all(services, 5)
        assert len(fake.entries) == 5
    assert {result.status for result in results} == {ExtractionStatus.FAILED}
