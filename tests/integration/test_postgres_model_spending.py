"""What keys spend on language models in PostgreSQL is what the port promises."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.postgres.access import PostgresApiKeyRepository
from adapters.postgres.model_spending import PostgresModelSpending
from domain.access.model import NO_BUDGET, ApiKeyId, ModelBudget
from tests.contracts.access import BARE
from tests.contracts.extraction_jobs import SPENT, JobStore, a_result, done
from tests.contracts.model_spending import ModelSpendingContract, SpendingStore
from tests.integration.extraction_jobs import jobs_database, jobs_in


@pytest.fixture
async def stores(module_database_url: str) -> AsyncIterator[tuple[SpendingStore, JobStore]]:
    async with jobs_database(module_database_url) as database:
        jobs, keys = jobs_in(database), PostgresApiKeyRepository(database)

        async def replaced(key_id: ApiKeyId) -> ApiKeyId:
            until = datetime.now(UTC) + timedelta(hours=1)
            digest = secrets.token_bytes(32)
            made = await keys.replace(key_id, BARE, digest=digest, hint="abcd", until=until)
            return made.id

        spending = SpendingStore(
            reader=PostgresModelSpending(database),
            open_unit=jobs.open_unit,
            new_key=jobs.new_key,
            replaced=replaced,
            let_pass=jobs.let_pass,
        )
        yield spending, jobs


class TestPostgresModelSpending(ModelSpendingContract):
    @pytest.fixture
    def store(self, stores: tuple[SpendingStore, JobStore]) -> SpendingStore:
        return stores[0]


async def test_fifty_results_at_once_are_all_counted(
    stores: tuple[SpendingStore, JobStore],
) -> None:
    spending, _ = stores
    key_id = await spending.new_key(NO_BUDGET)
    await asyncio.gather(*(spending.add(a_result(str(n)), key_id) for n in range(50)))
    assert (await spending.reader.today(key_id)).tokens == 50 * SPENT.of_key.tokens


async def test_settlements_of_many_jobs_of_one_key_wait_for_nobody_for_ever(
    stores: tuple[SpendingStore, JobStore],
) -> None:
    spending, jobs = stores
    key_id = await jobs.new_key(ModelBudget(tokens=10 * SPENT.of_key.tokens))
    made = [await jobs.job(["a", "b", "c"], key_id=key_id) for _ in range(10)]
    worker = await jobs.worker()
    claimed = await jobs.queue.claim(worker, limit=30)
    async with asyncio.timeout(30):
        await asyncio.gather(*(jobs.queue.settle(worker, [done(each)]) for each in claimed[:20]))
        await jobs.queue.hold_to_budgets()
    assert {(await jobs.jobs.get(job.id)).status for job in made} <= {"paused", "completed"}
    expected = replace(SPENT.of_key, tokens=20 * 110, usd=20 * SPENT.of_key.usd)
    assert await spending.reader.today(key_id) == expected
