"""`/orders` over TLS and PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.integration.answers import created, refusal, sound_api
from tests.integration.api import settings_for

NOTHING = "/orders/2147483647"
NOBODY = 2147483647
MAX_INT = 2147483647


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


@pytest.fixture(scope="module")
async def ann(api: httpx2.AsyncClient) -> int:
    made = await created(api, "/users", {"name": "Ann", "email": "ann@example.com"})
    return int(made["id"])


@pytest.fixture
async def order(api: httpx2.AsyncClient, ann: int) -> dict[str, Any]:
    body = {"user_id": ann, "product_name": "oak chair", "quantity": 2}
    return await created(api, "/orders", body)


async def test_a_created_order_is_told_whole_and_can_be_fetched_at_its_location(
    api: httpx2.AsyncClient, ann: int
) -> None:
    body = {"user_id": ann, "product_name": " oak chair 椅子 ", "quantity": MAX_INT}
    response = await api.post("/orders", json=body)
    assert response.status_code == 201
    made = response.json()
    assert list(made) == ["id", "user_id", "product_name", "quantity", "order_date"]
    assert {name: made[name] for name in body} == body
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", made["order_date"])
    fetched = await api.get(response.headers["location"])
    assert (fetched.status_code, fetched.json()) == (200, made)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-11-22T10:30:00+01:00", "2026-11-22T09:30:00Z"),
        ("2026-11-22T09:30:00.123456Z", "2026-11-22T09:30:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
async def test_a_date_of_the_callers_is_kept_in_utc(
    api: httpx2.AsyncClient, ann: int, given: str, kept: str
) -> None:
    body = {"user_id": ann, "product_name": "oak chair", "quantity": 1, "order_date": given}
    assert (await created(api, "/orders", body))["order_date"] == kept


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"user_id": 0, "product_name": "", "quantity": 0}, 3),
        ({"user_id": 10**30, "product_name": "x" * 256, "quantity": 10**30}, 3),
        ({"user_id": MAX_INT + 1, "quantity": MAX_INT + 1}, 2),
        ({"user_id": "1", "product_name": 1, "quantity": "2"}, 3),
        ({"user_id": 0.5, "product_name": None, "quantity": 1.5}, 3),
        ({"user_id": True, "quantity": False}, 2),
        ({"order_date": "2026-11-22"}, 1),
        ({"order_date": "2026-11-22T10:00:00"}, 1),
        ({"order_date": None}, 1),
        ({"order_date": 1767225600}, 1),
        ({"order_date": "0001-01-01T00:00:00+01:00", "quantity": 0}, 2),
        ({"order_date": "9999-12-31T23:59:59-01:00", "user_id": 0, "colour": "red"}, 3),
        ({"id": 1}, 1),
    ],
)
async def test_every_bad_member_of_a_new_order_is_named(
    api: httpx2.AsyncClient, ann: int, members: dict[str, Any], pointers: int
) -> None:
    body = {"user_id": ann, "product_name": "oak chair", "quantity": 1} | members
    response = await api.post("/orders", json=body)
    problem = refusal(
        response, 422, "validation_failed", *(f"/{name}" for name in body if name in members)
    )
    assert len(problem["errors"]) == pointers


async def test_an_order_for_nobody_is_refused(
    api: httpx2.AsyncClient, order: dict[str, Any]
) -> None:
    body = {"user_id": NOBODY, "product_name": "oak chair", "quantity": 1}
    refusal(await api.post("/orders", json=body), 422, "unknown_user", "/user_id")
    path = f"/orders/{order['id']}"
    refusal(await api.put(path, json=order | body), 422, "unknown_user", "/user_id")
    refusal(await api.patch(path, json={"user_id": NOBODY}), 422, "unknown_user", "/user_id")
    assert (await api.get(path)).json() == order


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [NOTHING, "/orders/0", "/orders/2147483648", "/orders/oak"])
async def test_no_order_is_not_found(
    api: httpx2.AsyncClient, ann: int, method: str, path: str
) -> None:
    body = {"user_id": ann, "product_name": "oak chair", "quantity": 1}
    json = body if method in {"PUT", "PATCH"} else None
    refusal(await api.request(method, path, json=json), 404, "not_found")


async def test_put_replaces_user_product_and_quantity(
    api: httpx2.AsyncClient, order: dict[str, Any]
) -> None:
    bo = await created(api, "/users", {"name": "Bo", "email": "bo@example.com"})
    body = {"user_id": bo["id"], "product_name": "stool", "quantity": 9}
    response = await api.put(f"/orders/{order['id']}", json=body)
    assert (response.status_code, response.json()) == (200, order | body)
    assert response.headers["etag"] == '"2"'


async def test_what_get_returned_can_be_put_back_and_changes_nothing(
    api: httpx2.AsyncClient, order: dict[str, Any]
) -> None:
    path = f"/orders/{order['id']}"
    response = await api.put(path, json=order)
    assert (response.status_code, response.json()) == (200, order)
    assert response.headers["etag"] == '"1"'
    without = {name: order[name] for name in ("user_id", "product_name", "quantity")}
    for body in (without, without | {"order_date": None, "id": "any"}):
        assert (await api.put(path, json=body)).json() == order


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_the_date_of_an_order_never_changes(
    api: httpx2.AsyncClient, order: dict[str, Any], method: str
) -> None:
    path = f"/orders/{order['id']}"
    body = {name: order[name] for name in ("user_id", "product_name", "quantity")}
    other = body | {"order_date": "2026-01-01T00:00:00Z"}
    refusal(await api.request(method, path, json=other), 422, "validation_failed", "/order_date")
    same = body | {"order_date": order["order_date"].replace("Z", "+00:00")}
    assert (await api.request(method, path, json=same)).json() == order


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
async def test_patch_changes_the_members_it_names(
    api: httpx2.AsyncClient, order: dict[str, Any], media_type: str
) -> None:
    path, headers = f"/orders/{order['id']}", {"content-type": media_type}
    response = await api.patch(path, content=b'{"quantity": 5}', headers=headers)
    assert (response.status_code, response.json()) == (200, order | {"quantity": 5})
    assert (await api.patch(path, content=b"{}", headers=headers)).headers["etag"] == '"2"'


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"quantity": None, "user_id": None}, ["/quantity", "/user_id"]),
        ({"product_name": "\0", "order_date": None}, ["/product_name", "/order_date"]),
        ({"id": 1}, ["/id"]),
    ],
)
async def test_a_patch_that_cannot_be_applied_changes_nothing(
    api: httpx2.AsyncClient, order: dict[str, Any], body: object, pointers: list[str]
) -> None:
    path = f"/orders/{order['id']}"
    refusal(await api.patch(path, json=body), 422, "validation_failed", *pointers)
    assert (await api.get(path)).json() == order


async def test_a_deleted_order_is_gone(api: httpx2.AsyncClient, order: dict[str, Any]) -> None:
    path = f"/orders/{order['id']}"
    assert (await api.delete(path)).status_code == 204
    refusal(await api.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_stale_etag_stops_a_write_and_a_right_one_does_not(
    api: httpx2.AsyncClient, order: dict[str, Any], method: str
) -> None:
    path = f"/orders/{order['id']}"
    body = order | {"quantity": 7} if method == "PUT" else {"quantity": 7}
    json = None if method == "DELETE" else body
    stale = await api.request(method, path, json=json, headers={"if-match": '"2"'})
    refusal(stale, 412, "version_mismatch")
    assert (await api.get(path, headers={"if-none-match": '"1"'})).status_code == 304
    right = await api.request(method, path, json=json, headers={"if-match": '"1"'})
    assert right.status_code == (204 if method == "DELETE" else 200)


async def test_of_ten_writers_with_one_etag_one_writes(
    api: httpx2.AsyncClient, order: dict[str, Any]
) -> None:
    responses = await asyncio.gather(
        *(
            api.patch(f"/orders/{order['id']}", json={"quantity": n}, headers={"if-match": '"1"'})
            for n in range(10, 20)
        )
    )
    assert sorted(each.status_code for each in responses) == [200] + [412] * 9
