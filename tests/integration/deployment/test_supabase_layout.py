"""infra/supabase: the migrations as the Supabase CLI would apply them."""

from __future__ import annotations

import runpy
import tomllib

import asyncpg

from adapters.postgres import migrations
from tests.integration.deployment.programs import INFRA, ROOT

FILES = INFRA / "supabase" / "migrations"


def test_the_files_are_those_of_the_service() -> None:
    wanted = runpy.run_path(str(ROOT / "scripts" / "supabase.py"))["written"]()
    found = {path.name: path.read_text("utf-8") for path in FILES.iterdir()}
    assert found == wanted, "run `make supabase`"


def test_the_configuration_is_toml_that_closes_the_data_api() -> None:
    settings = tomllib.loads((INFRA / "supabase" / "config.toml").read_text("utf-8"))
    assert settings["api"] == {"enabled": False}


async def test_the_service_finds_nothing_left_to_migrate(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    try:
        for path in sorted(FILES.iterdir()):
            await connection.execute(path.read_text("utf-8"))
    finally:
        await connection.close()
    assert await migrations.migrate(empty_database_url) == []
    assert await migrations.faults(empty_database_url) == []
