"""`/dashboard` over HTTPS on a real database; `tests/browser` looks at the same pages."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from adapters.charts.vega import VegaChartRenderer
from domain.errors import ChartFailed
from tests.contracts.charts import Elements
from tests.dashboard_rows import HOSTILE, LOW, VIEW, all_rows
from tests.integration.api import serving, settings_for
from tests.integration.insights import emptied, write_rows

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = ["/dashboard", "/dashboard/query", "/dashboard/export/days.csv"]
NO_REDIS = "redis://127.0.0.1:9/0"


@pytest.fixture(scope="module")
async def client(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    async with emptied(module_database_url) as database:
        await write_rows(database, all_rows())
    directory: Path = tmp_path_factory.mktemp("tls")
    async with serving(settings_for(module_database_url, NO_REDIS), directory) as opened:
        yield opened


def rows_of(response: httpx2.Response) -> list[dict[str, str]]:
    """Rows of a CSV file, by heading."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.mark.parametrize("path", [f"/dashboard?{VIEW}", f"/dashboard/query?query=rug&{VIEW}"])
async def test_a_page_loads_its_own_files_alone_and_runs_nothing_within(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    elements = Elements(answer.text).tags
    for name, attributes in elements:
        assert name != "style"
        assert "style" not in attributes
        assert not [each for each in attributes if each.startswith("on")]
    linked = [each["href"] for name, each in elements if name == "link"]
    loaded = [each for each in linked if each != "data:,"]
    loaded += [each["src"] for name, each in elements if name == "script"]
    assert len(loaded) == 2
    for each in loaded:
        assert str(each).startswith("/dashboard/assets/dashboard.")
        file = await client.get(str(each))
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=3600"


async def test_the_stylesheet_gives_every_colour_that_charts_name(
    client: httpx2.AsyncClient,
) -> None:
    css = (await client.get("/dashboard/assets/dashboard.css")).text
    html = (await client.get(f"/dashboard?{VIEW}")).text
    named = {each.split(")")[0] for each in html.split("var(")[1:]}
    assert named
    assert all(f"{each}:" in css for each in named)


async def test_every_list_is_there_and_nothing_of_it_is_an_element(
    client: httpx2.AsyncClient,
) -> None:
    html = (await client.get(f"/dashboard?{LOW}")).text
    elements = Elements(html)
    for query in HOSTILE:
        assert query in elements.texts
    assert [name for name, _ in elements.tags].count("svg") == 6
    assert "img" not in {name for name, _ in elements.tags}


@pytest.mark.parametrize("path", [f"/dashboard?{LOW}", f"/dashboard/query?query=rug&{LOW}"])
async def test_every_link_of_a_page_leads_somewhere(client: httpx2.AsyncClient, path: str) -> None:
    elements = Elements((await client.get(path)).text).tags
    links = {str(each["href"]) for name, each in elements if name == "a"}
    assert len(links) > 5
    for link in sorted(links):
        target = link if link.startswith("/") else f"{path}{link}"
        assert (await client.get(target)).status_code == 200, link


async def test_without_parameters_it_is_the_last_28_days(client: httpx2.AsyncClient) -> None:
    html = (await client.get("/dashboard")).text
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    dates = {
        each["name"]: each["value"]
        for name, each in Elements(html).tags
        if name == "input" and each.get("type") == "date"
    }
    assert dates == {"from": str(yesterday - timedelta(days=27)), "to": str(yesterday)}
    assert '<a href="/dashboard?days=28" aria-current="true">28 days</a>' in html
    assert '<a href="/dashboard?days=7">7 days</a>' in html


async def test_a_number_of_days_ends_yesterday(client: httpx2.AsyncClient) -> None:
    rows = rows_of(await client.get("/dashboard/export/days.csv?days=7"))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert [row["date"] for row in rows] == [
        str(yesterday - timedelta(days=back)) for back in range(6, -1, -1)
    ]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("from=2026-11-14&to=2026-11-01", "from must not be after"),
        ("from=yesterday", "from"),
        ("from=2020-01-01&to=2026-01-01", "at most 366"),
        ("from=0001-01-01&to=0001-01-03", "from must be a day from"),
        ("days=0", "days"),
        ("days=367", "days"),
        ("days=7&to=2026-11-14", "days must not be given together"),
        ("rank_by=luck", "rank_by"),
        ("low_percentile=2", "low_percentile"),
        ("colour=red", "colour is not known"),
    ],
)
async def test_what_cannot_be_shown_is_refused_by_name(
    client: httpx2.AsyncClient, path: str, query: str, named: str
) -> None:
    asked = f"{path}?{query}" + ("&query=rug" if path.endswith("query") else "")
    plain = await client.get(asked)
    assert plain.status_code == 422
    assert plain.headers["content-type"] == "application/problem+json"
    said = " ".join(f"{e['pointer']} {e['detail']}" for e in plain.json()["errors"])
    assert named in said

    page = await client.get(asked, headers=BROWSER)
    assert page.status_code == 422
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    texts = " ".join(Elements(page.text).texts)
    for word in named.split():
        assert word in texts


async def test_a_period_that_nothing_comes_before_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/dashboard?from=0001-01-02&to=0001-01-03")
    assert "leaves no 2 days before it" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("query", ["", "query=", "query=%20%C2%A0"])
