"""Every route, found in the document and in the application, with the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest

from entrypoints.http.protocol.problems import explained
from fake_provider.testing import FakeInThread, running_fake
from tests.integration.answers import check_secured, check_sound, created, sound_api
from tests.integration.api import settings_for

SHOP: Final = "https://shop.example"
PAGES: Final = (
    "/",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui.css",
    "/docs/swagger-ui-bundle.js",
    "/docs/nothing",
    "/schema/openapi.json",
    "/dashboard",
    "/dashboard?days=0",
    "/dashboard/query?query=rug",
    "/dashboard/query",
    "/dashboard/assets/dashboard.css",
    "/dashboard/assets/dashboard.js",
    "/dashboard/assets/nothing",
    "/problems/nothing",
    "/nothing",
    *(f"/problems/{code}" for code in sorted({code for code, _, _ in explained()})),
)
METHODS: Final = ("post", "put", "get", "patch", "delete")
"""In the order in which a resource is made, read and removed."""


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
        yield client


@dataclass
class Walk:
    """Asks every operation of the document, by its own examples.

    Attributes:
        buyer: the id of a user, for orders.
        known: parameters of paths, as what was made is called.
        answered: the statuses of each operation.
    """

    api: httpx2.AsyncClient
    document: dict[str, Any]
    buyer: int
    known: dict[str, str] = field(default_factory=dict)
    answered: dict[str, set[int]] = field(default_factory=dict)

    async def every_operation(self, **headers: str) -> None:
        """Each of them, right and wrong."""
        paths = self.document["paths"]
        for method in METHODS:
            for path in sorted(paths, key=lambda each: (each.count("/"), each)):
                if method in paths[path]:
                    await self._operation(method, path, paths[path][method], headers)

    async def _operation(
        self, method: str, path: str, stated: dict[str, Any], headers: dict[str, str]
    ) -> None:
        parameters = stated.get("parameters", [])
        required = {
            each["name"]: each["schema"]["examples"][0]
            for each in parameters
            if each.get("required") and each["in"] == "query"
        }
        asked = re.sub(r"\{(\w+)\}", lambda found: self._value(found[1], parameters), path)
        body: dict[str, Any] = {}
        if "requestBody" in stated:
            content = stated["requestBody"]["content"]["application/json"]
            body = {"json": next(iter(content["examples"].values()))["value"]}
            if "user_id" in body["json"]:
                body["json"] = {**body["json"], "user_id": self.buyer}
        name = f"{method} {path}"
        right = await self.api.request(method, asked, params=required, headers=headers, **body)
        self.answered.setdefault(name, set()).add(right.status_code)
        if method == "post" and right.is_success and "id" in (made := right.json()):
            self.known |= dict.fromkeys(_parameters_below(self.document, path), str(made["id"]))
        for wrong in (
            self.api.request(method, asked, params={**required, "nonsense": "1"}, headers=headers),
            self.api.request(method, re.sub(r"\{\w+\}", "none", path), headers=headers),
            self.api.request("TRACE", asked, headers=headers),
            self.api.request("OPTIONS", asked, headers=headers),
            self.api.request(method, asked, headers={**headers, "if-match": '"77"'}, content=b"{"),
        ):
            self.answered[name].add((await wrong).status_code)

    def _value(self, name: str, parameters: list[dict[str, Any]]) -> str:
        if name in self.known:
            return self.known[name]
        schema = next(each["schema"] for each in parameters if each["name"] == name)
        return str((schema.get("examples") or schema.get("enum") or [schema.get("const")])[0])


def _parameters_below(document: dict[str, Any], path: str) -> Iterator[str]:
    """The names of what stands after `path` in longer ones."""
    for longer in document["paths"]:
        if found := re.match(rf"{re.escape(path)}/\{{(\w+)\}}", longer):
            yield found[1]


@pytest.fixture(scope="module")
async def walked(api: httpx2.AsyncClient) -> Walk:
    document = (await api.get("/schema/openapi.json")).json()
    buyer = await created(api, "/users", {"name": "Ann", "email": "ann.buys@example.com"})
    return Walk(api=api, document=document, buyer=buyer["id"])


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
        for accept in ("text/html,*/*;q=0.8", "application/json"):
            async with httpx2.AsyncClient(verify=False, base_url=api.base_url) as browser:
                answer = await browser.get(path, headers={"accept": accept})
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
            answer = await walked.api.options(path.replace("{", "").replace("}", ""), headers=asked)
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
