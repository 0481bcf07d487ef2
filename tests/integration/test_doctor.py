from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.arq.queue import HEALTH_KEY, QueueDiagnosticCheck, worker_reports
from adapters.embedded.installation import free_port
from adapters.postgres.health import PostgresDiagnosticCheck, size_limit
from adapters.postgres.pool import PoolOptions
from ports.health import CheckResult
from tests.integration.stack import run_command


def bad(results: Sequence[CheckResult]) -> dict[str, str]:
    return {result.subject: result.detail for result in results if not result.good}


async def test_a_migrated_database_is_well(database_url: str) -> None:
    results = await PostgresDiagnosticCheck(database_url, PoolOptions()).results()
    assert bad(results) == {}
    assert {"database", "database time zone", "migrations"} <= {each.subject for each in results}


async def test_pending_migrations_come_with_the_command(empty_database_url: str) -> None:
    results = await PostgresDiagnosticCheck(empty_database_url, PoolOptions()).results()
    assert list(bad(results)) == ["migrations"]
    assert "0001_shop" in bad(results)["migrations"]
    assert "storekeeper db migrate" in bad(results)["migrations"]


async def test_a_migration_that_this_version_does_not_know_is_named(
    fresh_database_url: str,
) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute("INSERT INTO schema_migrations VALUES ('9999_later', 'x')")
    await connection.close()
    results = await PostgresDiagnosticCheck(fresh_database_url, PoolOptions()).results()
    assert "9999_later" in bad(results)["migrations"]


