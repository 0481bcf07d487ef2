"""`/users` over TLS and PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx2
import pytest

from tests.integration.answers import created, refusal, sound_api
from tests.integration.api import settings_for

MERGE_PATCH = {"content-type": "application/merge-patch+json"}
NOBODY = "/users/2147483647"
_numbers = count(1)


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


@pytest.fixture
async def ann(api: httpx2.AsyncClient) -> dict[str, Any]:
    return await created(api, "/users", {"name": "Ann Lee", "email": an_email()})


def an_email() -> str:
    return f"ann.{next(_numbers)}@example.com"


async def test_a_created_user_is_told_whole_and_can_be_fetched_at_its_location(
    api: httpx2.AsyncClient,
) -> None:
    email = an_email().replace("ann", "Ann")
    response = await api.post("/users", json={"name": " Zoë 😀 ", "email": email})
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "private, no-cache"
    made = response.json()
    assert list(made) == ["id", "name", "email", "created_at"]
    assert (made["name"], made["email"]) == (" Zoë 😀 ", email)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", made["created_at"])
    age = datetime.now(UTC) - datetime.fromisoformat(made["created_at"])
    assert abs(age.total_seconds()) < 600  # UTC, not the server's zone
    fetched = await api.get(response.headers["location"])
    assert (fetched.status_code, fetched.json()) == (200, made)
    assert fetched.headers["etag"] == response.headers["etag"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name", "/email"]),
        ({"name": None, "email": None}, ["/name", "/email"]),
        ({"email": 7, "name": ["Ann"]}, ["/email", "/name"]),
        ({"name": " \t\u3000", "email": "nobody"}, ["/name", "/email"]),
        ({"name": "x" * 256, "email": "x" * 256}, ["/name", "/email"]),
        ({"name": "a\0b", "email": "a\0@example.com"}, ["/name", "/email"]),
        ({"name": "Ann", "email": "a@example.com", "age": 7, "id": 1}, ["/age", "/id"]),
        ({"nmae": "Ann", "email": "a@localhost"}, ["/nmae", "/email", "/name"]),
        ({"name": "Ann", "email": "Ann <a@example.com>"}, ["/email"]),
        ([], [""]),
        ("Ann", [""]),
    ],
)
async def test_every_bad_member_of_a_new_user_is_named(
    api: httpx2.AsyncClient, body: object, pointers: list[str]
) -> None:
    refusal(await api.post("/users", json=body), 422, "validation_failed", *pointers)


async def test_lone_surrogates_are_refused_in_values_and_names(api: httpx2.AsyncClient) -> None:
    response = await api.post(
        "/users",
        content=rb'{"name": "\ud800", "email": "\udfff@example.com", "\ud800": 1}',
        headers={"content-type": "application/json"},
    )
    refusal(response, 422, "validation_failed", "/name", "/email", r"/\ud800")


async def test_a_reason_is_a_sentence_for_people(api: httpx2.AsyncClient) -> None:
    body = {"name": " ", "email": "ann@", "emial": 1}
    errors = (await api.post("/users", json=body)).json()["errors"]
    assert errors[0] == {"pointer": "/name", "detail": "must not be blank"}
    assert errors[1]["detail"] == "There must be something after the @-sign."
    assert errors[2]["detail"] == "is not known; did you mean email?"


async def test_sixteen_concurrent_registrations_of_one_email_make_one_user(
    api: httpx2.AsyncClient,
) -> None:
    email = an_email()
    spellings = [email[:place].upper() + email[place:] for place in range(16)]
    responses = await asyncio.gather(
        *(api.post("/users", json={"name": "Ann", "email": each}) for each in spellings)
    )
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] + [409] * 15
    for response in responses:
        if response.status_code == 409:
            refusal(response, 409, "email_taken")
    listed = (await api.get("/users", params={"email": email})).json()["items"]
    assert [user["email"].lower() for user in listed] == [email]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        NOBODY,
        "/users/0",
        "/users/-1",
        "/users/01",
        "/users/2147483648",
        "/users/1" + "0" * 30,
        "/users/1.0",
        "/users/ann",
        "/users/%31%20",
        "/users/%EF%BC%91",  # a full-width digit
        "/users/%FF",
        "/users/%00",
        "/users/null",
    ],
)
async def test_no_user_is_not_found(api: httpx2.AsyncClient, method: str, path: str) -> None:
    body = {"name": "Ann", "email": an_email()} if method in {"PUT", "PATCH"} else None
    refusal(await api.request(method, path, json=body), 404, "not_found")


async def test_put_replaces_name_and_email(api: httpx2.AsyncClient, ann: dict[str, Any]) -> None:
    body = {"name": "Bo", "email": an_email()}
    response = await api.put(f"/users/{ann['id']}", json=body)
    assert response.status_code == 200
    assert response.json() == ann | body
    assert response.headers["etag"] == '"2"'
    assert (await api.get(f"/users/{ann['id']}")).json() == ann | body


async def test_what_get_returned_can_be_put_back_and_changes_nothing(
    api: httpx2.AsyncClient, ann: dict[str, Any]
) -> None:
    response = await api.put(f"/users/{ann['id']}", json=ann)
    assert (response.status_code, response.json()) == (200, ann)
    assert response.headers["etag"] == '"1"'
    other = ann | {"id": "any", "created_at": None}  # read-only: accepted and ignored
    assert (await api.put(f"/users/{ann['id']}", json=other)).json() == ann


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name", "/email"]),
        ({"name": "Bo"}, ["/email"]),
        ({"name": None, "email": "x", "version": 1}, ["/name", "/email", "/version"]),
    ],
)
async def test_a_put_is_a_whole_user(
    api: httpx2.AsyncClient, ann: dict[str, Any], body: object, pointers: list[str]
) -> None:
    path = f"/users/{ann['id']}"
    refusal(await api.put(path, json=body), 422, "validation_failed", *pointers)
    assert (await api.get(path)).json() == ann


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
async def test_patch_changes_the_members_it_names(
    api: httpx2.AsyncClient, ann: dict[str, Any], media_type: str
) -> None:
    path, headers = f"/users/{ann['id']}", {"content-type": media_type}
    response = await api.patch(path, content=b'{"name": "Bo"}', headers=headers)
    assert (response.status_code, response.json()) == (200, ann | {"name": "Bo"})
    assert response.headers["etag"] == '"2"'
    empty = await api.patch(path, content=b"{}", headers=headers)
    assert (empty.status_code, empty.json()) == (200, ann | {"name": "Bo"})
    assert empty.headers["etag"] == '"2"'


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"name": None}, ["/name"]),  # null removes, and a user has a name
        ({"email": None, "name": ""}, ["/email", "/name"]),
        ({"id": 1, "created_at": None}, ["/id", "/created_at"]),
        ([], [""]),
    ],
)
async def test_a_patch_that_cannot_be_applied_changes_nothing(
    api: httpx2.AsyncClient, ann: dict[str, Any], body: object, pointers: list[str]
) -> None:
    path = f"/users/{ann['id']}"
    response = await api.patch(path, json=body, headers=MERGE_PATCH)
    refusal(response, 422, "validation_failed", *pointers)
    assert (await api.get(path)).json() == ann


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_the_email_of_another_is_taken_in_any_letter_case(
    api: httpx2.AsyncClient, ann: dict[str, Any], method: str
) -> None:
    bo = await created(api, "/users", {"name": "Bo", "email": an_email()})
    body = {"name": "Ann", "email": bo["email"].upper()}
    path = f"/users/{ann['id']}"
    refusal(await api.request(method, path, json=body), 409, "email_taken")
    assert (await api.get(path)).json() == ann
    refusal(await api.post("/users", json=body), 409, "email_taken")


async def test_a_deleted_user_is_gone(api: httpx2.AsyncClient, ann: dict[str, Any]) -> None:
    path = f"/users/{ann['id']}"
    assert (await api.delete(path)).status_code == 204
    refusal(await api.get(path), 404, "not_found")
    refusal(await api.delete(path), 404, "not_found")


async def test_a_user_with_orders_is_not_deleted(
    api: httpx2.AsyncClient, ann: dict[str, Any]
) -> None:
    order = {"user_id": ann["id"], "product_name": "oak chair", "quantity": 1}
    made = await created(api, "/orders", order)
    refusal(await api.delete(f"/users/{ann['id']}"), 409, "user_has_orders")
    assert (await api.delete(f"/orders/{made['id']}")).status_code == 204
    assert (await api.delete(f"/users/{ann['id']}")).status_code == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("stale", ['"2"', 'W/"1"', "1", "", '"a"', '"99999999999"'])
async def test_a_stale_or_foreign_etag_stops_a_write(
    api: httpx2.AsyncClient, ann: dict[str, Any], method: str, stale: str
) -> None:
    path = f"/users/{ann['id']}"
    body = {"name": "Bo", "email": an_email()} if method != "DELETE" else None
    response = await api.request(method, path, json=body, headers={"if-match": stale})
    refusal(response, 412, "version_mismatch")
    assert (await api.get(path)).json() == ann


@pytest.mark.parametrize("right", ['"1"', '"7", "1"', "*"])
async def test_a_right_etag_lets_a_write_through(
    api: httpx2.AsyncClient, ann: dict[str, Any], right: str
) -> None:
    path = f"/users/{ann['id']}"
    patched = await api.patch(path, json={"name": "Bo"}, headers={"if-match": right})
    assert (patched.status_code, patched.headers["etag"]) == (200, '"2"')
    deleted = await api.delete(path, headers={"if-match": patched.headers["etag"]})
    assert deleted.status_code == 204


async def test_if_match_of_nobody_is_not_found(api: httpx2.AsyncClient) -> None:
    response = await api.delete(NOBODY, headers={"if-match": '"1"'})
    refusal(response, 404, "not_found")


async def test_of_ten_writers_with_one_etag_one_writes(
    api: httpx2.AsyncClient, ann: dict[str, Any]
) -> None:
    responses = await asyncio.gather(
        *(
            api.patch(f"/users/{ann['id']}", json={"name": f"Ann {n}"}, headers={"if-match": '"1"'})
            for n in range(10)
        )
    )
    assert sorted(each.status_code for each in responses) == [200] + [412] * 9


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"5", "1"', "*"])
async def test_an_unchanged_user_is_not_sent_again(
    api: httpx2.AsyncClient, ann: dict[str, Any], method: str, known: str
) -> None:
    path = f"/users/{ann['id']}"
    response = await api.request(method, path, headers={"if-none-match": known})
    assert (response.status_code, response.headers["etag"]) == (304, '"1"')


async def test_a_changed_user_is_sent_again(api: httpx2.AsyncClient, ann: dict[str, Any]) -> None:
    path = f"/users/{ann['id']}"
    await api.patch(path, json={"name": "Bo"})
    response = await api.get(path, headers={"if-none-match": '"1"'})
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')


async def test_head_is_get_without_the_body(api: httpx2.AsyncClient, ann: dict[str, Any]) -> None:
    for path in (f"/users/{ann['id']}", "/users"):
        got, head = await api.get(path), await api.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag", "link", "cache-control"):
            assert head.headers.get(name) == got.headers.get(name)
    missing = await api.head(NOBODY)
    assert (missing.status_code, missing.content) == (404, b"")
