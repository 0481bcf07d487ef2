"""Providers that are down, shut or out of quota: for who waits, and for who looks after them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from adapters.embedded.installation import free_port
from adapters.llm.admission import FAILURES_TO_OPEN, SHORTEST_HINT_S
from entrypoints.cli.providers import command
from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.scenario import Fault
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for

TEXT = "Hi, this is Maria Lopez. Could we get 24 oat milk cartons by friday?"
RECORD = {"field_1": "Maria Lopez", "field_2": "oat milk cartons", "field_3": 24}


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    """One of each test's own: its address makes lanes that nobody else knows."""
    with running_fake() as provider:
        answer = {name: {"quote": str(value), "value": value} for name, value in RECORD.items()}
        provider.provider.answers.add({TEXT: answer})
        yield provider


@pytest.fixture
def settings(module_database_url: str, redis_url: str, fake: FakeInThread) -> Settings:
    return settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
        openai_compatible_base_url=fake.vllm_base_url,
        local_llm_base_url=f"http://127.0.0.1:{free_port()}/v1",
        interactive_deadline_s=20,
    )


@pytest.fixture
async def api(settings: Settings, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings, tmp_path) as client:
        yield client


async def post(api: httpx2.AsyncClient, provider: str = "openai") -> httpx2.Response:
    return await api.post("/extractions", json={"text": TEXT, "provider": provider}, timeout=30)


def calls_about_the_text(fake: FakeInThread, text: int) -> int:
    return sum(entry.text == text for entry in fake.entries)


async def test_an_open_breaker_is_told_without_a_call_and_closed_by_a_probe(
    api: httpx2.AsyncClient, fake: FakeInThread
) -> None:
    fake.script(Fault(kind="overloaded", dialect="openai", times=None))
    states: list[str] = []
    while "circuit_open" not in states:
        answer = await post(api)
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "provider_unavailable"
        states.append(answer.json()["provider"]["state"])
    text = fake.entries[0].text
    assert calls_about_the_text(fake, text) == FAILURES_TO_OPEN
    answers = await asyncio.gather(*(post(api) for _ in range(20)))
    for answer in answers:
        assert (answer.status_code, answer.json()["provider"]["name"]) == (503, "openai")
        assert answer.json()["provider"]["state"] == "circuit_open"
        assert answer.json()["provider"]["until"] is not None
        assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert calls_about_the_text(fake, text) == FAILURES_TO_OPEN, "callers never probe"
    behind = await post(api, "openai,openai_compatible")
    assert behind.status_code == 200, behind.text
    assert behind.json()["fallbacks"] == [{"provider": "openai", "reason": "circuit_open"}]
    fake.provider.faults.clear()
    async with asyncio.timeout(120):
        while (answer := await post(api)).status_code == 503:
            await asyncio.sleep(0.2)
    assert answer.json()["fields"] == RECORD
    first_good = next(
        each for each in fake.entries if each.status == 200 and each.dialect != "vllm"
    )
    assert first_good.text != text, "the probe closed it"


async def test_a_model_server_that_does_not_run_is_told(api: httpx2.AsyncClient) -> None:
    answer = await post(api, "local")
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    assert answer.json()["provider"] == {"name": "local", "state": "connection", "until": None}
    behind = await post(api, "local,openai")
    assert behind.json()["fields"] == RECORD


async def test_a_quota_that_is_used_up_is_asked_once(
    api: httpx2.AsyncClient, fake: FakeInThread
) -> None:
    fake.script(Fault(kind="quota_exhausted", times=None))
    for _ in range(5):
        answer = await post(api)
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_quota_exhausted")
        assert answer.json()["provider"]["state"] == "quota_exhausted"
        assert 50 <= int(answer.headers["retry-after"]) <= 60
    assert len(fake.entries) == 1


@pytest.mark.parametrize("hint", ["seconds", "milliseconds", "date"])
async def test_a_wait_of_nothing_is_no_licence_to_call_on(
    api: httpx2.AsyncClient, fake: FakeInThread, hint: Any
) -> None:
    fake.script(Fault(kind="rate_limited", times=None, retry_after_s=0, hint=hint))
    loop, callers = asyncio.get_running_loop(), 8
    began = loop.time()
    while (passed_s := loop.time() - began) < 4:
        answers = await asyncio.gather(*(post(api) for _ in range(callers)))
        assert {answer.json()["code"] for answer in answers} == {"provider_rate_limited"}
    # However slow the machine: the gate opens no sooner than the shortest wait, and each time to
    # the callers there are. A loop without a wait makes a call of every request.
    assert len(fake.entries) <= callers * (1 + passed_s / SHORTEST_HINT_S)


