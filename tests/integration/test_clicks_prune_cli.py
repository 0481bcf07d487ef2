"""`storekeeper clicks prune`, as cron would call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from adapters.postgres.pool import Database
from domain.insights.model import Period
from entrypoints.cli.clicks import command
from tests.contracts.insights import ALL, row
from tests.integration.insights import emptied, searches_in


def days_ago(count: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=count)


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        await searches_in(opened).log.append(
            [row(f"lamp {n}", 1, 2, days_ago(age)) for age in (40, 39, 5) for n in range(age)]
        )
        yield opened


async def types(url: str, line: str) -> Result:
    variables = {"DATABASE_URL": url}
    return await asyncio.to_thread(CliRunner().invoke, command, line.split(), env=variables)


async def test_the_rows_of_old_days_go_and_the_figures_stay(
    database: Database, module_database_url: str
) -> None:
    analysis = searches_in(database).analysis
    period = Period(first=days_ago(50), last=days_ago(0))
    found = await analysis.analyse(period, ALL)
    tried = await types(module_database_url, "prune --keep-days 30 --dry-run")
    assert tried.exit_code == 0, tried.output
    assert tried.output.splitlines() == [
        f"{days_ago(40)}",
        f"{days_ago(39)}",
        f"2 days have rows from before {days_ago(29)}.",
    ]
    pruned = await types(module_database_url, f"prune --before {days_ago(39)}")
    assert pruned.output.splitlines() == [
        f"{days_ago(40)}: 40 rows",
        f"Deleted 40 rows from before {days_ago(39)}; their figures stay.",
    ]
    again = await types(module_database_url, "prune --keep-days 30")
    assert again.output.splitlines()[-1].startswith("Deleted 39 rows")
    assert await database.fetchval("SELECT count(*) FROM search_clicks") == 5
    assert await analysis.analyse(period, ALL) == found


@pytest.mark.parametrize("line", ["prune", "prune --before 2026-01-01 --keep-days 3"])
async def test_one_of_the_two_ways_to_say_which_is_given(
    line: str, module_database_url: str
) -> None:
    refused = await types(module_database_url, line)
    assert refused.exit_code == 2
    assert "give --before or --keep-days" in refused.output


async def test_days_to_come_are_not_pruned(database: Database, module_database_url: str) -> None:
    refused = await types(module_database_url, "prune --before 9999-01-01")
    assert refused.exit_code == 1
    assert f"before must not be after today, {days_ago(0)} (UTC)" in refused.output
