"""Imports and exports of searches on PostgreSQL, in every format."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.files.click_columns import ClickColumnNames
from adapters.files.click_files import ClickFile
from adapters.postgres.insights.search_clicks import (
    PostgresClickImportRepository,
    PostgresSearchClickExport,
)
from adapters.postgres.migrations import migrate
from adapters.postgres.pool import Database, PoolOptions, open_database
from adapters.reports.clicks import CsvClickEncoder, NdjsonClickEncoder, ParquetClickEncoder
from domain.insights.click_rows import (
    AcceptedRow,
    ClickImportState,
    LoggedRow,
    ReadPosition,
    check_rows,
)
from ports.click_files import ClickEncoder
from tests.contracts.click_formats import ROWS, record
from tests.contracts.click_imports import (
    CONTENT,
    ClickImportRepositoryContract,
    ImportStore,
    moved,
)
from tests.contracts.click_imports import (
    ROWS as SOME,
)
from tests.integration.insights import emptied, write_log
from tests.integration.servers import transaction_pooler

FORMATS: Mapping[str, ClickEncoder] = {
    "csv": CsvClickEncoder(),
    "ndjson": NdjsonClickEncoder(),
    "parquet": ParquetClickEncoder(),
}


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


async def in_log(
    database: Database, first: date | None = None, last: date | None = None
) -> list[LoggedRow]:
    async with aclosing(PostgresSearchClickExport(database).rows(first, last)) as blocks:
        return [row async for block in blocks for row in block]


def store_in(database: Database) -> ImportStore:
    async def rows() -> list[AcceptedRow]:
        return list(await in_log(database))  # type: ignore[arg-type]

    return ImportStore(imports=PostgresClickImportRepository(database), rows=rows)


class TestPostgresClickImports(ClickImportRepositoryContract):
    @pytest.fixture
    def store(self, database: Database) -> ImportStore:
        return store_in(database)


async def begun(database: Database) -> ClickImportState:
    return await PostgresClickImportRepository(database).begin(CONTENT, name="a.csv", options="csv")


async def test_rows_go_in_behind_a_transaction_pooler(
    empty_database_url: str, server_directory: Path
) -> None:
    directory = server_directory / secrets.token_hex(4)
    async with transaction_pooler(empty_database_url, directory) as url:
        await migrate(url)
        async with open_database(url, PoolOptions()) as database:
            start = await begun(database)
            await PostgresClickImportRepository(database).append(start, moved(start, 3), SOME)
            assert await in_log(database) == SOME


async def test_the_log_is_read_in_order_within_the_days_that_are_asked_for(
    database: Database,
) -> None:
    days = [date(2026, 11, n) for n in (3, 1, 2, 5)]
    rows: list[LoggedRow] = [record(f"q{day}", 1, 2, day) for day in days]
    odd: list[LoggedRow] = [(None, None, None, 7.5, None), ("", -1, -2, None, days[2])]
    await write_log(
        database,
        ("search_query", "clicks", "impressions", "click_through_rate", "search_date"),
        rows + odd,
    )
    assert await in_log(database) == rows + odd
    assert await in_log(database, days[2], days[0]) == [rows[0], rows[2], odd[1]]
    assert await in_log(database, first=days[3]) == [rows[3]]
    assert await in_log(database, last=days[1]) == [rows[1]]


async def test_more_rows_than_one_fetch_are_read(database: Database) -> None:
    start = await begun(database)
    rows = [record(f"q{n}", 1, 2) for n in range(20_000)]
    await PostgresClickImportRepository(database).append(start, moved(start, len(rows)), rows)
    assert await in_log(database) == rows


@pytest.mark.parametrize("name", FORMATS)
@given(rows=st.lists(ROWS, min_size=1, max_size=30))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_what_is_exported_is_imported_as_it_was(
    database: Database, tmp_path: Path, name: str, rows: list[AcceptedRow]
) -> None:
    for table in ("search_clicks", "click_imports"):
        await database.execute(f"DELETE FROM {table}")  # noqa: S608
    start = await begun(database)
    await PostgresClickImportRepository(database).append(start, moved(start, len(rows)), rows)
    path = tmp_path / "clicks"
    async with aclosing(PostgresSearchClickExport(database).rows()) as blocks:
        path.write_bytes(b"".join([piece async for piece in FORMATS[name].encode(blocks)]))
    file = ClickFile(path, name="clicks", form=name, columns=ClickColumnNames(named={}, dated=True))
    found = [check_rows(block, None) for block in file.blocks(ReadPosition())]
    assert [row for taken, _ in found for row in taken] == rows
    assert [each for _, rejected in found for each in rejected] == []
    assert file.unread == []
