"""`Idempotency-Key` over TLS and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx2
import pytest

from tests.integration.answers import created, refusal, sound_api
from tests.integration.api import settings_for
from tests.integration.owners_database import ask

_numbers = count(1)


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"key-{next(_numbers)}"


def a_body() -> dict[str, str]:
    return {"name": "Ann", "email": f"ann.{next(_numbers)}@example.com"}


async def test_a_retry_gets_the_first_answer_again(api: httpx2.AsyncClient, key: str) -> None:
    body = a_body()
    first = await api.post("/users", json=body, headers={"idempotency-key": key})
    again = await api.post("/users", json=body, headers={"idempotency-key": key})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_replay_tells_the_first_answer_even_when_the_row_has_changed(
    api: httpx2.AsyncClient, key: str
) -> None:
    body = a_body()
    made = await created(api, "/users", body, **{"idempotency-key": key})
    await api.delete(f"/users/{made['id']}")
    again = await api.post("/users", json=body, headers={"idempotency-key": key})
    assert (again.status_code, again.json()) == (201, made)


@pytest.mark.parametrize("path", ["/users", "/orders", "/search-clicks"])
async def test_thirty_concurrent_posts_with_one_key_make_one_row(
    api: httpx2.AsyncClient, module_database_url: str, key: str, path: str
) -> None:
    table = path[1:].replace("-", "_")
    body: dict[str, Any] = a_body()
    if path == "/orders":
        user = await created(api, "/users", a_body())
        body = {"user_id": user["id"], "product_name": "oak chair", "quantity": 1}
    if path == "/search-clicks":
        body = {"search_query": "wool", "clicks": 1, "impressions": 2}
    rows = await ask(module_database_url, f"SELECT count(*) FROM {table}")  # noqa: S608
    responses = await asyncio.gather(
        *(api.post(path, json=body, headers={"idempotency-key": key}) for _ in range(30))
    )
    assert await ask(module_database_url, f"SELECT count(*) FROM {table}") == rows + 1  # noqa: S608
    made = [each for each in responses if each.status_code == 201]
    assert len({each.content for each in made}) == 1
    assert sum("idempotency-replayed" not in each.headers for each in made) == 1
    for response in responses:
        if response.status_code != 201:
            refusal(response, 409, "request_in_progress")
            assert response.headers["retry-after"] == "1"
    last = await api.post(path, json=body, headers={"idempotency-key": key})
    assert (last.status_code, last.content) == (201, made[0].content)


async def test_a_key_belongs_to_one_request(api: httpx2.AsyncClient, key: str) -> None:
    body = a_body()
    await created(api, "/users", body, **{"idempotency-key": key})
    order = {"user_id": 1, "product_name": "oak chair", "quantity": 1}
    others = (("/users", a_body()), ("/orders", order), ("/users", body | {"name": "Bo"}))
    for path, other in others:
        response = await api.post(path, json=other, headers={"idempotency-key": key})
        refusal(response, 422, "idempotency_key_reused")


async def test_a_refused_request_leaves_its_key_free(api: httpx2.AsyncClient, key: str) -> None:
    taken = await created(api, "/users", a_body())
    headers = {"idempotency-key": key}
    refusal(
        await api.post("/users", json=taken, headers=headers),
        422,
        "validation_failed",
        "/id",
        "/created_at",
    )
    body = a_body() | {"email": taken["email"].upper()}
    refusal(await api.post("/users", json=body, headers=headers), 409, "email_taken")
    assert (await api.post("/users", json=a_body(), headers=headers)).status_code == 201


async def test_an_order_for_nobody_leaves_its_key_free(api: httpx2.AsyncClient, key: str) -> None:
    headers = {"idempotency-key": key}
    body = {"user_id": 2147483647, "product_name": "oak chair", "quantity": 1}
    refusal(await api.post("/orders", json=body, headers=headers), 422, "unknown_user", "/user_id")
    user = await created(api, "/users", a_body())
    body["user_id"] = user["id"]
    assert (await api.post("/orders", json=body, headers=headers)).status_code == 201


@pytest.mark.parametrize("path", ["/users", "/orders", "/search-clicks"])
@pytest.mark.parametrize("bad", ["", "a b", "\xe9", "x" * 256, "a\tb"])
async def test_a_key_is_visible_ascii(api: httpx2.AsyncClient, path: str, bad: str) -> None:
    headers = [(b"idempotency-key", bad.encode("latin-1")), (b"content-type", b"application/json")]
    response = await api.post(path, content=b"{}", headers=headers)
    refusal(response, 422, "validation_failed", "Idempotency-Key")


@pytest.mark.parametrize("good", ["x", "x" * 255, '"quoted;,"', "!~"])
async def test_any_visible_ascii_is_a_key(api: httpx2.AsyncClient, good: str) -> None:
    await created(api, "/users", a_body(), **{"idempotency-key": good})


async def test_answers_older_than_a_day_are_not_replayed(
    api: httpx2.AsyncClient, module_database_url: str, key: str
) -> None:
    body = a_body()
    await created(api, "/users", body, **{"idempotency-key": key})
    await ask(
        module_database_url,
        "UPDATE idempotency_keys SET created_at = created_at - interval '1 day' WHERE key = $1",
        f"local {key}",  # who called
    )
    response = await api.post("/users", json=body, headers={"idempotency-key": key})
    refusal(response, 409, "email_taken")
