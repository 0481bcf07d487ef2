"""What single commands use without the services: files, dumps, migrations, sample data."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from adapters.embedded.postgres import client_programs
from adapters.files.click_columns import ClickColumnNames
from adapters.files.click_files import ClickFile, RejectedRowFile, form_of
from adapters.files.csv_rows import CsvTable
from adapters.files.labelled_texts import dataset_format_of, read_labelled_texts
from adapters.files.line_files import LineFile, MalformedRow, open_text_file, unpack_text_file
from adapters.postgres.client_programs import ProgramDirectories, ProgramMissing
from adapters.postgres.client_programs import run_psql as run_psql_of
from adapters.postgres.contents import DatabaseSnapshot, SnapshotError, read_contents
from adapters.postgres.dumps import DumpError
from adapters.postgres.dumps import dump as write_dump
from adapters.postgres.dumps import restore as restore_dump
from adapters.postgres.grants import GrantError, address_for, grant
from adapters.postgres.insights.scheduled_runs import insight_procedures
from adapters.postgres.migrations import MigrationError, migrate
from adapters.postgres.migrations import faults as table_faults
from adapters.postgres.migrations import status as migration_status
from adapters.system.clock import SystemClock
from domain.errors import Unavailable
from domain.extraction.schema import BUILT_IN
from entrypoints.up.sample_data.filling import FileSampleSink, SampleFiller

__all__ = [
    "ClickColumnNames",
    "ClickFile",
    "CsvTable",
    "DumpError",
    "GrantError",
    "LineFile",
    "MalformedRow",
    "MigrationError",
    "ProgramMissing",
    "RejectedRowFile",
    "SnapshotError",
    "address_for",
    "dataset_format_of",
    "dump",
    "form_of",
    "grant",
    "insight_procedures",
    "look_at_database",
    "migrate",
    "migration_status",
    "now",
    "open_text_file",
    "read_labelled_texts",
    "restore",
    "run_psql",
    "sample_files",
    "table_faults",
    "today",
    "unpack_text_file",
]


def today() -> date:
    """The current UTC day, for commands that need nothing else."""
    return SystemClock().now().date()


def now() -> datetime:
    """The current instant, aware, UTC, for commands that need nothing else."""
    return SystemClock().now()


def sample_files(folder: Path) -> SampleFiller:
    """Makes sample data into files; needs no settings."""
    return SampleFiller(sink=FileSampleSink(folder))


async def look_at_database(url: str) -> DatabaseSnapshot:
    """See `contents.read_contents`."""
    return await read_contents(url, seeded=[schema.name for schema in BUILT_IN])


async def dump(place: DatabaseSnapshot, file: Path) -> int:
    """See `dumps.dump`."""
    return await write_dump(place, file, _client_programs())


async def restore(place: DatabaseSnapshot, file: Path, *, replace: bool) -> Sequence[str]:
    """See `dumps.restore`."""
    return await restore_dump(place, file, _client_programs(), replace=replace)


def run_psql(url: str, arguments: Sequence[str]) -> int:
    """See `client_programs.run_psql`."""
    return run_psql_of(url, _client_programs(), arguments)


def _client_programs() -> ProgramDirectories:
    """PostgreSQL's: of the embedded server, of PATH, and where Debian keeps them by version."""
    embedded = []
    with contextlib.suppress(Unavailable):
        embedded.append(client_programs())
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return ProgramDirectories(
        folders=[*embedded, *map(Path, os.get_exec_path()), *debian], without_tls=embedded
    )
