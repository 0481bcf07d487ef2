"""The start page as people meet it. `watched_page` fails a test at any complaint of the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from playwright.async_api import Browser, expect

from domain.access.model import Scope
from tests.browser.pages import PHONE, accessibility_problems, overflow_px, watched_page
from tests.browser.pictures import expect_picture
from tests.dashboard_rows import all_rows
from tests.integration.api import serving, settings_for
from tests.integration.insights import emptied, write_rows
from tests.integration.keys import make_key


@pytest.fixture(scope="module")
async def client(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    async with emptied(module_database_url) as database:
        await write_rows(database, all_rows())
    directory: Path = tmp_path_factory.mktemp("tls")
    async with serving(settings_for(module_database_url, redis_url), directory) as opened:
        yield opened


@pytest.fixture
def origin(client: httpx2.AsyncClient) -> str:
    return str(client.base_url)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), PHONE])
async def test_it_is_accessible_and_never_scrolls_sideways(
    browser: Browser, origin: str, theme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    async with watched_page(browser, origin, theme=theme, size=size) as page:
        await page.goto("/")
        assert await accessibility_problems(page) == []
        assert await overflow_px(page) <= 0
        await expect(page.get_by_role("heading", level=1)).to_have_text("Storekeeper")
        await expect(page.get_by_role("heading", level=2)).to_have_text(
            ["Records", "Extraction", "Search insights", "Send a first request"]
        )


async def test_the_picture_of_the_documentation_is_of_this_page(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin) as page:
        await page.goto("/")
        await expect_picture(page, "start-page")


async def test_without_scripts_the_keyboard_leads_to_the_dashboard_and_back(
    browser: Browser, origin: str
) -> None:
    async with watched_page(browser, origin, javascript=False) as page:
        await page.goto("/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.locator(".doors a").first).to_be_focused()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/dashboard")
        await page.get_by_role("link", name="Storekeeper", exact=True).click()
        await expect(page).to_have_title("Storekeeper")


async def test_a_stranger_signs_in_there_and_sees_figures(
    browser: Browser, fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    key = await make_key(fresh_database_url, Scope.ADMIN)
    async with (
        serving(settings_for(fresh_database_url, redis_url), tmp_path) as client,
        watched_page(browser, str(client.base_url)) as page,
    ):
        await page.goto("/")
        await expect(page.locator("dl")).to_have_count(0)
        assert await accessibility_problems(page) == []
        await page.get_by_role("navigation").get_by_role("link", name="Sign in").click()
        await page.get_by_label("Key").fill(key)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page).to_have_title("Storekeeper")
        await expect(page.locator("dl")).to_have_count(3)
        await expect(page.locator("footer")).to_contain_text("You are here as of a test.")
