"""`/search-insights` over HTTPS on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from adapters.postgres.pool import Database
from tests.contracts.insights import foreign
from tests.integration.api import serving, settings_for
from tests.integration.insights import emptied, searches_in

DAY = "2026-11-20"
ROWS = [
    {"search_query": "Wool  Blanket", "clicks": 300, "impressions": 1000, "search_date": DAY},
    {"search_query": "gift card", "clicks": 1, "impressions": 1000, "search_date": DAY},
    {"search_query": "sofa", "clicks": 1, "impressions": 1, "search_date": DAY},
]


@pytest.fixture(scope="module")
async def client(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    directory: Path = tmp_path_factory.mktemp("tls")
    async with serving(settings_for(module_database_url, redis_url), directory) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


def refusal(response: httpx2.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return " ".join(f"{e['pointer']} {e['detail']}" for e in response.json().get("errors", []))


async def test_a_day_is_computed_stored_and_fetched(client: httpx2.AsyncClient) -> None:
    await client.post("/search-clicks", json=ROWS)
    computed = await client.post(f"/search-insights/{DAY}")
    assert computed.status_code == 200
    body = computed.json()
    assert body == (await client.get(f"/search-insights/{DAY}")).json()
    # By hand: 302 clicks of 2001 impressions; rows at 0.3, 0.001 and 1.
    assert body["average_ctr"] == pytest.approx(1.301 / 3)
    assert body["overall_ctr"] == 302 / 2001
    assert (body["clicks"], body["impressions"]) == (302, 2001)
    assert (body["source_rows"], body["distinct_queries"]) == (3, 3)
    assert (body["blank_rows"], body["anomalies"], body["problems"]) == (0, 0, [])
    assert [each["query"] for each in body["top_queries"]] == ["wool blanket", "gift card"]
    assert [each["query"] for each in body["low_performance_queries"]] == ["gift card"]
    assert body["computed_at"].endswith("Z")


async def test_computing_again_is_the_same(client: httpx2.AsyncClient) -> None:
    await client.post("/search-clicks", json=ROWS)
    first, *others = await asyncio.gather(
        *(client.post(f"/search-insights/{DAY}") for _ in range(8))
    )
    assert {each.status_code for each in others} == {200}
    assert all(each.json() == first.json() for each in others)
    assert len((await client.get("/search-insights")).json()["items"]) == 1


async def test_a_day_without_searches_is_stored_with_a_rate_of_null(
    client: httpx2.AsyncClient,
) -> None:
    body = (await client.post(f"/search-insights/{DAY}")).json()
    assert (body["average_ctr"], body["source_rows"], body["top_queries"]) == (None, 0, [])


async def test_a_day_that_has_not_begun_is_refused(client: httpx2.AsyncClient) -> None:
    later = datetime.now(UTC).date() + timedelta(days=2)
    assert "insight_date must be from" in refusal(
        await client.post(f"/search-insights/{later}"), 422
    )
    assert (await client.get("/search-insights")).json()["items"] == []


@pytest.mark.parametrize(
    "day", ["2026-11-19", "tomorrow", "2026-11-31", "20261120", "2026-W47-5", "0000-00-00", "%00"]
)
async def test_what_is_no_stored_day_is_not_found(client: httpx2.AsyncClient, day: str) -> None:
    refusal(await client.get(f"/search-insights/{day}"), 404)


@pytest.mark.parametrize("day", ["tomorrow", "2026-11-31", "20261120"])
async def test_what_is_no_day_cannot_be_computed(client: httpx2.AsyncClient, day: str) -> None:
    refusal(await client.post(f"/search-insights/{day}"), 404)


async def test_other_methods_are_not_allowed(client: httpx2.AsyncClient) -> None:
    for method, path in (("DELETE", f"/search-insights/{DAY}"), ("POST", "/search-insights")):
        response = await client.request(method, path)
        assert response.status_code == 405
        assert "GET" in response.headers["allow"]


async def test_an_insight_of_another_program_says_what_cannot_be_shown(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await database.execute(
        """
        INSERT INTO search_insights
            (insight_date, average_ctr, top_queries, low_performance_queries)
        VALUES ('2026-11-20', 0.5, '["sofa", {"query": 1, "ctr": 2}]', '{"none": true}')
        """
    )
    body = (await client.get(f"/search-insights/{DAY}")).json()
    assert (body["average_ctr"], body["source_rows"], body["computed_at"]) == (0.5, None, None)
    assert (body["top_queries"], body["low_performance_queries"]) == (None, None)
    assert {each["pointer"]: each["detail"] for each in body["problems"]} == {
        "/top_queries/0": "is no object",
        "/top_queries/1/rank": "is missing",
        "/top_queries/1/query": "is no text",
        "/top_queries/1/clicks": "is missing",
        "/top_queries/1/impressions": "is missing",
        "/top_queries/1/ctr": "is no number from 0 to 1",
        "/top_queries/1/ctr_low": "is missing",
        "/top_queries/1/ctr_high": "is missing",
        "/low_performance_queries": "is stored as something else than a list",
    }
    assert (await client.get("/search-insights")).json()["items"] == [body]
    computed = (await client.post(f"/search-insights/{DAY}")).json()
    assert (computed["top_queries"], computed["problems"]) == ([], [])


async def test_pages_walk_through_every_day_once_while_days_come_in(
    client: httpx2.AsyncClient, database: Database
) -> None:
    days = [date(2026, 10, 1) + timedelta(days=n) for n in range(25)]
    for day in days:
        await searches_in(database).write_insight(foreign(day))
    seen: list[str] = []
    path: str | None = "/search-insights?limit=10&from=2026-10-03"
    while path is not None:
        response = await client.get(path)
        body = response.json()
        seen += [item["insight_date"] for item in body["items"]]
        path = body["next"]
        assert response.headers.get("link") == (path and f'<{path}>; rel="next"')
        await searches_in(database).write_insight(
            foreign(date(2026, 11, 1) + timedelta(days=len(seen)))
        )
    assert seen == [str(day) for day in reversed(days[2:])]


async def test_the_list_is_bounded_by_days(client: httpx2.AsyncClient, database: Database) -> None:
    for n in range(1, 6):
        await searches_in(database).write_insight(foreign(date(2026, 10, n)))
    body = (await client.get("/search-insights?from=2026-10-02&to=2026-10-03")).json()
    assert [each["insight_date"] for each in body["items"]] == ["2026-10-03", "2026-10-02"]
    assert body["next"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("from=2026-11-21&to=2026-11-20", "from"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("cursor=AAAA", "cursor"),
        ("cursor=", "cursor"),
        ("since=2026-11-21", "since"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_bad_parameter_of_the_list_is_named(
    client: httpx2.AsyncClient, query: str, named: str
) -> None:
    assert refusal(await client.get(f"/search-insights?{query}"), 422).startswith(f"{named} ")


async def test_a_cursor_of_other_bounds_is_refused(
    client: httpx2.AsyncClient, database: Database
) -> None:
    for n in range(1, 4):
        await searches_in(database).write_insight(foreign(date(2026, 10, n)))
    path = (await client.get("/search-insights?limit=1")).json()["next"]
    assert refusal(await client.get(f"{path}&from=2026-10-01"), 422).startswith("cursor ")


async def test_any_period_is_analysed_live(client: httpx2.AsyncClient) -> None:
    await client.post("/search-clicks", json=ROWS)
    response = await client.get("/search-insights/live?from=2026-11-19&to=2026-11-21")
    assert response.status_code == 200
    body = response.json()
    assert (body["from"], body["to"]) == ("2026-11-19", "2026-11-21")
    assert (body["clicks"], body["impressions"]) == (302, 2001)
    assert body["average_ctr"] == pytest.approx(1.301 / 3)
    assert body["overall_ctr"] == 302 / 2001
    assert [(day["date"], day["overall_ctr"]) for day in body["days"]] == [
        ("2026-11-19", None),
        ("2026-11-20", 302 / 2001),
        ("2026-11-21", None),
    ]
    assert [each["query"] for each in body["top_queries"]] == ["wool blanket", "gift card"]
    (low,) = body["low_performance_queries"]
    assert low["lost_clicks"] == pytest.approx(1000 * 302 / 2001 - 1)
    assert body["rules"]["min_impressions"] == 20


async def test_live_rules_can_be_chosen(client: httpx2.AsyncClient) -> None:
    await client.post("/search-clicks", json=ROWS)
    path = f"/search-insights/live?from={DAY}&to={DAY}&min_impressions=1"
    by_rate = (await client.get(f"{path}&top=1")).json()
    assert [each["query"] for each in by_rate["top_queries"]] == ["sofa"]
    by_bound = (await client.get(f"{path}&rank_by=ctr_low&top=1")).json()
    assert by_bound["rules"]["rank_by"] == "ctr_low"
    assert [each["query"] for each in by_bound["top_queries"]] == ["wool blanket"]
    low = "low_min_impressions=1001&low_percentile=0&low_ctr_ratio=0.25&low_limit=7"
    strict = (await client.get(f"{path}&{low}")).json()
    assert strict["low_performance_queries"] == []
    assert strict["rules"] == {
        "top": 5,
        "min_impressions": 1,
        "rank_by": "ctr",
        "low_min_impressions": 1001,
        "low_percentile": 0.0,
        "low_ctr_ratio": 0.25,
        "low_limit": 7,
    }


async def test_a_live_analysis_takes_the_28_days_up_to_yesterday(
    client: httpx2.AsyncClient,
) -> None:
    before = datetime.now(UTC).date()
    body = (await client.get("/search-insights/live")).json()
    assert len(body["days"]) == 28
    yesterday = timedelta(days=1)
    assert body["to"] in {str(before - yesterday), str(datetime.now(UTC).date() - yesterday)}


async def test_a_period_is_compared_with_the_one_before_it(client: httpx2.AsyncClient) -> None:
    before = [
        {**ROWS[0], "search_date": "2026-11-18", "clicks": 10},
        {**ROWS[1], "search_date": "2026-11-18"},
        {**ROWS[1], "search_date": "2026-11-17"},  # of neither period
    ]
    await client.post("/search-clicks", json=[*ROWS, *before])
    path = "/search-insights/live?from=2026-11-19&to=2026-11-20&min_impressions=1&top=2"
    body = (await client.get(f"{path}&compare=previous")).json()
    trend = body.pop("trend")
    assert body == (await client.get(path)).json()
    lists = [trend.pop(name) for name in ("top_queries", "low_performance_queries")]
    assert trend == {
        "from": "2026-11-17",
        "to": "2026-11-18",
        "clicks": 12,
        "impressions": 3000,
        "average_ctr": 0.004,
        "overall_ctr": 12 / 3000,
    }
    assert lists[0] == [
        {"query": "sofa", "change": "entered", "rank": 1, "previous_rank": None},
        {"query": "wool blanket", "change": "moved", "rank": 2, "previous_rank": 1},
        {"query": "gift card", "change": "left", "rank": None, "previous_rank": 2},
    ]
    assert lists[1] == [
        {"query": "gift card", "change": "stayed", "rank": 1, "previous_rank": 1},
    ]


async def test_one_query_is_followed_through_a_period(client: httpx2.AsyncClient) -> None:
    await client.post("/search-clicks", json=[*ROWS, {**ROWS[0], "impressions": 3000}])
    path = "/search-insights/history?query=WOOL%20%20blanket&from=2026-11-19&to=2026-11-20"
    body = (await client.get(path)).json()
    empty, day = body.pop("days")
    assert body == {"query": "wool blanket", "from": "2026-11-19", "to": "2026-11-20"}
    assert empty == {
        "date": "2026-11-19",
        "searches": 0,
        "clicks": 0,
        "impressions": 0,
        "ctr": None,
        "ctr_low": None,
        "ctr_high": None,
    }
    assert (day["searches"], day["clicks"], day["impressions"]) == (2, 600, 4000)
    assert 0 < day["ctr_low"] < day["ctr"] == 0.15 < day["ctr_high"] < 1
    unknown = (await client.get("/search-insights/history?query=desk")).json()
    assert len(unknown["days"]) == 28
    assert {each["searches"] for each in unknown["days"]} == {0}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "query"),
        ("query=", "query"),
        ("query=%20%E3%80%80", "query"),
        ("query=%00", "query"),
        ("query=rug&from=2026-11-21&to=2026-11-20", "from"),
        ("query=rug&compare=previous", "compare"),
    ],
)
async def test_a_bad_parameter_of_a_history_is_named(
    client: httpx2.AsyncClient, query: str, named: str
) -> None:
    path = f"/search-insights/history?{query}"
    assert refusal(await client.get(path), 422).startswith(f"{named} ")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("compare=next", "compare"),
        ("compare=previous&from=0001-01-03&to=0001-01-04", "from"),
        ("from=2026-11-21&to=2026-11-20", "from"),
        ("from=2025-01-01&to=2026-11-20", "from"),
        ("from=0001-01-01", "from"),
        ("top=0", "top"),
        ("top=101", "top"),
        ("min_impressions=0", "min_impressions"),
        ("min_impressions=2147483648", "min_impressions"),
        ("rank_by=clicks", "rank_by"),
        ("rank_by=wilson", "rank_by"),
        ("low_min_impressions=0", "low_min_impressions"),
        ("low_percentile=1.01", "low_percentile"),
        ("low_percentile=nan", "low_percentile"),
        ("low_ctr_ratio=-0.1", "low_ctr_ratio"),
        ("low_limit=1.5", "low_limit"),
        ("low_limit=1001", "low_limit"),
        ("limit=5", "limit"),
        ("to=today", "to"),
        ("from=0001-01-01&to=0001-01-01", "from"),
        ("from=9999-12-31", "from"),
        ("to=0001-01-01", "from"),
    ],
)
async def test_a_bad_parameter_of_the_live_analysis_is_named(
    client: httpx2.AsyncClient, query: str, named: str
) -> None:
    assert refusal(await client.get(f"/search-insights/live?{query}"), 422).startswith(f"{named} ")


async def test_bad_parameters_are_named_together(client: httpx2.AsyncClient) -> None:
    text = refusal(await client.get("/search-insights/live?top=x&rank_by=y&z=1"), 422)
    assert all(f"{name} " in text for name in ("top", "rank_by", "z"))


async def test_every_operation_states_its_answers(client: httpx2.AsyncClient) -> None:
    paths = (await client.get("/schema/openapi.json")).json()["paths"]
    stated = {
        (path, method): sorted(operation["responses"])
        for path, operations in paths.items()
        if path.startswith("/search-")
        for method, operation in operations.items()
    }
    always = ["401", "403", "429", "500", "503", "504"]
    assert stated == {
        ("/search-clicks", "post"): sorted(["201", "400", "409", "413", "415", "422", *always]),
        ("/search-insights", "get"): sorted(["200", "422", *always]),
        ("/search-insights/live", "get"): sorted(["200", "422", *always]),
        ("/search-insights/history", "get"): sorted(["200", "422", *always]),
        ("/search-insights/{insight_date}", "get"): sorted(["200", "404", *always]),
        ("/search-insights/{insight_date}", "post"): sorted(["200", "404", "422", *always]),
    }
