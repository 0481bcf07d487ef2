from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from domain.access.audit import Actor, acting_as
from domain.access.model import CallerKind
from entrypoints.container.services import Container, open_container
from entrypoints.worker.jobs import build_worker
from ports.idempotency import StoredResponse
from tests.integration.api import settings_for
from tests.integration.owners_database import execute

# arq closes its connection by redis-py's old name for it.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

_PATIENCE_S = 180


@asynccontextmanager
async def working(container: Container) -> AsyncIterator[None]:
    """A worker that has begun; at the end of the block it ends what it has begun."""
    worker = build_worker(container, handle_signals=False)
    running = asyncio.create_task(worker.async_run())
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
            while not worker.jobs_complete or any(not job.done() for job in worker.tasks.values()):
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await worker.close()


async def test_the_worker_forgets_answers_that_are_too_old_to_be_replayed_and_no_others(
    module_database_url: str, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as queue:
        await queue.flushdb()
    async with open_container(settings_for(module_database_url, redis_url)) as container:
        answer = StoredResponse(status=201, headers={}, body=b"{}")
        async with container.open_unit()() as unit:
            for key in ("old", "young"):
                await unit.answers.keep(key, b"digest", answer)
            await unit.commit()
        database = container.database()
        await database.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '25 h' WHERE key = 'old'"
        )

        async with working(container):
            while len(await database.fetch("SELECT key FROM idempotency_keys")) != 1:
                await asyncio.sleep(0.05)
        kept = await database.fetch("SELECT key FROM idempotency_keys")
        assert [row["key"] for row in kept] == ["young"]


async def test_the_worker_deletes_entries_of_the_audit_log_that_are_older_than_they_are_kept(
    module_database_url: str, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as queue:
        await queue.flushdb()
    settings = settings_for(module_database_url, redis_url, audit_keep_days=40)
    async with open_container(settings) as container:
        database = container.database()
        with acting_as(Actor(kind=CallerKind.COMMAND, subject="command:test")):
            for resource in ("/old", "/young"):
                await container.audit_log().note("test.write", resource)
        await execute(
            module_database_url,
            "UPDATE audit_log SET at = now() - CASE resource WHEN '/old' THEN interval '41 days'"
            " ELSE interval '39 days' END",
        )
        async with working(container):
            while len(await database.fetch("SELECT id FROM audit_log")) != 1:
                await asyncio.sleep(0.05)
        kept = await database.fetch("SELECT resource FROM audit_log")
        assert [row["resource"] for row in kept] == ["/young"]
