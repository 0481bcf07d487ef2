"""Keys and the audit log in PostgreSQL are what the ports promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.postgres.access import PostgresApiKeyRepository
from adapters.postgres.audit import PostgresAuditLog
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.valkey.key_announcements import CHANNEL, ValkeyKeyChangePublisher
from domain.access.keys import ApiKey
from domain.access.model import ApiKeyId
from domain.errors import Conflict
from tests.contracts.access import (
    BARE,
    AccessStore,
    ApiKeysContract,
    AuditLogContract,
    digest,
)
from tests.integration.owners_database import ask, execute
from tests.integration.service_role import service_url


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    await execute(module_database_url, "TRUNCATE api_keys, audit_log RESTART IDENTITY CASCADE")
    async with open_database(service_url(module_database_url), PoolOptions()) as database:
        yield database


class InPostgres:
    @pytest.fixture
    def access_store(self, database: Database, module_database_url: str) -> AccessStore:
        async def let_pass(time: timedelta) -> None:
            # As the owner: the service may not change what was written down.
            await ask(module_database_url, "UPDATE audit_log SET at = at - $1::interval", time)

        return AccessStore(
            keys=PostgresApiKeyRepository(database),
            audit_log=PostgresAuditLog(database),
            now=lambda: datetime.now(UTC),
            let_pass=let_pass,
        )


class TestPostgresApiKeys(InPostgres, ApiKeysContract):
    pass


class TestPostgresAuditLog(InPostgres, AuditLogContract):
    pass


async def test_of_many_rotations_of_one_key_at_once_one_makes_a_key(database: Database) -> None:
    keys = PostgresApiKeyRepository(database)
    old = await keys.add(BARE, digest=digest(0), hint="abcd")
    until = datetime.now(UTC) + timedelta(hours=1)
    outcomes = await asyncio.gather(
        *(
            keys.replace(old.id, BARE, digest=digest(n), hint="efgh", until=until)
            for n in range(1, 9)
        ),
        return_exceptions=True,
    )
    made = [each for each in outcomes if isinstance(each, ApiKey)]
    assert len(made) == 1
    assert sum(isinstance(each, Conflict) for each in outcomes) == 7
    assert (await keys.get(old.id)).replaced_by == made[0].id
    assert len(await keys.page(limit=20)) == 2


async def test_the_audit_log_cannot_be_pruned_of_the_last_month(database: Database) -> None:
    with pytest.raises(asyncpg.RaiseError, match="kept for 30 days at least"):
        await PostgresAuditLog(database).prune(29)


async def test_a_change_of_a_key_is_announced_to_all_who_listen(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        assert await listener.get_message(timeout=5)  # of the subscription
        assert await ValkeyKeyChangePublisher(redis).announce(ApiKeyId(12))
        message = await listener.get_message(timeout=5)
        assert message is not None
        assert message["data"] == b"12"


async def test_an_announcement_that_reaches_nobody_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as redis:
        assert not await ValkeyKeyChangePublisher(redis).announce(ApiKeyId(12))
    assert "a change of key 12 was told to nobody" in caplog.text
