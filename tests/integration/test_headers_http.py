"""Every route, found in the document and in the application, with the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Final

import httpx2
import pytest

from fake_provider.testing import FakeInThread, running_fake
from tests.integration.answers import check_secured, check_sound, sound_api
from tests.integration.api import settings_for
from tests.integration.walk import PAGES, Walk

SHOP: Final = "https://shop.example"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
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
        cors_origins=f"{SHOP},http://127.0.0.1:5173",
    )
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        made = await client.post("/keys", json={"name": "walk", "scopes": ["admin"]})
        client.headers["authorization"] = f"Bearer {made.json()['key']}"
        yield client


@pytest.fixture(scope="module")
async def walked(api: httpx2.AsyncClient) -> Walk:
    return await Walk.prepared(api)


async def test_every_operation_answers_with_the_headers_of_the_table(walked: Walk) -> None:
    # `check_sound` looks at each answer as it comes.
    await walked.every_operation()
    stated = {
        f"{method} {path}"
        for path, operations in walked.document["paths"].items()
        for method in operations
    }
    assert walked.answered.keys() == stated
    for name, statuses in walked.answered.items():
        if not name.endswith("/report"):  # needs answers of workers: test_comparisons_http
            assert any(
                status in {200, 201, 202} or (name.startswith("delete") and status == 204)
                for status in statuses
            ), f"{name}: {statuses}"
        assert any(status >= 400 for status in statuses), f"{name}: {statuses}"


async def test_every_page_and_file_answers_with_the_headers_of_the_table(
    api: httpx2.AsyncClient,
) -> None:
    for path in PAGES:
        for accept, keyed in product(("text/html,*/*;q=0.8", "application/json"), (True, False)):
            async with httpx2.AsyncClient(verify=False, base_url=api.base_url) as browser:
                key = {"authorization": api.headers["authorization"]} if keyed else {}
                answer = await browser.get(path, headers={"accept": accept, **key})
            if answer.headers["content-type"].startswith("text/html") and answer.is_error:
                check_secured(answer.headers)
            else:
                await check_sound(answer)
            if answer.headers["content-type"].startswith("text/html"):
                assert not re.search(
                    r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text
                )


async def test_a_row_may_be_kept_by_its_caller_and_checked_again(api: httpx2.AsyncClient) -> None:
    made = await api.post("/users", json={"name": "Ann", "email": "ann.headers@example.com"})
    path = made.headers["location"]
    for answer in (
        await api.get(path),
        await api.head(path),
        await api.get(path, headers={"if-none-match": made.headers["etag"]}),
    ):
        assert answer.status_code in {200, 304}
        assert answer.headers["etag"] == made.headers["etag"]
        assert answer.headers["cache-control"] == "private, no-cache"
        assert set(answer.headers["vary"].split(", ")) == {"Origin", "Authorization", "Cookie"}
    listed = await api.get("/users")
    assert listed.headers["cache-control"] == "no-store"


async def test_a_page_of_a_named_origin_reads_every_answer(walked: Walk) -> None:
    before = len(walked.api.event_hooks["response"])
    origins: list[str | None] = []

    async def note(response: httpx2.Response) -> None:
        origins.append(response.headers.get("access-control-allow-origin"))
        assert "Origin" in response.headers["vary"].split(", ")

    walked.api.event_hooks["response"].append(note)
    try:
        await walked.every_operation(origin=SHOP)
        assert set(origins) == {SHOP}
        origins.clear()
        await walked.every_operation(origin="https://shop.example.evil.com")
        assert set(origins) == {None}
    finally:
        del walked.api.event_hooks["response"][before:]


async def test_a_preflight_of_every_operation_is_answered_without_a_key(walked: Walk) -> None:
    for path, operations in walked.document["paths"].items():
        for method in operations:
            asked = {
                "origin": SHOP,
                "access-control-request-method": method.upper(),
                "access-control-request-headers": "authorization,content-type,idempotency-key",
            }
            place = path.replace("{", "").replace("}", "")
            request = walked.api.build_request("OPTIONS", place, headers=asked)
            del request.headers["authorization"]
            answer = await walked.api.send(request)
            assert answer.status_code == 204
            assert answer.headers["access-control-allow-origin"] == SHOP
            allowed = answer.headers["access-control-allow-methods"].split(", ")
            assert method.upper() in allowed
            taken = answer.headers["access-control-allow-headers"].lower().split(", ")
            assert {"authorization", "content-type", "idempotency-key"} <= set(taken)
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (SHOP, True),
        ("http://127.0.0.1:5173", True),
        ("http://127.0.0.1:5174", False),
        ("HTTPS://shop.example", False),
        ("https://shop.example:443", False),
        ("https://shop.example.evil.com", False),
        ("null", False),
        ("*", False),
    ],
)
async def test_an_origin_is_named_whole_or_not_at_all(
    api: httpx2.AsyncClient, origin: str, allowed: bool
) -> None:
    for method, path in (("GET", "/users"), ("OPTIONS", "/users"), ("GET", "/nothing")):
        headers = {"origin": origin, "access-control-request-method": "POST"}
        answer = await api.request(method, path, headers=headers)
        told = {name for name in answer.headers if name.startswith("access-control-")}
        assert bool(told) is allowed
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