class Operator:
    """Types `storekeeper providers` commands with the settings of the API."""

    def __init__(self, database_url: str, redis_url: str, fake: FakeInThread) -> None:
        self.variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a secret of forty characters, for the tests",
            "LLM_PROVIDER": "openai",
            "OPENAI_API_KEY": "a-key",
            "OPENAI_BASE_URL": fake.openai_base_url,
        }

    async def types(self, line: str, **settings: str) -> Result:
        variables = {**self.variables, **settings}
        return await asyncio.to_thread(CliRunner().invoke, command, line.split(), env=variables)

    async def openai(self) -> Any:
        said = await self.types("status --json")
        assert said.exit_code == 0, said.output
        found = json.loads(said.stdout)["providers"]
        return next(each for each in found if each["name"] == "openai")


@pytest.fixture
async def operator(module_database_url: str, redis_url: str, fake: FakeInThread) -> Operator:
    async with Redis.from_url(redis_url) as valkey:  # the lanes of other tests
        await valkey.flushdb()
    return Operator(module_database_url, redis_url, fake)


async def test_an_operator_sees_a_gate_and_opens_it_for_the_running_server(
    api: httpx2.AsyncClient, fake: FakeInThread, operator: Operator
) -> None:
    assert (await operator.openai())["gate"] == {"state": "open", "until": None, "reason": None}
    fake.script(Fault(kind="rate_limited", retry_after_s=1e12, hint="seconds"))
    refused = await post(api)
    assert (refused.status_code, refused.json()["code"]) == (503, "provider_rate_limited")
    assert int(refused.headers["retry-after"]) <= 3600
    seen = await operator.openai()
    assert (seen["gate"]["state"], seen["gate"]["reason"]) == ("shut", "asked_to_wait")
    assert seen["refusals_in_a_row"] == 1
    told = await operator.types("status")
    assert f"gate shut until {seen['gate']['until']} (it asked to wait)" in told.output
    elsewhere = await operator.types("status", LLM_PROVIDER="local", OPENAI_API_KEY="")
    assert seen["gate"]["until"] in elsewhere.output, "whatever is configured where it is typed"
    unknown = await operator.types("reopen nobody")
    assert (unknown.exit_code, "used are openai" in unknown.output) == (1, True)
    opened = await operator.types("reopen openai")
    assert (opened.exit_code, opened.output) == (
        0,
        "openai is open. Jobs that waited for it and go on: 0.\n",
    )
    assert (await operator.openai())["gate"]["state"] == "open"
    assert (await post(api)).status_code == 200


async def test_without_valkey_an_operator_is_told_that_each_process_is_for_itself(
    operator: Operator,
) -> None:
    said = await operator.types("status", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert said.exit_code == 1
    assert "each process has gates of its own" in said.output


async def test_a_job_waits_an_hour_at_most_and_goes_on_when_its_gate_is_opened(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread, operator: Operator
) -> None:
    fake.script(Fault(kind="rate_limited", retry_after_s=1e12, hint="seconds"))
    made = await api.post("/extraction-jobs", json={"texts": [TEXT], "reuse": False})
    assert made.status_code == 202, made.text
    path = made.headers["location"]
    async with open_container(settings) as container, asyncio.timeout(120):
        stop = asyncio.Event()
        running = asyncio.create_task(container.extraction_worker().run(stop))
        while (waits_until := (await api.get(path)).json()["waits_until"]) is None:
            await asyncio.sleep(0.05)
        [listed] = (await api.get("/extraction-jobs")).json()["items"]
        assert listed["waits_until"] == waits_until
        assert datetime.fromisoformat(waits_until) < datetime.now(UTC) + timedelta(hours=1)
        opened = await operator.types("reopen")
        assert opened.output == "openai is open. Jobs that waited for it and go on: 1.\n"
        while (await api.get(path)).json()["status"] != "completed":
            await asyncio.sleep(0.05)
        stop.set()
        await running
