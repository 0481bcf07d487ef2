"""Every write over HTTP leaves who did it, in the transaction that it is; nothing else does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from litestar.routes import HTTPRoute

from domain.access.model import Scope
from entrypoints.container.services import open_container
from entrypoints.http.app import routed_app
from entrypoints.settings import Settings
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.api import serving, settings_for
from tests.integration.keys import make_key

TEXT: Final = "Ann Lee here, please send 2 oak chairs."
RECORD: Final = {"field_1": "Ann Lee", "field_2": "oak chairs", "field_3": 2}
ENDPOINT: Final = {"url": "https://shop.example/hooks"}
SCHEMA: Final = {
    "fields": [{"name": "wish", "type": "string", "description": "What the customer wants"}]
}

Request = tuple[str, str, Any]

# Route to requests that do it, what then is in the log, and the members that it names. `{n}` is the
# id that the last POST made.
WRITES: Final[dict[tuple[str, str], tuple[list[Request], str, str, list[str]]]] = {
    ("POST", "/users"): (
        [("POST", "/users", {"name": "Ann", "email": "ann@example.com"})],
        *("user.create", r"/users/\d+", ["name", "email"]),
    ),
    ("PUT", "/users/{user_id}"): (
        [
            ("POST", "/users", {"name": "Bo", "email": "bo@example.com"}),
            ("PUT", "/users/{n}", {"name": "Bob", "email": "bo@example.com"}),
        ],
        *("user.change", r"/users/\d+", ["name", "email"]),
    ),
    ("PATCH", "/users/{user_id}"): (
        [
            ("POST", "/users", {"name": "Cy", "email": "cy@example.com"}),
            ("PATCH", "/users/{n}", {"email": "cyd@example.com"}),
        ],
        *("user.change", r"/users/\d+", ["email"]),
    ),
    ("DELETE", "/users/{user_id}"): (
        [
            ("POST", "/users", {"name": "Di", "email": "di@example.com"}),
            ("DELETE", "/users/{n}", None),
        ],
        *("user.delete", r"/users/\d+", []),
    ),
    ("POST", "/orders"): (
        [
            ("POST", "/users", {"name": "Ed", "email": "ed@example.com"}),
            ("POST", "/orders", {"user_id": "{n}", "product_name": "chair", "quantity": 1}),
        ],
        *("order.create", r"/orders/\d+", ["user_id", "product_name", "quantity"]),
    ),
    ("PUT", "/orders/{order_id}"): (
        [
            ("POST", "/orders", {"user_id": 1, "product_name": "chair", "quantity": 1}),
            ("PUT", "/orders/{n}", {"user_id": 1, "product_name": "stool", "quantity": 2}),
        ],
        *("order.change", r"/orders/\d+", ["user_id", "product_name", "quantity"]),
    ),
    ("PATCH", "/orders/{order_id}"): (
        [
            ("POST", "/orders", {"user_id": 1, "product_name": "chair", "quantity": 1}),
            ("PATCH", "/orders/{n}", {"quantity": 2}),
        ],
        *("order.change", r"/orders/\d+", ["quantity"]),
    ),
    ("DELETE", "/orders/{order_id}"): (
        [
            ("POST", "/orders", {"user_id": 1, "product_name": "chair", "quantity": 1}),
            ("DELETE", "/orders/{n}", None),
        ],
        *("order.delete", r"/orders/\d+", []),
    ),
    ("POST", "/search-clicks"): (
        [("POST", "/search-clicks", {"search_query": "chair", "clicks": 1, "impressions": 2})],
        *("search_clicks.append", "/search-clicks", []),
    ),
    ("POST", "/search-insights/{insight_date}"): (
        [("POST", "/search-insights/2026-11-01", None)],
        *("search_insight.compute", "/search-insights/2026-11-01", []),
    ),
    ("POST", "/extractions"): (
        [("POST", "/extractions", {"text": TEXT})],
        *("extraction.create", "/extractions/[0-9a-f-]{36}", []),
    ),
    ("PUT", "/extraction-schemas/{name}"): (
        [("PUT", "/extraction-schemas/wish", SCHEMA)],
        *("extraction_schema.define", "/extraction-schemas/wish", ["definition"]),
    ),
    ("DELETE", "/extraction-schemas/{name}"): (
        [
            ("PUT", "/extraction-schemas/wish2", SCHEMA),
            ("DELETE", "/extraction-schemas/wish2", None),
        ],
        *("extraction_schema.delete", "/extraction-schemas/wish2", []),
    ),
    ("POST", "/extraction-jobs"): (
        [("POST", "/extraction-jobs", {"documents": [{"text": TEXT}]})],
        *("extraction_job.create", r"/extraction-jobs/\d+", []),
    ),
    ("POST", "/extraction-jobs/{job_id}/pause"): (
        [
            ("POST", "/extraction-jobs", {"documents": [{"text": TEXT}]}),
            ("POST", "/extraction-jobs/{n}/pause", None),
        ],
        *("extraction_job.pause", r"/extraction-jobs/\d+", []),
    ),
    ("POST", "/extraction-jobs/{job_id}/resume"): (
        [
            ("POST", "/extraction-jobs", {"documents": [{"text": TEXT}]}),
            ("POST", "/extraction-jobs/{n}/pause", None),
            ("POST", "/extraction-jobs/{n}/resume", {"max_cost_usd": 5}),
        ],
        *("extraction_job.resume", r"/extraction-jobs/\d+", ["max_cost_usd", "max_tokens"]),
    ),
    ("DELETE", "/extraction-jobs/{job_id}"): (
        [
            ("POST", "/extraction-jobs", {"documents": [{"text": TEXT}]}),
            ("DELETE", "/extraction-jobs/{n}", None),
        ],
        *("extraction_job.cancel", r"/extraction-jobs/\d+", []),
    ),
    ("POST", "/comparisons"): (
        [("POST", "/comparisons", {"providers": ["openai"], "texts": [{"id": "a", "text": TEXT}]})],
        *("comparison.create", r"/comparisons/\d+", []),
    ),
    ("DELETE", "/comparisons/{comparison_id}"): (
        [
            (
                "POST",
                "/comparisons",
                {"providers": ["openai"], "texts": [{"id": "a", "text": TEXT}]},
            ),
            ("DELETE", "/comparisons/{n}", None),
        ],
        *("comparison.delete", r"/comparisons/\d+", []),
    ),
    ("POST", "/keys"): (
        [("POST", "/keys", {"name": "till", "scopes": ["extract"]})],
        "key.create",
        r"/keys/\d+",
        [
            *("name", "environment", "scopes", "networks", "requests_per_minute", "budget"),
            "expires_at",
        ],
    ),
    ("POST", "/keys/{key_id}/rotate"): (
        [
            ("POST", "/keys", {"name": "till", "scopes": ["extract"]}),
            ("POST", "/keys/{n}/rotate", None),
        ],
        *("key.rotate", r"/keys/\d+", []),
    ),
    ("PATCH", "/keys/{key_id}"): (
        [
            ("POST", "/keys", {"name": "till", "scopes": ["extract"]}),
            ("PATCH", "/keys/{n}", {"budget": {"usd": 1.5}}),
        ],
        *("key.change", r"/keys/\d+", ["budget"]),
    ),
    ("POST", "/webhook-endpoints"): (
        [("POST", "/webhook-endpoints", ENDPOINT)],
        *("webhook_endpoint.create", r"/webhook-endpoints/\d+", ["url", "events", "description"]),
    ),
    ("PATCH", "/webhook-endpoints/{endpoint_id}"): (
        [
            ("POST", "/webhook-endpoints", ENDPOINT),
            ("PATCH", "/webhook-endpoints/{n}", {"events": [], "enabled": False}),
        ],
        *("webhook_endpoint.change", r"/webhook-endpoints/\d+", ["events", "enabled"]),
    ),
    ("DELETE", "/webhook-endpoints/{endpoint_id}"): (
        [("POST", "/webhook-endpoints", ENDPOINT), ("DELETE", "/webhook-endpoints/{n}", None)],
        *("webhook_endpoint.delete", r"/webhook-endpoints/\d+", []),
    ),
    ("POST", "/webhook-endpoints/{endpoint_id}/rotate-secret"): (
        [
            ("POST", "/webhook-endpoints", ENDPOINT),
            ("POST", "/webhook-endpoints/{n}/rotate-secret", None),
        ],
        *("webhook_endpoint.rotate_secret", r"/webhook-endpoints/\d+", ["secret"]),
    ),
    ("POST", "/webhook-endpoints/{endpoint_id}/test"): (
        [
            ("POST", "/webhook-endpoints", ENDPOINT),
            ("POST", "/webhook-endpoints/{n}/test", None),
        ],
        *("webhook_endpoint.test", r"/webhook-endpoints/\d+", []),
    ),
    ("POST", "/webhook-deliveries/{delivery_id}/replay"): (
        [
            ("POST", "/webhook-endpoints", ENDPOINT),
            ("POST", "/webhook-endpoints/{n}/test", None),
            ("POST", "/webhook-deliveries/{n}/replay", None),
        ],
        *("webhook_delivery.replay", r"/webhook-deliveries/msg_[0-9a-f-]{36}", []),
    ),
    ("DELETE", "/keys/{key_id}"): (
        [("POST", "/keys", {"name": "till", "scopes": ["extract"]}), ("DELETE", "/keys/{n}", None)],
        *("key.revoke", r"/keys/\d+", ["revoked_at"]),
    ),
}
NO_WRITES: Final[set[tuple[str, str]]] = {("POST", "/sign-in"), ("POST", "/sign-out")}
"""Unsafe routes that change nothing in the database."""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({TEXT: RECORD})
        yield provider


@pytest.fixture(scope="module")
def settings(module_database_url: str, redis_url: str, fake: FakeInThread) -> Settings:
    return settings_for(
        module_database_url,
        redis_url,
        llm_provider="openai",
        openai_api_key="a-key",
        openai_base_url=fake.openai_base_url,
    )


@pytest.fixture(scope="module")
async def api(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    secret = await make_key(settings.database_url.get_secret_value(), Scope.ADMIN)
    async with serving(settings, Path(tmp_path_factory.mktemp("tls"))) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        first = await client.post("/users", json={"name": "Zoe", "email": "zoe@example.com"})
        assert first.json()["id"] == 1, "whose orders are made below"
        yield client


def filled(value: Any, made: str) -> Any:
    """A body with the last id in place of its mark."""
    if value == "{n}":
        return int(made)
    return (
        {name: filled(each, made) for name, each in value.items()}
        if isinstance(value, dict)
        else value
    )


async def entries(api: httpx2.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"/audit-log?limit=200{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_every_unsafe_route_is_walked_here(settings: Settings) -> None:
    app = routed_app(settings)
    unsafe = {
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods - {"GET", "HEAD", "OPTIONS"}
    }
    assert unsafe == {*WRITES, *NO_WRITES}


@pytest.mark.parametrize("route", WRITES, ids=" ".join)
async def test_a_write_leaves_who_did_what(api: httpx2.AsyncClient, route: tuple[str, str]) -> None:
    requests, action, resource, changed = WRITES[route]
    made = ""
    for method, path, body in requests:
        sent = {} if body is None else {"json": filled(body, made)}
        if method == "PATCH":
            sent["headers"] = {"Content-Type": "application/merge-patch+json"}
        answer = await api.request(method, path.format(n=made), **sent)
        assert answer.status_code in {200, 201, 202, 204}, answer.text
        if "location" in answer.headers:
            made = answer.headers["location"].rpartition("/")[2]
    request_id = answer.headers["x-request-id"]
    of_request = [each for each in await entries(api) if each["request_id"] == request_id]
    found = [each for each in of_request if each["action"] == action]
    assert len(found) == 1, of_request
    (entry,) = found
    assert re.fullmatch(resource, entry["resource"])
    assert entry["changed"] == changed
    assert (entry["actor"], entry["subject"], entry["key_id"]) == ("key", "key:1", 1)
    assert (entry["address"], entry["outcome"]) == ("127.0.0.1", "done")


async def test_what_is_refused_read_or_replayed_leaves_no_entry(api: httpx2.AsyncClient) -> None:
    user = {"name": "Flo", "email": "flo@example.com"}
    key = {"Idempotency-Key": "once-and-no-more"}
    first = await api.post("/users", json=user, headers=key)
    before = await entries(api)
    again = await api.post("/users", json=user, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    path = first.headers["location"]
    for answer, status in (
        (await api.get(path), 200),
        (await api.post("/users", json=user), 409),
        (await api.post("/users", json={"name": ""}), 422),
        (await api.patch(path, json={"name": "F"}, headers={"If-Match": '"9"'}), 412),
        (await api.delete("/users/2000000000"), 404),
        (await api.delete("/keys/2000000000"), 404),
        (await api.post("/users", json=user, headers={"Authorization": "Bearer no"}), 401),
    ):
        assert answer.status_code == status, answer.text
    assert await entries(api) == before


async def test_the_log_holds_no_value_of_what_was_written(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    await api.post("/users", json={"name": "Zo Unusual", "email": "zo.unusual@example.com"})
    async with open_container(settings) as container:
        rows = await container.database().fetch("SELECT audit_log::text AS row FROM audit_log")
    assert rows
    assert not [row for row in rows if "nusual" in row["row"]]


async def test_the_log_is_read_by_filters_and_pages(api: httpx2.AsyncClient) -> None:
    await api.post("/users", json={"name": "Gus", "email": "gus@example.com"})
    users = await entries(api, "&action=user")
    assert {each["action"] for each in users} <= {"user.create", "user.change", "user.delete"}
    assert await entries(api, "&key=1") == await entries(api)
    assert await entries(api, "&key=2") == []
    assert await entries(api, "&from=2100-01-01T00:00:00Z") == []
    assert await entries(api, "&to=2020-01-01T00:00:00Z") == []
    page = (await api.get("/audit-log?limit=1&action=user.create")).json()
    following = (await api.get(page["next"])).json()
    assert following["items"][0]["id"] < page["items"][0]["id"]
    for query in ("action=User", "key=0", "from=yesterday", "actor=key"):
        assert (await api.get(f"/audit-log?{query}")).status_code == 422


async def test_only_an_admin_manages_keys_and_reads_the_log(
    api: httpx2.AsyncClient, settings: Settings
) -> None:
    every = [scope for scope in Scope if scope is not Scope.ADMIN]
    secret = await make_key(settings.database_url.get_secret_value(), *every)
    headers = {"Authorization": f"Bearer {secret}"}
    for method, path in (
        *(("GET", "/keys"), ("POST", "/keys"), ("GET", "/keys/1"), ("DELETE", "/keys/1")),
        *(("POST", "/keys/1/rotate"), ("PATCH", "/keys/1"), ("GET", "/audit-log")),
    ):
        answer = await api.request(method, path, headers=headers)
        assert answer.status_code == 403, (method, path)


async def test_a_key_is_made_shown_once_listed_rotated_and_revoked(
    api: httpx2.AsyncClient,
) -> None:
    made = await api.post(
        "/keys",
        json={
            "name": "Kasse",
            "scopes": ["records:read"],
            "networks": ["127.0.0.1"],
            "budget": {"usd": 0.1},
        },
    )
    assert made.status_code == 201
    secret, path = made.json()["key"], made.headers["location"]
    shown = (await api.get(path)).json()
    assert shown.pop("spent_today") == {"usd": 0, "tokens": 0, "unpriced_calls": 0}
    assert {**shown, "key": secret} == made.json()
    assert (shown["state"], shown["networks"]) == ("active", ["127.0.0.1/32"])
    assert shown["budget"] == {"usd": 0.1, "tokens": None}
    merged = await api.patch(path, json={"budget": {"tokens": 7}})
    assert merged.json()["budget"] == {"usd": 0.1, "tokens": 7}
    assert (await api.patch(path, json={})).json()["budget"] == {"usd": 0.1, "tokens": 7}
    assert (await api.patch(path, json={"name": "x"})).status_code == 422
    cleared = await api.patch(path, json={"budget": None})
    assert cleared.json()["budget"] == {"usd": None, "tokens": None}
    await api.patch(path, json={"budget": {"usd": 0.1}})
    listed = (await api.get("/keys?limit=1")).json()
    assert listed["items"] == [shown]
    assert listed["next"] is not None
    with_it = {"Authorization": f"Bearer {secret}"}
    assert (await api.get("/users", headers=with_it)).status_code == 200
    rotated = await api.post(f"{path}/rotate", json={"overlap_s": 0})
    assert rotated.status_code == 201
    assert (await api.get("/users", headers=with_it)).status_code == 401
    new = {"Authorization": f"Bearer {rotated.json()['key']}"}
    assert (await api.get("/users", headers=new)).status_code == 200
    again = await api.post(f"{path}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await api.delete(rotated.headers["location"])).status_code == 204
    assert (await api.delete(rotated.headers["location"])).status_code == 204
    assert (await api.get("/users", headers=new)).status_code == 401


async def test_every_fault_of_a_key_is_named_at_once_and_no_answer_with_a_secret_is_kept(
    api: httpx2.AsyncClient,
) -> None:
    answer = await api.post(
        "/keys",
        json={
            "name": "a\x07b",
            "scopes": ["extract", "root"],
            "networks": ["10.0.0.5/24", "here"],
            "budget": {"usd": -1},
        },
    )
    pointers = {each["pointer"] for each in answer.json()["errors"]}
    assert pointers == {"/name", "/scopes/1", "/networks/0", "/networks/1", "/budget/usd"}
    past = {"name": "till", "scopes": ["extract"], "expires_at": "2020-01-01T00:00:00Z"}
    answer = await api.post("/keys", json=past)
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/expires_at"]
    sound = {"name": "till", "scopes": ["extract"]}
    for path in ("/keys", "/keys/1/rotate"):
        answer = await api.post(path, json=sound, headers={"Idempotency-Key": "again-and-again"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "expires_at",
    ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2027-01-31", "never", 0],
)
async def test_a_time_that_no_clock_shows_is_no_expiry(
    api: httpx2.AsyncClient, expires_at: object
) -> None:
    body = {"name": "till", "scopes": ["extract"], "expires_at": expires_at}
    answer = await api.post("/keys", json=body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/expires_at"]


async def test_the_log_is_asked_for_any_time_that_can_be_written(api: httpx2.AsyncClient) -> None:
    for query in (
        "from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z",
        "from=0001-01-01T00:00:00%2B12:00",
        "to=9999-12-31T23:59:59-12:00",
    ):
        answer = await api.get(f"/audit-log?{query}")
        assert answer.status_code in {200, 422}, (query, answer.text)


@pytest.mark.parametrize("key_id", ["0", "-1", "01", "1e0", "2147483648", "%00", "a", "1%2F2"])
async def test_an_id_that_no_key_has_is_not_found(api: httpx2.AsyncClient, key_id: str) -> None:
    for method in ("GET", "DELETE"):
        assert (await api.request(method, f"/keys/{key_id}")).status_code == 404
