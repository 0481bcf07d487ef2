"""The database's own scheduler does with `storekeeper insights sql` what the service does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from click.testing import CliRunner

from adapters.postgres.insights.scheduled_runs import (
    PostgresScheduledRunRepository,
    insight_procedures,
)
from adapters.postgres.insights.search_insights import PostgresSearchInsightRepository
from adapters.postgres.migrations import migrate
from adapters.postgres.pool import Database, PoolOptions, open_database
from domain.insights.model import RankingRules
from domain.insights.refresher import CATCH_UP, NIGHTLY
from domain.insights.run_history import FinishedRun, RunOutcome
from entrypoints.cli.insights import command
from tests.integration.insight_shop import searches_of
from tests.integration.insights import write_rows

NOW = datetime(2000, 1, 1, tzinfo=UTC)


def ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


@pytest.fixture
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    async with open_database(fresh_database_url, PoolOptions()) as opened:
        await opened.execute(insight_procedures())
        yield opened


async def stored_days(database: Database) -> list[date]:
    rows = await database.fetch("SELECT insight_date FROM search_insights ORDER BY insight_date")
    return [each[0] for each in rows]


async def test_a_day_comes_out_as_the_service_computes_it(database: Database) -> None:
    await write_rows(database, searches_of(ago(2), 400))
    store = PostgresSearchInsightRepository(database)
    await database.execute("SELECT compute_search_insight($1)", ago(2))
    by_procedure = await store.get(ago(2))
    assert by_procedure.source_rows == 400
    by_service = await store.compute(ago(2), RankingRules(), now=NOW)
    assert by_service == by_procedure  # what would change nothing leaves the row, and its time
    await database.execute("DELETE FROM search_insights")
    anew = await store.compute(ago(2), RankingRules(), now=NOW)
    assert replace(anew, computed_at=None) == replace(by_procedure, computed_at=None)


async def test_a_run_computes_the_last_days_and_all_that_is_missing(database: Database) -> None:
    await write_rows(database, [*searches_of(ago(0)), *searches_of(ago(2)), *searches_of(ago(40))])
    await database.execute("CALL refresh_search_insights()")
    assert await stored_days(database) == [ago(40), ago(3), ago(2), ago(1)]
    history = (await PostgresScheduledRunRepository(database).histories())[NIGHTLY]
    assert history.counts == {RunOutcome.DONE: 1}


async def test_a_run_after_a_long_time_stores_the_days_without_searches_too(
    database: Database,
) -> None:
    then = datetime.now(UTC) - timedelta(days=9)
    done = FinishedRun(task=NIGHTLY, started_at=then, finished_at=then, outcome=RunOutcome.DONE)
    await PostgresScheduledRunRepository(database).record(done)
    await database.execute("CALL refresh_search_insights()")
    assert await stored_days(database) == [ago(back) for back in range(9, 0, -1)]


async def test_a_run_that_catches_up_computes_what_is_missing_alone(database: Database) -> None:
    await write_rows(database, searches_of(ago(5)))
    await database.execute("CALL refresh_search_insights(0)")
    assert await stored_days(database) == [ago(5)]
    assert set(await PostgresScheduledRunRepository(database).histories()) == {CATCH_UP}


async def test_a_day_that_fails_does_not_stop_the_others_and_the_run_says_so(
    database: Database, fresh_database_url: str
) -> None:
    holder = await asyncpg.connect(fresh_database_url)
    await holder.execute("BEGIN")
    await holder.execute("INSERT INTO search_insights (insight_date) VALUES ($1)", ago(2))
    runner = await asyncpg.connect(fresh_database_url, server_settings={"lock_timeout": "200ms"})
    with pytest.raises(asyncpg.RaiseError, match=f"1 of 3 days failed; {ago(2)}: .*lock timeout"):
        await runner.execute("CALL refresh_search_insights()")
    await holder.close()
    await runner.close()
    assert await stored_days(database) == [ago(3), ago(1)]
    run = (await PostgresScheduledRunRepository(database).histories())[NIGHTLY].newest[
        RunOutcome.PARTLY_FAILED
    ]
    assert str(ago(2)) in (run.error or "")


def test_the_command_prints_them_without_any_setting() -> None:
    told = CliRunner().invoke(command, ["sql"])
    assert (told.exit_code, told.output.rstrip()) == (0, insight_procedures().rstrip())


@pytest.mark.parametrize("schema", ["public", "Shop"])
async def test_they_work_under_any_search_path_and_in_any_schema(
    empty_database_url: str, schema: str
) -> None:
    admin = await asyncpg.connect(empty_database_url)
    await admin.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"; CREATE SCHEMA elsewhere')
    url = f"{empty_database_url}?schema={schema}"
    await migrate(url)
    async with open_database(url, PoolOptions()) as opened:
        await write_rows(opened, [*searches_of(ago(2)), *searches_of(ago(9))])
        told = CliRunner().invoke(command, ["sql", "--schema", schema])
        await admin.execute(told.output)
        await admin.execute("SET search_path = elsewhere")
        await admin.execute(f'CALL "{schema}".refresh_search_insights()')
        assert await stored_days(opened) == [ago(9), ago(3), ago(2), ago(1)]
        await admin.execute(f'SELECT "{schema}".compute_search_insight($1)', ago(12))
        assert (await stored_days(opened))[0] == ago(12)
        assert set(await PostgresScheduledRunRepository(opened).histories()) == {NIGHTLY}
    assert await admin.fetchval("SHOW search_path") == "elsewhere"
    await admin.close()


def test_a_schema_that_would_have_to_be_quoted_twice_is_refused() -> None:
    told = CliRunner().invoke(command, ["sql", "--schema", "it's"])
    assert (told.exit_code, "letters, digits and _" in told.output) == (2, True)


async def test_nobody_else_may_call_them(database: Database) -> None:
    rows = await database.fetch(
        "SELECT has_function_privilege('pg_monitor', oid, 'execute') AS may FROM pg_proc"
        " WHERE proname IN ('compute_search_insight', 'refresh_search_insights')"
    )
    assert [each["may"] for each in rows] == [False, False]
