"""`storekeeper clicks` as a process: files of searches in and out, and what may go wrong."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.postgres.pool import Database
from domain.strict_json import read_json
from tests.contracts.click_formats import record
from tests.integration.insights import emptied, write_log
from tests.integration.owners_database import execute
from tests.integration.service_role import service_url
from tests.integration.stack import environment

SAMPLE = Path(__file__).parents[2] / "docs/samples/search_clicks.csv"
_LINE = b'{"search_query": "q", "clicks": 1, "impressions": 2, "search_date": "2026-11-20"}\n'
HEADING = "search_query,clicks,impressions,search_date\n"
_IN_LOG = (
    "SELECT search_query, clicks, impressions, click_through_rate, search_date FROM search_clicks"
    " ORDER BY search_id"
)
_PATIENCE_S = 300
_MANY = 120_000


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with emptied(module_database_url) as opened:
        yield opened


class Clicks:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self._settings = settings

    @asynccontextmanager
    async def started(self, *arguments: str) -> AsyncIterator[Process]:
        """A process that is killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrypoints.cli.main", "clicks", *arguments),
            cwd=self.folder,
            env=environment(**self._settings),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
        """Exit code, standard output, standard error."""
        async with self.started(*arguments) as process, asyncio.timeout(_PATIENCE_S):
            out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out, err.decode()


@pytest.fixture
def clicks(tmp_path: Path, module_database_url: str) -> Clicks:
    return Clicks(tmp_path, {"DATABASE_URL": service_url(module_database_url)})


def csv_of(numbers: Iterable[int], bad: frozenset[int] = frozenset()) -> str:
    lines = (f"q{n},{3 if n in bad else 1},2,2026-11-{n % 28 + 1:02}\n" for n in numbers)
    return HEADING + "".join(lines)


async def count(database: Database) -> tuple[int, int]:
    """Rows, and different queries among them."""
    row = await database.fetchrow(
        "SELECT count(*), count(DISTINCT search_query) FROM search_clicks"
    )
    assert row is not None
    return row[0], row[1]


async def accepted(database: Database) -> int:
    """Rows of the newest import so far."""
    found = await database.fetchval("SELECT accepted FROM click_imports ORDER BY id DESC LIMIT 1")
    return int(found or 0)


async def test_the_sample_is_imported_once_and_exported_as_it_was(
    clicks: Clicks, database: Database
) -> None:
    assert await clicks.run("import", str(SAMPLE)) == (0, b"", "120 rows are in the log.\n")
    code, _, err = await clicks.run("import", str(SAMPLE))
    assert code == 1
    assert "is in the log already" in err
    code, out, err = await clicks.run("export")
    assert (code, out, err) == (0, SAMPLE.read_bytes(), "Exported 120 rows.\n")
    assert (await clicks.run("import", str(SAMPLE), "--again"))[0] == 0
    assert (await count(database))[0] == 240


@pytest.mark.parametrize("name", ["all.csv.gz", "all.ndjson", "all.parquet"])
async def test_what_one_database_exports_another_imports(
    clicks: Clicks, database: Database, name: str
) -> None:
    await database.execute(
        "INSERT INTO search_clicks"
        " (search_query, clicks, impressions, click_through_rate, search_date)"
        " SELECT ' \"Söfa\",\n' || n, n, 999, n / 999::float8, '2026-01-01'::date + n"
        " FROM generate_series(0, 299) AS n"
    )
    before = await database.fetch(_IN_LOG)
    code, out, err = await clicks.run("export", "--out", name)
    assert (code, out, err) == (0, b"", f"Exported 300 rows: {name}.\n")
    if name.endswith(".gz"):
        assert gzip.decompress((clicks.folder / name).read_bytes()).startswith(b"search_query,")
    await database.execute("DELETE FROM search_clicks")
    assert (await clicks.run("import", name))[0] == 0
    assert await database.fetch(_IN_LOG) == before
    assert [path.name for path in clicks.folder.iterdir()] == [name]


