"""The service behind a pooler in transaction mode, where no session survives a transaction."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from adapters.postgres.health import PostgresDiagnosticCheck
from adapters.postgres.pool import PoolOptions, open_database
from domain.errors import DatabaseUnfit
from domain.insights.model import RankingRules
from tests.contracts.insights import DAY, NOW, row
from tests.integration.answers import created, sound_api
from tests.integration.api import settings_for
from tests.integration.insights import searches_in
from tests.integration.servers import transaction_pooler
from tests.integration.service_role import service_url


@pytest.fixture
async def pooled_url(fresh_database_url: str, server_directory: Path) -> AsyncIterator[str]:
    """The service's role comes through the pooler; the owner migrates past it."""
    directory = server_directory / secrets.token_hex(4)
    async with transaction_pooler(service_url(fresh_database_url, pooled=False), directory) as url:
        yield url


async def test_two_hundred_concurrent_requests_through_a_pooler_all_succeed(
    pooled_url: str, redis_url: str, tmp_path: Path
) -> None:
    # A busy machine may take its time: what is asked is that nothing fails.
    settings = settings_for(pooled_url, redis_url, database_acquire_timeout_s=60)
    async with sound_api(settings, tmp_path) as api:
        user = await created(api, "/users", {"name": "Ann", "email": "ann@example.com"})

        async def place(number: int) -> httpx2.Response:
            body = {"user_id": user["id"], "product_name": "oak chair", "quantity": number + 1}
            key = {"idempotency-key": f"k-{number}"} if number % 2 else {}
            return await api.post("/orders", json=body, headers=key)

        placed = await asyncio.gather(*(place(number) for number in range(200)))
        assert {each.status_code for each in placed} == {201}
        paths = [each.headers["location"] for each in placed]
        assert len(set(paths)) == 200
        once = {"if-match": '"1"'}
        changed = await asyncio.gather(
            *(api.patch(path, json={"quantity": 5}, headers=once) for path in paths)
        )
        assert {each.status_code for each in changed} <= {200}
        read = await asyncio.gather(
            *(api.get(path) for path in paths),
            *(api.get(f"/orders?user_id={user['id']}&limit=3") for _ in range(50)),
        )
        assert {each.status_code for each in read} == {200}
        ready = await api.get("/health/ready")
        assert ready.json()["checks"]["database"] == "ok"
        assert len((await api.get("/orders?limit=200")).json()["items"]) == 200


async def test_the_role_that_comes_through_the_pooler_is_bound(
    pooled_url: str, fresh_database_url: str
) -> None:
    has_own_role = service_url(fresh_database_url, pooled=False) != fresh_database_url
    async with open_database(pooled_url, PoolOptions(transaction_pooler=True)) as database:
        assert await database.fetchval("SELECT row_security_active('users')") == has_own_role
        assert await database.fetchval("SELECT current_setting('TimeZone')") == "UTC"


async def test_days_are_marked_and_added_up_through_a_pooler(pooled_url: str) -> None:
    async with open_database(pooled_url, PoolOptions(transaction_pooler=True)) as database:
        searches = searches_in(database)

        async def write_and_compute(number: int) -> None:
            await searches.log.append([row(f"lamp {number}", 1, 2)])
            if number % 10 == 0:
                await searches.insights.compute(DAY, RankingRules(), now=NOW)

        await asyncio.gather(*(write_and_compute(number) for number in range(100)))
        assert await searches.insights.days_to_compute(DAY) in ([], [DAY])
        assert (await searches.insights.compute(DAY, RankingRules(), now=NOW)).clicks == 100
        assert await searches.insights.days_to_compute(DAY) == []
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert await database.fetchval(locks) == 0


@pytest.fixture
async def unknown_pooler_url(
    fresh_database_url: str, server_directory: Path
) -> AsyncIterator[tuple[str, str]]:
    """The address of a pooler that says nothing of it; one that is strict, and one that is not."""
    direct = service_url(fresh_database_url, pooled=False)
    places = [server_directory / secrets.token_hex(4) for _ in range(2)]
    async with (
        transaction_pooler(direct, places[0], connections=1) as strict,
        transaction_pooler(
            direct, places[1], connections=1, ignored="statement_timeout"
        ) as indulgent,
    ):
        yield strict.partition("?")[0], indulgent.partition("?")[0]


async def test_who_does_not_say_that_there_is_a_pooler_is_told_to(
    unknown_pooler_url: tuple[str, str],
) -> None:
    strict, indulgent = unknown_pooler_url
    results = await PostgresDiagnosticCheck(strict, PoolOptions()).results()
    (fault,) = (each.detail for each in results if not each.good)
    assert fault.endswith("parameter: statement_timeout: add pooler=transaction to DATABASE_URL.")
    async with (
        open_database(indulgent, PoolOptions()) as first,
        open_database(indulgent, PoolOptions()) as second,
    ):
        await first.fetchval("SELECT 1")
        await second.execute("DEALLOCATE ALL")  # another's connection has not the same statements
        with pytest.raises(DatabaseUnfit, match="add pooler=transaction to DATABASE_URL"):
            await first.fetchval("SELECT 1")
