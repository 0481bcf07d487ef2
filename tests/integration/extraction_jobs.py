"""Extraction jobs in a PostgreSQL database that starts empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from adapters.postgres.access import PostgresApiKeyRepository
from adapters.postgres.extraction.activity import PostgresExtractionActivityReader
from adapters.postgres.extraction.jobs import PostgresExtractionJobRepository
from adapters.postgres.extraction.queue import PostgresExtractionCache, PostgresExtractionQueue
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.postgres.unit_of_work import PostgresUnitOfWorkFactory
from domain.access.model import NO_BUDGET, ApiKeyId, BudgetChanges, ModelBudget
from tests.contracts.extraction_jobs import JobStore
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url

_NEW_KEY = """
INSERT INTO api_keys (token_hash, hint, name, environment, scopes, created_by, budget_usd,
    budget_tokens)
VALUES (
    sha256(gen_random_uuid()::text::bytea), 'abcd', 'a key', 'test', '{extract}', 'command:test',
    $1, $2
)
RETURNING id
"""
_EMPTY = "TRUNCATE extraction_jobs, extraction_workers, extractions CASCADE"
_AGE = (
    "UPDATE model_spending SET day = day - extract(day FROM $1::interval)::int",
    "UPDATE extraction_workers SET leased_until = leased_until - $1::interval",
    "UPDATE extraction_jobs SET waits_until = waits_until - $1::interval",
    "UPDATE extraction_job_items SET next_attempt_at = next_attempt_at - $1::interval",
)


@asynccontextmanager
async def jobs_database(url: str, options: PoolOptions | None = None) -> AsyncIterator[Database]:
    """The database behind `url`, migrated already, without a job or a result."""
    await execute(url, _EMPTY)
    async with open_database(service_url(url), options or PoolOptions()) as database:
        yield database


def jobs_in(database: Database) -> JobStore:
    """Its jobs, as the contract suite wants them."""

    async def let_pass(time: timedelta) -> None:
        for statement in _AGE:
            await database.execute(statement, time)

    async def new_key(budget: ModelBudget = NO_BUDGET) -> ApiKeyId:
        return ApiKeyId(await database.fetchval(_NEW_KEY, budget.usd, budget.tokens))

    async def set_budget(key_id: ApiKeyId, budget: ModelBudget) -> None:
        members = frozenset({"usd", "tokens"})
        changes = BudgetChanges(members=members, usd=budget.usd, tokens=budget.tokens)
        await PostgresApiKeyRepository(database).change_budget(key_id, changes)

    async def revoke_key(key_id: ApiKeyId) -> None:
        await PostgresApiKeyRepository(database).revoke(key_id, datetime.now(UTC))

    return JobStore(
        jobs=PostgresExtractionJobRepository(database),
        activity=PostgresExtractionActivityReader(database),
        queue=PostgresExtractionQueue(database),
        cache=PostgresExtractionCache(database),
        open_unit=PostgresUnitOfWorkFactory(database),
        let_pass=let_pass,
        new_key=new_key,
        set_budget=set_budget,
        revoke_key=revoke_key,
    )