async def test_an_export_as_csv_holds_no_formula_and_comes_back_as_it_was(
    clicks: Clicks, database: Database
) -> None:
    queries = ["=1+1", "'=1+1", " +1", "\u00a0-1", "\ufeff@x", "\uff1d1", "\t1", "'tis", "x=1"]
    await write_log(
        database,
        ("search_query", "clicks", "impressions", "click_through_rate", "search_date"),
        [record(query, 1, 2) for query in queries],
    )
    before = await database.fetch(_IN_LOG)
    assert (await clicks.run("export", "--out", "a.csv"))[0] == 0
    with (clicks.folder / "a.csv").open(newline="") as file:
        cells = [row["search_query"] for row in csv.DictReader(file)]
    assert cells == [*(f"'{query}" for query in queries[:7]), "'tis", "x=1"]
    await database.execute("DELETE FROM search_clicks")
    assert (await clicks.run("import", "a.csv"))[0] == 0
    assert await database.fetch(_IN_LOG) == before


async def test_some_days_are_exported(clicks: Clicks, database: Database) -> None:
    await clicks.run("import", str(SAMPLE))
    code, out, _ = await clicks.run(
        *("export", "--from", "2026-08-23", "--to", "2026-08-24", "--format", "ndjson")
    )
    assert code == 0
    days = [json.loads(line)["search_date"] for line in out.splitlines()]
    assert days == ["2026-08-23", "2026-08-24", "2026-08-24"]


async def test_bad_rows_are_kept_with_their_reasons_and_told_by_the_exit_code(
    clicks: Clicks, database: Database
) -> None:
    (clicks.folder / "a.csv").write_text(csv_of(range(10), bad=frozenset({4})))
    code, _, err = await clicks.run("import", "a.csv")
    assert code == 3
    assert err == "9 rows are in the log, 1 rejected: see a.csv.rejects.ndjson.\n"
    [line] = (clicks.folder / "a.csv.rejects.ndjson").read_text().splitlines()
    assert json.loads(line)["line"] == 6
    assert await count(database) == (9, 9)
    rates = await database.fetch("SELECT DISTINCT click_through_rate FROM search_clicks")
    assert [row[0] for row in rates] == [0.5]


async def test_standard_input_is_told_apart_by_its_content(
    clicks: Clicks, database: Database
) -> None:
    assert (await clicks.run("import", "-", stdin=SAMPLE.read_bytes()))[0] == 0
    code, _, err = await clicks.run("import", "-", stdin=SAMPLE.read_bytes())
    assert code == 1
    assert "stdin is in the log already" in err
    code, _, err = await clicks.run(
        "import", "-", stdin=_LINE + _LINE + _LINE.replace(b" 1", b" 3")
    )
    assert code == 3
    assert "2 rows are in the log, 1 rejected: see stdin.rejects.ndjson." in err
    assert (await count(database))[0] == 122


async def test_columns_delimiter_and_day_are_as_the_command_says(
    clicks: Clicks, database: Database
) -> None:
    (clicks.folder / "a.txt").write_text("q\tclicks\timpressions\tnote\nlamp\t1\t2\t!\n")
    code, _, err = await clicks.run(
        *("import", "a.txt", "--delimiter", "tab", "--column", "search_query=q"),
        *("--date", "2026-11-20"),
    )
    assert (code, err) == (0, "Not read: note.\n1 row is in the log.\n")
    found = await database.fetch("SELECT search_query, search_date::text FROM search_clicks")
    assert [tuple(row) for row in found] == [("lamp", "2026-11-20")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "nowhere.csv"), "nowhere.csv"),
        (("import", "other.csv"), "other.csv has no column 'search_query'"),
        (("import", "."), "is a directory"),
        (("import", "empty.csv"), "empty.csv is empty"),
        (("import", "book.csv"), "book.csv is a ZIP archive or an Excel workbook"),
        (("import", "book.xlsx"), "book.xlsx is a ZIP archive or an Excel workbook"),
        (("import", "other.csv", "--format", "parquet"), "other.csv cannot be read as Parquet"),
        (("export", "--out", "no/such/folder.csv"), "no/such"),
    ],
)
async def test_what_cannot_be_done_is_said_with_the_remedy(
    clicks: Clicks, database: Database, arguments: tuple[str, ...], said: str
) -> None:
    (clicks.folder / "other.csv").write_text("query,clicks,impressions,search_date\n")
    (clicks.folder / "empty.csv").touch()
    for name in ("book.csv", "book.xlsx"):
        (clicks.folder / name).write_bytes(b"PK\x03\x04\x14\x00")
    code, _, err = await clicks.run(*arguments)
    assert code == (2 if arguments[1] in {"nowhere.csv", "."} else 1)
    assert said in err
    assert "Traceback" not in err
    assert await count(database) == (0, 0)
    assert await database.fetchval("SELECT count(*) FROM click_imports") == 0


