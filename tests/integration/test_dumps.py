"""Backing up and restoring, as docs/how-to/backup.md says it, by the command itself."""

from __future__ import annotations

import signal
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from adapters.embedded.postgres import client_programs
from adapters.postgres.client_programs import ProgramDirectories
from adapters.postgres.contents import read_contents
from adapters.postgres.dumps import DumpError, dump, restore
from adapters.postgres.migrations import migration_files
from tests.integration.owners_database import execute
from tests.integration.stack import COMMAND, environment, run_command

PROGRAMS = ProgramDirectories(folders=[client_programs()])

Told = subprocess.CompletedProcess[str]
Ask = Callable[..., Told]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs a `storekeeper db` command in a folder of the test's own."""

    def run(url: str, *arguments: str) -> Told:
        return run_command("db", *arguments, cwd=tmp_path, DATABASE_URL=url)

    return run


async def fill(url: str) -> None:
    """A shop with rows in most tables, one table of somebody else's, and a column of theirs."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        """
        INSERT INTO users (name, email) SELECT 'Zoë ' || n, n || '@example.com'
        FROM generate_series(1, 500) AS n;
        INSERT INTO orders (user_id, product_name, quantity)
        SELECT n, E'a\tb\\\\c\nd', n FROM generate_series(1, 500) AS n;
        UPDATE users SET name = 'changed' WHERE id = 7;
        INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
        SELECT 'oat ' || n, 1, 2, '2026-11-01' FROM generate_series(1, 500) AS n;
        ALTER TABLE users ADD COLUMN phone TEXT DEFAULT '110';
        CREATE TABLE "Some one's" (id INT PRIMARY KEY);
        INSERT INTO "Some one's" VALUES (1);
        CREATE FUNCTION somebodys() RETURNS INT LANGUAGE sql AS 'SELECT 1';
        """
    )
    await connection.close()


async def contents(url: str) -> Mapping[str, Any]:
    """Every row and sequence of ours, and the names of all else."""
    connection = await asyncpg.connect(url)
    found: dict[str, Any] = {}
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND relname !~ '^Some' ORDER BY 1"
    )
    for (table,) in tables:
        found[table] = await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")  # noqa: S608
    for kind, sql in {
        "sequences": "SELECT sequencename, last_value FROM pg_sequences"
        " WHERE sequencename <> 'audit_log_id_seq' ORDER BY 1",  # a restore enters itself
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename !~ '^Some' ORDER BY 1",
        "triggers": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "views": "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    }.items():
        found[kind] = await connection.fetch(sql)
    await connection.close()
    return found


async def restored_contents(url: str) -> dict[str, Any]:
    """The same but for the entry of the restore itself, which is there once."""
    found = await contents(url)
    entries = [row for row in found["audit_log"] if "database.restore" not in row[0]]
    assert len(found["audit_log"]) == len(entries) + 1
    return {**found, "audit_log": entries}


async def test_what_is_dumped_destroyed_and_restored_is_the_same_to_the_last_row(
    fresh_database_url: str, empty_database_url: str, ask: Ask, tmp_path: Path
) -> None:
    await fill(fresh_database_url)
    before = await contents(fresh_database_url)
    dumped = ask(fresh_database_url, "dump", "shop.dump")
    assert dumped.returncode == 0, dumped.stderr
    assert stat.S_IMODE((tmp_path / "shop.dump").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["shop.dump"]

    # Into a database without anything, and into its own after a disaster.
    restored = ask(empty_database_url, "restore", "shop.dump")
    assert restored.returncode == 0, restored.stderr
    assert await restored_contents(empty_database_url) == before
    await execute(fresh_database_url, "DELETE FROM orders; UPDATE users SET name = 'x'")
    refused = ask(fresh_database_url, "restore", "shop.dump")
    assert refused.returncode == 1
    assert (
        "holds data (in search_changed_days, search_clicks, users), and nothing" in refused.stderr
    )
    assert "--replace" in refused.stderr
    name = fresh_database_url.rpartition("/")[2]
    assert f"Restoring shop.dump into database {name} on 127.0.0.1:" in refused.stderr
    replaced = ask(fresh_database_url, "restore", "shop.dump", "--replace")
    assert replaced.returncode == 0, replaced.stderr
    assert await restored_contents(fresh_database_url) == before
    # What is somebody else's stays, and is not carried elsewhere.
    await execute(fresh_database_url, 'SELECT somebodys() FROM "Some one\'s"')
    with pytest.raises(asyncpg.UndefinedTableError):
        await execute(empty_database_url, 'SELECT FROM "Some one\'s"')


async def test_a_database_is_restored_whole_or_not_at_all(
    fresh_database_url: str, ask: Ask, tmp_path: Path
) -> None:
    await fill(fresh_database_url)
    assert ask(fresh_database_url, "dump", "shop.dump").returncode == 0
    before = await contents(fresh_database_url)
    whole = (tmp_path / "shop.dump").read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[:-3000])
    (tmp_path / "head.dump").write_bytes(whole[:2000])
    (tmp_path / "notes.txt").write_text("not a dump")
    for file in ("cut.dump", "head.dump", "notes.txt", "nowhere.dump"):
        told = ask(fresh_database_url, "restore", file, "--replace")
        assert told.returncode == (2 if file == "nowhere.dump" else 1), file
        assert "Traceback" not in told.stderr
        assert await contents(fresh_database_url) == before, file
    # Something of somebody else's hangs on a table of ours.
    await execute(fresh_database_url, "CREATE VIEW theirs AS SELECT phone FROM users")
    told = ask(fresh_database_url, "restore", "shop.dump", "--replace")
    assert told.returncode == 1
    assert "view theirs depends on table users" in told.stderr
    assert "Nothing was changed" in told.stderr


async def test_an_older_dump_is_migrated_after_it_was_restored(
    empty_database_url: str, fresh_database_url: str, ask: Ask, tmp_path: Path
) -> None:
    older = [each for each in migration_files() if each.name < "0013"]
    history = (
        "CREATE TABLE schema_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL,"
        " applied_at TIMESTAMPTZ NOT NULL DEFAULT now());"
    )
    await execute(empty_database_url, history + "".join(each.sql for each in older))
    connection = await asyncpg.connect(empty_database_url)
    await connection.executemany(
        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
        [(each.name, each.checksum) for each in older],
    )
    await connection.close()
    await fill(empty_database_url)
    assert ask(empty_database_url, "dump", "old.dump").returncode == 0
    told = ask(fresh_database_url, "restore", "old.dump")
    assert told.returncode == 0, told.stderr
    assert "applied 0013_search_retention\n" in told.stdout
    assert ask(fresh_database_url, "status").returncode == 0

    await execute(fresh_database_url, "INSERT INTO schema_migrations VALUES ('0099_later', 'x')")
    await execute(
        fresh_database_url,
        "UPDATE schema_migrations SET checksum = repeat('0', 64) WHERE name = '0099_later'",
    )
    later = await read_contents(fresh_database_url)
    await dump(later, tmp_path / "later.dump", PROGRAMS)
    empty = await read_contents(empty_database_url)
    with pytest.raises(DumpError, match=r"another version of Storekeeper \(migrations 0099_later"):
        await restore(empty, tmp_path / "later.dump", PROGRAMS, replace=True)


async def test_a_partitioned_log_is_dumped_with_its_partitions(
    fresh_database_url: str, empty_database_url: str, ask: Ask
) -> None:
    await fill(fresh_database_url)
    script = Path("sql/optional/partition_search_clicks.sql").read_text()
    await execute(fresh_database_url, f"BEGIN; {script} COMMIT;")
    before = await contents(fresh_database_url)
    assert ask(fresh_database_url, "dump", "shop.dump").returncode == 0
    for url in (empty_database_url, fresh_database_url):
        told = ask(url, "restore", "shop.dump", "--replace")
        assert told.returncode == 0, told.stderr
        assert await restored_contents(url) == before


async def test_a_file_that_is_there_is_not_touched_and_an_empty_database_is_not_dumped(
    fresh_database_url: str, empty_database_url: str, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "shop.dump").write_text("mine")
    told = ask(fresh_database_url, "dump", "shop.dump")
    assert told.returncode == 1
    assert "shop.dump exists, and was not touched" in told.stderr
    assert (tmp_path / "shop.dump").read_text() == "mine"
    told = ask(empty_database_url, "dump", "other.dump")
    assert told.returncode == 1
    assert "holds no tables of Storekeeper" in told.stderr
    told = ask(f"{fresh_database_url}?pooler=transaction", "dump", "other.dump")
    assert "transaction pooler" in told.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["shop.dump"]


async def test_programs_that_do_not_fit_the_server_are_named_with_a_remedy(
    fresh_database_url: str, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        (old / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n")
        (old / name).chmod(0o755)
    place = await read_contents(fresh_database_url)
    with pytest.raises(DumpError, match=r"old has version 14\. Install them"):
        await dump(place, tmp_path / "a.dump", ProgramDirectories(folders=[old]))
    elsewhere = f"{fresh_database_url}?sslmode=require"
    without = ProgramDirectories(folders=[client_programs()], without_tls=[client_programs()])
    with pytest.raises(DumpError, match="without TLS, for servers of this machine"):
        await dump(
            type(place)(**{**{n: getattr(place, n) for n in place.__slots__}, "url": elsewhere}),
            tmp_path / "a.dump",
            without,
        )


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_dump_leaves_no_file(
    fresh_database_url: str, tmp_path: Path, signum: signal.Signals, status: int
) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    async with connection.transaction():
        table = await connection.fetchval("SELECT 'extraction_workers'::regclass::oid")
        await connection.execute("LOCK TABLE extraction_workers IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [*COMMAND, "db", "dump", "shop.dump"],
            cwd=tmp_path,
            env=environment(DATABASE_URL=fresh_database_url),
            stderr=subprocess.PIPE,
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1"
        while not await connection.fetchval(waiting, table):
            assert process.poll() is None
        lines = subprocess.run(
            ["ps", "-A", "-ww", "-o", "args="], check=True, capture_output=True, text=True
        ).stdout
        assert "pg_dump --format=custom" in lines
        process.send_signal(signum)
        _, said = process.communicate(timeout=60)
    await connection.close()
    assert (process.returncode, said) == (
        status,
        b"storekeeper db dump: interrupted. No file was made.\n",
    )
    assert not list(tmp_path.iterdir())
    password = fresh_database_url.split("://")[1].split("@", maxsplit=1)[0].partition(":")[2]
    assert password not in lines or not password
