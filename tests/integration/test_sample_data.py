"""Sample data in a real database, and the commands that make and show it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.postgres.pool import Database
from adapters.postgres.samples import PostgresSampleSink
from domain.errors import EmailTaken
from domain.records.users import UserDraft
from entrypoints.up.sample_data.filling import SampleFiller
from tests.contracts.samples import SIZE, AppendableSamplesContract, SamplePlace, ignored
from tests.integration.insights import emptied
from tests.integration.records import records_in


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


class TestPostgresSamples(AppendableSamplesContract):
    @pytest.fixture
    def place(self, database: Database) -> SamplePlace:
        async def counts() -> tuple[int, int, int]:
            row = await database.fetchrow(
                "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders),"
                " (SELECT count(*) FROM search_clicks)"
            )
            assert row is not None
            return row[0], row[1], row[2]

        async def strangers() -> int:
            return int(
                await database.fetchval(
                    "SELECT count(*) FROM orders LEFT JOIN users ON users.id = user_id"
                    " WHERE users.id IS NULL"
                )
            )

        return SamplePlace(sink=PostgresSampleSink(database), counts=counts, strangers=strangers)


async def test_users_that_come_later_get_ids_of_their_own(database: Database) -> None:
    await database.execute("INSERT INTO users (id, name, email) VALUES (30, 'By hand', 'b@x.org')")
    service = SampleFiller(sink=PostgresSampleSink(database))
    await service.fill(SIZE, append=True, progress=ignored)
    ids = [row["id"] for row in await database.fetch("SELECT id FROM users ORDER BY id")]
    assert ids == list(range(30, 31 + SIZE.users))
    users = records_in(database).users
    added = await users.add(UserDraft(name="Ann Lee", email="ann@example.com"))
    assert added.id == ids[-1] + 1
    taken = await database.fetchval("SELECT email FROM users WHERE id = 31")
    with pytest.raises(EmailTaken):
        await users.add(UserDraft(name="Ann Lee", email=taken.upper()))


async def command(url: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `storekeeper` with `arguments`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "entrypoints.cli.main",
        *arguments,
        env={
            **os.environ,
            "DATABASE_URL": url,
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "SECRET_KEY": "a secret of forty characters, for the tests",
            "COLUMNS": "200",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode or 0, out.decode(), err.decode()


SMALL = ("--users", "20", "--orders", "50", "--clicks", "2000", "--until", "2026-11-20")


async def test_a_made_up_shop_is_loaded_computed_and_shown(
    database: Database, module_database_url: str
) -> None:
    url = module_database_url
    code, out, _ = await command(url, "sample-data", *SMALL)
    assert (code, out) == (0, "Computed the search insights of 90 days.\n")
    assert await database.fetchval("SELECT count(*) FROM search_insights") == 90

    code, out, _ = await command(url, "insights", "show", "--date", "2026-11-20", "--json")
    shown = json.loads(out)
    clicks = await database.fetchval(
        "SELECT sum(clicks) FROM search_clicks WHERE search_date = $1", date(2026, 11, 20)
    )
    assert (code, shown["insight_date"], shown["clicks"]) == (0, "2026-11-20", clicks)

    code, out, _ = await command(url, "insights", "show")
    assert code == 0
    assert out.startswith("2026-11-20: average CTR ")
    assert "Top queries" in out

    period = ("--from", "2026-10-01", "--to", "2026-11-20")
    code, out, _ = await command(url, "insights", "analyse", *period, "--top", "1", "--json")
    analysis = json.loads(out)
    assert (code, len(analysis["days"]), len(analysis["top_queries"])) == (0, 51, 1)
    code, out, _ = await command(url, "insights", "analyse", *period)
    assert code == 0
    assert "gift card" in out


async def test_no_row_of_today_is_later_than_now(
    database: Database, module_database_url: str
) -> None:
    today = ("--users", "40", "--orders", "400", "--clicks", "200")
    assert (await command(module_database_url, "sample-data", *today))[0] == 0
    for last in (
        await database.fetchval("SELECT max(order_date) FROM orders"),
        await database.fetchval("SELECT max(created_at) FROM users"),
    ):
        assert last.replace(tzinfo=UTC) <= datetime.now(UTC)


async def test_a_filled_database_is_refused_and_appended_to_when_asked(
    database: Database, module_database_url: str
) -> None:
    url = module_database_url
    assert (await command(url, "sample-data", *SMALL))[0] == 0
    before = await database.fetchval("SELECT sum(source_rows) FROM search_insights")
    code, out, err = await command(url, "sample-data", *SMALL)
    assert (code, out) == (1, "")
    assert "Rows are there already: users, orders, search_clicks." in err
    assert (await command(url, "sample-data", *SMALL, "--append"))[0] == 0
    after = await database.fetchval("SELECT sum(source_rows) FROM search_insights")
    assert (before, after) == (2000, 4000)


async def test_files_need_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    arguments = ("sample-data", *SMALL, "--out", str(folder))
    code, _, _ = await command("postgresql://nobody@127.0.0.1:1/none", *arguments)
    assert code == 0
    assert len(list(folder.iterdir())) == 3
    code, _, err = await command("postgresql://nobody@127.0.0.1:1/none", *arguments)
    assert code == 1
    assert "users.csv" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("sample-data", "--append", "--out", "x"), 2, "--append is for a database"),
        (("sample-data", "--users", "0", "--out", "{folder}"), 1, "users must be at least 1"),
        (("sample-data", "--until", "2999-01-01"), 1, "until must not be after today, "),
        (("insights", "run", "--date", "tomorrow"), 2, "does not match"),
        (("insights", "show", "--date", "2026-01-01"), 1, "No insight is stored for 2026-01-01"),
        (("insights", "analyse", "--from", "2020-01-01"), 1, "at most 366"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_a_line(
    database: Database,
    module_database_url: str,
    tmp_path: Path,
    arguments: Sequence[str],
    code: int,
    said: str,
) -> None:
    filled = [each.replace("{folder}", str(tmp_path)) for each in arguments]
    found, _, err = await command(module_database_url, *filled)
    assert found == code
    assert said in err


async def test_days_are_computed_at_the_prompt(
    database: Database, module_database_url: str
) -> None:
    url = module_database_url
    code, out, _ = await command(url, "insights", "show")
    assert (code, "No insight is stored yet" in out) == (0, True)
    code, out, _ = await command(url, "insights", "run", "--date", "2026-11-20")
    assert (code, out) == (0, "2026-11-20  stored\n1 of 1 day computed.\n")
    code, out, _ = await command(url, "insights", "show")
    assert (code, "2026-11-20" in out) == (0, True)


async def test_a_database_that_does_not_answer_is_named() -> None:
    code, _, err = await command("postgresql://nobody@127.0.0.1:1/none", "insights", "show")
    assert code == 1
    assert "The database cannot be reached" in err
