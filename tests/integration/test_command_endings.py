"""How commands end before their time, as real processes: by signals, and without a reader."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.integration.stack import COMMAND, PATIENCE_S, environment, run_command


@contextmanager
def started(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command under way, with pipes."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def until_waiting(connection: asyncpg.Connection, process: subprocess.Popen[bytes]) -> None:
    """Until somebody waits for a lock of ours."""
    async with asyncio.timeout(PATIENCE_S):
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert process.poll() is None
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("signum", "table", "command", "kept"),
    [
        (signal.SIGTERM, "users", "sample-data --users 5", "Nothing was changed."),
        (signal.SIGINT, "search_clicks", "clicks export --out c.csv", "No file was made."),
        (
            signal.SIGINT,
            "search_clicks",
            "insights run --date 2026-11-01",
            "What was stored stays stored; the same command goes on.",
        ),
        (signal.SIGTERM, "extraction_schemas", "extraction-schemas list", "Nothing was changed."),
    ],
)
async def test_a_command_at_the_database_says_what_was_kept(
    fresh_database_url: str,
    tmp_path: Path,
    signum: signal.Signals,
    table: str,
    command: str,
    kept: str,
) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            with started(tmp_path, *command.split(), DATABASE_URL=fresh_database_url) as process:
                await until_waiting(connection, process)
                process.send_signal(signum)
                _, said = process.communicate(timeout=PATIENCE_S)
    finally:
        await connection.close()
    assert process.returncode == 128 + signum, said
    assert said.decode().splitlines()[-1].endswith(f": interrupted. {kept}")
    assert b"Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("signum", "command"), [(signal.SIGINT, "extract -"), (signal.SIGTERM, "clicks import -")]
)
def test_a_command_that_waits_for_its_input_ends_at_the_first_signal(
    database_url: str, redis_url: str, tmp_path: Path, signum: signal.Signals, command: str
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with started(tmp_path, *command.split(), **settings) as process:
        assert process.stdin is not None
        # More than the pipe holds: once it is written, the command reads.
        process.stdin.write(b'{"id": "a", "text": "Ann: 2 mugs"}\n' * 5_000)
        process.stdin.flush()
        process.send_signal(signum)
        assert process.wait(PATIENCE_S) == 128 + signum
        assert process.stderr is not None
        said = process.stderr.read()
    assert b"interrupted. No" in said
    assert b"Traceback" not in said


def test_a_command_whose_reader_has_gone_ends_silently(database_url: str, tmp_path: Path) -> None:
    for arguments in (["db", "status"], ["--help"]):
        with started(tmp_path, *arguments, DATABASE_URL=database_url) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            said = process.stderr.read()
            assert (process.wait(PATIENCE_S), said) == (141, b""), arguments


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line(database_url: str, tmp_path: Path) -> None:
    for arguments in (["db", "status"], ["clicks", "export"]):
        for redirected, why in ((">/dev/full", "No space left on device"), (">&-", "Bad file")):
            told = subprocess.run(
                ["sh", "-c", f'exec "$@" {redirected}', "sh", *COMMAND, *arguments],
                check=False,
                cwd=tmp_path,
                env=environment(DATABASE_URL=database_url),
                stderr=subprocess.PIPE,
                text=True,
            )
            assert told.returncode == 74, told.stderr
            (line,) = told.stderr.splitlines()
            assert line.startswith(f"storekeeper: standard output cannot be written: {why}")


def test_standard_error_that_nobody_takes_stops_no_work(database_url: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    told = subprocess.run(
        [*COMMAND, "clicks", "export"],
        check=False,
        cwd=tmp_path,
        env=environment(DATABASE_URL=database_url),
        stdout=subprocess.PIPE,
        stderr=writer,
    )
    os.close(writer)
    assert told.returncode == 0
    assert told.stdout.startswith(b"search_query,")


@pytest.mark.parametrize(
    "arguments",
    [
        ["insights", "run"],
        ["clicks", "prune", "--keep-days", "3000"],
        ["sample-data", "--users", "0", "--orders", "0", "--clicks", "0"],
        ["extraction-schemas", "show", "default"],
    ],
)
def test_a_command_wants_the_settings_that_it_uses(
    fresh_database_url: str, tmp_path: Path, arguments: Sequence[str]
) -> None:
    others = {"LLM_PROVIDER": "openai", "PORT": "http", "SECRET_KEY": "short"}
    told = run_command(*arguments, cwd=tmp_path, DATABASE_URL=fresh_database_url, **others)
    assert told.returncode == 0, told.stderr
