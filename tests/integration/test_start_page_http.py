"""`/` over HTTPS: a page for a browser, links for a program; `tests/browser` looks at the page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from domain.access.model import Scope
from tests.contracts.charts import Elements
from tests.contracts.insights import row
from tests.integration.answers import check_secured, created, refusal
from tests.integration.api import serving, settings_for
from tests.integration.insights import emptied, write_rows
from tests.integration.keys import make_key

PAGE = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"
NO_REDIS = "redis://127.0.0.1:9/0"


@pytest.fixture
async def api(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings_for(fresh_database_url, redis_url), tmp_path) as client:
        yield client


async def page_of(client: httpx2.AsyncClient, **headers: str) -> str:
    answer = await client.get("/", headers={**PAGE, **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "Accept" in answer.headers["vary"].split(", ")
    check_secured(answer.headers)
    return answer.text


def facts(html: str) -> dict[str, str]:
    """What the page says of the jobs, by label."""
    return dict(re.findall(r"<dt>(.+?)</dt><dd>(.+?)</dd>", html))


def states(html: str) -> list[tuple[str, str]]:
    """Whether each job is well, and in which words."""
    return re.findall(r'<p class="state (\w+)"><span[^>]*></span>(.+?)</p>', html)


async def test_a_program_is_told_where_everything_is(api: httpx2.AsyncClient) -> None:
    for accept in ("application/json", "*/*"):
        answer = await api.get("/", headers={"accept": accept})
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["name"] == "Storekeeper"
        assert '</schema/openapi.json>; rel="service-desc"' in answer.headers["link"]
        for path in answer.json()["links"].values():
            # Some take nothing but POST, and none is unknown.
            assert (await api.get(path)).status_code in {200, 405}, path


async def test_the_page_runs_nothing_within_and_every_link_leads_somewhere(
    api: httpx2.AsyncClient,
) -> None:
    elements = Elements(await page_of(api)).tags
    for name, attributes in elements:
        assert name != "style"
        assert not [each for each in attributes if each == "style" or each.startswith("on")]
    assert dict(elements)["html"]["lang"] == "en"
    links = {str(each["href"]) for name, each in elements if name == "a"}
    assert {"/dashboard", "/docs", "/schema/openapi.json", "/health/ready"} <= links
    for link in sorted(links - {"#main"}):
        assert (await api.get(link)).status_code == 200, link
    # A link to a part of the API names a group of its document.
    document = (await api.get("/schema/openapi.json")).json()
    groups = {
        tag for path in document["paths"].values() for each in path.values() for tag in each["tags"]
    }
    named = {link.partition("#/")[2] for link in links if "#/" in link}
    assert named
    assert named <= groups


async def test_what_stands_on_it_is_what_the_api_says(
    api: httpx2.AsyncClient, fresh_database_url: str
) -> None:
    assert facts(await page_of(api)) == {
        "Newest user": "none yet",
        "Newest order": "none yet",
        "Workers": "none: jobs wait until one runs",
        "Newest job": "none yet",
        "Model": "storekeeper doctor tells whether it answers",
        "Newest day": "none yet",
    }
    day = datetime.now(UTC).date() - timedelta(days=1)
    async with emptied(fresh_database_url) as database:
        await write_rows(database, [row("rug", 30, 1200, day)])
    user = await created(api, "/users", {"name": "Ann", "email": "ann@example.com"})
    at = "2026-11-22T23:30:00-02:00"
    order = await created(
        api,
        "/orders",
        {"user_id": user["id"], "product_name": "rug", "quantity": 1, "order_date": at},
    )
    job = await created_job(api)
    pending = states(await page_of(api))[2]
    assert pending == ("bad", "1 day pending, and no run yet.")
    assert (await api.post(f"/search-insights/{day}")).status_code == 200

    found = facts(await page_of(api))
    assert found["Newest user"].startswith(f"number {user['id']}, ")
    assert found["Newest order"] == f"number {order['id']}, 23 Nov 2026 at 01:30"
    assert found["Newest job"] == f"number {job}, running: 0 of 2 texts"
    assert found["Newest day"] == in_words(day)
    assert found["Click-through rate"] == "2.5%, 30 of 1,200 clicked"
    assert states(await page_of(api)) == [
        ("good", "Ready"),
        ("good", "Ready to take messages"),
        ("good", "Ready, complete up to yesterday"),
    ]


def in_words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


async def created_job(api: httpx2.AsyncClient) -> int:
    answer = await api.post(
        "/extraction-jobs",
        json={"documents": [{"id": "a", "text": "2 rugs"}, {"id": "b", "text": "3 rugs"}]},
    )
    assert answer.status_code == 202, answer.text
    made: int = answer.json()["id"]
    return made


async def test_without_a_key_it_shows_what_is_ready_and_no_figure(
    api: httpx2.AsyncClient,
) -> None:
    await created(api, "/users", {"name": "Ann", "email": "ann@example.com"})
    assert (await api.post("/keys", json={"name": "me", "scopes": ["admin"]})).status_code == 201
    for headers in ({}, {"cookie": "__Host-storekeeper=" + "x" * 43}, {"host": "shop.example"}):
        html = await page_of(api, **headers)
        assert facts(html) == {}
        assert [each for each, _ in states(html)] == ["good"] * 3
        assert '<a href="/sign-in?next=/">Sign in</a>' in html
        assert "You are here as" not in html
        assert "Authorization: Bearer" in html


SEEN = {
    Scope.RECORDS_READ: {"Newest user", "Newest order"},
    Scope.RECORDS_WRITE: {"Newest user", "Newest order"},
    Scope.EXTRACT: {"Workers", "Newest job", "Model"},
    Scope.INSIGHTS_READ: {"Newest day"},
}


@pytest.mark.parametrize("scope", SEEN)
async def test_a_caller_sees_the_figures_of_its_scopes(
    api: httpx2.AsyncClient, fresh_database_url: str, scope: Scope
) -> None:
    key = await make_key(fresh_database_url, scope)
    html = await page_of(api, authorization=f"Bearer {key}")
    assert set(facts(html)) == SEEN[scope]
    assert "You are here as of a test." in html
    assert "/sign-in" not in html


async def test_a_key_that_is_not_accepted_is_told_so(
    api: httpx2.AsyncClient, fresh_database_url: str
) -> None:
    await make_key(fresh_database_url, Scope.ADMIN)
    for headers in ({}, PAGE):
        answer = await api.get("/", headers={**headers, "authorization": "Bearer nonsense"})
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers
    refusal(await api.get("/", headers={"authorization": "Basic abc"}), 401, "not_authenticated")


async def test_a_host_that_is_no_name_stays_a_text(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/", headers={**PAGE, "host": '"><b>'})
    assert "<b>" not in answer.text


async def test_it_says_what_does_not_answer(tmp_path: Path) -> None:
    async with serving(settings_for(NOWHERE, NO_REDIS), tmp_path) as client:
        html = await page_of(client)
        ready = (await client.get("/health/ready")).json()["checks"]
    problem = "; ".join(f"{part}: {said}" for part, said in ready.items())
    assert [each for each, _ in states(html)] == ["bad"] * 3
    assert f"</strong> {problem}. <code>storekeeper doctor</code>" in html
    assert facts(html) == {}
