"""The dashboard as people meet it. `watched_page` fails a test at any complaint of the browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.pages import PHONE, accessibility_problems, overflow_px, watched_page
from tests.browser.pictures import expect_picture
from tests.dashboard_rows import HOSTILE, LOW, VIEW, all_rows
from tests.integration.api import serving, settings_for
from tests.integration.insights import emptied, write_rows

OVERVIEW = f"/dashboard?{LOW}"
ONE_QUERY = f"/dashboard/query?query=gift+card&{VIEW}"
NO_DATA = "/dashboard?from=2020-01-01&to=2020-01-31"


@pytest.fixture(scope="module")
async def client(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    async with emptied(module_database_url) as database:
        await write_rows(database, all_rows())
    settings = settings_for(module_database_url, "redis://127.0.0.1:9/0")
    directory: Path = tmp_path_factory.mktemp("tls")
    async with serving(settings, directory) as opened:
        yield opened


@pytest.fixture
def origin(client: httpx2.AsyncClient) -> str:
    return str(client.base_url)


async def figures(cells: Locator) -> Sequence[float | None]:
    """The numbers behind what is shown; None where there is none."""
    found: list[float | None] = await cells.evaluate_all(
        "cells => cells.map(cell => { const data = cell.querySelector('data');"
        " return data === null ? null : Number(data.value); })"
    )
    return found


async def column(page: Page, table: str, number: int) -> Sequence[float | None]:
    """The numbers of a table's column, counted from 1."""
    return await figures(page.locator(f"{table} tbody tr > :nth-child({number})"))


async def queries(page: Page, heading: str) -> Sequence[str]:
    """The queries of a table, from the top."""
    return await page.locator(f"section[aria-labelledby={heading}] tbody .query").all_inner_texts()


async def pointed_at(mark: Locator) -> None:
    """Point at a mark, after the page has come to rest where it is in sight."""
    await mark.hover()
    await mark.page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    await mark.page.mouse.move(0, 0)
    await mark.hover()


async def test_the_numbers_on_the_page_are_those_of_the_api(
    browser: Browser, client: httpx2.AsyncClient, origin: str
) -> None:
    api = (await client.get(f"/search-insights/live?{LOW}")).json()
    async with watched_page(browser, origin) as page:
        await page.goto(OVERVIEW)
        assert await figures(page.locator(".kpi")) == [
            api["overall_ctr"],
            api["average_ctr"],
            api["clicks"],
            api["impressions"],
            pytest.approx(sum(each["lost_clicks"] for each in api["low_performance_queries"])),
        ]
        for number, name in enumerate(
            ("overall_ctr", "average_ctr", "clicks", "impressions", "distinct_queries"), start=2
        ):
            shown = await column(page, "section[aria-labelledby=daily] table", number)
            assert list(shown) == [day[name] for day in api["days"]]
        for heading, name, last in (
            ("top", "top_queries", ()),
            ("low", "low_performance_queries", ((7, "lost_clicks"),)),
        ):
            table = f"section[aria-labelledby={heading}] table"
            assert list(await queries(page, heading)) == [each["query"] for each in api[name]]
            for number, member in ((3, "clicks"), (4, "impressions"), (5, "ctr"), *last):
                shown = await column(page, table, number)
                assert list(shown) == [each[member] for each in api[name]]
        points = page.locator("section[aria-labelledby=low] .wide [data-tip]")
        await expect(points).to_have_count(len(api["low_performance_queries"]))


