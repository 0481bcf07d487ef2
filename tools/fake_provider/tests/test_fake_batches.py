"""Batch jobs of both providers through their official clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import openai
import pytest
from google import genai
from google.genai import types
from openai import AsyncOpenAI
from openai.types import Batch

from fake_provider.scenario import Batches, Fault, Scenario
from fake_provider.testing import FakeInThread, running_fake

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"customer": {"type": "string"}, "quantity": {"type": "integer"}},
    "required": ["customer", "quantity"],
    "additionalProperties": False,
}
ENDS = ("completed", "failed", "expired", "cancelled")


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake() as fake:
        yield fake


@pytest.fixture
async def client(fake: FakeInThread) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=fake.openai_base_url, api_key="sk", max_retries=0, timeout=5.0
    ) as client:
        yield client


@pytest.fixture
async def gemini(fake: FakeInThread) -> AsyncIterator[genai.Client]:
    async with httpx2.AsyncClient() as http:
        options = types.HttpOptions(
            base_url=fake.gemini_base_url, timeout=5000, httpx_async_client=http
        )
        with genai.Client(api_key="g", http_options=options) as client:
            yield client


def line(number: int) -> dict[str, Any]:
    return {
        "custom_id": f"item-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "m",
            "messages": [{"role": "user", "content": f"I am Nina Hall, {number} lamps please"}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "order", "strict": True, "schema": SCHEMA},
            },
        },
    }


async def submit(client: AsyncOpenAI, lines: list[dict[str, Any]]) -> Batch:
    content = "\n".join(json.dumps(line) for line in lines).encode()
    file = await client.files.create(file=("in.jsonl", content), purpose="batch")
    assert (await client.files.content(file.id)).content == content
    return await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"job": "7"},
    )


async def ended(client: AsyncOpenAI, batch: Batch) -> tuple[Batch, list[str]]:
    seen: list[str] = [batch.status]
    while batch.status not in ENDS:
        await asyncio.sleep(0.01)
        batch = await client.batches.retrieve(batch.id)
        if batch.status != seen[-1]:
            seen.append(batch.status)
    return batch, seen


async def rows(client: AsyncOpenAI, file_id: str | None) -> dict[str, Any]:
    if file_id is None:
        return {}
    content = (await client.files.content(file_id)).content
    return {row["custom_id"]: row for row in map(json.loads, content.splitlines())}


async def test_a_batch_passes_its_states_and_writes_answers_and_errors(
    fake: FakeInThread, client: AsyncOpenAI
) -> None:
    plan = Batches(validating_s=0.1, in_progress_s=0.2, finalizing_s=0.1)
    fault = Fault(kind="server_error", text=" 3 lamps", times=None)
    fake.provider.apply(Scenario(batches=plan, script=(fault,)))
    batch = await submit(client, [line(number) for number in range(1, 6)])
    assert batch.metadata == {"job": "7"}
    batch, seen = await ended(client, batch)
    assert seen == ["validating", "in_progress", "finalizing", "completed"]
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"completed": 4, "failed": 1, "total": 5}
    good = await rows(client, batch.output_file_id)
    assert sorted(good) == ["item-1", "item-2", "item-4", "item-5"]
    answer = good["item-4"]["response"]["body"]["choices"][0]["message"]["content"]
    assert json.loads(answer) == {"customer": "Nina Hall", "quantity": 4}
    bad = await rows(client, batch.error_file_id)
    assert bad["item-3"]["response"]["status_code"] == 500
    assert bad["item-3"]["response"]["body"]["error"]["type"] == "server_error"
    assert len(fake.entries) == 5


async def test_a_bad_input_file_fails_with_every_line_named(client: AsyncOpenAI) -> None:
    wrong = line(2) | {"url": "/v1/other"}
    batch, seen = await ended(client, await submit(client, [line(1), line(1), wrong, {}]))
    assert seen[-1] == "failed"
    assert batch.errors is not None
    assert [(error.line, error.code) for error in batch.errors.data or []] == [
        (2, "duplicate_custom_id"),
        (3, "invalid_url"),
        (4, "missing_required_parameter"),
    ]


async def test_an_expired_batch_says_which_requests_were_not_done(
    fake: FakeInThread, client: AsyncOpenAI
) -> None:
    fake.provider.apply(Scenario(batches=Batches(outcome="expired")))
    batch, _ = await ended(client, await submit(client, [line(number) for number in range(4)]))
    assert batch.status == "expired"
    assert len(await rows(client, batch.output_file_id)) == 2
    undone = await rows(client, batch.error_file_id)
    assert {row["error"]["code"] for row in undone.values()} == {"batch_expired"}


async def test_a_cancelled_batch_keeps_what_was_done(
    fake: FakeInThread, client: AsyncOpenAI
) -> None:
    fake.provider.apply(Scenario(batches=Batches(in_progress_s=60, finalizing_s=0.05)))
    batch = await submit(client, [line(number) for number in range(4)])
    cancelled = await client.batches.cancel(batch.id)
    assert cancelled.status == "cancelling"
    batch, _ = await ended(client, cancelled)
    assert batch.status == "cancelled"
    undone = await rows(client, batch.error_file_id)
    assert undone["item-3"]["error"]["code"] == "batch_cancelled"
    with pytest.raises(openai.ConflictError):
        await client.batches.cancel(batch.id)


async def test_what_is_unknown_is_not_found(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.batches.retrieve("batch_0")
    with pytest.raises(openai.NotFoundError):
        await client.files.content("file-0")
    with pytest.raises(openai.BadRequestError, match="No such File"):
        await client.batches.create(
            input_file_id="file-0", endpoint="/v1/chat/completions", completion_window="24h"
        )
    assert [batch async for batch in client.batches.list()] == []


def request(number: int) -> dict[str, Any]:
    return {
        "contents": [{"parts": [{"text": f"I am Nina Hall, {number} lamps please"}]}],
        "generation_config": {
            "response_mime_type": "application/json",
            "response_json_schema": SCHEMA,
        },
    }


async def finished(client: genai.Client, job: types.BatchJob) -> types.BatchJob:
    assert job.name is not None
    while not job.done:
        await asyncio.sleep(0.01)
        job = await client.aio.batches.get(name=job.name or "")
    return job


async def test_gemini_answers_inlined_requests(fake: FakeInThread, gemini: genai.Client) -> None:
    fake.provider.faults.extend([Fault(kind="server_error", text=" 2 lamps")])
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=SCHEMA
    )
    job = await gemini.aio.batches.create(
        model="gemini-x",
        src=[
            types.InlinedRequest(
                contents=f"I am Nina Hall, {number} lamps please",
                config=config,
                metadata={"item": str(number)},
            )
            for number in (1, 2, 3)
        ],
        config={"display_name": "three"},
    )
    assert job.display_name == "three"
    job = await finished(gemini, job)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest is not None
    responses = job.dest.inlined_responses or []
    assert [one.metadata for one in responses] == [{"item": str(n)} for n in (1, 2, 3)]
    assert responses[0].response is not None
    assert json.loads(responses[0].response.text or "") == {
        "customer": "Nina Hall",
        "quantity": 1,
    }
    assert responses[1].error is not None
    assert responses[1].error.code == 13


async def test_gemini_answers_a_file_of_requests(gemini: genai.Client, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    lines = [{"key": f"k{number}", "request": request(number)} for number in (4, 5)]
    source.write_text("\n".join(json.dumps(line) for line in lines))
    uploaded = await gemini.aio.files.upload(file=source, config={"mime_type": "jsonl"})
    job = await gemini.aio.batches.create(model="gemini-x", src=uploaded.name or "")
    job = await finished(gemini, job)
    assert job.dest is not None
    content = await gemini.aio.files.download(file=job.dest.file_name or "")
    answers = [json.loads(line) for line in content.splitlines()]
    assert [answer["key"] for answer in answers] == ["k4", "k5"]
    text = answers[1]["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert json.loads(text)["quantity"] == 5


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("failed", types.JobState.JOB_STATE_FAILED),
        ("expired", types.JobState.JOB_STATE_EXPIRED),
    ],
)
async def test_a_gemini_batch_can_end_badly(
    fake: FakeInThread,
    gemini: genai.Client,
    outcome: Literal["failed", "expired"],
    state: types.JobState,
) -> None:
    fake.provider.apply(Scenario(batches=Batches(outcome=outcome)))
    source = [types.InlinedRequest(contents="hello")]
    job = await finished(gemini, await gemini.aio.batches.create(model="gemini-x", src=source))
    assert job.state == state
    assert job.dest is None


async def test_a_gemini_batch_can_be_cancelled(fake: FakeInThread, gemini: genai.Client) -> None:
    fake.provider.apply(Scenario(batches=Batches(in_progress_s=60)))
    source = [types.InlinedRequest(contents="hello")]
    job = await gemini.aio.batches.create(model="gemini-x", src=source)
    name = job.name or ""
    await gemini.aio.batches.cancel(name=name)
    job = await finished(gemini, job)
    assert job.state == types.JobState.JOB_STATE_CANCELLED
    with pytest.raises(genai.errors.ClientError, match="not found"):
        await gemini.aio.batches.get(name="batches/0")
