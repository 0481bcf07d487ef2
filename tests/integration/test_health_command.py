from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

from adapters.embedded.installation import free_port
from tests.integration.api import serving, settings_for
from tests.integration.stack import run_command

SECRET = "a secret of forty characters, for the tests"


async def test_a_server_with_another_names_certificate_is_asked_how_it_is(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with serving(settings_for(database_url, redis_url), tmp_path) as client:
        port = urlsplit(str(client.base_url)).port
        for options, members in (
            ((), {"status"}),
            (("--ready",), {"status", "checks", "insights"}),
        ):
            told = await asyncio.to_thread(
                run_command,
                "health",
                *options,
                cwd=tmp_path,
                DATABASE_URL=database_url,
                REDIS_URL=redis_url,
                SECRET_KEY=SECRET,
                HOST="0.0.0.0",  # noqa: S104
                PORT=str(port),
            )
            assert told.returncode == 0, told.stderr
            said = json.loads(told.stdout)
            assert said.keys() == members
            assert said["status"] == "ok"


def test_where_nothing_answers_it_says_what_to_look_at(tmp_path: Path) -> None:
    told = run_command(
        "health",
        cwd=tmp_path,
        DATABASE_URL="postgresql://db/shop",
        REDIS_URL="redis://127.0.0.1",
        SECRET_KEY=SECRET,
        HOST="::",
        PORT=str(port := free_port()),
        PLAIN_HTTP="true",
    )
    assert told.returncode == 1
    assert told.stderr.startswith(f"storekeeper health: ::1:{port} does not answer: ")
    assert "HOST, PORT and PLAIN_HTTP" in told.stderr
