"""What a key may spend on language models, over HTTP, PostgreSQL, workers and a provider's wire."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres.pool import PoolOptions, open_database
from domain.access.model import ModelBudget, Scope
from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.answers import refusal
from tests.integration.api import serving, settings_for
from tests.integration.extraction_jobs import jobs_database, jobs_in
from tests.integration.keys import make_key

AT_ONCE = 4


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, please send {number + 2} oak chairs."


def answer_of(number: int) -> dict[str, object]:
    return {
        "field_1": {"quote": f"Ann{number} Lee", "value": f"Ann{number} Lee"},
        "field_2": {"quote": "oak chairs", "value": "oak chairs"},
        "field_3": {"quote": str(number + 2), "value": number + 2},
    }


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({text_of(n): answer_of(n) for n in range(100, 200)})
        yield provider


@pytest.fixture(scope="module")
def settings(module_database_url: str, redis_url: str, fake: FakeInThread) -> Settings:
    return settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
        llm_concurrency=AT_ONCE,
        job_lease_s=3,
    )


@pytest.fixture(scope="module")
async def api(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings, Path(tmp_path_factory.mktemp("tls"))) as client:
        yield client


@pytest.fixture(autouse=True)
async def empty(module_database_url: str) -> None:
    async with jobs_database(module_database_url):
        pass


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    async with open_container(settings) as container:
        stop = asyncio.Event()
        running = asyncio.create_task(container.extraction_worker().run(stop))
        try:
            yield
        finally:
            stop.set()
            await running


async def bearer(url: str, budget: ModelBudget, *scopes: Scope) -> dict[str, str]:
    key = await make_key(url, *(scopes or (Scope.EXTRACT,)), budget=budget)
    return {"Authorization": f"Bearer {key}"}


async def tokens_of_a_call(api: httpx2.AsyncClient, url: str) -> int:
    key = await bearer(url, ModelBudget())
    answer = await api.post("/extractions", json={"text": text_of(100)}, headers=key)
    usage = answer.json()["usage"]
    assert isinstance(usage, dict)
    return int(usage["input_tokens"] + usage["output_tokens"])


async def key_of(api: httpx2.AsyncClient, admin: dict[str, str]) -> dict[str, Any]:
    """The key that was made last but one: an admin's is the last."""
    newest = (await api.get("/keys?limit=2", headers=admin)).json()["items"][1]
    found: dict[str, Any] = (await api.get(f"/keys/{newest['id']}", headers=admin)).json()
    return found


async def status_of(
    api: httpx2.AsyncClient, path: str, key: dict[str, str], wanted: str
) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await api.get(path, headers=key)).json()
            if job["status"] == wanted:
                return job
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("with_idempotency", [False, True])
async def test_fifty_requests_at_once_pass_a_budget_by_no_more_than_was_under_way(
    api: httpx2.AsyncClient, module_database_url: str, with_idempotency: bool
) -> None:
    each = await tokens_of_a_call(api, module_database_url)
    key = await bearer(module_database_url, ModelBudget(tokens=10 * each))
    admin = await bearer(module_database_url, ModelBudget(), Scope.ADMIN)

    async def ask(number: int) -> httpx2.Response:
        once = {"Idempotency-Key": f"{each}-{number}"} if with_idempotency else {}
        return await api.post(
            "/extractions", json={"text": text_of(100 + number)}, headers={**key, **once}
        )

    answers = await asyncio.gather(*map(ask, range(50)))
    counted = Counter(answer.status_code for answer in answers)
    assert counted.keys() == {200, 429}
    assert 10 <= counted[200] < 10 + AT_ONCE
    spent = (await key_of(api, admin))["spent_today"]
    assert spent["tokens"] == counted[200] * each < (10 + AT_ONCE) * each
    assert spent["usd"] > 0
    for answer in answers:
        if answer.status_code == 429:
            refusal(answer, 429, "model_budget_used_up")
            assert 0 < int(answer.headers["retry-after"]) <= 86_400
    if with_idempotency:  # what was answered is answered again
        done = [n for n, answer in enumerate(answers) if answer.status_code == 200]
        assert (await ask(done[0])).headers["idempotency-replayed"] == "true"