async def test_a_read_only_database_is_noticed(fresh_database_url: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await connection.close()
    results = await PostgresDiagnosticCheck(fresh_database_url, PoolOptions()).results()
    assert list(bad(results)) == ["database writes"]


async def test_a_database_that_is_nearly_full_or_full_is_told_with_what_fills_it(
    fresh_database_url: str,
) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(
        """
        INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
        SELECT 'lamp ' || n, 1, 2, date '2026-11-01' FROM generate_series(1, 20000) n;
        ANALYZE search_clicks
        """
    )
    size = await connection.fetchval("SELECT pg_database_size(current_database())") / 1024**2
    await connection.close()

    async def space(limit: int | None) -> CheckResult:
        check = PostgresDiagnosticCheck(fresh_database_url, PoolOptions(), size_limit_mb=limit)
        return next(each for each in await check.results() if each.subject == "database space")

    for limit, good, warns in (
        (None, True, False),
        (int(size * 2), True, False),
        (int(size * 1.1), True, True),
        (int(size * 0.9), False, False),
    ):
        found = await space(limit)
        assert (found.good, found.warns) == (good, warns), found
        assert "search_clicks" in found.detail
        assert "in about 20,000 rows" in found.detail
        assert ("storekeeper clicks prune" in found.detail) is (warns or not good)
        assert (limit is None) is ("DATABASE_SIZE_LIMIT_MB" not in found.detail)


async def test_rows_that_nobody_counted_yet_are_not_given_as_none(fresh_database_url: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(
        """
        INSERT INTO search_clicks (search_query, clicks, impressions, search_date)
        SELECT 'lamp ' || n, 1, 2, date '2026-11-01' FROM generate_series(1, 20000) n;
        ALTER TABLE search_clicks SET (autovacuum_enabled = off)
        """
    )
    await connection.close()
    results = await PostgresDiagnosticCheck(fresh_database_url, PoolOptions()).results()
    space = next(each.detail for each in results if each.subject == "database space")
    assert "search_clicks" in space
    assert "about 0 rows" not in space


@pytest.mark.parametrize(
    ("url", "setting", "limit"),
    [
        ("postgresql://db.abc.supabase.co:5432/postgres", None, 500),
        ("postgresql://aws-0-eu-west-1.pooler.supabase.com:6543/postgres", None, 500),
        ("postgresql://db.abc.supabase.co:5432/postgres", 8000, 8000),
        ("postgresql://shop.example/postgres", None, None),
        ("postgresql://supabase.co.shop.example/postgres", None, None),
        ("postgresql://shop.example/postgres", 20, 20),
    ],
)
def test_the_size_limit_is_that_of_the_setting_or_of_supabase_s_free_plan(
    url: str, setting: int | None, limit: int | None
) -> None:
    found = size_limit(url, setting)
    assert (found and found.mb) == limit


async def test_more_connections_than_the_server_grants_are_noticed(database_url: str) -> None:
    results = await PostgresDiagnosticCheck(
        database_url, PoolOptions(size=200), processes=65
    ).results()
    found = bad(results)["database connections"]
    assert found.startswith("13000 wanted (DATABASE_POOL_SIZE 200 in 65 processes), ")
    assert "lower DATABASE_POOL_SIZE or WORKERS" in found


async def test_what_a_pooler_grants_is_not_known(database_url: str) -> None:
    check = PostgresDiagnosticCheck(database_url, PoolOptions(size=200, transaction_pooler=True))
    assert "database connections" not in {each.subject for each in await check.results()}


async def test_a_database_that_is_not_there_is_one_finding_without_the_password() -> None:
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/shop"
    results = await PostgresDiagnosticCheck(url, PoolOptions()).results()
    assert len(results) == 1
    assert "DATABASE_URL" in bad(results)["database"]
    assert "hunter2" not in bad(results)["database"]


async def test_a_queue_without_worker_says_which_command_runs_one(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.flushdb()  # workers of other tests may have reported
        results = await QueueDiagnosticCheck(client).results()
        assert list(bad(results)) == ["worker"]
        await client.set(f"{HEALTH_KEY}:one", "alive", ex=60)
        assert bad(await QueueDiagnosticCheck(client).results()) == {}
        await client.flushdb()


async def test_each_worker_reports_for_itself(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.set(f"{HEALTH_KEY}:one", "alive")
        await client.set(f"{HEALTH_KEY}:two", "alive")
        await client.delete(f"{HEALTH_KEY}:one")  # as a worker does when it stops
        results = await QueueDiagnosticCheck(client).results()
        await client.delete(f"{HEALTH_KEY}:two")
    assert "worker" not in bad(results)


async def test_a_worker_has_started_when_one_reports_that_had_not_before(redis_url: str) -> None:
    has_started = worker_reports(redis_url)
    async with Redis.from_url(redis_url) as client:
        await client.set(f"{HEALTH_KEY}:of another machine", "alive")
        assert not await has_started()
        assert not await has_started()
        await client.set(f"{HEALTH_KEY}:ours", "alive")
        assert await has_started()
        assert not await has_started()  # it died, and is started again
        await client.set(f"{HEALTH_KEY}:ours again", "alive")
        assert await has_started()
        await client.flushdb()


async def test_no_worker_has_started_while_the_queue_is_away() -> None:
    has_started = worker_reports(f"redis://127.0.0.1:{free_port()}")
    assert not await has_started()


async def test_a_queue_that_may_throw_jobs_away_is_noticed(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            results = await QueueDiagnosticCheck(client).results()
        finally:
            await client.config_set("maxmemory-policy", "noeviction")
    assert "noeviction" in bad(results)["queue memory"]


async def test_a_queue_that_is_not_there_is_one_finding() -> None:
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}/0") as client:
        results = await QueueDiagnosticCheck(client).results()
    assert "REDIS_URL" in bad(results)["queue"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Settings that name servers which are not there."""
    return {
        "DATABASE_URL": f"postgresql://127.0.0.1:{free_port()}/shop",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "SECRET_KEY": secrets.token_hex(32),
        "LOCAL_LLM_BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
    }


def test_the_doctor_lists_every_failure_and_exits_1(
    tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    told = run_command("doctor", cwd=tmp_path, **elsewhere)
    assert told.returncode == 1
    failed = [line.split(":")[0] for line in told.stdout.splitlines() if line.startswith("FAIL")]
    subjects = ("database", "queue", "search insights", "provider local")
    assert failed == [f"FAIL  {subject}" for subject in subjects]
    assert "4 to mend." in told.stdout
    assert "(connection refused). Set LLM_PROVIDER to openai (with OPENAI_API_KEY)" in told.stdout


def test_the_doctor_names_each_bad_setting(tmp_path: Path) -> None:
    told = run_command("doctor", cwd=tmp_path, DATABASE_URL="postgresql://db", LOG_LEVEL="loud")
    assert told.returncode == 1
    for name in ("REDIS_URL", "SECRET_KEY", "LOG_LEVEL"):
        assert f"FAIL  settings: {name}" in told.stdout


@pytest.mark.parametrize("command", ["serve", "worker", "db migrate", "db status"])
def test_bad_settings_end_every_command_with_status_2(tmp_path: Path, command: str) -> None:
    told = run_command(*command.split(), cwd=tmp_path, STATE_DIR=str(tmp_path), PORT="http")
    assert told.returncode == 2
    assert f"Nothing runs here: start `storekeeper up --state-dir {tmp_path}`" in told.stderr
    assert ("PORT: " in told.stderr) == (command == "serve")  # each reads what it uses
    assert "Traceback" not in told.stderr


def test_serving_without_a_certificate_has_to_be_said(
    tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    told = run_command("serve", cwd=tmp_path, **elsewhere)
    assert told.returncode == 2
    assert "TLS_CERT_FILE" in told.stderr
    assert "PLAIN_HTTP=true" in told.stderr


def test_serving_on_a_busy_port_is_one_clear_line(
    tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = run_command("serve", cwd=tmp_path, PLAIN_HTTP="true", PORT=port, **elsewhere)
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1] == (
        f"127.0.0.1:{port} cannot be listened on (Address already in use): "
        "choose another --port (or --host)."
    )


@pytest.mark.parametrize("command", ["db migrate", "db status"])
def test_servers_that_are_not_there_are_one_clear_line(
    tmp_path: Path, elsewhere: dict[str, str], command: str
) -> None:
    told = run_command(*command.split(), cwd=tmp_path, **elsewhere)
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert "storekeeper" in told.stderr.splitlines()[-1]


def test_migrating_needs_the_database_alone_and_twice_applies_once(
    tmp_path: Path, empty_database_url: str
) -> None:
    settings = {"DATABASE_URL": empty_database_url}
    pending = run_command("db", "status", cwd=tmp_path, **settings)
    assert pending.returncode == 1
    assert re.search(r"\bpending\b", pending.stdout)
    first = run_command("db", "migrate", cwd=tmp_path, **settings)
    assert first.returncode == 0, first.stderr
    assert "applied 0001_shop" in first.stdout
    second = run_command("db", "migrate", cwd=tmp_path, **settings)
    assert second.stdout == "The database is up to date.\n"
    assert run_command("db", "status", cwd=tmp_path, **settings).returncode == 0


def test_help_lists_every_command(tmp_path: Path) -> None:
    told = run_command("--help", cwd=tmp_path)
    for name in ("up", "serve", "worker", "db", "doctor", "sample-data", "insights"):
        assert f"\n  {name} " in told.stdout
    assert run_command("no-such-command", cwd=tmp_path).returncode == 2
