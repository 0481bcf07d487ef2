"""The Ollama dialect: OpenAI's client, prompts cut without a word, and the list of what runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2
import openai
import pydantic
import pytest
from openai import AsyncOpenAI

from fake_provider.scenario import FaultKind, Model, Scenario
from fake_provider.testing import FakeInThread, running_fake

TEXT = "Nine lamps for Omar Reyes, please."


class Record(pydantic.BaseModel):
    customer: str
    quantity: int


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeInThread]:
    with running_fake() as fake:
        yield fake


@pytest.fixture
def fake(shared: FakeInThread) -> FakeInThread:
    shared.provider.reset(Scenario())
    return shared


@pytest.fixture
async def client(fake: FakeInThread) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=fake.ollama_base_url, api_key="ollama", max_retries=0, timeout=5.0
    ) as client:
        yield client


async def test_a_schema_is_followed_and_unknown_members_are_passed_over(
    client: AsyncOpenAI,
) -> None:
    answer = await client.chat.completions.parse(
        model="smol",
        messages=[{"role": "user", "content": TEXT}],
        response_format=Record,
        extra_body={"repetition_detection": {"min_count": 3}, "options": {"num_ctx": 1}},
    )
    assert answer.choices[0].message.parsed == Record(customer="Omar Reyes", quantity=9)
    assert answer.system_fingerprint == "fp_ollama"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 5


@pytest.mark.parametrize(("context", "read"), [(4_096, 2_051), (2_048, 1_027)])
async def test_what_is_longer_than_the_context_is_cut_to_half_of_it(
    fake: FakeInThread, client: AsyncOpenAI, context: int, read: int
) -> None:
    fake.provider.apply(Scenario(default_model=Model(context_tokens=context)))
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [
        {"role": "user", "content": f"{TEXT} {'filler ' * 4_000}Two rugs for Mia Berg."}
    ]
    answer = await client.chat.completions.parse(
        model="smol", messages=messages, response_format=Record
    )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == read
    assert answer.choices[0].message.parsed == Record(customer="Mia Berg", quantity=2)


async def test_the_models_are_listed_and_those_that_run_with_their_context(
    fake: FakeInThread,
) -> None:
    models = {"smol:latest": Model(), "big:7b": Model(context_tokens=32_768)}
    fake.provider.apply(Scenario(models=models))
    async with httpx2.AsyncClient(base_url=f"{fake.url}/ollama") as http:
        listed = (await http.get("/v1/models")).json()
        running = (await http.get("/api/ps")).json()
        lost = await http.post("/chat/completions", json={})
    assert [each["id"] for each in listed["data"]] == ["smol:latest", "big:7b"]
    assert {each["name"]: each["context_length"] for each in running["models"]} == {
        "smol:latest": 4_096,
        "big:7b": 32_768,
    }
    assert (lost.status_code, lost.text) == (404, "404 page not found")


@pytest.mark.parametrize(
    ("kind", "status", "type_"),
    [
        ("unknown_model", 404, "not_found_error"),
        ("context_too_long", 400, "invalid_request_error"),
        ("overloaded", 503, "api_error"),
        ("server_error", 500, "api_error"),
    ],
)
async def test_a_fault_has_ollamas_envelope(
    fake: FakeInThread, client: AsyncOpenAI, kind: FaultKind, status: int, type_: str
) -> None:
    fake.script(kind)
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(
            model="smol", messages=[{"role": "user", "content": TEXT}]
        )
    assert caught.value.status_code == status
    assert (caught.value.type, caught.value.code) == (type_, None)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": []}'])
async def test_what_cannot_be_read_is_a_bad_request(fake: FakeInThread, body: bytes) -> None:
    async with httpx2.AsyncClient(base_url=fake.ollama_base_url) as http:
        answer = await http.post("/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
