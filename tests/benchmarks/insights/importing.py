"""(k) `storekeeper clicks import` against psql's \\copy of the same file into the same table."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from adapters.embedded.postgres import client_programs
from adapters.postgres.pool import Database
from tests.benchmarks.harness import ROOT, Options
from tests.benchmarks.insights.history import new_database, over, settle
from tests.benchmarks.insights.rows import COLUMNS, Log, csv_blocks
from tests.benchmarks.results import Report, at_least, spread

_DAYS: Final = 10
_DATABASE: Final = "imports"


def run(options: Options) -> Report:
    """One after the other, each into a new database."""
    log = Log(days=_DAYS, rows_a_day=options.rows // 10 // _DAYS, odd=False)
    figures: dict[str, list[float]] = {"copy": [], "import": []}
    with tempfile.TemporaryDirectory(prefix="storekeeper-bench-") as folder:
        csv = Path(folder) / "clicks.csv"
        with csv.open("wb") as file:
            file.write((",".join(COLUMNS) + "\n").encode())
            file.writelines(csv_blocks(log))
        size_mb = csv.stat().st_size / 1e6
        for _ in range(options.repeats):
            for what, command in _commands(csv).items():
                url = new_database(_DATABASE)
                settle()
                figures[what].append(_timed(command, url, Path(folder)))
                _check(url, log.rows, what)
    rates = {what: [log.rows / each for each in times] for what, times in figures.items()}
    ratios = [a / b for a, b in zip(rates["import"], rates["copy"], strict=True)]
    return Report(
        key="k",
        title="Import",
        setting=(
            f"A CSV file of {log.rows:,} rows in {log.days} days ({size_mb:.0f} MB), into an empty "
            "`search_clicks` with its key, index and triggers, in processes of their own from "
            "start to end. `storekeeper clicks import` checks every row, and takes up where it "
            "was cut short; `\\copy` does neither."
        ),
        columns=("", "s", "rows/s", "to \\copy"),
        rows=(
            ("psql \\copy", spread(figures["copy"]), spread(rates["copy"], digits=0), "1.00"),
            (
                "storekeeper clicks import",
                spread(figures["import"]),
                spread(rates["import"], digits=0),
                spread(ratios),
            ),
        ),
        targets=(at_least("rows/s of the import to those of \\copy", ratios, 0.7, digits=2),),
        data=figures,
    )


def _commands(csv: Path) -> dict[str, Sequence[str]]:
    psql = client_programs() / "psql"
    copy = f"\\copy search_clicks ({', '.join(COLUMNS)}) from '{csv}' with (format csv, header)"
    return {
        "copy": (str(psql), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "-c", copy),
        "import": (
            *(str(Path(sys.executable).with_name("storekeeper")), "clicks", "import", str(csv)),
        ),
    }


def _timed(command: Sequence[str], url: str, folder: Path) -> float:
    """Seconds of the whole process; both find the database in the environment."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": "redis://127.0.0.1:1",  # not asked
        "PYTHONPATH": str(ROOT / "src"),
    }
    words = [*command, url] if command[0].endswith("psql") else list(command)
    began_s = time.perf_counter()
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, cwd=folder, env=environment
    )
    took_s = time.perf_counter() - began_s
    if done.returncode != 0:
        raise click.ClickException(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return took_s


def _check(url: str, rows: int, what: str) -> None:
    async def count(database: Database) -> int:
        return int(await database.fetchval("SELECT count(*) FROM search_clicks"))

    found = over(url, count)
    if found != rows:
        raise click.ClickException(f"{what}: {found:,} of {rows:,} rows")
