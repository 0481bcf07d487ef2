from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from litestar import Litestar
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import SkipValidation
from litestar.testing import AsyncTestClient
from msgspec import Struct

from domain.access.model import Scope
from domain.errors import AppError, EmailTaken, Violation
from entrypoints.http.access.authentication import ANY_CALLER, PUBLIC
from entrypoints.http.app import routed_app
from entrypoints.http.protocol import openapi
from entrypoints.http.protocol.answers import Id, JsonAnswer, json_response, path_id
from entrypoints.http.protocol.openapi import document
from entrypoints.http.protocol.operations import delete, get, patch, put
from entrypoints.http.protocol.pages import Cursors, ListQuery, Page
from entrypoints.http.protocol.parameters import Body, InPath, MergePatch, PageOf, WritesVersion
from entrypoints.http.protocol.problems import Problem, on_app_error, on_http_error
from entrypoints.settings import load_settings


class Chair(Struct, forbid_unknown_fields=True):
    """A chair."""

    EXAMPLE: ClassVar = {"legs": 4}

    legs: int


class ChairPage(Page[Chair]):
    """One page, newest first."""


class ChairQuery(ListQuery, forbid_unknown_fields=True):
    """Filters and position of the list."""

    legs: int | None = None


ChairId = Annotated[int, InPath(partial(path_id, what="chair"), Id)]
Stock = NamedDependency[SkipValidation[list[int]]]


@put("/chairs/{chair_id:str}", scope=Scope.RECORDS_WRITE, tags=["chairs"], errors=[EmailTaken])
async def replace_chair(
    chair_id: ChairId, body: Body[Chair], versions: WritesVersion, stock: Stock
) -> JsonAnswer[Chair]:
    """Replace a
    chair.

    And more that is not said in the document.
    """
    return json_response(Chair(legs=chair_id + body.legs + len(versions) + sum(stock)))


@patch("/chairs/{chair_id:str}", scope=ANY_CALLER, tags=["chairs"], stored=False)
async def patch_chair(chair_id: ChairId, body: MergePatch[Chair | None]) -> JsonAnswer[Chair]:
    """Change a chair, or its paint."""
    return json_response(Chair(legs=chair_id) if body is None else body)


@get("/chairs", scope=Scope.RECORDS_READ, tags=["chairs"])
async def list_chairs(page: PageOf[ChairQuery]) -> JsonAnswer[ChairPage]:
    """List chairs."""
    after = page.before(int) or 0
    chairs = [Chair(legs=legs) for legs in range(after + 1, after + 1 + page.read_limit)]
    return page.answer(ChairPage, chairs, lambda chair: chair, lambda chair: chair.legs)


@delete("/chairs/{chair_id:str}", scope=PUBLIC, tags=["chairs"], stored=False)
async def delete_chair(chair_id: ChairId) -> None:
    """Delete a chair."""


def too_many_legs(members: Any) -> list[Violation]:
    wrong = members.get("legs", 0) > 100
    return [Violation(pointer="/legs", detail="are too many")] if wrong else []


@pytest.fixture
def app() -> Litestar:
    return Litestar(
        route_handlers=[replace_chair, patch_chair, list_chairs, delete_chair],
        dependencies={
            "rules": Provide(lambda: too_many_legs, sync_to_thread=False),
            "cursors": Provide(lambda: Cursors(b"secret"), sync_to_thread=False),
            "stock": Provide(lambda: [1000], sync_to_thread=False),
        },
        exception_handlers={AppError: on_app_error, HTTPException: on_http_error},
        openapi_config=None,
    )


async def test_the_parts_of_a_request_stand_beside_the_dependencies(app: Litestar) -> None:
    async with AsyncTestClient(app) as client:
        answer = await client.put("/chairs/7", json={"legs": 4})
    assert (answer.status_code, answer.json()) == (200, {"legs": 7 + 4 + 2 + 1000})


async def test_of_two_faults_the_first_in_the_signature_is_told(app: Litestar) -> None:
    async with AsyncTestClient(app) as client:
        answers = [
            await client.put("/chairs/x", json={"legs": "four"}),
            await client.put("/chairs/7", json={"legs": 101, "arms": 2}),
        ]
    assert [answer.json()["code"] for answer in answers] == ["not_found", "validation_failed"]
    assert [each["pointer"] for each in answers[1].json()["errors"]] == ["/legs", "/arms"]


