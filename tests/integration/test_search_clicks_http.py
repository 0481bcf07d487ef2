"""`/search-clicks` over HTTPS on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.postgres.pool import Database
from tests.integration.api import serving, settings_for
from tests.integration.insights import emptied

ROW = {"search_query": "wool blanket", "clicks": 12, "impressions": 40}
MAX_INT = 2_147_483_647


@pytest.fixture(scope="module")
async def client(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    directory: Path = tmp_path_factory.mktemp("tls")
    async with serving(settings_for(module_database_url, redis_url), directory) as opened:
        yield opened


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


async def stored(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        "SELECT search_query, clicks, impressions, click_through_rate, search_date::text"
        " FROM search_clicks ORDER BY search_id"
    )
    return [tuple(row) for row in rows]


def pointers(response: httpx2.Response) -> list[str]:
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "validation_failed"
    return [each["pointer"] for each in problem["errors"]]


async def test_one_row_is_written_with_its_rate(
    client: httpx2.AsyncClient, database: Database
) -> None:
    response = await client.post("/search-clicks", json={**ROW, "search_date": "2026-11-20"})
    assert response.status_code == 201
    assert response.json() == {"accepted": 1}
    assert await stored(database) == [("wool blanket", 12, 40, 0.3, "2026-11-20")]


async def test_a_row_without_a_date_is_of_today_in_utc(
    client: httpx2.AsyncClient, database: Database
) -> None:
    before = datetime.now(UTC).date()
    assert (await client.post("/search-clicks", json=ROW)).status_code == 201
    ((_, _, _, _, day),) = await stored(database)
    assert day in {str(before), str(datetime.now(UTC).date())}


async def test_many_rows_are_written_in_order_and_a_rate_without_impressions_is_null(
    client: httpx2.AsyncClient, database: Database
) -> None:
    rows = [
        {"search_query": " Crème  brûlée ", "clicks": 0, "impressions": 0},
        {"search_query": "😀" * 255, "clicks": MAX_INT, "impressions": MAX_INT},
        {"search_query": "x", "clicks": 0, "impressions": 1, "search_date": "0001-01-02"},
        {"search_query": "x", "clicks": 0, "impressions": 1, "search_date": "9999-12-30"},
    ]
    response = await client.post("/search-clicks", json=rows)
    assert response.json() == {"accepted": 4}
    found = await stored(database)
    assert [each[0] for each in found] == [row["search_query"] for row in rows]
    assert [each[3] for each in found] == [None, 1.0, 0.0, 0.0]
    assert [each[4] for each in found[2:]] == ["0001-01-02", "9999-12-30"]


async def test_as_many_rows_are_taken_as_a_body_holds(
    client: httpx2.AsyncClient, database: Database
) -> None:
    row = {"search_query": "a", "clicks": 1, "impressions": 2}
    response = await client.post("/search-clicks", json=[row] * 20_000)
    assert response.json() == {"accepted": 20_000}
    assert await database.fetchval("SELECT count(*) FROM search_clicks") == 20_000


async def test_every_bad_row_of_a_large_body_is_named(
    client: httpx2.AsyncClient, database: Database
) -> None:
    rows = [{**ROW, "clicks": 41 if n % 3 else 40} for n in range(3_000)]
    response = await client.post("/search-clicks", json=rows)
    assert pointers(response) == [f"/{n}/clicks" for n in range(3_000) if n % 3]
    assert await stored(database) == []


@pytest.mark.parametrize(
    ("members", "rate"),
    [
        ({"click_through_rate": 0.3}, 0.3),
        ({"click_through_rate": 0.304}, 0.3),
        ({"click_through_rate": None}, 0.3),
        ({"click_through_rate": None, "clicks": 0, "impressions": 0}, None),
        ({"click_through_rate": 1, "clicks": 40}, 1.0),
        ({"click_through_rate": 0.33, "clicks": 1, "impressions": 3}, 1 / 3),
    ],
)
async def test_a_rate_may_be_given_and_the_counts_make_the_one_that_is_stored(
    client: httpx2.AsyncClient,
    database: Database,
    members: dict[str, object],
    rate: float | None,
) -> None:
    assert (await client.post("/search-clicks", json={**ROW, **members})).status_code == 201
    assert [row[3] for row in await stored(database)] == [rate]


async def test_no_rows_are_refused(client: httpx2.AsyncClient, database: Database) -> None:
    assert pointers(await client.post("/search-clicks", json=[])) == [""]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"search_query": ""}, ["/search_query"]),
        ({"search_query": "   "}, ["/search_query"]),
        ({"search_query": "\u3000\u2028"}, ["/search_query"]),
        ({"search_query": "x" * 256}, ["/search_query"]),
        ({"search_query": "a\x00b"}, ["/search_query"]),
        ({"search_query": None}, ["/search_query"]),
        ({"search_query": 7}, ["/search_query"]),
        ({"clicks": -1}, ["/clicks"]),
        ({"clicks": 1.5}, ["/clicks"]),
        ({"clicks": "1"}, ["/clicks"]),
        ({"clicks": True}, ["/clicks"]),
        ({"clicks": 41}, ["/clicks"]),
        ({"impressions": MAX_INT + 1}, ["/impressions"]),
        ({"impressions": 10**30}, ["/impressions"]),
        ({"impressions": None}, ["/impressions"]),
        ({"search_date": "2026-02-30"}, ["/search_date"]),
        ({"search_date": "20.11.2026"}, ["/search_date"]),
        ({"search_date": None}, ["/search_date"]),
        ({"search_date": "0001-01-01"}, ["/search_date"]),
        ({"search_date": "9999-12-31"}, ["/search_date"]),
        ({"click_through_rate": 0.2}, ["/click_through_rate"]),
        ({"click_through_rate": 30}, ["/click_through_rate"]),
        ({"click_through_rate": "0.3"}, ["/click_through_rate"]),
        ({"click_through_rate": True}, ["/click_through_rate"]),
        ({"click_through_rate": 0, "clicks": 0, "impressions": 0}, ["/click_through_rate"]),
        ({"search_query": " ", "clicks": "x", "extra": 1}, ["/extra", "/clicks", "/search_query"]),
    ],
)
async def test_every_bad_member_is_named_and_nothing_is_written(
    client: httpx2.AsyncClient,
    database: Database,
    members: dict[str, object],
    expected: list[str],
) -> None:
    bad = {**ROW, **members}
    assert sorted(pointers(await client.post("/search-clicks", json=bad))) == sorted(expected)
    response = await client.post("/search-clicks", json=[ROW, bad, ROW])
    assert sorted(pointers(response)) == sorted(f"/1{pointer}" for pointer in expected)
    assert await stored(database) == []


async def test_bad_rows_of_every_kind_are_named_together(
    client: httpx2.AsyncClient, database: Database
) -> None:
    rows = [7, ROW, {}, {**ROW, "clicks": 99}, [ROW], None]
    assert pointers(await client.post("/search-clicks", json=rows)) == [
        "/0",
        "/2/search_query",
        "/2/clicks",
        "/2/impressions",
        "/3/clicks",
        "/4",
        "/5",
    ]


@pytest.mark.parametrize("body", ["7", '"x"', "null", "true"])
async def test_what_is_neither_object_nor_array_is_refused(
    client: httpx2.AsyncClient, database: Database, body: str
) -> None:
    headers = {"content-type": "application/json"}
    assert pointers(await client.post("/search-clicks", content=body, headers=headers)) == [""]


async def test_a_lone_surrogate_is_refused(client: httpx2.AsyncClient, database: Database) -> None:
    body = b'{"search_query": "a\\ud800", "clicks": 1, "impressions": 2}'
    headers = {"content-type": "application/json"}
    response = await client.post("/search-clicks", content=body, headers=headers)
    assert pointers(response) == ["/search_query"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_request"),
        (b"", "application/json", 400, "malformed_request"),
        (b'{"clicks": NaN}', "application/json", 400, "malformed_request"),
        (b'{"clicks": 1, "clicks": 2}', "application/json", 400, "malformed_request"),
        (b"[" * 100_000, "application/json", 400, "malformed_request"),
        (b"\xff", "application/json", 400, "malformed_request"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"[" + b" " * 1_100_000 + b"]", "application/json", 413, "body_too_large"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    client: httpx2.AsyncClient, body: bytes, kind: str, status: int, code: str
) -> None:
    response = await client.post("/search-clicks", content=body, headers={"content-type": kind})
    assert (response.status_code, response.json()["code"]) == (status, code)


NDJSON = {"content-type": "application/x-ndjson"}


async def test_lines_of_json_are_rows(client: httpx2.AsyncClient, database: Database) -> None:
    body = (
        '\ufeff{"search_query": "sofa", "clicks": 1, "impressions": 2}\r\n'
        "\n"
        '{"search_query": "lamp", "clicks": 0, "impressions": 0, "search_date": "2026-11-20"}'
    )
    response = await client.post("/search-clicks", content=body.encode(), headers=NDJSON)
    assert (response.status_code, response.json()) == (201, {"accepted": 2})
    assert [row[0] for row in await stored(database)] == ["sofa", "lamp"]


async def test_bad_lines_are_named_by_index_and_line_and_nothing_is_written(
    client: httpx2.AsyncClient, database: Database
) -> None:
    lines = [
        b'{"search_query": "sofa", "clicks": 1, "impressions": 2}',
        b"",
        b'{"search_query": " ", "clicks": 3, "impressions": 2}',
        b"{oops",
        b'{"search_query": "\xff", "clicks": 1, "impressions": 2}',
        b'["sofa", 1, 2]',
        b'{"search_query": "sofa", "clicks": 1, "clicks": 1, "impressions": 2}',
        b"[" * 5_000,
        b'{"search_query": "sofa", "clicks": ' + b"1" * 5_000 + b', "impressions": 2}',
        b'{"search_query": "sofa", "clicks": NaN, "impressions": 2}',
        b'{"search_query": "\\ud800", "clicks": 1, "impressions": 2}',
    ]
    response = await client.post("/search-clicks", content=b"\n".join(lines), headers=NDJSON)
    assert pointers(response) == [
        *("/1/search_query", "/1/clicks", "/2", "/3", "/4", "/5", "/6", "/7", "/8"),
        "/9/search_query",
    ]
    details = [each["detail"] for each in response.json()["errors"]]
    assert details[0] == "line 3: must not be blank"
    assert details[2].startswith("line 4 is not JSON: ")
    assert details[2].endswith("(column 2)")
    assert details[3] == "line 5 is not UTF-8 (byte 18)"
    assert details[4] == "line 6: must be an object, is an array"
    assert details[5] == "line 7 has the field 'clicks' twice"
    assert details[6:] == [
        "line 8 is nested more than 100 deep",
        "line 9 has a number of 5000 digits; 40 are read at most",
        "line 10 has NaN, which JSON does not know",
        "line 11: must not hold a lone surrogate",
    ]
    assert await stored(database) == []


@pytest.mark.parametrize("body", [b"", b"\n \n"])
async def test_no_lines_are_no_rows(
    client: httpx2.AsyncClient, database: Database, body: bytes
) -> None:
    response = await client.post("/search-clicks", content=body, headers=NDJSON)
    assert pointers(response) == [""]


async def test_large_bodies_of_lines_are_written_once_by_their_key(
    client: httpx2.AsyncClient, database: Database
) -> None:
    body = b'{"search_query": "sofa", "clicks": 1, "impressions": 2}\n' * 5_000
    headers = {**NDJSON, "Idempotency-Key": "lines"}
    for _ in range(2):
        response = await client.post("/search-clicks", content=body, headers=headers)
        assert (response.status_code, response.json()) == (201, {"accepted": 5_000})
    assert len(await stored(database)) == 5_000


async def test_another_method_is_not_allowed(client: httpx2.AsyncClient) -> None:
    response = await client.get("/search-clicks")
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_a_retry_with_its_key_writes_once(
    client: httpx2.AsyncClient, database: Database
) -> None:
    headers = {"Idempotency-Key": "import-2026-11-20"}
    first = await client.post("/search-clicks", json=[ROW, ROW], headers=headers)
    again = await client.post("/search-clicks", json=[ROW, ROW], headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() == {"accepted": 2}
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await stored(database)) == 2
    other = await client.post("/search-clicks", json=ROW, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
