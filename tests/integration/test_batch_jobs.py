"""Jobs that ask by the providers' batch APIs: over HTTP, by the command, through `kill -9`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.calls import text_hash
from fake_provider.scenario import Batches, Fault, Scenario
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for
from tests.integration.extraction_jobs import jobs_database

PROVIDERS = ("openai", "gemini")


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, please send {number + 2} oak chairs."


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        yield provider


@pytest.fixture
def settings(module_database_url: str, redis_url: str, fake: FakeInThread) -> Settings:
    return settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
        gemini_api_key="a-key",
        gemini_base_url=fake.gemini_base_url,
        openai_compatible_base_url=fake.vllm_base_url,
        llm_timeout_s=20,
        llm_batch_poll_s=0.1,
        llm_batch_size=20,
        job_lease_s=4,  # a busy machine may not get round to a sign of life each second
    )


@pytest.fixture(autouse=True)
async def empty(module_database_url: str) -> None:
    async with jobs_database(module_database_url):
        pass


@pytest.fixture
async def api(settings: Settings, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings, tmp_path) as client:
        yield client


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """A worker that runs while the block does."""
    async with open_container(settings) as container:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(container.extraction_worker().run(stop))
            group.create_task(container.batch_worker().run(stop))
            try:
                yield
            finally:
                stop.set()


async def until(
    api: httpx2.AsyncClient, path: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    async with asyncio.timeout(180):
        while True:
            job: dict[str, Any] = (await api.get(path)).json()
            if fits(job):
                return job
            await asyncio.sleep(0.05)


async def created(api: httpx2.AsyncClient, count: int, **options: object) -> str:
    body = {"texts": [text_of(n) for n in range(count)], "mode": "batch", **options}
    answer = await api.post("/extraction-jobs", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["mode"] == "batch"
    return str(answer.headers["location"])


def completed(job: dict[str, Any]) -> bool:
    return bool(job["status"] == "completed")


def calls_of(fake: FakeInThread) -> Counter[int]:
    """By text, in batches and directly."""
    return Counter(entry.text for entry in fake.entries)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_job_is_answered_by_batches_at_half_the_price(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread, provider: str
) -> None:
    async with working(settings):
        path = await created(api, 50, provider=provider)
        batched = await until(api, path, completed)
        body = {"texts": [text_of(n) for n in range(50)], "provider": provider, "reuse": False}
        direct_path = (await api.post("/extraction-jobs", json=body)).headers["location"]
        direct = await until(api, direct_path, completed)
    assert batched["counts"]["valid"] + batched["counts"]["partial"] == 50
    assert batched["counts"]["valid"] == direct["counts"]["valid"]
    assert batched["calls"] == direct["calls"]
    assert batched["usage"] == direct["usage"]
    assert batched["cost_usd"] == pytest.approx(direct["cost_usd"] / 2)
    assert batched["cost_usd"] > 0
    assert direct["mode"] == "direct"
    page = (await api.get(batched["results"], params={"limit": 1})).json()
    [item] = page["items"]
    assert item["provider"] == provider
    assert item["evidence"]


async def test_what_a_batch_answers_unusably_is_asked_again_directly(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    fake.script(
        Fault(kind="schema_violation", text=text_of(1)),
        Fault(kind="server_error", text=text_of(2)),
        Fault(kind="invalid_json", text=text_of(3)),
        Fault(kind="refusal", text=text_of(4)),
    )
    path = await created(api, 6)
    async with working(settings):
        job = await until(api, path, completed)
    counts = [calls_of(fake)[text_hash(text_of(number))] for number in range(6)]
    assert counts == [1, 2, 2, 2, 1, 1], "what was unusable is asked again, once, and nothing else"
    assert job["counts"]["refused"] == 1
    assert job["counts"]["valid"] + job["counts"]["partial"] == 5


async def test_an_expired_batch_is_followed_by_one_for_the_rest(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    fake.provider.apply(Scenario(batches=Batches(outcome="expired")))
    path = await created(api, 10)
    async with working(settings):
        await until(api, path, lambda job: job["counts"]["valid"] + job["counts"]["partial"] >= 5)
        fake.provider.apply(Scenario())
        job = await until(api, path, completed)
    assert job["counts"]["failed"] == 0
    assert max(calls_of(fake).values()) == 1


async def test_a_cancelled_job_cancels_what_is_at_the_provider(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    fake.provider.apply(Scenario(batches=Batches(in_progress_s=600)))
    path = await created(api, 3)
    async with open_container(settings) as container:
        model = await container.batch_models()["openai"]()
        async with working(settings):
            await until(api, path, lambda job: job["counts"]["running"] == 3)
            token = None
            async with asyncio.timeout(180):
                while token is None:
                    await asyncio.sleep(0.05)
                    token = await container.database().fetchval(
                        "SELECT id FROM provider_batches WHERE provider_id IS NOT NULL"
                    )
            assert (await api.delete(path)).status_code == 202
            await until(api, path, lambda job: job["counts"]["cancelled"] == 3)
        batch_id = await model.find(str(token))
        assert batch_id is not None
        async with asyncio.timeout(180):
            while not (status := await model.status(batch_id)).ended:
                await asyncio.sleep(0.05)
    assert status.failure is not None
    assert "cancelled" in status.failure.detail


async def test_a_provider_without_batches_is_refused_before_anything_is_stored(
    api: httpx2.AsyncClient,
) -> None:
    body = {"texts": ["Hello"], "mode": "batch", "provider": "openai_compatible,openai"}
    refused = await api.post("/extraction-jobs", json=body)
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["pointer"] == "/mode"
    assert "openai" in error["detail"]
    assert (await api.get("/extraction-jobs")).json()["items"] == []
    unknown = await api.post("/extraction-jobs", json={"texts": ["Hello"], "mode": "slow"})
    assert unknown.status_code == 422


async def test_lines_take_the_mode_from_the_query(api: httpx2.AsyncClient) -> None:
    answer = await api.post(
        "/extraction-jobs?mode=batch",
        content=json.dumps({"text": "Hello"}),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 202
    assert answer.json()["mode"] == "batch"


async def test_an_api_key_that_is_refused_fails_the_job_and_the_repair_resumes_it(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    path = await created(api, 3)
    wrong = settings.model_copy(update={"openai_base_url": f"{fake.url}/nowhere"})
    async with working(wrong):
        job = await until(api, path, lambda job: job["status"] == "failed")
    assert job["reason"]["code"] == "unknown_model"
    assert job["counts"]["pending"] == 3
    assert (await api.post(f"{path}/resume")).status_code == 200
    async with working(settings):
        job = await until(api, path, completed)
    assert job["counts"]["failed"] == 0


def environment(settings: Settings, fake: FakeInThread) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "LLM_PROVIDER": "openai",
        "OPENAI_API_KEY": "a-key",
        "OPENAI_BASE_URL": fake.openai_base_url,
        "LLM_BATCH_POLL_S": "0.25",
        "LLM_BATCH_SIZE": "20",
        "JOB_LEASE_S": "1",
    }


async def test_the_command_asks_in_batches_and_writes_the_records(
    settings: Settings, fake: FakeInThread, tmp_path: Path
) -> None:
    source = tmp_path / "texts.ndjson"
    source.write_text("\n".join(json.dumps(text_of(n)) for n in range(30)))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "entrypoints.cli.main",
        "extract",
        "--batch",
        "--here",
        str(source),
        env=environment(settings, fake),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()
    assert len(out.splitlines()) == 30
    async with jobs_database_kept(settings) as database:
        assert await database.fetchval("SELECT mode FROM extraction_jobs") == "batch"
        assert await database.fetchval("SELECT count(*) FROM provider_batches") == 2
    assert sorted(calls_of(fake).values()) == [1] * 30


@asynccontextmanager
async def jobs_database_kept(settings: Settings) -> AsyncIterator[Any]:
    async with open_container(settings) as container:
        yield container.database()


@asynccontextmanager
async def worker_process(
    settings: Settings, fake: FakeInThread, log: Path
) -> AsyncIterator[Process]:
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "entrypoints.cli.main",
            "worker",
            env=environment(settings, fake),
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


MOMENTS = {
    "a batch is opened": "SELECT count(*) > 0 FROM provider_batches",
    "it is being submitted": "SELECT bool_or(unsure_since IS NOT NULL) FROM provider_batches",
    "its id is known": "SELECT bool_or(provider_id IS NOT NULL) FROM provider_batches",
    "its answers are settled": "SELECT bool_or(finished_at IS NOT NULL) FROM extraction_job_items",
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_worker_killed_at_any_moment_repeats_no_batch_and_loses_nothing(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread, tmp_path: Path, moment: str
) -> None:
    log = tmp_path / "worker.log"
    path = await created(api, 50)
    async with open_container(settings) as container:
        database = container.database()
        async with worker_process(settings, fake, log) as process, asyncio.timeout(180):
            while not await database.fetchval(MOMENTS[moment]):
                await asyncio.sleep(0.001)
            process.kill()
            await process.wait()
        before = await database.fetchval("SELECT count(*) FROM provider_batches")
        async with AsyncExitStack() as exits:
            for _ in range(2):
                await exits.enter_async_context(worker_process(settings, fake, log))
            job = await until(api, path, completed)
            # The job is completed with its last item; a worker closes the batches after that.
            async with asyncio.timeout(180):
                while await database.fetchval("SELECT count(closed_at) FROM provider_batches") < 3:
                    await asyncio.sleep(0.05)
        assert 1 <= before <= 3
        assert job["counts"]["valid"] + job["counts"]["partial"] == 50, log.read_text()
        assert sorted(calls_of(fake).values()) == [1] * 50, log.read_text()
        assert job["calls"] == 50
        assert await database.fetchval("SELECT count(*) FROM provider_batches") == 3