@pytest.mark.parametrize("whole", [True, False])
async def test_a_packed_file_that_is_cut_short_leaves_nothing_and_goes_in_once_it_is_whole(
    clicks: Clicks, database: Database, whole: bool
) -> None:
    packed = gzip.compress(csv_of(range(_MANY)).encode())
    path = clicks.folder / "a.csv.gz"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    code, _, err = await clicks.run("import", "a.csv.gz")
    assert (code, err) == (
        1,
        "storekeeper clicks import: a.csv.gz is no whole gzip file: its end is missing\n",
    )
    assert await count(database) == (0, 0)
    assert await database.fetchval("SELECT count(*) FROM click_imports") == 0
    path.write_bytes(packed + (b"" if whole else b"left over"))
    code, _, err = await clicks.run("import", "a.csv.gz")
    left = "" if whole else "Not read: what follows the gzip data.\n"
    assert (code, err) == (0, f"{left}120,000 rows are in the log.\n")
    assert await count(database) == (_MANY, _MANY)


async def test_a_file_that_is_not_as_it_was_when_it_was_cut_short_is_not_taken_twice(
    clicks: Clicks, database: Database
) -> None:
    (clicks.folder / "a.csv").write_text(csv_of(range(_MANY)))
    async with clicks.started("import", "a.csv") as process, asyncio.timeout(_PATIENCE_S):
        while await accepted(database) == 0:
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
    stopped_at = await accepted(database)
    (clicks.folder / "a.csv").write_text(csv_of(range(_MANY + 1)))
    code, _, err = await clicks.run("import", "a.csv")
    assert code == 1
    assert f"cut short at line {stopped_at + 1:,}: {stopped_at:,} rows" in err
    assert await count(database) == (stopped_at, stopped_at)
    assert (await clicks.run("import", "a.csv", "--again"))[0] == 0
    assert await count(database) == (stopped_at + _MANY + 1, _MANY + 1)


async def test_each_line_of_json_has_its_own_day_or_the_one_for_all(
    clicks: Clicks, database: Database
) -> None:
    bare = _LINE.replace(b', "search_date": "2026-11-20"', b"")
    (clicks.folder / "a.ndjson").write_bytes(b"oops\n" + bare + _LINE + bare)
    code, _, err = await clicks.run("import", "a.ndjson", "--date", "2026-01-02")
    assert code == 3
    assert err == "3 rows are in the log, 1 rejected: see a.ndjson.rejects.ndjson.\n"
    days = await database.fetch("SELECT search_date::text FROM search_clicks ORDER BY search_id")
    assert [row[0] for row in days] == ["2026-01-02", "2026-11-20", "2026-01-02"]


async def test_rows_that_are_no_numbers_or_no_json_are_rejects_that_are_json(
    clicks: Clicks, database: Database
) -> None:
    numbers = ["nan,2", "inf,2", "1_0,20", "12.0,40", "1.5,2"]
    (clicks.folder / "a.csv").write_text(
        HEADING + "".join(f"lamp,{each},2026-11-20\n" for each in numbers)
    )
    lines = [
        _LINE.replace(b" 1", b" NaN"),
        _LINE.replace(b" 1", b" " + b"1" * 5_000),
        _LINE.replace(b"{", b'{"clicks": 1, '),
        _LINE.replace(b'"q"', b'"\xff"'),
        _LINE.replace(b'"q"', b'"\\ud800"'),
        _LINE.replace(b'"q"', b'"\\u0000"'),
        b'{"a":' * 5_000 + b"\n",
        _LINE,
    ]
    (clicks.folder / "a.ndjson").write_bytes(b"".join(lines))
    assert (await clicks.run("import", "a.csv"))[0] == 3
    assert (await clicks.run("import", "a.ndjson"))[0] == 3
    assert await count(database) == (2, 2)
    for name, wrong in (("a.csv", [2, 3, 4, 6]), ("a.ndjson", list(range(1, 8)))):
        told = (clicks.folder / f"{name}.rejects.ndjson").read_bytes().splitlines()
        assert [read_json(line)["line"] for line in told] == wrong
        assert all(read_json(line)["reasons"][0]["detail"] for line in told)


