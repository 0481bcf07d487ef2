"""What holds for every path: methods, media types, sizes, ids of requests, health, documents."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from entrypoints.logs import request_id
from tests.integration.answers import refusal, sound_api
from tests.integration.api import settings_for

JSON = {"content-type": "application/json"}
LIMIT = 4096


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url, max_body_bytes=LIMIT)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/user", "/users/1/orders", "/.env", "/%2e%2e/etc/passwd"])
async def test_an_unknown_path_is_not_found(
    api: httpx2.AsyncClient, method: str, path: str
) -> None:
    refusal(await api.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/users", "GET, HEAD, OPTIONS, POST"),
        ("/orders", "GET, HEAD, OPTIONS, POST"),
        ("/users/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/orders/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/search-clicks", "OPTIONS, POST"),
        ("/health/live", "GET, HEAD, OPTIONS"),
        ("/health/ready", "GET, HEAD, OPTIONS"),
        ("/schema/openapi.json", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_and_refused_methods_are_told_what_a_path_takes(
    api: httpx2.AsyncClient, path: str, methods: str
) -> None:
    asked = await api.options(path)
    assert (asked.status_code, asked.headers["allow"]) == (204, methods)
    for method in {"POST", "PUT", "PATCH", "DELETE", "TRACE"} - set(methods.split(", ")):
        response = await api.request(method, path)
        refusal(response, 405, "method_not_allowed")
        assert response.headers["allow"] == methods


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users"),
        ("PUT", "/users/1"),
        ("PATCH", "/users/1"),
        ("POST", "/orders"),
        ("PUT", "/orders/1"),
        ("PATCH", "/orders/1"),
        ("POST", "/search-clicks"),
    ],
)
class TestBodies:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"content-type": "text/plain"},
            {"content-type": "text/json"},
            {"content-type": "application/x-www-form-urlencoded"},
            {"content-type": "multipart/form-data; boundary=x"},
            {"content-type": "application/json; charset=utf-16"},
            {"content-type": "application/json; charset*=utf-8''utf-8"},
            {"content-type": ";"},
            {"content-type": "\xff\xfe"},
            {"content-type": "application/json", "content-encoding": "gzip"},
        ],
    )
    async def test_another_form_of_body_is_refused(
        self, api: httpx2.AsyncClient, method: str, path: str, headers: dict[str, str]
    ) -> None:
        body = gzip.compress(b"{}") if "content-encoding" in headers else b"{}"
        response = await api.request(
            method,
            path,
            content=body,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        )
        refusal(response, 415, "unsupported_media_type")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"nul",
            b"\xff",
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            b'{"name": "a", "name": "b"}',
            b'{"a": [{"b": 1, "b": 1}]}',
            b'{"quantity": NaN}',
            b'{"quantity": -Infinity}',
            b'{"quantity": 1e400}',
            b'{"quantity": ' + b"9" * 41 + b"}",
            b"[" * (LIMIT - 1),
            b'{"a":' * (LIMIT // 5),
        ],
    )
    async def test_a_body_that_cannot_be_parsed_is_refused(
        self, api: httpx2.AsyncClient, method: str, path: str, body: bytes
    ) -> None:
        response = await api.request(method, path, content=body, headers=JSON)
        refusal(response, 400, "malformed_request")

    async def test_a_body_over_the_limit_is_refused_before_it_is_read(
        self, api: httpx2.AsyncClient, method: str, path: str
    ) -> None:
        response = await api.request(method, path, content=b" " * (LIMIT + 1), headers=JSON)
        refusal(response, 413, "body_too_large")

    async def test_a_body_of_unknown_length_is_refused_once_it_is_over_the_limit(
        self, api: httpx2.AsyncClient, method: str, path: str
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(9):
                yield b" " * (LIMIT // 8)

        response = await api.request(method, path, content=chunks(), headers=JSON)
        refusal(response, 413, "body_too_large")

    async def test_a_body_of_just_the_limit_is_read(
        self, api: httpx2.AsyncClient, method: str, path: str
    ) -> None:
        body = b" " * (LIMIT - 2) + b"[]"
        response = await api.request(method, path, content=body, headers=JSON)
        refusal(response, 422, "validation_failed", "")


async def test_nesting_up_to_the_limit_of_a_body_never_breaks_the_server(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("large")) as api:
        for opening in (b"[", b'{"name":', b'[{"a":'):
            body = opening * (1_000_000 // len(opening))
            response = await api.post("/users", content=body, headers=JSON)
            refusal(response, 400, "malformed_request")
        body = b'{"name":' + b"[" * 100 + b"]" * 100 + b"}"
        response = await api.post("/users", content=body, headers=JSON)
        refusal(response, 400, "malformed_request")
        body = b'{"name":' + b"[" * 99 + b"]" * 99 + b"}"
        response = await api.post("/users", content=body, headers=JSON)
        refusal(response, 422, "validation_failed", "/name", "/email")


async def test_a_well_formed_request_id_is_kept_in_header_log_and_problem(
    api: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "storekeeper.access")
    given = {"x-request-id": "trace-0123.ABC_def"}
    response = await api.get("/users/0", headers=given)
    assert response.headers["x-request-id"] == given["x-request-id"]
    assert refusal(response, 404, "not_found")["instance"] == given["x-request-id"]
    access = [each for each in caplog.records if each.name == "storekeeper.access"]
    assert [each.getMessage() for each in access] == ["GET /users/0 404"]
    assert request_id.get() is None


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f g", "<script>alert(1)"])
async def test_another_request_id_is_replaced_by_one_of_ours(
    api: httpx2.AsyncClient, given: str
) -> None:
    made = {
        (await api.get("/health/live", headers={"x-request-id": given})).headers["x-request-id"]
        for _ in range(3)
    }
    assert len(made) == 3
    assert given not in made


async def test_the_process_is_live_and_its_parts_are_ready(api: httpx2.AsyncClient) -> None:
    live = await api.get("/health/live")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    ready = await api.get("/health/ready")
    assert ready.status_code == 200
    said = ready.json()
    assert (said["status"], said["checks"]) == ("ok", {"database": "ok", "queue": "ok"})


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "\xff", ""])
async def test_the_answer_is_json_whatever_is_preferred(
    api: httpx2.AsyncClient, accept: str
) -> None:
    response = await api.get("/users", headers=[(b"accept", accept.encode("latin-1"))])
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")


async def document(api: httpx2.AsyncClient) -> dict[str, Any]:
    response = await api.get("/schema/openapi.json")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert response.headers["cache-control"] == "private, max-age=300"
    parsed: dict[str, Any] = response.json()
    return parsed


async def test_the_document_names_every_path_and_method(api: httpx2.AsyncClient) -> None:
    paths = (await document(api))["paths"]
    for path in ("/users", "/orders"):
        assert paths[path].keys() == {"get", "post"}
        (one,) = (each for each in paths if re.fullmatch(path + r"/\{\w+\}", each))
        assert paths[one].keys() == {"get", "put", "patch", "delete"}
    assert {"/health/live", "/health/ready", "/search-clicks", "/search-insights"} <= paths.keys()


async def test_the_document_groups_operations_in_the_order_in_which_one_needs_them(
    api: httpx2.AsyncClient,
) -> None:
    found = await document(api)
    stated = [each["name"] for each in found["tags"]]
    assert stated[:3] == ["users", "orders", "extractions"]
    assert stated[-1] == "health"
    operations = [each for path in found["paths"].values() for each in path.values()]
    assert {tag for each in operations for tag in each["tags"]} == set(stated)
    assert all(len(each["tags"]) == 1 for each in operations)


async def test_the_document_explains_states_by_their_values(api: httpx2.AsyncClient) -> None:
    schemas = (await document(api))["components"]["schemas"]
    said = schemas["JobStatus"]["description"]
    assert "`running`: workers take its documents." in said
    assert "RUNNING" not in said
    assert "\n" not in said


async def test_each_operation_of_the_document_states_its_refusals_with_examples(
    api: httpx2.AsyncClient,
) -> None:
    parsed = await document(api)
    operations = [
        (path, method, operation)
        for path, methods in parsed["paths"].items()
        for method, operation in methods.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations:
        responses = operation["responses"]
        assert operation["summary"], path
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= responses.keys(), (path, method)
            for content in operation["requestBody"]["content"].values():
                assert content["examples"], (path, method)
        assert "500" in responses
        for status, response in responses.items():
            assert response["description"]
            assert "X-Request-Id" in response["headers"]
            for content in response.get("content", {}).values():
                assert content["schema"], (path, method, status)
                assert content["examples"], (path, method, status)


async def test_the_examples_of_the_document_are_what_the_server_takes(
    api: httpx2.AsyncClient,
) -> None:
    parsed = await document(api)

    def example(path: str) -> Any:
        body = parsed["paths"][path]["post"]["requestBody"]
        return body["content"]["application/json"]["examples"]["typical"]["value"]

    user = await api.post("/users", json=example("/users"))
    assert user.status_code == 201
    order = example("/orders") | {"user_id": user.json()["id"]}
    assert (await api.post("/orders", json=order)).status_code == 201
    assert (await api.post("/search-clicks", json=example("/search-clicks"))).status_code == 201


async def test_the_docs_page_needs_nothing_from_elsewhere(api: httpx2.AsyncClient) -> None:
    page = await api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "://" not in page.text
