"""`storekeeper insights run` and `catch-up`, as cron or systemd would call them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from adapters.embedded.installation import free_port
from adapters.postgres.pool import Database, PoolOptions, open_database
from domain.insights.refresher import CATCH_UP, NIGHTLY
from domain.insights.run_history import RunOutcome
from entrypoints.cli.insights import command
from tests.contracts.insights import row
from tests.integration.insights import write_rows
from tests.integration.service_role import service_url


def ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


@pytest.fixture
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    async with open_database(service_url(fresh_database_url), PoolOptions()) as opened:
        yield opened


class Prompt:
    """Types commands, as a process with these settings."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def types(self, line: str, **settings: str) -> Result:
        variables = {
            "DATABASE_URL": self.url,
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",  # the queue is not needed
            "SECRET_KEY": "a secret of forty characters, for the tests",
            **settings,
        }
        return await asyncio.to_thread(CliRunner().invoke, command, line.split(), env=variables)


@pytest.fixture
def prompt(fresh_database_url: str) -> Prompt:
    return Prompt(fresh_database_url)


async def runs_of(database: Database) -> dict[tuple[str, str], int]:
    rows = await database.fetch("SELECT task, outcome, runs FROM scheduled_runs")
    return {(each["task"], each["outcome"]): each["runs"] for each in rows}


async def test_a_run_without_days_is_the_nightly_one_and_tells_each_day(
    database: Database, prompt: Prompt
) -> None:
    await write_rows(database, [row("lamp", 1, 2, ago(9))])
    told = await prompt.types("run")
    days = (ago(9), ago(3), ago(2), ago(1))
    lines = [f"{day}  stored" for day in days]
    assert told.output.splitlines() == [*lines, "4 of 4 days computed."]
    assert told.exit_code == 0
    assert await runs_of(database) == {(NIGHTLY, RunOutcome.DONE): 1}


async def test_catching_up_does_what_is_left_undone_and_then_nothing(
    database: Database, prompt: Prompt
) -> None:
    await write_rows(database, [row("lamp", 1, 2, ago(9))])
    assert "4 of 4 days computed." in (await prompt.types("catch-up")).output
    told = await prompt.types("catch-up")
    assert (told.output, told.exit_code) == ("Nothing was left to do.\n", 0)
    assert await runs_of(database) == {
        (NIGHTLY, RunOutcome.DONE): 1,
        (CATCH_UP, RunOutcome.DONE): 1,
    }


async def test_days_of_ones_own_choice_are_computed(database: Database, prompt: Prompt) -> None:
    one = await prompt.types(f"run --date {ago(5)}")
    assert one.output == f"{ago(5)}  stored\n1 of 1 day computed.\n"
    several = await prompt.types(f"run --from {ago(6)} --to {ago(5)} --json")
    found = json.loads(several.output)
    assert [(each["day"], each["outcome"]) for each in found["days"]] == [
        (str(ago(6)), "stored"),
        (str(ago(5)), "unchanged"),
    ]
    assert (found["outcome"], found["error"], several.exit_code) == ("done", None, 0)
    assert await runs_of(database) == {}


async def test_a_day_that_fails_is_told_does_not_stop_the_others_and_ends_with_3(
    database: Database, prompt: Prompt, fresh_database_url: str
) -> None:
    holder = await asyncpg.connect(fresh_database_url)
    await holder.execute("BEGIN")
    await holder.execute("INSERT INTO search_insights (insight_date) VALUES ($1)", ago(2))
    told = await prompt.types("catch-up", DATABASE_STATEMENT_TIMEOUT_S="0.5")
    await holder.close()
    assert told.exit_code == 3
    reason = "The database did not finish in time."
    assert told.stdout.splitlines() == [
        f"{ago(3)}  stored",
        f"{ago(2)}  failed: {reason}",
        f"{ago(1)}  stored",
        "2 of 3 days computed.",
    ]
    assert await runs_of(database) == {(NIGHTLY, RunOutcome.PARTLY_FAILED): 1}
    assert await database.fetchval("SELECT error FROM scheduled_runs") == f"{ago(2)}: {reason}"


async def test_if_no_day_can_be_computed_it_ends_with_1(
    database: Database, prompt: Prompt, fresh_database_url: str
) -> None:
    holder = await asyncpg.connect(fresh_database_url)
    await holder.execute("BEGIN")
    await holder.execute("INSERT INTO search_insights (insight_date) VALUES ($1)", ago(2))
    told = await prompt.types(f"run --date {ago(2)}", DATABASE_STATEMENT_TIMEOUT_S="0.5")
    await holder.close()
    assert told.exit_code == 1


@pytest.mark.parametrize("line", ["run", "catch-up", "run --date 2026-10-01"])
async def test_without_a_database_it_ends_with_75_which_says_try_again(line: str) -> None:
    told = await Prompt(f"postgresql://127.0.0.1:{free_port()}/shop").types(line)
    assert told.exit_code == 75
    assert "The database cannot be reached. Try again." in told.stderr


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("run --date 9999-01-01", 1, "insight_date must be from"),
        ("run --from 2026-10-02 --to 2026-10-01", 1, "from must not be after `to`"),
        ("run --from 2026-10-01", 2, "give --date alone, or --from and --to"),
        ("run --date 2026-10-01 --to 2026-10-01", 2, "give --date alone"),
    ],
)
async def test_days_that_make_no_sense_are_refused(
    prompt: Prompt, line: str, code: int, words: str
) -> None:
    told = await prompt.types(line)
    assert told.exit_code == code
    assert words in told.stderr
    assert "Traceback" not in told.output


async def test_the_document_of_a_run_that_failed_names_the_reason() -> None:
    told = await Prompt(f"postgresql://127.0.0.1:{free_port()}/shop").types("catch-up --json")
    found: dict[str, Any] = json.loads(told.stdout)
    assert (found["outcome"], found["days"]) == ("failed", [])
    assert found["error"] == "The database cannot be reached."


async def test_a_day_that_another_program_is_writing_is_told_and_does_not_stop_the_others(
    database: Database, prompt: Prompt, fresh_database_url: str
) -> None:
    holder = await asyncpg.connect(fresh_database_url)
    await holder.execute("BEGIN")
    await holder.execute("INSERT INTO search_insights (insight_date) VALUES ($1)", ago(2))
    told = await prompt.types("catch-up")
    await holder.close()
    assert told.exit_code == 3
    reason = "Too many changes to the same rows."
    assert f"{ago(2)}  failed: {reason}" in told.stdout.splitlines()