async def test_a_named_pipe_is_read_as_the_standard_input_is(
    clicks: Clicks, database: Database
) -> None:
    os.mkfifo(clicks.folder / "fifo")
    async with clicks.started("import", "fifo") as process, asyncio.timeout(_PATIENCE_S):
        content = gzip.compress(SAMPLE.read_bytes())
        await asyncio.to_thread((clicks.folder / "fifo").write_bytes, content)
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"120 rows are in the log.\n")


async def test_an_import_that_is_killed_again_and_again_takes_each_row_once(
    clicks: Clicks, database: Database
) -> None:
    bad = frozenset(range(17, _MANY, 997))
    (clicks.folder / "a.csv").write_text(csv_of(range(_MANY), bad=bad))
    before, kills = 0, 0
    while kills < 3:
        async with clicks.started("import", "a.csv") as process, asyncio.timeout(_PATIENCE_S):
            while await accepted(database) == before and process.returncode is None:
                await asyncio.sleep(0.005)
            if process.returncode is not None:
                break
            process.kill()
            await process.wait()
        before = await accepted(database)
        kills += 1
    assert kills > 0
    code, _, err = await clicks.run("import", "a.csv")
    assert code in {1, 3}, err  # 1 if the last of the kills came after the end
    assert await count(database) == (_MANY - len(bad), _MANY - len(bad))
    rejects = (clicks.folder / "a.csv.rejects.ndjson").read_text().splitlines()
    assert [json.loads(line)["line"] for line in rejects] == [n + 2 for n in sorted(bad)]


async def test_ctrl_c_stops_after_a_chunk_and_the_same_command_goes_on(
    clicks: Clicks, database: Database
) -> None:
    (clicks.folder / "a.csv").write_text(csv_of(range(_MANY)))
    async with clicks.started("import", "a.csv") as process, asyncio.timeout(_PATIENCE_S):
        while await accepted(database) == 0:
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert process.returncode == 130, said
    assert b"Give the same command again" in said
    stopped_at = await accepted(database)
    assert await count(database) == (stopped_at, stopped_at)
    code, _, err = await clicks.run("import", "a.csv")
    assert code == 0
    assert f"Going on after line {stopped_at + 1:,}." in err
    assert await count(database) == (_MANY, _MANY)


async def test_a_database_that_goes_away_ends_the_import_with_how_to_go_on(
    clicks: Clicks, database: Database
) -> None:
    (clicks.folder / "a.csv").write_text(csv_of(range(_MANY)))
    async with clicks.started("import", "a.csv") as process, asyncio.timeout(_PATIENCE_S):
        while await accepted(database) == 0:
            await asyncio.sleep(0.005)
        ended = asyncio.create_task(process.communicate())
        while not ended.done():
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
            await asyncio.sleep(0.005)
        _, said = await ended
    assert process.returncode == 75, said
    assert b"The database cannot be reached." in said
    assert b"rows are in the log up to line" in said
    assert b"Give the same command again" in said
    assert b"Traceback" not in said
    assert (await clicks.run("import", "a.csv"))[0] == 0
    assert await count(database) == (_MANY, _MANY)


async def test_an_export_that_fails_leaves_no_file_and_the_older_one_as_it_was(
    clicks: Clicks, module_database_url: str
) -> None:
    (clicks.folder / "a.csv").write_text("older")
    await execute(module_database_url, "ALTER TABLE search_clicks RENAME TO hidden")
    try:
        code, _, err = await clicks.run("export", "--out", "a.csv")
    finally:
        await execute(module_database_url, "ALTER TABLE hidden RENAME TO search_clicks")
    assert code == 1
    assert "storekeeper db migrate" in err
    assert [path.name for path in clicks.folder.iterdir()] == ["a.csv"]
    assert (clicks.folder / "a.csv").read_text() == "older"
