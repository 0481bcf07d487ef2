from __future__ import annotations

from pathlib import Path

from entrypoints.http.protocol.problems import explained
from tests.integration.api import serving, settings_for


async def test_the_type_of_every_problem_leads_to_a_page_that_explains_it(tmp_path: Path) -> None:
    settings = settings_for("postgresql://nobody@127.0.0.1:9/none", "redis://127.0.0.1:9/0")
    codes = {code for code, _, _ in explained()}
    assert {"email_taken", "database_busy", "method_not_allowed", "internal"} <= codes
    async with serving(settings, tmp_path) as client:
        for code in codes:
            page = await client.get(f"/problems/{code}")
            assert page.status_code == 200, code
            assert page.headers["content-type"].startswith("text/html")
            assert f"<code>{code}</code>" in page.text
        unknown = await client.get("/problems/nothing")
        assert unknown.status_code == 404
        assert unknown.json()["type"] == "/problems/not_found"