async def test_the_picture_of_the_documentation_is_of_this_page(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto("/dashboard?from=2026-10-18&to=2026-10-31")  # no gap, nothing hostile
        await expect_picture(page, "dashboard", region="main")


async def test_a_period_is_picked_by_days_by_dates_and_kept_through_rules(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto("/dashboard")
        chosen = page.locator(".presets [aria-current]").first
        await expect(chosen).to_have_text("28 days")
        await page.get_by_role("link", name="90 days").click()
        await expect(chosen).to_have_text("90 days")

        await page.get_by_label("From").fill("2026-11-01")
        await page.get_by_label("To", exact=True).fill("2026-11-14")
        await page.get_by_role("button", name="Show").click()
        await expect(page).to_have_title(re.compile("1 Nov \u2013 14 Nov 2026"))
        await expect(page.locator(".when")).to_contain_text("18 Oct \u2013 31 Oct 2026")
        await expect(page.locator("section[aria-labelledby=top] tbody tr")).to_have_count(5)

        await page.get_by_text("Rules of the lists").click()
        await page.get_by_label("Top queries shown").fill("3")
        await page.get_by_role("button", name="Apply").click()
        await expect(page).to_have_title(re.compile("1 Nov \u2013 14 Nov 2026"))
        await expect(page.locator("section[aria-labelledby=top] tbody tr")).to_have_count(3)

        await page.get_by_role("link", name="by lower bound").click()
        for asked in ("rank_by=ctr_low", "top=3", "from=2026-11-01"):
            await expect(page).to_have_url(re.compile(rf"[?&]{asked}([&#]|$)"))
        await page.get_by_role("link", name="Back to the standard rules").click()
        await expect(page.locator("section[aria-labelledby=top] tbody tr")).to_have_count(5)


async def test_a_query_leads_to_its_history_and_back(
    browser: Browser, client: httpx2.AsyncClient, origin: str
) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto(OVERVIEW)
        await page.get_by_role("link", name="gift card", exact=True).click()
        await expect(page.locator("h1")).to_have_text("gift card")
        csv = await client.get(f"/dashboard/export/query.csv?query=gift+card&{VIEW}")
        clicks = [line.split(",")[2] for line in csv.text.splitlines()[1:]]
        assert [str(each) for each in await column(page, "main table", 3)] == clicks
        await page.get_by_role("link", name="Search insights").click()
        await expect(page).to_have_url(re.compile(re.escape(OVERVIEW) + "$"))


async def test_a_table_is_sorted_by_keyboard_one_way_and_the_other(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto(OVERVIEW)
        table = "section[aria-labelledby=low] table"
        by_rank = list(await queries(page, "low"))
        heading = page.locator(f"{table} thead th").nth(4)
        await heading.get_by_role("button").focus()
        await page.keyboard.press("Enter")
        await expect(heading).to_have_attribute("aria-sort", "descending")
        falling = [each or 0 for each in await column(page, table, 5)]
        assert falling == sorted(falling, reverse=True)
        await page.keyboard.press("Enter")
        await expect(heading).to_have_attribute("aria-sort", "ascending")
        rising = [each or 0 for each in await column(page, table, 5)]
        assert rising == sorted(falling)
        await page.locator(f"{table} thead button").first.press("Space")
        await expect(page.locator(f"{table} tbody .query")).to_have_text(by_rank)
        await expect(page.locator(f"{table} [aria-sort]")).to_have_count(1)


async def test_a_mark_says_its_figures_and_leads_to_its_query(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto(OVERVIEW)
        tip = page.locator(".tip")
        await expect(tip).to_be_hidden()
        point = page.locator('.wide [data-tip^="delivery status"]')
        await pointed_at(point)
        await expect(tip).to_be_visible()
        await expect(tip).to_have_text(
            "delivery status: 2.7%, 35 of 1,290 clicked; 169 clicks lost"
        )
        await page.keyboard.press("Escape")
        await expect(tip).to_be_hidden()
        await point.click()
        await expect(page.locator("h1")).to_have_text("delivery status")
        days = page.locator(".wide [data-tip]")
        await expect(days).to_have_count(14)
        await pointed_at(days.nth(4))
        await expect(tip).to_be_visible()
        await expect(tip).to_have_text("Thu, 5 Nov 2026: no impressions")


async def test_hostile_queries_are_texts_on_every_page(browser: Browser, origin: str) -> None:
    async with watched_page(browser, origin) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        await page.goto(OVERVIEW)
        await expect(page).to_have_title("Search insights, 1 Nov \u2013 14 Nov 2026")
        links = page.locator("section[aria-labelledby=low] tbody .query")
        paths = {
            await link.inner_text(): await link.get_attribute("href") for link in await links.all()
        }
        assert set(HOSTILE) <= paths.keys()
        for query in (HOSTILE[0], HOSTILE[1], HOSTILE[6]):
            await page.goto(paths[query] or "")
            await expect(page.locator("h1")).to_have_text(query)
            assert await overflow_px(page) <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_pages_are_accessible(
    browser: Browser, origin: str, theme: Literal["light", "dark"]
) -> None:
    async with watched_page(browser, origin, theme=theme) as page:
        for path in (OVERVIEW, ONE_QUERY, NO_DATA):
            await page.goto(path)
            await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            problems = await accessibility_problems(page)
            assert problems == [], problems
    async with watched_page(browser, origin, theme=theme, size=PHONE) as page:
        await page.goto(OVERVIEW)
        assert await accessibility_problems(page) == []


@pytest.mark.parametrize("path", [OVERVIEW, ONE_QUERY, NO_DATA])
async def test_a_phone_never_scrolls_sideways(browser: Browser, origin: str, path: str) -> None:
    async with watched_page(browser, origin, size=PHONE) as page:
        await page.goto(path)
        await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert await overflow_px(page) <= 0
        letters: list[Any] = await page.locator(".phone text").evaluate_all(
            "all => all.map(text => text.getBoundingClientRect().height)"
        )
        assert all(height >= 9 for height in letters)


async def test_everything_is_there_without_scripts(browser: Browser, origin: str) -> None:
    async with watched_page(browser, origin, javascript=False) as page:
        await page.goto(OVERVIEW)
        assert len(await queries(page, "low")) == 11
        await expect(page.locator("section[aria-labelledby=daily] .wide svg")).to_be_visible()
        await expect(page.locator("thead button")).to_have_count(0)
        await page.get_by_label("From").fill("2026-11-07")
        await page.get_by_role("button", name="Show").click()
        await expect(page).to_have_title(re.compile("7 Nov \u2013 14 Nov 2026"))
        await page.locator("section[aria-labelledby=low] tbody .query").first.click()
        await expect(page.locator("section[aria-labelledby=daily] .wide svg")).to_be_visible()


async def test_a_refusal_is_a_page_that_says_what_is_wrong(
    browser: Browser, client: httpx2.AsyncClient, origin: str
) -> None:
    context = await browser.new_context(ignore_https_errors=True, base_url=origin)
    try:
        page = await context.new_page()
        answer = await page.goto("/dashboard?days=0")
        assert answer is not None
        assert answer.status == 422
        await expect(page.locator("h1")).to_have_text("The request is invalid")
        assert await accessibility_problems(page) == []
        await page.get_by_role("link", name="Open the dashboard").click()
        await expect(page).to_have_title(re.compile("^Search insights"))
    finally:
        await context.close()
