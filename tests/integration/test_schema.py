"""Migrations, `sql/schema.sql` and what is read of it say the same."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import Table

from adapters.postgres import inspection
from adapters.postgres.migrations import (
    Migration,
    MigrationError,
    migrate,
    migration_files,
    status,
)
from adapters.postgres.queries import SQL_DIR
from adapters.postgres.records.statements import orders, users
from adapters.postgres.schema import HISTORY, tables
from tests.contracts.idempotency import IdempotencyContract
from tests.contracts.orders import OrdersContract
from tests.contracts.records import Records
from tests.contracts.unit_of_work import UnitOfWorkContract
from tests.contracts.users import UsersContract
from tests.integration.catalog import catalog_of
from tests.integration.owners_database import OWNERS_TABLES, ask, execute
from tests.integration.records import emptied, records_in
from tests.integration.servers import debian_postgres
from tests.reference_database import described_tables

NAMES = [migration.name for migration in migration_files()]

OWNERS_ROWS = """
INSERT INTO users (name, email) VALUES ('Ann', 'Ann@example.com'), ('Bo', 'bo@example.com');
INSERT INTO orders (user_id, product_name, quantity, order_date)
VALUES (1, 'oak chair', 2, '2026-01-01 12:00'), (NULL, 'stool', NULL, NULL);
INSERT INTO search_clicks (search_query, clicks, impressions) VALUES ('Wool  Blanket', 1, 2);
INSERT INTO search_insights (insight_date) VALUES ('2026-01-01'), (NULL), (NULL);
"""


async def test_migrations_from_empty_make_what_schema_sql_says(
    empty_database_url: str, database_url: str
) -> None:
    await execute(empty_database_url, (SQL_DIR / "schema.sql").read_text())
    said, made = await catalog_of(empty_database_url), await catalog_of(database_url)
    for kind in made:
        assert said[kind] == made[kind], kind
    assert len(made["columns"]) > 50
    assert {row[0] for row in made["triggers"]} == {
        *("users", "orders", "search_clicks", "extraction_jobs")
    }


async def test_what_is_read_of_schema_sql_is_what_the_database_has(database_url: str) -> None:
    made = await catalog_of(database_url)
    said = {
        (name, each.name): (each.type, each.not_null, bool(each.default), each.is_numbered)
        for name, table in tables().items()
        for each in table.columns.values()
    }
    for table, name, spelt, not_null, default, identity, computed in made["columns"]:
        if table != HISTORY:
            is_numbered = bool(identity) or "nextval(" in str(default)
            has_default = default is not None and not computed and not is_numbered
            assert said.pop((str(table), str(name))) == (spelt, not_null, has_default, is_numbered)
    assert not said
    assert {(table.name, key) for table in tables().values() for key in table.keys} == {
        (table, key)
        for table, key, kind, *_ in made["constraints"]
        if table != HISTORY and kind in {"p", "f"}
    }


async def test_the_page_of_the_tables_names_every_constraint_and_index(database_url: str) -> None:
    made = await catalog_of(database_url)
    constraints = {(row[0], row[1]) for row in made["constraints"] if row[0] != HISTORY}
    indexes = {(row[0], row[1]) for row in made["indexes"] if row[0] != HISTORY}
    described = described_tables()
    assert {(name, key) for name, each in described.items() for key in each.constraints} == (
        constraints
    )
    assert {(name, index) for name, each in described.items() for index in each.indexes} == (
        indexes - constraints
    )


@pytest.mark.parametrize("table", [users, orders], ids=str)
def test_the_tables_that_core_builds_statements_of_are_those(table: Table) -> None:
    spelt = {
        "INTEGER": "integer",
        "VARCHAR": "character varying",
        "DATETIME": "timestamp without time zone",
    }

    def spelt_by_postgres(type_: str) -> str:
        word, bracket, length = type_.partition("(")
        return spelt[word] + bracket + length

    assert {each.name: spelt_by_postgres(str(each.type)) for each in table.columns} == {
        each.name: each.type for each in tables()[table.name].columns.values()
    }


@pytest.mark.parametrize(
    ("found", "does"),
    [
        ("character varying(32)", True),
        ("character varying(255)", True),
        ("character varying", True),
        ("text", True),
        ("character varying(31)", False),
        ("character varying(32)[]", False),
        ("integer", False),
    ],
)
def test_a_column_does_for_another_if_it_holds_as_many_characters(found: str, does: bool) -> None:
    assert inspection._holds("character varying(32)", found) is does


async def test_tables_of_the_owner_are_taken_over_with_their_rows(
    empty_database_url: str, database_url: str
) -> None:
    await execute(empty_database_url, OWNERS_TABLES, OWNERS_ROWS)
    assert await migrate(empty_database_url) == NAMES
    assert await catalog_of(empty_database_url) == await catalog_of(database_url)
    expected = {
        "SELECT array_agg((id, name, email, version)::text ORDER BY id) FROM users": [
            "(1,Ann,Ann@example.com,1)",
            "(2,Bo,bo@example.com,1)",
        ],
        "SELECT array_agg((user_id, quantity, order_date)::text ORDER BY id) FROM orders": [
            '(1,2,"2026-01-01 12:00:00")',
            "(,,)",
        ],
        "SELECT query_norm FROM search_clicks": "wool blanket",
        "SELECT count(*) FROM search_insights": 3,
    }
    for query, answer in expected.items():
        assert await ask(empty_database_url, query) == answer


async def test_rows_that_cannot_be_taken_over_are_named_and_nothing_of_the_file_stays(
    empty_database_url: str,
) -> None:
    await execute(
        empty_database_url,
        OWNERS_TABLES,
        "INSERT INTO users (name, email) VALUES ('Ann', 'Ann@x.org'), ('Ann', 'ANN@x.org')",
    )
    with pytest.raises(MigrationError, match=r"(?s)0002_records.*undone.*ann@x\.org"):
        await migrate(empty_database_url)
    assert [each.name for each in await status(empty_database_url) if each.applied_at] == NAMES[:1]
    version = "SELECT count(*) FROM pg_attribute WHERE attname = 'version' AND attnum > 0"
    assert await ask(empty_database_url, f"{version} AND attrelid = 'users'::regclass") == 0
    await execute(empty_database_url, "DELETE FROM users WHERE email = 'ANN@x.org'")
    assert await migrate(empty_database_url) == NAMES[1:]


async def test_a_server_that_refuses_the_connection_is_quoted(empty_database_url: str) -> None:
    nobody = urlsplit(empty_database_url)
    url = nobody._replace(netloc=f"nobody:wrong@{nobody.hostname}:{nobody.port}").geturl()
    with pytest.raises(MigrationError, match=r"refuses: .*nobody.*\. Look at DATABASE_URL\."):
        await status(url)


async def test_a_second_run_finds_nothing_to_do(empty_database_url: str) -> None:
    assert [each.applied_at for each in await status(empty_database_url)] == [None] * len(NAMES)
    assert await migrate(empty_database_url) == NAMES
    applied = await status(empty_database_url)
    assert [each.name for each in applied] == NAMES
    assert all(each.applied_at for each in applied)
    assert await migrate(empty_database_url) == []
    assert await status(empty_database_url) == applied


async def test_concurrent_runs_apply_each_file_once(empty_database_url: str) -> None:
    runs = await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    assert sorted(name for run in runs for name in run) == NAMES
    assert await ask(empty_database_url, "SELECT count(*) FROM schema_migrations") == len(NAMES)


async def test_a_changed_file_is_refused(fresh_database_url: str) -> None:
    await execute(
        fresh_database_url,
        f"UPDATE schema_migrations SET checksum = 'x' WHERE name = '{NAMES[1]}'",  # noqa: S608
    )
    for run in (migrate, status):
        with pytest.raises(MigrationError, match=f"{NAMES[1]} was changed after it was applied"):
            await run(fresh_database_url)


async def test_a_newer_database_is_refused_and_left_alone(fresh_database_url: str) -> None:
    await execute(
        fresh_database_url,
        "INSERT INTO schema_migrations (name, checksum) VALUES ('9999_future', 'x')",
        f"DELETE FROM schema_migrations WHERE name = '{NAMES[-1]}'",  # noqa: S608
    )
    for run in (migrate, status):
        with pytest.raises(MigrationError, match="9999_future"):
            await run(fresh_database_url)
    rows = await ask(fresh_database_url, "SELECT count(*) FROM schema_migrations")
    assert rows == len(NAMES)


@pytest.mark.parametrize("migration", migration_files(), ids=lambda each: each.name)
def test_each_file_limits_its_waits_first(migration: Migration) -> None:
    lines = [line for line in migration.sql.splitlines() if line and not line.startswith("--")]
    assert re.fullmatch(r"SET LOCAL lock_timeout = '\d+s';", lines[0])
    assert re.fullmatch(r"SET LOCAL statement_timeout = '\d+(s|min)';", lines[1])
    assert not re.search(r"(?im)^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", migration.sql)


def test_files_are_numbered_without_a_gap() -> None:
    assert [name[:5] for name in NAMES] == [f"{n:04}_" for n in range(1, len(NAMES) + 1)]


@pytest.fixture(scope="module")
async def oldest_server(server_directory: Path) -> AsyncIterator[str]:
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    async with debian_postgres(15, directory) as url:
        yield url


@pytest.fixture(scope="module")
async def oldest_url(oldest_server: str) -> str:
    await execute(oldest_server, "CREATE DATABASE shop")
    url = urlunsplit(urlsplit(oldest_server)._replace(path="/shop"))
    await migrate(url)
    return url


class OnPostgres15:
    @pytest.fixture
    async def records(self, oldest_url: str) -> AsyncIterator[Records]:
        async with emptied(oldest_url) as database:
            yield records_in(database)


class TestUsersOnPostgres15(OnPostgres15, UsersContract):
    pass


class TestOrdersOnPostgres15(OnPostgres15, OrdersContract):
    pass


class TestIdempotencyOnPostgres15(OnPostgres15, IdempotencyContract):
    pass


class TestUnitOfWorkOnPostgres15(OnPostgres15, UnitOfWorkContract):
    pass


async def test_postgres_15_holds_the_same_schema(oldest_url: str, database_url: str) -> None:
    assert str(await ask(oldest_url, "SHOW server_version")).startswith("15.")
    oldest, newest = await catalog_of(oldest_url), await catalog_of(database_url)
    for kind in newest:
        assert oldest[kind] == newest[kind], kind


async def test_postgres_15_takes_over_the_owners_tables(oldest_server: str) -> None:
    await execute(oldest_server, "CREATE DATABASE owned")
    url = urlunsplit(urlsplit(oldest_server)._replace(path="/owned"))
    await execute(url, OWNERS_TABLES, OWNERS_ROWS)
    assert await migrate(url) == NAMES


async def test_one_who_may_write_searches_and_nothing_else_marks_their_days(
    oldest_url: str,
) -> None:
    await execute(
        oldest_url,
        "CREATE ROLE searcher",
        "GRANT INSERT ON search_clicks TO searcher",
        "CREATE POLICY other_programs ON search_clicks TO searcher USING (TRUE)",
        "GRANT USAGE ON SEQUENCE search_clicks_search_id_seq TO searcher",
        """
        SET ROLE searcher;
        INSERT INTO search_clicks (search_query, search_date) VALUES ('lamp', '2026-11-20');
        """,
    )
    marks = "SELECT count(*) FROM search_changed_days WHERE search_date = '2026-11-20'"
    assert await ask(oldest_url, marks) == 1
