from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from entrypoints.container.services import open_container
from entrypoints.worker.jobs import build_worker
from ports.idempotency import KeptAnswer
from tests.integration.api import settings_for

# arq closes its connection by redis-py's old name for it.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

_PATIENCE_S = 180


async def test_the_worker_forgets_answers_that_are_too_old_to_be_replayed_and_no_others(
    module_database_url: str, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as queue:
        await queue.flushdb()
    async with open_container(settings_for(module_database_url, redis_url)) as container:
        answer = KeptAnswer(status=201, headers={}, body=b"{}")
        async with container.open_unit()() as unit:
            for key in ("old", "young"):
                await unit.answers.keep(key, b"digest", answer)
            await unit.commit()
        database = container.database()
        await database.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '25 h' WHERE key = 'old'"
        )

        worker = build_worker(container, handle_signals=False)
        running = asyncio.create_task(worker.async_run())
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while len(await database.fetch("SELECT key FROM idempotency_keys")) != 1:
                    await asyncio.sleep(0.05)
                while not worker.jobs_complete or any(
                    not job.done() for job in worker.tasks.values()
                ):
                    await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.wait({running})
            await worker.close()
        kept = await database.fetch("SELECT key FROM idempotency_keys")
        assert [row["key"] for row in kept] == ["young"]
