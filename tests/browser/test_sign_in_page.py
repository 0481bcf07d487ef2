from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from domain.access.model import Scope
from tests.browser.pages import accessibility_problems, watched_page
from tests.integration.api import serving, settings_for
from tests.integration.keys import make_key

REFUSED: Final = (
    "error: Failed to load resource: the server responded with a status of 401 (Unauthorized)"
)
"""What Chromium says of every page with that status."""


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_person_signs_in_with_a_key_goes_where_they_wanted_and_out_again(
    tmp_path: Path,
    browser: Browser,
    fresh_database_url: str,
    redis_url: str,
    javascript: bool,
) -> None:
    key = await make_key(fresh_database_url, Scope.ADMIN)
    async with (
        serving(settings_for(fresh_database_url, redis_url), tmp_path) as client,
        watched_page(browser, str(client.base_url), javascript=javascript) as page,
    ):
        await page.goto("/dashboard?days=7")
        await expect(page).to_have_title("Sign in")
        if javascript:
            assert await accessibility_problems(page) == []
        await page.get_by_label("Key").fill(key)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/dashboard?days=7")
        (cookie,) = await page.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == (
            "__Host-storekeeper",
            True,
            True,
        )
        if javascript:  # what it tries is authenticated by the session
            await page.goto("/docs")
            listed = page.locator("#operations-users-list_users")
            await listed.get_by_role("button").first.click()
            await listed.get_by_role("button", name="Execute").click()
            await expect(
                listed.locator(".live-responses-table .response-col_status").last
            ).to_contain_text("200")
        await page.goto("/dashboard")
        await page.get_by_role("link", name="Sign out").click()
        if javascript:
            assert await accessibility_problems(page) == []
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/sign-in")
        assert await page.context.cookies() == []
        await page.goto("/dashboard")
        await expect(page).to_have_title("Sign in")


async def test_a_mistyped_key_is_told_on_the_page(
    tmp_path: Path, browser: Browser, fresh_database_url: str, redis_url: str
) -> None:
    await make_key(fresh_database_url, Scope.ADMIN)
    async with (
        serving(settings_for(fresh_database_url, redis_url), tmp_path) as client,
        watched_page(browser, str(client.base_url), javascript=False, complains=[REFUSED]) as page,
    ):
        await page.goto("/sign-in")
        await page.get_by_label("Key").fill("stk_live_" + "0" * 43)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("do not fit the others")
