from __future__ import annotations

from pathlib import Path

from tests.browser.chromium import rendered
from tests.integration.api import serving, settings_for


async def test_the_docs_page_shows_every_group_of_operations_without_any_other_server(
    tmp_path: Path,
) -> None:
    settings = settings_for("postgresql://nobody@127.0.0.1:9/none", "redis://127.0.0.1:9/0")
    async with serving(settings, tmp_path) as client:
        page = await client.get("/docs")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        document = (await client.get("/schema/openapi.json")).json()
        dom = await rendered(str(client.base_url.join("/docs")), tmp_path / "profile")

    tags = {
        operation["tags"][0] for path in document["paths"].values() for operation in path.values()
    }
    assert {"users", "orders", "health"} <= tags
    for tag in tags:
        assert f'data-tag="{tag}"' in dom
    summaries = [
        operation["summary"] for path in document["paths"].values() for operation in path.values()
    ]
    for summary in summaries:
        assert summary in dom