async def test_a_body_that_may_be_none_need_not_be_sent(app: Litestar) -> None:
    async with AsyncTestClient(app) as client:
        assert (await client.patch("/chairs/7")).json() == {"legs": 7}
        assert (await client.patch("/chairs/7", json={"legs": 3})).json() == {"legs": 3}
        assert (await client.delete("/chairs/7")).status_code == 204


async def test_a_page_leads_to_the_next_with_its_filters(app: Litestar) -> None:
    async with AsyncTestClient(app) as client:
        first = await client.get("/chairs?legs=4&limit=2")
        assert first.json()["items"] == [{"legs": 1}, {"legs": 2}]
        assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
        second = await client.get(first.json()["next"])
    assert second.json()["items"] == [{"legs": 3}, {"legs": 4}]
    assert "legs=4&limit=2&cursor=" in second.json()["next"]


def test_the_document_is_made_from_the_signature(app: Litestar) -> None:
    paths = document(app, version="1")["paths"]
    replaced, patched = paths["/chairs/{chair_id}"]["put"], paths["/chairs/{chair_id}"]["patch"]
    listed, deleted = paths["/chairs"]["get"], paths["/chairs/{chair_id}"]["delete"]
    assert (replaced["operationId"], replaced["summary"]) == ("replace_chair", "Replace a chair")
    assert replaced["tags"] == ["chairs"]
    assert [each["name"] for each in replaced["parameters"]] == [
        "chair_id",
        "If-Match",
        "If-None-Match",
    ]
    assert " ".join(sorted(replaced["responses"])) == (
        "200 400 401 403 404 409 412 413 415 422 429 500 503 504"
    )
    assert " ".join(sorted(patched["responses"])) == (
        "200 400 401 403 404 413 415 422 429 500 503 504"
    )
    assert {"404", "500", "204"} == set(deleted["responses"])
    assert [each["security"] for each in (replaced, patched, listed, deleted)] == [
        [
            {"bearer": ["records:write"]},
            {"token": ["records:write"]},
            {"session": ["records:write"], "formToken": []},
        ],
        [{"bearer": []}, {"token": []}, {"session": [], "formToken": []}],
        [{"bearer": ["records:read"]}, {"token": ["records:read"]}, {"session": ["records:read"]}],
        [],
    ]
    assert replaced["description"] == "Needs a key with the scope `records:write`."
    assert "WWW-Authenticate" in replaced["responses"]["403"]["headers"]
    assert "ETag" in replaced["responses"]["200"]["headers"]
    content = replaced["requestBody"]["content"]["application/json"]
    assert content == {
        "schema": {"$ref": "#/components/schemas/Chair"},
        "examples": {"typical": {"value": {"legs": 4}}},
    }
    assert (replaced["requestBody"]["required"], patched["requestBody"]["required"]) == (
        True,
        False,
    )
    assert set(patched["requestBody"]["content"]) == {
        "application/merge-patch+json",
        "application/json",
    }
    assert [each["name"] for each in listed["parameters"]] == ["legs", "limit", "cursor"]
    page = listed["responses"]["200"]
    assert page["content"]["application/json"]["examples"]["typical"]["value"] == {
        "items": [{"legs": 4}],
        "next": None,
    }
    assert "Link" in page["headers"]


def times_in(schema: Any) -> Iterator[msgspec.inspect.DateTimeType]:
    """The times of a type, at any depth."""
    if isinstance(schema, msgspec.inspect.DateTimeType):
        yield schema
    elif isinstance(schema, msgspec.inspect.Type | msgspec.inspect.Field):
        for member in (getattr(schema, name) for name in schema.__struct_fields__):
            if not isinstance(schema, msgspec.inspect.StructType) or member is schema.fields:
                yield from times_in(member)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from times_in(each)


def test_every_time_of_the_document_says_that_it_is_one() -> None:
    address = "postgresql://nobody@127.0.0.1:1/none"
    served = routed_app(
        load_settings(database_url=address, redis_url="redis://127.0.0.1:1/0", secret_key="s" * 32)
    )
    kinds = [
        Problem,
        *(kind for *_, each in openapi._handlers(served) for kind in openapi._types(each)),
    ]
    structs = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Struct)]
    found = [time for kind in structs for time in times_in(msgspec.inspect.type_info(kind))]
    assert len(found) > 10
    assert all(time.tz for time in found), "say Instant, and no bare datetime"
    written = json.dumps(document(served, version="1"))
    assert written.count('"date-time"') > 10
