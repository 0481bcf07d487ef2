"""`If-Match` and `If-None-Match` on everything that can be written (RFC 9110, 13)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx2
import pytest

from tests.integration.answers import refusal, sound_api
from tests.integration.api import settings_for

_numbers = count(1)
SCHEMA = {
    "description": "A note",
    "fields": [{"name": "subject", "type": "string", "description": "What it is about"}],
}


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


async def a_user(api: httpx2.AsyncClient) -> httpx2.Response:
    return await api.post("/users", json={"name": "Ann", "email": f"a{next(_numbers)}@example.com"})


async def an_order(api: httpx2.AsyncClient) -> httpx2.Response:
    body = {"user_id": (await a_user(api)).json()["id"], "product_name": "stool", "quantity": 1}
    return await api.post("/orders", json=body)


async def a_schema(api: httpx2.AsyncClient) -> httpx2.Response:
    path = f"/extraction-schemas/note_{next(_numbers)}"
    made = await api.put(path, json=SCHEMA)
    made.headers["location"] = path
    return made


async def a_job(api: httpx2.AsyncClient) -> httpx2.Response:
    return await api.post("/extraction-jobs", json={"texts": ["two stools"]})


async def a_comparison(api: httpx2.AsyncClient) -> httpx2.Response:
    gold = {"customer": "Ann", "product": "stools", "quantity": 2}
    texts = [{"id": "m1", "text": "Two stools. Ann", "gold": gold}]
    body = {"providers": ["local", "regex"], "texts": texts}
    return await api.post("/comparisons", json=body)


ROWS = {"user": a_user, "order": an_order}
OTHERS = {"schema": a_schema, "job": a_job, "comparison": a_comparison}


async def made(api: httpx2.AsyncClient, kind: str) -> str:
    """The path of a new one."""
    response = await {**ROWS, **OTHERS}[kind](api)
    assert response.status_code in {201, 202}, response.text
    return str(response.headers["location"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize(
    "headers",
    [
        [("If-None-Match", "*")],
        [("If-None-Match", '"1"')],
        [("If-None-Match", 'W/"1"')],
        [("If-None-Match", '"5", "1"')],
        [("If-None-Match", '"5"'), ("If-None-Match", '"1"')],
        [("If-None-Match", "1")],
        [("If-None-Match", "*"), ("If-Match", '"1"')],
        [("If-None-Match", '"1"'), ("If-Match", "*")],
        [("If-None-Match", '"5"'), ("If-Match", '"5"')],
    ],
    ids=str,
)
async def test_what_the_conditions_exclude_is_not_written(
    api: httpx2.AsyncClient, kind: str, method: str, headers: list[tuple[str, str]]
) -> None:
    path = await made(api, kind)
    before = await api.get(path)
    body = {**before.json(), "quantity": 7} if kind == "order" else before.json() | {"name": "Bo"}
    changed = {"quantity": 7} if kind == "order" else {"name": "Bo"}
    json = {"PUT": body, "PATCH": changed, "DELETE": None}[method]
    refusal(await api.request(method, path, json=json, headers=headers), 412, "version_mismatch")
    after = await api.get(path)
    assert (after.json(), after.headers["etag"]) == (before.json(), '"1"')


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize(
    "headers",
    [
        [("If-None-Match", '"2"')],
        [("If-None-Match", '"of-another-server", W/"9"'), ("If-Match", '"1"')],
        [("If-None-Match", "")],
        [("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")],
        [("If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT"), ("If-Range", '"5"')],
    ],
    ids=str,
)
async def test_what_the_conditions_do_not_exclude_is_written(
    api: httpx2.AsyncClient, kind: str, method: str, headers: list[tuple[str, str]]
) -> None:
    path = await made(api, kind)
    body = (await api.get(path)).json()
    json = {"PUT": body, "PATCH": {}, "DELETE": None}[method]
    response = await api.request(method, path, json=json, headers=headers)
    assert response.status_code == (204 if method == "DELETE" else 200), response.text


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize(
    "headers", [{"If-None-Match": "*"}, {"If-Match": '"1"'}, {"If-None-Match": "1"}], ids=str
)
async def test_what_has_no_etag_is_not_removed_by_a_request_for_something_else(
    api: httpx2.AsyncClient, kind: str, headers: dict[str, str]
) -> None:
    path = await made(api, kind)
    refusal(await api.delete(path, headers=headers), 412, "version_mismatch")
    kept: dict[str, Any] = (await api.get(path)).json()
    assert kept.get("status", "running") == "running"
    removed = await api.delete(path, headers={"If-Match": "*", "If-None-Match": '"1"'})
    assert removed.status_code in {202, 204}


@pytest.mark.parametrize("headers", [{"If-None-Match": "*"}, {"If-Match": '"1"'}], ids=str)
@pytest.mark.parametrize(
    "path",
    [
        *("/users/99999", "/orders/99999", "/extraction-schemas/nowhere"),
        *("/extraction-jobs/99999", "/comparisons/99999"),
    ],
)
async def test_what_is_not_there_is_not_found_whatever_the_conditions(
    api: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    refusal(await api.delete(path, headers=headers), 404, "not_found")


async def test_a_schema_is_put_if_it_is_new_or_if_it_is_known(api: httpx2.AsyncClient) -> None:
    path = f"/extraction-schemas/note_{next(_numbers)}"
    new, known = {"If-None-Match": "*"}, {"If-Match": "*"}
    other = SCHEMA | {"description": "Another note"}
    for headers in (known, {"If-Match": '"1"'}, {**known, **new}):
        refusal(await api.put(path, json=SCHEMA, headers=headers), 412, "version_mismatch")
    refusal(await api.get(path), 404, "not_found")
    assert (await api.put(path, json=SCHEMA, headers=new)).status_code == 201
    for body in (SCHEMA, other):
        for headers in (new, {"If-Match": '"1"'}):
            refusal(await api.put(path, json=body, headers=headers), 412, "version_mismatch")
    assert (await api.get(path)).json()["description"] == "A note"
    changed = await api.put(path, json=other, headers={**known, "If-None-Match": '"1"'})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