async def test_a_failed_extraction_whose_calls_used_tokens_is_counted(
    api: httpx2.AsyncClient, module_database_url: str, fake: FakeInThread
) -> None:
    fake.provider.answers.add({text_of(700): "I would rather not say."})
    key = await bearer(module_database_url, ModelBudget(tokens=1))
    failed = await api.post("/extractions", json={"text": text_of(700)}, headers=key)
    assert failed.status_code == 502, failed.text
    again = await api.post("/extractions", json={"text": text_of(701)}, headers=key)
    refusal(again, 429, "model_budget_used_up")


async def test_jobs_and_comparisons_are_refused_once_the_budget_is_used_up(
    api: httpx2.AsyncClient, module_database_url: str
) -> None:
    key = await bearer(module_database_url, ModelBudget(tokens=0))
    job = await api.post("/extraction-jobs", json={"texts": ["Ann here"]}, headers=key)
    refusal(job, 429, "model_budget_used_up")
    texts = [{"id": "a", "text": "Ann here, please send 3 chairs."}]
    compared = {"dataset": "d", "texts": texts, "providers": ["openai", "regex"]}
    refusal(await api.post("/comparisons", json=compared, headers=key), 429, "model_budget_used_up")
    alone = await api.post("/comparisons", json={**compared, "providers": ["regex"]}, headers=key)
    assert alone.status_code == 202, alone.text


async def test_a_job_is_paused_when_the_budget_is_used_up_and_goes_on_when_it_is_raised(
    api: httpx2.AsyncClient, settings: Settings, module_database_url: str
) -> None:
    each = await tokens_of_a_call(api, module_database_url)
    key = await bearer(module_database_url, ModelBudget(tokens=10 * each))
    admin = await bearer(module_database_url, ModelBudget(), Scope.ADMIN)
    texts = [text_of(n) for n in range(101, 161)]
    made = await api.post("/extraction-jobs", json={"texts": texts}, headers=key)
    path = made.headers["location"]
    async with working(settings):
        await status_of(api, path, key, "paused")
        async with asyncio.timeout(60):  # what was under way comes to its end
            while (await api.get(path, headers=key)).json()["counts"]["running"]:
                await asyncio.sleep(0.05)
        paused = (await api.get(path, headers=key)).json()
        assert paused["reason"]["code"] == "model_budget"
        assert 10 <= paused["calls"] < 10 + AT_ONCE
        refused = await api.post(f"{path}/resume", headers=key)
        refusal(refused, 409, "conflict")
        assert "tokens a day are used" in refused.json()["detail"]
        more = {"budget": {"tokens": 20 * each}}
        key_path = f"/keys/{(await key_of(api, admin))['id']}"
        assert (await api.patch(key_path, json=more, headers=admin)).status_code == 200
        assert (await api.post(f"{path}/resume", headers=key)).status_code == 200
        await status_of(api, path, key, "paused")
        async with open_database(module_database_url, PoolOptions(size=1)) as database:
            await jobs_in(database).let_pass(timedelta(days=1))
        assert (await api.patch(key_path, json={"budget": None}, headers=admin)).status_code == 200
        done = await status_of(api, path, key, "completed")
    assert done["counts"]["valid"] == 60
    assert done["calls"] == 60


async def test_a_budget_in_dollars_refuses_a_model_whose_price_nobody_knows(
    module_database_url: str, redis_url: str, fake: FakeInThread, tmp_path: Path
) -> None:
    key = await bearer(module_database_url, ModelBudget(usd=Decimal(1)))
    settings = settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_model="gpt-unheard-of",
        openai_base_url=fake.openai_base_url,
    )
    texts = [{"id": "a", "text": "Ann here, please send 3 chairs."}]
    bodies = {
        "/extractions": {"text": text_of(100)},
        "/extraction-jobs": {"texts": [text_of(100)]},
        "/comparisons": {"dataset": "d", "texts": texts, "providers": ["openai"]},
    }
    async with serving(settings, tmp_path) as api:
        for path, body in bodies.items():
            answer = await api.post(path, json=body, headers=key)
            place = "/providers" if path == "/comparisons" else "/provider"
            refusal(answer, 422, "validation_failed", place)
            assert "LLM_PRICES_FILE" in answer.json()["errors"][0]["detail"]
