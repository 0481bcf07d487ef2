"""`/extraction-jobs` over TLS, PostgreSQL and a provider's wire."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pyarrow.parquet as pq
import pytest

from entrypoints.container.services import open_container
from entrypoints.settings import Settings
from fake_provider.scenario import Fault, Raw
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for
from tests.integration.extraction_jobs import jobs_database

NDJSON = {"Content-Type": "application/x-ndjson"}


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
        provider.provider.answers.add({text_of(n): answer_of(n) for n in range(600)})
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
        max_job_body_bytes=3_000_000,
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
    """A worker that runs while the block does."""
    async with open_container(settings) as container:
        stop = asyncio.Event()
        running = asyncio.create_task(container.extraction_worker().run(stop))
        try:
            yield
        finally:
            stop.set()
            await running


async def until(
    api: httpx2.AsyncClient, path: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    async with asyncio.timeout(180):
        while True:
            job: dict[str, Any] = (await api.get(path)).json()
            if fits(job):
                return job
            await asyncio.sleep(0.02)


async def completed(api: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    return await until(api, path, lambda job: job["status"] == "completed")


def lines(numbers: range) -> bytes:
    rows = [json.dumps({"id": f"m-{n}", "text": text_of(n)}) for n in numbers]
    return "\n".join(rows).encode()


async def test_a_job_of_texts_is_read_by_a_worker(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    texts = [text_of(n) for n in range(20)]
    created = await api.post("/extraction-jobs", json={"texts": texts, "max_tokens": 10**6})
    assert created.status_code == 202
    path = created.headers["location"]
    job = created.json()
    assert path == f"/extraction-jobs/{job['id']}"
    assert job["status"] == "running"
    assert job["counts"]["pending"] == 20
    assert (job["schema"], job["providers"], job["max_tokens"]) == ("default", ["openai"], 10**6)
    async with working(settings):
        done = await completed(api, path)
    assert done["counts"]["valid"] == 20
    assert done["calls"] == 20
    assert done["usage"]["output_tokens"] > 0
    assert done["rate_per_s"] > 0
    assert done["finished_at"] is not None
    page = (await api.get(done["results"], params={"limit": 3})).json()
    assert [item["fields"]["field_3"] for item in page["items"]] == [2, 3, 4]
    assert page["items"][0]["evidence"][0]["quote"] == "Ann0 Lee"
    assert page["items"][0]["confidence"] == dict.fromkeys(page["items"][0]["fields"])
    one = await api.get(f"/extractions/{page['items'][0]['extraction_id']}")
    assert one.json()["text"] == text_of(0)
    again = await api.post("/extraction-jobs", json={"texts": texts})
    async with working(settings):
        known = await completed(api, again.headers["location"])
    assert (known["reused"], known["calls"], known["cost_usd"]) == (20, 0, 0)


async def test_a_document_whose_answers_are_no_protocol_fails_with_its_calls_counted(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    usage = '"usage": {"prompt_tokens": 11, "completion_tokens": 7}'
    odd = {
        900: Raw(text='{"choices": {"a": 1}, ' + usage + "}"),
        901: Raw(text='{"choices": [{"message": {"content": "\\ud83d"}}], ' + usage + "}"),
        902: Raw(base64=b"\xff"),
    }
    for number, raw in odd.items():
        fake.script(Fault(kind="raw", raw=raw, text=text_of(number), times=None))
    texts = [text_of(number) for number in (*odd, 7)]
    created = await api.post("/extraction-jobs", json={"texts": texts, "reuse": False})
    try:
        async with working(settings):
            done = await completed(api, created.headers["location"])
    finally:
        fake.provider.faults.clear()
    assert (done["counts"]["valid"], done["counts"]["failed"]) == (1, 3)
    # What is no answer is tried twice; what is one, but holds no record, is asked again twice.
    assert done["calls"] == 1 + 2 + 3 + 2
    assert done["usage"]["input_tokens"] > 5 * 11
    page = (await api.get(done["results"])).json()
    reasons = [item["reason"]["code"] for item in page["items"] if item["reason"]]
    assert reasons == ["bad_response", "invalid_json", "bad_response"]


async def test_an_answer_with_an_endless_number_fails_its_text_and_counts(
    api: httpx2.AsyncClient, settings: Settings, fake: FakeInThread
) -> None:
    bad = f"{text_of(7)} {uuid4().hex}"
    answer = json.dumps({**answer_of(7), "field_3": {"quote": "9", "value": 0}})
    fake.provider.answers.add({bad: answer.replace('"value": 0}', f'"value": {"7" * 6000}}}')})
    made = await api.post("/extraction-jobs", json={"texts": [bad, text_of(8)], "reuse": False})
    async with working(settings):
        done = await completed(api, made.headers["location"])
    assert (done["counts"]["failed"], done["counts"]["valid"]) == (1, 1)
    assert done["calls"] > 2
    page = (await api.get(done["results"])).json()
    failed = (await api.get(f"/extractions/{page['items'][0]['extraction_id']}")).json()
    assert failed["failure"]["kind"] == "invalid_json"
    assert failed["attempts"] == done["calls"] - 1
    assert 0 < failed["cost_usd"] < done["cost_usd"]


@pytest.mark.parametrize(
    ("body", "headers", "path"),
    [
        (b'{"texts": ["a"], "max_cost_usd": 1e9}', {"Content-Type": "application/json"}, ""),
        (b'"a"', NDJSON, "?max_cost_usd=1000000000"),
    ],
)
async def test_the_highest_cap_that_is_stated_is_kept(
    api: httpx2.AsyncClient, body: bytes, headers: dict[str, str], path: str
) -> None:
    made = await api.post(f"/extraction-jobs{path}", content=body, headers=headers)
    assert made.status_code == 202, made.text
    assert made.json()["max_cost_usd"] == 1e9


async def test_a_result_of_a_single_extraction_answers_a_document_of_a_job(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    single = await api.post("/extractions", json={"text": text_of(1)})
    job = await api.post("/extraction-jobs", json={"texts": [text_of(1), text_of(2)]})
    async with working(settings):
        done = await completed(api, job.headers["location"])
    assert (done["reused"], done["calls"]) == (1, 1)
    results = (await api.get(done["results"])).json()["items"]
    assert results[0]["extraction_id"] == single.json()["id"]


async def test_lines_become_a_job_with_the_options_of_the_query(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    body = b"\xef\xbb\xbf" + lines(range(300)) + b"\n\n" + json.dumps(text_of(300)).encode()
    created = await api.post(
        "/extraction-jobs",
        params={
            "provider": "vllm",
            "reuse": "false",
            "max_cost_usd": "2.5",
            "max_tokens": "9999999",
        },
        content=body,
        headers=NDJSON,
    )
    job = created.json()
    assert created.status_code == 202
    assert (job["providers"], job["reuse"], job["max_cost_usd"]) == (
        ["openai_compatible"],
        False,
        2.5,
    )
    assert job["counts"]["total"] == 301
    items = (await api.get(job["results"], params={"limit": 2})).json()["items"]
    assert [(item["position"], item["id"], item["status"]) for item in items] == [
        (1, "m-0", "pending"),
        (2, "m-1", "pending"),
    ]


async def test_results_are_paged_filtered_and_streamed_in_every_form(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    created = await api.post("/extraction-jobs", content=lines(range(120)), headers=NDJSON)
    path = created.headers["location"]
    async with working(settings):
        await completed(api, path)
    found: list[dict[str, Any]] = []
    url: str | None = f"{path}/results?limit=50"
    while url is not None:
        page = await api.get(url)
        found += page.json()["items"]
        url = page.json()["next"]
        assert (url is None) == ("link" not in page.headers)
    assert [item["id"] for item in found] == [f"m-{n}" for n in range(120)]
    assert (await api.get(f"{path}/results?status=failed")).json()["items"] == []

    streamed = await api.get(f"{path}/results", headers={"Accept": "application/x-ndjson"})
    assert streamed.headers["content-type"].startswith("application/x-ndjson")
    lines_of = [json.loads(line) for line in streamed.text.splitlines()]
    assert lines_of == found
    assert [list(line) for line in lines_of] == [list(item) for item in found]

    table = await api.get(f"{path}/results?status=valid", headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [row["fields.field_1"] for row in rows] == [f"Ann{n} Lee" for n in range(120)]

    parquet = await api.get(f"{path}/results", headers={"Accept": "application/vnd.apache.parquet"})
    columns = pq.read_table(io.BytesIO(parquet.content)).to_pydict()
    assert columns["fields.field_3"] == [n + 2 for n in range(120)]

    paged = await api.get(f"{path}/results?limit=3", headers={"Accept": "text/csv"})
    assert paged.status_code == 422
    assert paged.json()["errors"][0]["pointer"] == "limit"


async def test_jobs_are_listed_newest_first(api: httpx2.AsyncClient) -> None:
    made = [
        (await api.post("/extraction-jobs", json={"texts": [text_of(n)]})).json()["id"]
        for n in range(5)
    ]
    page = (await api.get("/extraction-jobs?limit=3")).json()
    assert [job["id"] for job in page["items"]] == made[:1:-1]
    rest = (await api.get(page["next"])).json()
    assert [job["id"] for job in rest["items"]] == made[1::-1]
    assert rest["next"] is None


async def test_a_job_is_paused_resumed_and_cancelled(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    created = await api.post("/extraction-jobs", json={"texts": [text_of(n) for n in range(5)]})
    path = created.headers["location"]
    paused = await api.post(f"{path}/pause")
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert paused.json()["reason"]["code"] == "requested"
    async with working(settings):
        resumed = await api.post(f"{path}/resume", json={"max_tokens": 10**6})
        assert (resumed.status_code, resumed.json()["max_tokens"]) == (200, 10**6)
        await completed(api, path)
    late = await api.delete(path)
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    other = await api.post("/extraction-jobs", json={"texts": [text_of(1)]})
    cancelled = await api.delete(other.headers["location"])
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert cancelled.json()["counts"]["cancelled"] == 1
    again = await api.delete(other.headers["location"])
    assert again.status_code == 202
    refused = await api.post(f"{other.headers['location']}/resume")
    assert refused.status_code == 409


async def test_a_used_up_budget_pauses_the_job_and_a_higher_one_lets_it_go_on(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    created = await api.post(
        "/extraction-jobs", json={"texts": [text_of(n) for n in range(80)], "max_tokens": 5000}
    )
    path = created.headers["location"]
    async with working(settings):
        paused = await until(
            api, path, lambda job: job["status"] == "paused" and not job["counts"]["running"]
        )
        assert paused["reason"]["code"] == "token_cap"
        used = paused["usage"]["input_tokens"] + paused["usage"]["output_tokens"]
        per_call = used / paused["calls"]
        assert 5000 <= used <= 5000 + per_call * settings.llm_concurrency * 1.2
        stopped = await api.post(f"{path}/resume")
        assert stopped.status_code == 409
        assert "max_tokens" in stopped.json()["detail"]
        await api.post(f"{path}/resume", json={"max_tokens": 10**7})
        assert (await completed(api, path))["counts"]["valid"] == 80


async def test_a_retry_with_the_same_key_makes_one_job(api: httpx2.AsyncClient) -> None:
    headers = {**NDJSON, "Idempotency-Key": uuid4().hex}

    def post(body: bytes, query: str = "") -> Awaitable[httpx2.Response]:
        return api.post(f"/extraction-jobs{query}", content=body, headers=headers)

    first = await post(lines(range(30)))
    replay = await post(lines(range(30)))
    assert replay.content == first.content
    assert replay.headers["location"] == first.headers["location"]
    assert replay.headers["idempotency-replayed"] == "true"
    for other in (post(lines(range(31))), post(lines(range(30)), "?reuse=false")):
        refused = await other
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await api.get("/extraction-jobs")).json()["items"]) == 1
    at_once = {**NDJSON, "Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(
        *(api.post("/extraction-jobs", content=lines(range(9)), headers=at_once) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len((await api.get("/extraction-jobs")).json()["items"]) == 2


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/documents"]),
        ({"texts": ["a"], "documents": [{"text": "b"}]}, ["/documents"]),
        ({"texts": []}, ["/texts"]),
        ({"texts": "a"}, ["/texts"]),
        (
            {"texts": ["fine", " ", 3, None, "nul\x00"]},
            ["/texts/1", "/texts/2", "/texts/3", "/texts/4"],
        ),
        (
            {"documents": [{"id": "x"}, {"text": "a", "id": ""}, {"text": "a", "name": "b"}, 7]},
            ["/documents/0/text", "/documents/1/id", "/documents/2/name", "/documents/3"],
        ),
        ({"texts": ["a"], "schema": "nothing_such"}, ["/schema"]),
        ({"texts": ["a"], "provider": "openai,nobody"}, ["/provider"]),
        ({"texts": ["a"], "provider": "nobody", "schema": "nobody"}, ["/provider", "/schema"]),
        (
            {"texts": ["a"], "max_cost_usd": 0, "max_tokens": 0, "reuse": "no", "budget": 1},
            ["/budget", "/reuse", "/max_cost_usd", "/max_tokens"],
        ),
        *(
            ({"texts": ["a"], "priority": given}, ["/priority"])
            for given in ("urgent", "High", "", 1, None, ["high"])
        ),
    ],
)
async def test_a_bad_body_names_every_bad_member_and_stores_nothing(
    api: httpx2.AsyncClient, body: object, pointers: list[str]
) -> None:
    response = await api.post("/extraction-jobs", json=body)
    assert response.status_code == 422
    assert sorted(error["pointer"] for error in response.json()["errors"]) == sorted(pointers)
    assert (await api.get("/extraction-jobs")).json()["items"] == []


async def test_bad_lines_are_named_by_their_numbers_and_nothing_is_stored(
    api: httpx2.AsyncClient,
) -> None:
    body = b"\n".join(
        [
            b'{"text": "fine"}',
            b"{broken",
            b"",
            b'{"text": " "}',
            b'{"id": 5}',
            b'{"text": "a", "id": "b", "more": 1}',
            b'{"text": "a", "text": "b"}',
            b"[1]",
            b'{"text": "\xff"}',
            b'{"text": "\\ud800"}',
            b'"fine"',
            b'{"text": "a", "id": ' + b"7" * 5000 + b"}",
            b'{"text": "a", "more": NaN}',
        ]
    )
    response = await api.post("/extraction-jobs", content=body, headers=NDJSON)
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [error["pointer"].split("/")[1] for error in errors] == [
        *("2", "4", "5", "6", "7", "8", "9", "10", "12", "13")
    ]
    assert all(f"line {error['pointer'].split('/')[1]}" in error["detail"] for error in errors)
    assert (await api.get("/extraction-jobs")).json()["items"] == []


async def test_of_many_bad_lines_the_first_hundred_are_named(api: httpx2.AsyncClient) -> None:
    response = await api.post("/extraction-jobs", content=b"oops\n" * 5000, headers=NDJSON)
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 101


@pytest.mark.parametrize("body", [b"", b"\n\n  \n"])
async def test_a_job_without_documents_is_refused(api: httpx2.AsyncClient, body: bytes) -> None:
    response = await api.post("/extraction-jobs", content=body, headers=NDJSON)
    assert response.status_code == 422


async def test_options_beside_a_json_body_are_refused(api: httpx2.AsyncClient) -> None:
    response = await api.post("/extraction-jobs?reuse=false", json={"texts": ["a"]})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "reuse"


@pytest.mark.parametrize(
    "query",
    [
        *(
            "reuse=maybe",
            "max_cost_usd=-1",
            "max_cost_usd=1e9",
            "max_tokens=0",
            "limit=3",
            "schema=",
        ),
        *("priority=urgent", "priority=HIGH", "priority="),
    ],
)
async def test_bad_options_of_lines_are_refused(api: httpx2.AsyncClient, query: str) -> None:
    response = await api.post(f"/extraction-jobs?{query}", content=lines(range(1)), headers=NDJSON)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == query.split("=", maxsplit=1)[0]


async def test_only_jobs_may_have_large_bodies_and_they_have_a_limit(
    api: httpx2.AsyncClient,
) -> None:
    large = lines(range(20_000))
    assert 1_048_576 < len(large) < 3_000_000
    taken = await api.post("/extraction-jobs", content=large, headers=NDJSON)
    assert taken.status_code == 202
    assert taken.json()["counts"]["total"] == 20_000
    too_large = await api.post("/extraction-jobs", content=large * 2, headers=NDJSON)
    assert (too_large.status_code, too_large.json()["code"]) == (413, "body_too_large")
    elsewhere = await api.post("/extractions", content=b" " * 1_100_000)
    assert elsewhere.status_code in {413, 415}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("application/x-ndjson; charset=latin-1", 415),
        ("application/json", 400),
    ],
)
async def test_other_forms_of_body_are_refused(
    api: httpx2.AsyncClient, content_type: str, status: int
) -> None:
    response = await api.post(
        "/extraction-jobs", content=b"{nonsense", headers={"Content-Type": content_type}
    )
    assert response.status_code == status


@pytest.mark.parametrize("identity", ["0", "x", "99999999999", "2147483647"])
async def test_an_unknown_job_is_not_found(api: httpx2.AsyncClient, identity: str) -> None:
    path = f"/extraction-jobs/{identity}"
    for method, url in (
        ("GET", path),
        ("GET", f"{path}/results"),
        ("DELETE", path),
        ("POST", f"{path}/pause"),
        ("POST", f"{path}/resume"),
    ):
        response = await api.request(method, url)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    for accept in ("text/csv", "application/x-ndjson"):
        response = await api.get(f"{path}/results", headers={"Accept": accept})
        assert response.status_code == 404


async def test_a_schema_that_jobs_name_stays(api: httpx2.AsyncClient) -> None:
    definition = {"fields": [{"name": "topic", "type": "string", "description": "What about"}]}
    await api.put("/extraction-schemas/topic", json=definition)
    job = await api.post("/extraction-jobs", json={"texts": ["a"], "schema": "topic"})
    assert job.status_code == 202
    refused = await api.delete("/extraction-schemas/topic")
    assert (refused.status_code, refused.json()["code"]) == (409, "schema_in_use")
