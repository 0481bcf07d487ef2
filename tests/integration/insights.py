"""Searches and insights in a PostgreSQL database that starts empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.postgres.inserts import insert_rows
from adapters.postgres.insights.search_clicks import (
    PostgresSearchClickPruner,
    PostgresSearchClickWriter,
)
from adapters.postgres.insights.search_insights import (
    PostgresSearchAnalyser,
    PostgresSearchInsightRepository,
)
from adapters.postgres.pool import Database, PoolOptions, open_database
from domain.insights.model import SearchClickRow, StoredInsight
from tests.contracts.insights import Searches
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url

_EMPTY = """
TRUNCATE
    users, orders, search_clicks, search_insights, search_query_days, search_days,
    search_changed_days, search_pruned_days, click_imports
RESTART IDENTITY
"""
_CLICK_COLUMNS = ("search_query", "clicks", "impressions", "search_date", "click_through_rate")
_INSIGHT = """
INSERT INTO search_insights (insight_date, average_ctr, definition_version) VALUES ($1, $2, $3)
"""


@asynccontextmanager
async def emptied(url: str, *, as_owner: bool = False) -> AsyncIterator[Database]:
    """The database behind `url`, migrated already, without a row: as the service sees it.

    Another program on the tables may be their owner, and COPY or TRUNCATE.
    """
    await execute(url, _EMPTY)
    role = url if as_owner else service_url(url)
    async with open_database(role, PoolOptions()) as database:
        yield database


async def write_rows(database: Database, rows: Sequence[SearchClickRow]) -> None:
    """Rows as another program would write them."""
    values = [tuple(getattr(row, name) for name in _CLICK_COLUMNS) for row in rows]
    await write_log(database, _CLICK_COLUMNS, values)


async def write_log(
    database: Database, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """The same, of these columns of the log alone."""
    async with database.transaction() as connection:
        await insert_rows(connection, "search_clicks", columns, rows)


def searches_in(database: Database) -> Searches:
    """What the contract suites want."""

    async def write(rows: Sequence[SearchClickRow]) -> None:
        await write_rows(database, rows)

    async def write_insight(insight: StoredInsight) -> None:
        await database.execute(
            _INSIGHT,
            insight.insight_date,
            insight.average_ctr,
            insight.definition_version,
        )

    insights = PostgresSearchInsightRepository(database)
    return Searches(
        log=PostgresSearchClickWriter(database),
        analysis=PostgresSearchAnalyser(database),
        insights=insights,
        retention=PostgresSearchClickPruner(database, insights),
        write_rows=write,
        write_insight=write_insight,
    )
