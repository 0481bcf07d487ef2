from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.pages import watched_page
from tests.integration.api import serving, settings_for


async def test_the_docs_page_shows_every_group_of_operations_without_any_other_server(
    tmp_path: Path, browser: Browser, module_database_url: str
) -> None:
    settings = settings_for(module_database_url, "redis://127.0.0.1:9/0")
    async with (
        serving(settings, tmp_path) as client,
        watched_page(browser, str(client.base_url)) as page,
    ):
        answer = await client.get("/docs")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        document = (await client.get("/schema/openapi.json")).json()
        await page.goto("/docs")
        await page.locator(".opblock").first.wait_for()
        shown = await page.content()
        # Nothing that a person does there runs against the page's policy: `watched_page` would say.
        live = page.locator("#operations-health-live")
        await live.locator(".opblock-summary-control").click()
        await live.get_by_role("button", name="Execute").click()
        await expect(
            live.locator(".live-responses-table .response-col_status").last
        ).to_contain_text("200")
        await page.locator("#operations-orders-create_order .opblock-summary-control").click()
        await expect(page.locator("#operations-orders-create_order textarea")).to_be_visible()
        await page.locator(".models-control").click()

    operations = [operation for path in document["paths"].values() for operation in path.values()]
    tags = {operation["tags"][0] for operation in operations}
    assert {"users", "orders", "health"} <= tags
    listed = re.findall(r'data-tag="(\w+)"', shown)
    assert listed == [group["name"] for group in document["tags"]]
    assert set(listed) == tags
    for operation in operations:
        assert operation["summary"] in shown
