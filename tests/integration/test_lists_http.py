"""The lists of users and orders over TLS and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from tests.integration.answers import created, refusal, sound_api
from tests.integration.api import settings_for

_numbers = count(1)


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


async def a_user(api: httpx2.AsyncClient) -> dict[str, Any]:
    return await created(
        api, "/users", {"name": "Ann", "email": f"ann.{next(_numbers)}@example.com"}
    )


async def an_order(api: httpx2.AsyncClient, user: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"user_id": user["id"], "product_name": "oak chair", "quantity": 1} | more
    return await created(api, "/orders", body)


async def a_page(api: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    response = await api.get(path)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    assert page.keys() == {"items", "next"}
    link = None if page["next"] is None else f'<{page["next"]}>; rel="next"'
    assert response.headers.get("link") == link
    return page


async def test_an_empty_list_is_a_page_without_items(api: httpx2.AsyncClient) -> None:
    user = await a_user(api)
    assert await a_page(api, f"/orders?user_id={user['id']}") == {"items": [], "next": None}


async def test_a_walk_sees_each_row_once_while_rows_are_inserted(api: httpx2.AsyncClient) -> None:
    user = await a_user(api)
    orders = [await an_order(api, user) for _ in range(7)]
    seen = []
    path: str | None = f"/orders?user_id={user['id']}&limit=2"
    while path is not None:
        page = await a_page(api, path)
        assert len(page["items"]) <= 2
        seen += page["items"]
        path = page["next"]
        await an_order(api, user)
    assert seen == orders[::-1]


async def test_a_walk_over_users_ends_with_the_oldest(api: httpx2.AsyncClient) -> None:
    users = [await a_user(api) for _ in range(5)]
    first = await a_page(api, "/users?limit=3")
    assert first["items"] == users[:1:-1]
    rest = await a_page(api, first["next"].replace("limit=3", "limit=200"))
    assert rest["items"][:2] == users[1::-1]
    assert rest["next"] is None


async def test_a_full_last_page_knows_that_it_is_the_last(api: httpx2.AsyncClient) -> None:
    user = await a_user(api)
    for _ in range(4):
        await an_order(api, user)
    first = await a_page(api, f"/orders?user_id={user['id']}&limit=2")
    second = await a_page(api, first["next"])
    assert (len(second["items"]), second["next"]) == (2, None)


async def test_without_a_limit_a_page_has_up_to_fifty_rows(api: httpx2.AsyncClient) -> None:
    user = await a_user(api)
    for _ in range(51):
        await an_order(api, user)
    page = await a_page(api, f"/orders?user_id={user['id']}")
    assert len(page["items"]) == 50
    assert parse_qs(urlsplit(page["next"]).query)["limit"] == ["50"]
    assert len((await a_page(api, f"/orders?user_id={user['id']}&limit=200"))["items"]) == 51


async def test_users_are_found_by_email_in_any_letter_case(api: httpx2.AsyncClient) -> None:
    user = await a_user(api)
    for email in (user["email"], user["email"].upper()):
        page = await a_page(api, f"/users?{urlencode({'email': email})}")
        assert page == {"items": [user], "next": None}
    for email in ("nobody@example.com", "%", "", "ann"):
        assert (await a_page(api, f"/users?{urlencode({'email': email})}"))["items"] == []


async def test_orders_are_found_by_each_filter_and_by_all(api: httpx2.AsyncClient) -> None:
    ann, bo = await a_user(api), await a_user(api)
    product = f"chair {next(_numbers)} é&=?"
    made = [
        await an_order(api, user, product_name=name, order_date=f"2026-03-0{day}T12:00:00Z")
        for user in (ann, bo)
        for name in (product, product.upper())
        for day in (1, 2, 3)
    ]
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"user_id": ann["id"]}, lambda each: each["user_id"] == ann["id"]),
        ({"product_name": product}, lambda each: each["product_name"] == product),
        (
            {"user_id": bo["id"], "from": "2026-03-02T12:00:00Z"},  # inclusive
            lambda each: each["user_id"] == bo["id"] and each["order_date"] >= "2026-03-02",
        ),
        (
            {"user_id": bo["id"], "to": "2026-03-02T14:00:00+02:00"},  # exclusive, any offset
            lambda each: each["user_id"] == bo["id"] and each["order_date"] < "2026-03-02",
        ),
        (
            {
                "user_id": ann["id"],
                "product_name": product,
                "from": "2026-03-02T00:00:00Z",
                "to": "2026-03-03T00:00:00Z",
            },
            lambda each: each == made[1],
        ),
        ({"user_id": ann["id"], "from": "2027-01-01T00:00:00Z"}, lambda _: False),
    ]
    for query, passes in cases:
        found = []
        path: str | None = f"/orders?{urlencode({**query, 'limit': 2})}"
        while path is not None:
            page = await a_page(api, path)
            found += page["items"]
            path = page["next"]
        assert found == [order for order in reversed(made) if passes(order)]


@pytest.mark.parametrize(
    ("path", "pointers"),
    [
        ("/users?limit=0", ["limit"]),
        ("/users?limit=201", ["limit"]),
        ("/users?limit=ten", ["limit"]),
        ("/users?limit=", ["limit"]),
        ("/users?limit=1e1", ["limit"]),
        ("/users?limit=" + "9" * 500, ["limit"]),
        ("/users?limit=1&limit=1", ["limit"]),
        ("/users?cursor=forged", ["cursor"]),
        ("/users?cursor=", ["cursor"]),
        ("/users?cursor=%F0%9F%92%A5", ["cursor"]),
        ("/users?cursor=" + "A" * 5000, ["cursor"]),
        ("/users?limit=0&cursor=forged", ["limit", "cursor"]),
        ("/users?sort=name&limit=x&email=%00&cursor=x", ["sort", "email", "limit", "cursor"]),
        ("/users?email=%FF", ["email"]),
        ("/users?email=%ED%A0%80", ["email"]),
        ("/users?email=" + "x" * 256, ["email"]),
        ("/users?Email=a", ["Email"]),
        ("/orders?user_id=0", ["user_id"]),
        ("/orders?user_id=2147483648", ["user_id"]),
        ("/orders?user_id=null", ["user_id"]),
        ("/orders?from=null&to=null", ["from", "to"]),
        ("/orders?from=today&to=2026-03-01", ["from", "to"]),
        ("/orders?from=2026-03-01T00:00:00", ["from"]),
        ("/orders?from=1767225600", ["from"]),
        (
            "/orders?from=0001-01-01T00:00:00%2B01:00&to=9999-12-31T23:59:59-01:00&limit=0",
            ["limit", "from", "to"],
        ),
        ("/orders?quantity=1&product_name=%00", ["quantity", "product_name"]),
        ("/orders?since=2026-03-01T00:00:00Z", ["since"]),
    ],
)
async def test_every_bad_parameter_of_a_list_is_named(
    api: httpx2.AsyncClient, path: str, pointers: list[str]
) -> None:
    refusal(await api.get(path), 422, "validation_failed", *pointers)


async def test_a_cursor_belongs_to_its_list_and_its_filters(api: httpx2.AsyncClient) -> None:
    user = await a_user(api)
    for _ in range(2):
        await an_order(api, user)
    page = await a_page(api, f"/orders?user_id={user['id']}&limit=1")
    (cursor,) = parse_qs(urlsplit(page["next"]).query)["cursor"]
    for path in (
        f"/orders?limit=1&cursor={cursor}",
        f"/orders?user_id={user['id'] + 1}&cursor={cursor}",
        f"/users?cursor={cursor}",
        f"/orders?user_id={user['id']}&cursor={cursor}x",
        f"/orders?user_id={user['id']}&cursor={cursor[:-1]}",
    ):
        refusal(await api.get(path), 422, "validation_failed", "cursor")
    again = await a_page(api, f"/orders?cursor={cursor}&user_id={user['id']}")
    assert len(again["items"]) == 1
