"""`/extractions` and `/extraction-schemas` over TLS, PostgreSQL, Valkey and a provider's wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from redis.asyncio import Redis

from fake_provider.scenario import Fault, Raw
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for

NEVER_GIVEN = "0ba3486e-6746-4ab5-9db6-17b9173af016"
TEXT = "Hi, this is Maria Lopez. Could we get 24 oat milk cartons by friday?"
RECORD = {"field_1": "Maria Lopez", "field_2": "oat milk cartons", "field_3": 24}


def right_answer() -> dict[str, object]:
    return {name: {"quote": str(value), "value": value} for name, value in RECORD.items()}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({TEXT: right_answer()})
        yield provider


@pytest.fixture(scope="module")
async def api(
    module_database_url: str,
    redis_url: str,
    fake: FakeInThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
        gemini_api_key="a-key",
        gemini_base_url=fake.gemini_base_url,
        openai_compatible_base_url=fake.vllm_base_url,
        llm_timeout_s=20,
    )
    async with serving(settings, Path(tmp_path_factory.mktemp("tls"))) as client:
        yield client


@pytest.fixture(autouse=True)
async def quiet(fake: FakeInThread, redis_url: str) -> AsyncIterator[None]:
    yield
    async with Redis.from_url(redis_url) as valkey:  # what a test taught of the providers
        await valkey.flushdb()
    assert fake.provider.faults.left == 0, "a test left faults behind"


@pytest.mark.parametrize("provider", ["openai", "gemini", "openai_compatible"])
async def test_a_text_becomes_a_record_with_evidence_that_can_be_fetched_again(
    api: httpx2.AsyncClient, provider: str
) -> None:
    answer = await api.post("/extractions", json={"text": TEXT, "provider": provider})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "valid"
    assert body["fields"] == RECORD
    for item in body["evidence"]:
        assert TEXT[item["start"] : item["end"]] == item["quote"]
    assert {item["field"] for item in body["evidence"]} == set(RECORD)
    assert body["confidence"] == dict.fromkeys(RECORD), "there is no calibration for these models"
    assert (body["schema"], body["schema_version"]) == ("default", 1)
    assert body["provider"] == provider
    assert body["attempts"] == 1
    assert body["usage"]["input_tokens"] > 0
    assert body["cost_usd"] is not None
    assert body["prompt_hash"]
    fetched = await api.get(f"/extractions/{body['id']}")
    assert fetched.json() == body


DRAFT = '{"field_1": null, "field_2": null, "field_3": {"quote": "24", "value": 24}}'


@pytest.mark.parametrize("provider", ["openai", "gemini", "openai_compatible"])
@pytest.mark.parametrize(
    "frame",
    [
        "<think>The customer asks for {draft}, I think.</think>{record}",
        "So {draft} it is.\n</think>\n\n{record}",
        "Here is the record {as asked}: {record}",
        "{draft} No, the names are missing:\n```json\n{record}\n```",
        '{"record": [{record}]}',
    ],
)
async def test_the_last_record_outside_of_thinking_is_the_result(
    api: httpx2.AsyncClient, fake: FakeInThread, provider: str, frame: str
) -> None:
    text = f"{TEXT} Or {uuid4().hex}"
    record = json.dumps(right_answer())
    fake.provider.answers.add({text: frame.replace("{record}", record).replace("{draft}", DRAFT)})
    answer = await api.post("/extractions", json={"text": text, "provider": provider})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["status"], body["fields"], body["attempts"]) == ("valid", RECORD, 1)


@pytest.mark.parametrize("provider", ["openai", "gemini", "openai_compatible"])
async def test_a_field_that_an_answer_leaves_out_is_asked_for_and_never_silent(
    api: httpx2.AsyncClient, fake: FakeInThread, provider: str
) -> None:
    text = f"{TEXT} Or {uuid4().hex}"
    part = {name: value for name, value in right_answer().items() if name != "field_2"}
    fake.provider.answers.add({text: json.dumps(part)})
    answer = await api.post("/extractions", json={"text": text, "provider": provider})
    body = answer.json()
    assert body["attempts"] > 1
    assert body["status"] == "partial"
    assert [(each["kind"], each["field"]) for each in body["warnings"]] == [
        ("invalid_value", "field_2")
    ]


@pytest.mark.parametrize("provider", ["openai", "gemini", "openai_compatible"])
@pytest.mark.parametrize("value", ["7" * 6000, "NaN", "1e999", "[" * 200 + "]" * 200])
async def test_an_answer_that_is_no_strict_json_is_a_bad_answer(
    api: httpx2.AsyncClient, fake: FakeInThread, provider: str, value: str
) -> None:
    text = f"{TEXT} Or {uuid4().hex}"
    record = json.dumps({**right_answer(), "field_3": {"quote": "24", "value": 0}})
    fake.provider.answers.add({text: record.replace('"value": 0}', f'"value": {value}}}')})
    answer = await api.post("/extractions", json={"text": text, "provider": provider})
    assert answer.status_code == 502, answer.text
    assert answer.json()["code"] == "bad_answer"


async def test_the_schema_can_be_named(api: httpx2.AsyncClient) -> None:
    answer = await api.post("/extractions", json={"text": TEXT, "schema": "order_message"})
    assert set(answer.json()["fields"]) == {"customer", "product", "quantity"}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/text"}),
        ({"text": "   "}, {"/text"}),
        ({"text": 5}, {"/text"}),
        ({"text": "a\x00b"}, {"/text"}),
        ({"text": TEXT, "more": 1}, {"/more"}),
        ({"text": TEXT, "schema": "nobody"}, {"/schema"}),
        ({"text": TEXT, "provider": "local"}, {"/provider"}),
        ({"text": TEXT, "provider": "openai,openai"}, {"/provider"}),
        ({"text": " ", "schema": "nobody", "provider": "x"}, {"/text", "/schema", "/provider"}),
    ],
)
async def test_a_bad_request_names_every_bad_member(
    api: httpx2.AsyncClient, body: dict[str, object], pointers: set[str]
) -> None:
    answer = await api.post("/extractions", json=body)
    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.json()["errors"]} == pointers


@pytest.mark.parametrize("identity", ["1", "x", NEVER_GIVEN, f"{{{NEVER_GIVEN}}}"])
async def test_an_unknown_extraction_is_not_found(api: httpx2.AsyncClient, identity: str) -> None:
    assert (await api.get(f"/extractions/{identity}")).status_code == 404


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(kind="bad_key"), 503, "provider_misconfigured"),
        (Fault(kind="unknown_model"), 503, "provider_misconfigured"),
        (Fault(kind="quota_exhausted"), 503, "provider_quota_exhausted"),
        (Fault(kind="refusal"), 422, "text_refused"),
        (Fault(kind="invalid_json", times=3), 502, "bad_answer"),
    ],
)
async def test_a_failure_of_the_provider_is_told_in_our_own_words(
    api: httpx2.AsyncClient, fake: FakeInThread, fault: Fault, status: int, code: str
) -> None:
    fake.script(fault)
    answer = await api.post("/extractions", json={"text": TEXT, "provider": "openai"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert ("retry-after" in answer.headers) is (status == 503)
    assert "openai.com" not in answer.text


@pytest.mark.parametrize(
    ("provider", "raw"),
    [
        ("openai", Raw(text='{"choices": {"0": 1}}')),
        ("openai", Raw(text='{"choices": [{"message": {"content": {"a": 1}}}]}')),
        ("openai", Raw(base64=b'{"choices": "\xff"}')),
        ("openai", Raw(text="[" * 200_000)),
        ("openai", Raw(text='{"usage": {"prompt_tokens": ' + "7" * 6000 + "}}")),
        ("openai", Raw(text="no gzip", headers=(("content-encoding", "gzip"),))),
        ("openai", Raw(text='{"choices": [{"message": {"content": "cut \\ud83d"}}]}')),
        ("gemini", Raw(text='{"candidates": {"0": 1}}')),
        ("gemini", Raw(text='{"candidates": [{"content": {"parts": [{"text": 5}]}}]}')),
        ("gemini", Raw(base64=b'{"candidates": "\xff"}')),
        ("gemini", Raw(text="[" * 200_000)),
    ],
    ids=lambda value: value if isinstance(value, str) else (value.base64 or value.text)[:60],
)
async def test_whatever_a_provider_sends_instead_of_an_answer_is_a_bad_answer(
    api: httpx2.AsyncClient, fake: FakeInThread, provider: str, raw: Raw
) -> None:
    fake.script(Fault(kind="raw", raw=raw, times=None))
    try:
        answer = await api.post("/extractions", json={"text": TEXT, "provider": provider})
    finally:
        fake.provider.faults.clear()
    assert (answer.status_code, answer.json()["code"]) == (502, "bad_answer"), answer.text
    again = await api.post("/extractions", json={"text": TEXT, "provider": provider})
    assert again.status_code == 200


async def test_an_answer_in_parts_and_with_an_odd_usage_is_an_answer(
    api: httpx2.AsyncClient, fake: FakeInThread
) -> None:
    parts = [{"type": "thinking", "thinking": []}]
    parts += [{"type": "text", "text": json.dumps(right_answer())}]
    body = {"choices": [{"message": {"content": parts}}], "usage": {"prompt_tokens": "many"}}
    fake.script(Fault(kind="raw", raw=Raw(text=json.dumps(body))))
    answer = await api.post("/extractions", json={"text": TEXT, "provider": "openai"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["fields"] == RECORD
    assert answer.json()["usage"]["input_tokens"] == 0


async def test_a_passing_failure_is_not_seen_by_the_caller(
    api: httpx2.AsyncClient, fake: FakeInThread
) -> None:
    fake.script("server_error", "reset")
    answer = await api.post("/extractions", json={"text": TEXT})
    assert answer.status_code == 200
    body = answer.json()
    assert body["attempts"] == 3
    assert [each["outcome"] for each in body["attempt_log"]] == [
        "server_error",
        "connection",
        None,
    ]


async def test_a_chain_falls_back_and_says_so(api: httpx2.AsyncClient, fake: FakeInThread) -> None:
    fake.script(Fault(kind="quota_exhausted", dialect="openai"))
    answer = await api.post("/extractions", json={"text": TEXT, "provider": "openai,gemini"})
    body = answer.json()
    assert answer.status_code == 200
    assert body["provider"] == "gemini"
    assert body["fallbacks"] == [{"provider": "openai", "reason": "quota_exhausted"}]


async def test_a_retry_with_the_same_key_gets_the_same_answer_and_is_not_paid_twice(
    api: httpx2.AsyncClient, fake: FakeInThread
) -> None:
    headers = {"Idempotency-Key": "once-only"}
    before = len(fake.entries)
    first = await api.post("/extractions", json={"text": TEXT}, headers=headers)
    again = await api.post("/extractions", json={"text": TEXT}, headers=headers)
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(fake.entries) == before + 1
    other = await api.post("/extractions", json={"text": TEXT + "!"}, headers=headers)
    assert other.status_code == 422


async def test_a_failed_request_frees_its_key(api: httpx2.AsyncClient, fake: FakeInThread) -> None:
    headers = {"Idempotency-Key": "second-try"}
    fake.script("refusal")
    refused = await api.post("/extractions", json={"text": TEXT}, headers=headers)
    assert refused.status_code == 422
    again = await api.post("/extractions", json={"text": TEXT}, headers=headers)
    assert again.status_code == 200


async def test_a_client_that_leaves_ends_the_providers_work(
    api: httpx2.AsyncClient, fake: FakeInThread
) -> None:
    before = len(fake.entries)
    fake.script(Fault(kind="ok", delay_s=15))
    with pytest.raises(httpx2.TimeoutException):
        await api.post("/extractions", json={"text": TEXT}, timeout=0.7)
    async with asyncio.timeout(60):
        while len(fake.entries) == before or fake.entries[-1].done_s is None:
            await asyncio.sleep(0.05)
    last = fake.entries[-1]
    assert last.done_s is not None
    assert last.done_s - last.arrived_s < 10, "the provider worked to the end for nobody"


COMPLAINT = {
    "description": "A complaint about an order",
    "fields": [
        {
            "name": "order_number",
            "type": "string",
            "description": "Number of the order",
            "pattern": "^[0-9]{4}$",
        },
        {
            "name": "wish",
            "type": "enum",
            "description": "What the customer wants",
            "choices": ["refund", "replacement"],
        },
    ],
}


async def schema_names(api: httpx2.AsyncClient) -> list[str]:
    listed = (await api.get("/extraction-schemas")).json()["items"]
    return [item["name"] for item in listed]


async def test_a_schema_lives_from_its_first_version_to_its_end(api: httpx2.AsyncClient) -> None:
    path = "/extraction-schemas/complaint"
    before = await schema_names(api)
    assert {"default", "order_message"} <= set(before)
    made = await api.put(path, json=COMPLAINT)
    assert made.status_code == 201, made.text
    assert made.json() == {"name": "complaint", "version": 1, "built_in": False, **COMPLAINT}
    same = await api.put(path, json=made.json())
    assert (same.status_code, same.json()["version"]) == (200, 1)
    changed = await api.put(path, json=COMPLAINT | {"description": "Other words"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await api.get(path)).json() == changed.json()
    assert await schema_names(api) == sorted([*before, "complaint"])
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    assert (await api.delete(path)).status_code == 404


async def test_a_schema_that_results_name_stays(api: httpx2.AsyncClient) -> None:
    await api.put("/extraction-schemas/kept", json=COMPLAINT)
    text = "Order 4711 is broken, I want my money back."
    answer = await api.post("/extractions", json={"text": text, "schema": "kept"})
    assert answer.status_code == 200, answer.text
    refused = await api.delete("/extraction-schemas/kept")
    assert (refused.status_code, refused.json()["code"]) == (409, "schema_in_use")


async def test_a_built_in_schema_neither_changes_nor_goes(api: httpx2.AsyncClient) -> None:
    default = (await api.get("/extraction-schemas/default")).json()
    assert default["built_in"] is True
    assert [field["name"] for field in default["fields"]] == ["field_1", "field_2", "field_3"]
    assert (await api.put("/extraction-schemas/default", json=COMPLAINT)).status_code == 409
    assert (await api.delete("/extraction-schemas/default")).status_code == 409


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"fields": []}, "/fields"),
        ({"fields": [{"name": "A", "type": "string", "description": "x"}]}, "/fields/0/name"),
        ({"fields": [{"name": "a", "type": "text", "description": "x"}]}, "/fields/0/type"),
        ({"fields": [{"name": "a", "type": "string"}]}, "/fields/0/description"),
        ({"more": 1}, "/more"),
        (
            {"fields": [{"name": "a", "type": "string", "description": "x", "pattern": "(?=a)"}]},
            "/fields/0/pattern",
        ),
        (
            {
                "fields": [
                    {
                        "name": f"f{nth}",
                        "type": "string",
                        "description": "x",
                        "list": True,
                        "max_length": 2000,
                    }
                    for nth in range(60)
                ]
            },
            "/fields",
        ),
    ],
)
async def test_a_schema_that_cannot_be_served_is_refused_with_the_place(
    api: httpx2.AsyncClient, change: dict[str, object], pointer: str
) -> None:
    answer = await api.put("/extraction-schemas/bad", json=COMPLAINT | change)
    assert answer.status_code == 422, answer.text
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