async def test_a_page_of_a_query_needs_one(client: httpx2.AsyncClient, query: str) -> None:
    for path in ("/dashboard/query", "/dashboard/export/query.csv"):
        answer = await client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == ["query"]


@pytest.mark.parametrize(
    "path", ["/dashboard/assets/dashboard.html", "/dashboard/export/all.csv", "/dashboard/x"]
)
async def test_what_is_not_there_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
    assert (await client.post("/dashboard")).status_code == 405
    assert (await client.head("/dashboard")).status_code == 200


async def test_the_json_has_what_the_page_shows_and_the_api_says(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.get(f"/dashboard/export/overview.json?{LOW}")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="search-insights-overview-2026-11-01-2026-11-14.json"'
    )
    body = answer.json()
    live = await client.get(f"/search-insights/live?{LOW}&compare=previous")
    assert body["current"] == live.json()
    before = await client.get(
        "/search-insights/live?from=2026-10-18&to=2026-10-31&low_percentile=0"
    )
    assert body["previous"] == before.json()
    trend = body["current"]["trend"]
    assert [each for each in trend["top_queries"] if each["change"] == "left"] == [
        {"query": "candle holder", "change": "left", "rank": None, "previous_rank": 1}
    ]
    assert len(body["freshness"]["pending_days"]) == 11
    assert body["freshness"]["computed_at"] is None


async def test_each_table_is_a_file_with_the_figures_of_the_api(
    client: httpx2.AsyncClient,
) -> None:
    api = (await client.get(f"/search-insights/live?{LOW}")).json()

    def text(value: object) -> str:
        return "" if value is None else str(value)

    days = rows_of(await client.get(f"/dashboard/export/days.csv?{LOW}"))
    assert len(days) == 14
    for row, day in zip(days, api["days"], strict=True):
        assert row == {name: text(day[name]) for name in row}
    assert days[4]["overall_ctr"] == ""  # a gap is empty, not nought
    for name, key in (
        ("top-queries", "top_queries"),
        ("low-performers", "low_performance_queries"),
    ):
        answer = await client.get(f"/dashboard/export/{name}.csv?{LOW}")
        assert answer.headers["content-disposition"] == (
            f'attachment; filename="search-insights-{name}-2026-11-01-2026-11-14.csv"'
        )
        rows = [row for row in rows_of(answer) if row["change"] != "left"]
        for row, entry in zip(rows, api[key], strict=True):
            assert {name: text(value) for name, value in entry.items()} == {
                name: value.removeprefix("'") for name, value in row.items() if name in entry
            }
    history = rows_of(await client.get(f"/dashboard/export/query.csv?query=Rug&{VIEW}"))
    assert sum(int(row["clicks"]) for row in history) == 39 * 11 + 13
    assert history[4]["ctr"] == ""


async def test_no_query_is_a_formula_in_a_spreadsheet(client: httpx2.AsyncClient) -> None:
    rows = rows_of(await client.get(f"/dashboard/export/low-performers.csv?{LOW}"))
    cells = {row["query"] for row in rows}
    for query in HOSTILE:
        assert (f"'{query}" if query[0] in "=+-@" else query) in cells
    assert not [each for each in cells if each.startswith(("=", "+", "-", "@", "\t", "\r"))]


async def test_a_chart_that_cannot_be_drawn_leaves_the_page_and_says_so(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> str:
        raise ChartFailed("A chart could not be drawn.") from ValueError("why")

    monkeypatch.setattr(VegaChartRenderer, "render", fail)
    answer = await client.get(f"/dashboard?{VIEW}")
    assert answer.status_code == 200
    assert "This chart could not be drawn" in answer.text
    assert "gift card" in answer.text


async def test_without_the_extra_for_charts_the_page_says_how_to_get_it(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    answer = await client.get(f"/dashboard?{VIEW}")
    assert answer.status_code == 200
    assert "pip install &#39;storekeeper[charts]&#39;. The table has the figures." in answer.text
    assert "gift card" in answer.text


@asynccontextmanager
async def without_database(directory: Path) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for("postgresql://nobody@127.0.0.1:9/none", NO_REDIS)
    async with serving(settings, directory) as client:
        yield client


async def test_without_its_database_a_browser_gets_a_page_that_says_when_to_come_back(
    tmp_path: Path,
) -> None:
    async with without_database(tmp_path) as client:
        for path in (*PAGES, "/dashboard/export/overview.json"):
            asked = f"{path}?query=rug" if path.endswith("query") else path
            plain = await client.get(asked)
            assert (plain.status_code, plain.json()["code"]) == (503, "database_unavailable")
            page = await client.get(asked, headers=BROWSER)
            assert page.status_code == 503
            assert page.headers["retry-after"] == plain.headers["retry-after"]
            assert "Try again later" in page.text
            assert "Load the page again in" in page.text
            assert page.headers["x-request-id"] in page.text
        # What the page is made of does not need the database.
        assert (await client.get("/dashboard/assets/dashboard.css")).status_code == 200


async def test_a_defect_tells_nothing_of_itself(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> str:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(VegaChartRenderer, "render", fail)
    answer = await client.get(f"/dashboard?{VIEW}", headers=BROWSER)
    assert answer.status_code == 500
    assert "The server failed." in answer.text
    assert "secret" not in answer.text
