"""The vLLM dialect: OpenAI's client, with the bodies and paths that are vLLM's own."""

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
        base_url=fake.vllm_base_url, api_key="EMPTY", max_retries=0, timeout=1.0
    ) as client:
        yield client


async def record(client: AsyncOpenAI) -> Record | None:
    answer = await client.chat.completions.parse(
        model="smol", messages=[{"role": "user", "content": TEXT}], response_format=Record
    )
    return answer.choices[0].message.parsed


async def test_it_serves_both_spellings_of_a_schema(client: AsyncOpenAI) -> None:
    expected = Record(customer="Omar Reyes", quantity=9)
    assert await record(client) == expected
    answer = await client.chat.completions.create(
        model="smol",
        messages=[{"role": "user", "content": TEXT}],
        extra_body={"structured_outputs": {"json": Record.model_json_schema()}},
    )
    assert Record.model_validate_json(answer.choices[0].message.content or "") == expected


@pytest.mark.parametrize(
    ("kind", "error", "body"),
    [
        ("bad_key", openai.AuthenticationError, "Unauthorized"),
        ("unknown_model", openai.NotFoundError, {"type": "NotFoundError", "param": "model"}),
        (
            "context_too_long",
            openai.BadRequestError,
            {"type": "BadRequestError", "param": "input_tokens"},
        ),
        ("bad_schema", openai.BadRequestError, {"type": "BadRequestError", "code": 400}),
        ("server_error", openai.InternalServerError, {"type": "InternalServerError"}),
        ("overloaded", openai.InternalServerError, {"code": 503}),
        ("rate_limited", openai.RateLimitError, {"code": 429}),
    ],
)
async def test_each_refusal_has_its_body(
    fake: FakeInThread,
    client: AsyncOpenAI,
    kind: FaultKind,
    error: type[openai.APIStatusError],
    body: object,
) -> None:
    fake.script(kind)
    with pytest.raises(error) as caught:
        await record(client)
    assert caught.value.request_id is None
    sent = caught.value.response.json()["error"]
    if isinstance(body, dict):
        assert body.items() <= sent.items()
    else:
        assert sent == body


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("whitespace_loop", openai.LengthFinishReasonError),
        ("truncated", openai.LengthFinishReasonError),
        ("refusal", pydantic.ValidationError),
        ("fenced", pydantic.ValidationError),
    ],
)
async def test_an_open_model_goes_wrong_in_its_own_way(
    fake: FakeInThread, client: AsyncOpenAI, kind: FaultKind, error: type[Exception]
) -> None:
    fake.script(kind)
    with pytest.raises(error):
        await record(client)


async def test_a_loop_ends_early_where_the_server_was_told_to_look_for_one(
    fake: FakeInThread, client: AsyncOpenAI
) -> None:
    fake.script("whitespace_loop")
    answer = await client.chat.completions.create(
        model="smol",
        messages=[{"role": "user", "content": TEXT}],
        max_tokens=1000,
        extra_body={
            "structured_outputs": {"json": Record.model_json_schema()},
            "repetition_detection": {"max_pattern_size": 4, "min_count": 32},
        },
    )
    (choice,) = answer.choices
    assert str(choice.finish_reason) == "repetition"
    assert choice.model_extra is not None
    assert choice.model_extra["stop_reason"] == "repetition_detected"
    assert answer.usage is not None
    assert 32 < answer.usage.completion_tokens < 50


async def test_words_without_a_grammar_rule_are_refused(client: AsyncOpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    with pytest.raises(openai.BadRequestError, match="Grammar error"):
        await client.chat.completions.create(
            model="smol",
            messages=[{"role": "user", "content": TEXT}],
            extra_body={"structured_outputs": {"json": schema}},
        )


async def test_what_the_server_does_not_know_is_told_in_its_own_bodies(
    fake: FakeInThread, client: AsyncOpenAI
) -> None:
    fake.provider.apply(Scenario(models={"smol": Model()}, bad_keys=frozenset({"bad"})))
    async with httpx2.AsyncClient(base_url=f"{fake.url}/vllm") as http:
        unknown = await http.get("/v1/nothing")
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
        refused = await http.get("/v1/nothing", headers={"authorization": "Bearer bad"})
        assert (refused.status_code, refused.json()) == (401, {"error": "Unauthorized"})
        wrong = await http.get("/v1/chat/completions")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        other = await http.get("/other", headers={"authorization": "Bearer bad"})
        assert (other.status_code, other.json()) == (404, {"detail": "Not Found"})
    with pytest.raises(openai.NotFoundError, match=r"Valid aliases: smol\.") as caught:
        await client.chat.completions.create(
            model="nobody", messages=[{"role": "user", "content": TEXT}]
        )
    assert caught.value.status_code == 404


async def test_the_models_are_listed_with_their_context(fake: FakeInThread) -> None:
    fake.provider.apply(
        Scenario(models={"smol": Model(context_tokens=4096)}, bad_keys=frozenset({"bad"}))
    )
    async with httpx2.AsyncClient(base_url=fake.vllm_base_url) as http:
        (card,) = (await http.get("/models")).json()["data"]
        refused = await http.get("/models", headers={"authorization": "Bearer bad"})
    assert (card["id"], card["owned_by"], card["max_model_len"]) == ("smol", "vllm", 4096)
    assert refused.status_code == 401


@pytest.mark.parametrize(
    ("body", "type_", "param"),
    [
        (b"", "Bad Request", "body"),
        (b'{"model":', "Bad Request", "body.9"),
        (b"[]", "Bad Request", "body"),
        (b'{"model": "smol"}', "Bad Request", "body.messages"),
        (b'{"messages": "x"}', "Bad Request", "body.messages"),
        (b'{"messages": []}', "BadRequestError", None),
        (b'{"messages": [{}], "stream": true}', "BadRequestError", "stream"),
        (
            b'{"messages": [{}], "response_format": {"type": "json_schema"}}',
            "BadRequestError",
            "response_format",
        ),
        (
            b'{"messages": [{}], "response_format": {"type": "json_schema", "json_schema": {}}}',
            "BadRequestError",
            None,
        ),
    ],
)
async def test_what_cannot_be_read_is_told_with_the_place(
    fake: FakeInThread, body: bytes, type_: str, param: str | None
) -> None:
    async with httpx2.AsyncClient(base_url=fake.vllm_base_url) as http:
        answer = await http.post("/chat/completions", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"], error["code"]) == (type_, param, 400)
