"""`/comparisons` over TLS, PostgreSQL and a provider's wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres.comparison import PostgresComparisonRepository
from adapters.postgres.pool import PoolOptions, open_database
from adapters.postgres.unit_of_work import PostgresUnitOfWorkFactory
from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.testing import FakeInThread, running_fake
from tests.contracts.comparison import ComparisonsContract, ComparisonStore
from tests.integration.answers import check_secured
from tests.integration.api import serving, settings_for
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url

_EMPTY = "TRUNCATE comparisons, extraction_jobs, extraction_workers, extractions CASCADE"
TEXTS = 12


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, please send {number + 2} oak chairs."


def gold_of(number: int) -> dict[str, Any]:
    return {"customer": f"Ann{number} Lee", "product": "oak chairs", "quantity": number + 2}


def body(**changes: Any) -> dict[str, Any]:
    texts = [{"id": f"m{n}", "text": text_of(n), "gold": gold_of(n)} for n in range(TEXTS)]
    return {"providers": ["openai", "vllm", "regex"], "texts": texts, **changes}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({text_of(n): gold_of(n) for n in range(TEXTS)})
        yield provider


@pytest.fixture(scope="module")
def settings(module_database_url: str, redis_url: str, fake: FakeInThread) -> Settings:
    return settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
        vllm_base_url=fake.vllm_base_url,
        llm_timeout_s=20,
    )


@pytest.fixture(scope="module")
async def api(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings, Path(tmp_path_factory.mktemp("tls"))) as client:
        yield client


@pytest.fixture(autouse=True)
async def empty(module_database_url: str) -> None:
    await execute(module_database_url, _EMPTY)


class TestPostgresComparisons(ComparisonsContract):
    @pytest.fixture
    async def comparison_store(self, module_database_url: str) -> AsyncIterator[ComparisonStore]:
        async with open_database(service_url(module_database_url), PoolOptions()) as database:
            yield ComparisonStore(
                comparisons=PostgresComparisonRepository(database),
                open_unit=PostgresUnitOfWorkFactory(database),
            )


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """A worker that runs while the block does."""
    async with open_container(settings) as container:
        stop = asyncio.Event()
        running = asyncio.create_task(container.extraction_worker().run(stop))
        try:
            yield
        finally:
            stop.set()
            await running


async def completed(api: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    async with asyncio.timeout(300):
        while True:
            found: dict[str, Any] = (await api.get(path)).json()
            if found["status"] == "completed":
                return found
            await asyncio.sleep(0.1)


async def test_a_comparison_is_carried_out_by_workers_and_reported_in_every_form(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    made = await api.post("/comparisons", json=body(repeat=2, dataset="mails"))
    assert made.status_code == 202, made.text
    path = made.headers["location"]
    comparison = made.json()
    assert comparison["status"] == "running"
    assert comparison["answers"] == 4 * TEXTS
    assert [each["simulated"] for each in comparison["contestants"]] == [True, True, False]
    early = await api.get(f"{path}/report")
    assert early.status_code == 409
    assert early.json()["detail"] == "There is no text that every provider has answered."

    async with working(settings):
        done = await completed(api, path)
    assert done["answered"] == 4 * TEXTS
    assert [job["contestant"] for job in done["jobs"]] == ["openai", "openai_compatible"] * 2
    assert (await api.get(done["jobs"][0]["job"])).json()["reuse"] is False

    report = (await api.get(f"{path}/report")).json()
    assert report["header"]["dataset"] == "mails"
    assert (report["header"]["texts"], report["header"]["repeats"]) == (TEXTS, 2)
    perfect = {each["contestant"]["name"]: each["perfect"] for each in report["contestants"]}
    assert perfect["openai"]["count"] == perfect["openai_compatible"]["count"] == TEXTS
    page = await api.get(f"{path}/report", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    check_secured(page.headers)
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert "<title>Simulation: openai, openai_compatible and regex on 12 texts</title>" in page.text
    sheet = await api.get(f"{path}/report", params={"format": "csv"})
    assert sheet.text.startswith("contestant,against,group,item,measure,value")
    told = await api.get(f"{path}/report", headers={"Accept": "text/markdown"})
    assert told.text.startswith(r"# Simulation: openai, openai\_compatible and regex on 12 texts")

    listed = (await api.get("/comparisons")).json()
    assert [each["id"] for each in listed["items"]] == [comparison["id"]]
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    assert (await api.get(done["jobs"][0]["job"])).json()["status"] == "completed"


async def test_removing_one_that_runs_cancels_its_jobs(api: httpx2.AsyncClient) -> None:
    made = (await api.post("/comparisons", json=body())).json()
    assert (await api.delete(f"/comparisons/{made['id']}")).status_code == 204
    job = (await api.get(made["jobs"][0]["job"])).json()
    assert job["status"] == "cancelled"


async def test_a_retry_with_its_key_makes_one_comparison(api: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "compare-once"}
    first = await api.post("/comparisons", json=body(), headers=key)
    again = await api.post("/comparisons", json=body(), headers=key)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await api.get("/comparisons")).json()["items"]) == 1


async def test_the_baseline_alone_needs_no_worker(api: httpx2.AsyncClient) -> None:
    made = (await api.post("/comparisons", json=body(providers=["regex"]))).json()
    assert (made["status"], made["jobs"]) == ("completed", [])
    report = (await api.get(made["report"])).json()
    assert report["verdict"]["kind"] == "alone"


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"providers": ["gemini"]}, "/providers/0", "'gemini' is not configured; there are"),
        ({"providers": ["openai", "openai"]}, "/providers", "must name 1..8 providers, each once"),
        ({"schema": "nothing"}, "/schema", "There is no schema 'nothing'."),
        ({"repeat": 21}, "/repeat", "20"),
        ({"texts": [{"text": " "}]}, "/texts/0", "must not be blank"),
        ({"texts": [{"text": "a", "gold": {"price": 1}}]}, "/texts/0", "unknown field 'price'"),
        (
            {"texts": [{"text": "a", "id": "x"}, {"text": "b", "id": "x"}]},
            "/texts/1",
            "has the id 'x'",
        ),
        ({"dataset": "a\x00b"}, "/dataset", "must not hold a NUL character"),
        ({"texts": [{"text": "a", "strata": ["\x00"]}]}, "/texts/0/strata/0", "NUL"),
    ],
)
async def test_what_cannot_be_compared_is_named(
    api: httpx2.AsyncClient, changes: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = await api.post("/comparisons", json=body(**changes))
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]
