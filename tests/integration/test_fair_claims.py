"""One caller's many documents do not keep another's few waiting: HTTP, two keys, two workers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres.pool import PoolOptions, open_database
from domain.access.model import Scope
from entrypoints.settings import Settings
from fake_provider.scenario import Latency, Scenario
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for
from tests.integration.extraction_jobs import jobs_database
from tests.integration.keys import make_key

_CONCURRENCY = 8
_JOBS, _DOCUMENTS = 30, 100
_FEW = 10
_COUNT_BETWEEN = """
SELECT count(*) FROM extraction_job_items AS i JOIN extraction_jobs AS j ON j.id = i.job_id
JOIN extraction_jobs AS few ON few.id = $1
WHERE j.key_id <> few.key_id AND i.finished_at BETWEEN few.created_at AND few.finished_at
"""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake(Scenario(latency=Latency(mean_s=0.02))) as provider:
        yield provider


@pytest.fixture
async def settings(
    module_database_url: str, redis_url: str, fake: FakeInThread
) -> AsyncIterator[Settings]:
    async with jobs_database(module_database_url):
        yield settings_for(
            module_database_url,
            redis_url,
            llm_provider="openai",
            openai_api_key="a-key",
            openai_base_url=fake.openai_base_url,
        )


async def _worker(settings: Settings, log: Path, exits: AsyncExitStack) -> None:
    """A worker process until the test ends."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "entrypoints.cli.main", "worker"),
            env={
                **os.environ,
                "DATABASE_URL": settings.database_url.get_secret_value(),
                "REDIS_URL": settings.redis_url.get_secret_value(),
                "SECRET_KEY": settings.secret_key.get_secret_value(),
                "LLM_PROVIDER": "openai",
                "LLM_CONCURRENCY": str(_CONCURRENCY),
                "OPENAI_API_KEY": "a-key",
                "OPENAI_BASE_URL": settings.openai_base_url,
            },
            stdout=file,
            stderr=file,
        )
    exits.push_async_callback(process.wait)
    exits.callback(process.terminate)


def _lines(first: int, count: int) -> bytes:
    texts = [f"Ann{n} Lee here, please send {n + 2} chairs." for n in range(first, first + count)]
    return "\n".join(map(json.dumps, texts)).encode()


async def _until(api: httpx2.AsyncClient, job: dict[str, Any], key: str, done: int) -> None:
    path, headers = f"/extraction-jobs/{job['id']}", {"Authorization": f"Bearer {key}"}
    async with asyncio.timeout(180):
        while (await api.get(path, headers=headers)).json()["counts"]["valid"] < done:
            await asyncio.sleep(0.02)


async def test_ten_documents_of_one_key_are_read_while_another_has_thousands_in_many_jobs(
    settings: Settings, module_database_url: str, tmp_path: Path
) -> None:
    url = module_database_url
    keys = [await make_key(url, Scope.EXTRACT, requests_per_minute=10**6) for _ in range(2)]

    async with serving(settings, tmp_path) as api, AsyncExitStack() as exits:

        async def made(key: str, first: int, count: int, **options: str) -> dict[str, Any]:
            answer = await api.post(
                "/extraction-jobs",
                content=_lines(first, count),
                params=options,
                headers={"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"},
            )
            assert answer.status_code == 202, answer.text
            job: dict[str, Any] = answer.json()
            return job

        many = [
            await made(keys[0], place * _DOCUMENTS, _DOCUMENTS, priority="high")
            for place in range(_JOBS)
        ]
        for _ in range(2):
            await _worker(settings, tmp_path / "workers.log", exits)
        await _until(api, many[0], keys[0], 3)
        few = await made(keys[1], _JOBS * _DOCUMENTS, _FEW, priority="low")
        assert (few["priority"], many[0]["priority"]) == ("low", "high")
        assert None is not few["key_id"] != many[0]["key_id"] is not None
        await _until(api, few, keys[1], _FEW)
        async with open_database(settings.database_url.get_secret_value(), PoolOptions()) as base:
            between = await base.fetchval(_COUNT_BETWEEN, few["id"])
    # At most four for one, and what workers have in their hands at the beginning and at the end.
    in_hand = 2 * (_CONCURRENCY + _CONCURRENCY // 2)
    assert between <= 4 * _FEW + 4 * in_hand < _JOBS * _DOCUMENTS / 10
