"""What callers may ask for, over real servers: two processes' worth of limits, and no Valkey."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.valkey import request_limits
from domain.access.keys import KeyEnvironment, new_key
from domain.access.model import Scope
from tests.integration.answers import refusal
from tests.integration.api import serving, settings_for
from tests.integration.keys import make_key

SLOW = "records=20/day burst 20, insights=20/day burst 20"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is not taken for a Valkey that is away."""
    monkeypatch.setattr(request_limits, "_PATIENCE_S", 30)


@pytest.fixture(autouse=True)
async def full_buckets(redis_url: str) -> None:
    """The keys of each test's database have the same numbers."""
    async with Redis.from_url(redis_url) as client:
        for name in await client.keys("storekeeper:limits:*"):
            await client.delete(name)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def guess() -> dict[str, str]:
    return bearer(new_key(KeyEnvironment.TEST, secrets.randbelow))


async def statuses(
    api: httpx2.AsyncClient, count: int, ask: Callable[[], dict[str, str]]
) -> Counter[int]:
    found = await asyncio.gather(*(api.get("/users/404", headers=ask()) for _ in range(count)))
    return Counter(each.status_code for each in found)


async def test_a_flood_of_one_key_is_refused_and_another_key_goes_on(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    flood, other = [await make_key(fresh_database_url, Scope.RECORDS_WRITE) for _ in range(2)]
    settings = settings_for(fresh_database_url, redis_url, rate_limits=SLOW)
    async with serving(settings, tmp_path) as api:
        assert await statuses(api, 60, lambda: bearer(flood)) == {404: 20, 429: 40}
        refused = await api.get("/users/404", headers=bearer(flood))
        refusal(refused, 429, "too_many_requests")
        assert 4000 < int(refused.headers["retry-after"]) <= 4320
        assert "ratelimit" not in refused.headers
        assert (await api.get("/users/404", headers=bearer(other))).status_code == 404


async def test_a_write_costs_two_a_long_page_four_and_answers_say_what_is_left(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    key = bearer(await make_key(fresh_database_url, Scope.RECORDS_WRITE, Scope.INSIGHTS_READ))
    settings = settings_for(
        fresh_database_url, redis_url, rate_limits=SLOW, rate_limit_headers=True
    )
    async with serving(settings, tmp_path) as api:
        answers = [
            await api.get("/users?limit=50", headers=key),
            await api.get("/users?limit=200", headers=key),
            await api.post("/users", headers=key, json={"name": "Ann", "email": "ann@a.example"}),
            await api.post("/users", headers=key, json={"name": ""}),
            await api.get("/search-insights/live?from=2026-11-01&to=2026-11-02", headers=key),
            await api.get("/search-insights/live?from=2026-11-01&to=2026-11-02", headers=key),
            await api.get("/search-insights/live?from=2026-11-01&to=2026-11-02", headers=key),
        ]
        health = await api.get("/health/live")
    assert [each.status_code for each in answers] == [200, 200, 201, 422, 200, 200, 429]
    left = [each.headers["ratelimit"].split(";")[1] for each in answers]
    assert left == ["r=19", "r=15", "r=13", "r=11", "r=10", "r=0", "r=0"]
    policies = {each.headers["ratelimit-policy"] for each in answers}
    assert policies == {'"records-day";q=20;w=86400', '"insights-day";q=20;w=86400'}
    assert "ratelimit" not in health.headers


async def test_a_key_with_a_limit_of_its_own_has_that_alone(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    key = await make_key(fresh_database_url, Scope.RECORDS_READ, requests_per_minute=1)
    settings = settings_for(
        fresh_database_url, redis_url, rate_limits="off", rate_limit_headers=True
    )
    async with serving(settings, tmp_path) as api:
        assert await statuses(api, 30, lambda: bearer(key)) == {404: 10, 429: 20}


async def test_who_guesses_keys_is_refused_and_a_key_that_was_there_before_is_not(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    known, new = [await make_key(fresh_database_url, Scope.RECORDS_READ) for _ in range(2)]
    settings = settings_for(fresh_database_url, redis_url, rate_limits="failures=20/day burst 20")
    async with serving(settings, tmp_path) as api:
        assert await statuses(api, 5, lambda: bearer(known)) == {404: 5}
        assert await statuses(api, 100, guess) == {401: 20, 429: 80}
        assert await statuses(api, 5, lambda: bearer(known)) == {404: 5}
        refused = await api.get("/users/404", headers=bearer(new))
        refusal(refused, 429, "too_many_requests")
        assert "not accepted" in refused.json()["detail"]


@pytest.mark.parametrize("hangs", [True, False])
async def test_without_valkey_limits_hold_in_the_process_and_metrics_say_so(
    hangs: bool, fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "_PATIENCE_S", 0.05)
    key = await make_key(fresh_database_url, Scope.RECORDS_READ, Scope.INSIGHTS_READ)

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(keep, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1] if hangs else free_port()
    try:
        settings = settings_for(fresh_database_url, f"redis://127.0.0.1:{port}/0", rate_limits=SLOW)
        async with serving(settings, tmp_path) as api:
            assert await statuses(api, 60, lambda: bearer(key)) == {404: 20, 429: 40}
            metrics = (await api.get("/metrics", headers=bearer(key))).text
            assert "\nstorekeeper_rate_limits_shared 0\n" in metrics
    finally:
        silent.close()
