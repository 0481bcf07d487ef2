"""`storekeeper extract` as a process, over PostgreSQL and a provider's wire."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adapters.postgres.pool import Database
from domain.extraction.jobs.model import ExtractionJob, JobStatus
from fake_provider.scenario import Fault
from fake_provider.testing import FakeInThread, running_fake
from tests.contracts.extraction_jobs import JobStore
from tests.integration.extraction_jobs import jobs_database, jobs_in

_PATIENCE_S = 180


def text_of(number: int) -> str:
    return f"Ann{number} Lee here, please send {number + 2} oak chairs."


def answer_of(number: int) -> dict[str, object]:
    return {
        "field_1": {"quote": f"Ann{number} Lee", "value": f"Ann{number} Lee"},
        "field_2": {"quote": "oak chairs", "value": "oak chairs"},
        "field_3": {"quote": str(number + 2), "value": number + 2},
    }


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake() as provider:
        provider.provider.answers.add({text_of(n): answer_of(n) for n in range(100)})
        yield provider


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with jobs_database(module_database_url) as opened:
        yield opened


@pytest.fixture
def store(database: Database) -> JobStore:
    return jobs_in(database)


class Command:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment

    @asynccontextmanager
    async def started(self, *arguments: str) -> AsyncIterator[Process]:
        """A process that is killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "entrypoints.cli.main",
            "extract",
            *arguments,
            cwd=self.folder,
            env={**os.environ, **self._environment},
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

    async def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        async with self.started(*arguments) as process, asyncio.timeout(_PATIENCE_S):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def extract(
    tmp_path: Path,
    module_database_url: str,
    redis_url: str,
    fake: FakeInThread,
    database: Database,  # without the jobs that another test left: `--here` would do them too
) -> Command:
    return Command(
        tmp_path,
        {
            "DATABASE_URL": module_database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a secret of forty characters, for the tests",
            "LLM_PROVIDER": "openai",
            "LLM_CONCURRENCY": "4",
            "JOB_LEASE_S": "2",
            "OPENAI_API_KEY": "a-key",
            "OPENAI_BASE_URL": fake.openai_base_url,
        },
    )


def lines(count: int, first: int = 0) -> str:
    """Documents from `first` on: those of another test may be known already."""
    numbers = range(first, first + count)
    return "".join(json.dumps({"id": f"m{n}", "text": text_of(n)}) + "\n" for n in numbers)


async def the_job(store: JobStore) -> ExtractionJob:
    [job] = await store.jobs.page(limit=5)
    return job


async def test_lines_from_standard_input_become_records_on_standard_output(
    extract: Command, fake: FakeInThread
) -> None:
    code, out, err = await extract.run("-", "--here", stdin=lines(30, first=500))
    assert code == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert [(record["id"], record["fields"]["field_3"]) for record in records] == [
        (f"m{n}", n + 2) for n in range(500, 530)
    ]
    assert "30/30 done, 30 valid, 0 failed" in err
    assert "is completed: 30 valid" in err
    code, again, err = await extract.run("-", "--here", stdin=lines(30, first=500))
    assert code == 0
    assert len(again.splitlines()) == 30
    assert "30 known" in err
    assert len(fake.entries) == 30


async def test_files_of_every_kind_make_one_job(extract: Command) -> None:
    (extract.folder / "one.txt").write_text(text_of(1))
    (extract.folder / "two.eml").write_text(text_of(2))
    (extract.folder / "rows.csv").write_text(f'no,mail\n7,"{text_of(3)}"\n8,"{text_of(4)}"\n')
    (extract.folder / "more.ndjson").write_text(f"{json.dumps(text_of(5))}\n")
    code, _, err = await extract.run(
        *("one.txt", "two.eml", "rows.csv", "more.ndjson", "--text-column", "mail"),
        *("--id-column", "no", "--here", "--out", "results.csv"),
    )
    assert code == 0, err
    assert "Results: results.csv" in err
    rows = list(csv.DictReader(io.StringIO((extract.folder / "results.csv").read_text())))
    assert [(row["id"], row["fields.field_1"]) for row in rows] == [
        ("one.txt", "Ann1 Lee"),
        ("two.eml", "Ann2 Lee"),
        ("7", "Ann3 Lee"),
        ("8", "Ann4 Lee"),
        ("", "Ann5 Lee"),
    ]
    assert list(extract.folder.glob("*.part")) == []


async def test_what_is_wrong_with_the_input_is_named_and_nothing_is_stored(
    extract: Command, store: JobStore
) -> None:
    (extract.folder / "good.txt").write_text(text_of(1))
    (extract.folder / "empty.txt").write_text("  \n")
    (extract.folder / "bad.ndjson").write_text('{"text": "fine"}\n{"text": 3}\noops\n')
    (extract.folder / "rows.csv").write_text("a,b\n1,2\n")
    code, out, err = await extract.run("good.txt", "empty.txt", "bad.ndjson", "rows.csv")
    assert (code, out) == (1, "")
    assert "empty.txt must not be blank" in err
    assert "bad.ndjson line 2 must have a `text` that is a string" in err
    assert "bad.ndjson line 3 is not JSON" in err
    assert "rows.csv has no column 'text'; it has a, b" in err
    assert "good.txt" not in err
    missing, _, err = await extract.run("nowhere.txt")
    assert missing == 2
    assert "nowhere.txt" in err
    assert await store.jobs.page(limit=5) == []


async def test_a_packed_table_with_a_long_text_is_read_to_its_end(
    extract: Command, store: JobStore
) -> None:
    long = 'We talked about "mugs", and more.\n' * 4_400
    rows = f'no;text\n;"{long.replace(chr(34), chr(34) * 2)}"\n;{text_of(3)}\n'
    (extract.folder / "rows.csv.gz").write_bytes(gzip.compress(f"sep=;\n{rows}".encode()))
    code, out, err = await extract.run("rows.csv.gz", "--detach")
    assert code == 0, err
    assert "2 documents are left to the workers" in err
    (extract.folder / "cut.csv.gz").write_bytes(gzip.compress(rows.encode())[:-9])
    (extract.folder / "open.csv").write_text('text\ngood\n"open\ngood\n')
    code, out, err = await extract.run("cut.csv.gz", "open.csv", "--delimiter", ";")
    assert (code, out) == (1, "")
    assert "cut.csv.gz is no whole gzip file: its end is missing" in err
    assert "open.csv line 3 opens a quoted field that does not end" in err
    assert (await the_job(store)).counts.total == 2


async def test_ctrl_c_pauses_the_job_and_resume_pays_for_the_rest_only(
    extract: Command, store: JobStore, fake: FakeInThread
) -> None:
    fake.script(Fault(kind="ok", times=None, delay_s=0.2))
    (extract.folder / "mails.ndjson").write_text(lines(40))
    async with (
        extract.started("mails.ndjson", "--here", "--out", "r.parquet") as process,
        asyncio.timeout(_PATIENCE_S),
    ):
        while not any(job.counts.done >= 8 for job in await store.jobs.page(limit=1)):
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert process.returncode == 130, said
    assert b"This command was interrupted, and paused it." in said
    paused = await the_job(store)
    assert paused.status is JobStatus.PAUSED
    assert paused.counts.pending + paused.counts.valid == 40
    assert f"storekeeper extract --resume {paused.id} --here --out r.parquet".encode() in said
    assert not (extract.folder / "r.parquet").exists()
    code, _, err = await extract.run("--resume", str(paused.id), "--here", "--out", "r.parquet")
    assert code == 0, err
    table = pq.read_table(extract.folder / "r.parquet")
    assert table.column("fields.field_3").to_pylist() == [n + 2 for n in range(40)]
    assert len(fake.entries) <= 40 + 4
    done = len([each for each in fake.entries if not each.aborted])
    assert (await the_job(store)).spending.calls == done


async def test_a_cap_ends_the_command_and_a_higher_one_goes_on(
    extract: Command, store: JobStore
) -> None:
    code, out, err = await extract.run("-", "--here", "--max-tokens", "4000", stdin=lines(40))
    assert (code, out) == (3, "")
    assert "of 4000 tokens are used" in err
    job = await the_job(store)
    code, out, err = await extract.run("--resume", str(job.id), "--here", "--max-tokens", "4000000")
    assert code == 0, err
    assert len(out.splitlines()) == 40


async def test_a_refused_key_ends_the_command_with_the_remedy(
    extract: Command, store: JobStore, fake: FakeInThread
) -> None:
    fake.script(Fault(kind="bad_key", times=None))
    code, _, err = await extract.run("-", "--here", stdin=lines(30))
    assert code == 3
    assert "is failed after 0 of 30 documents" in err
    assert (await the_job(store)).counts.pending == 30
    assert len(fake.entries) <= 4


async def test_other_members_of_lines_are_left_alone_as_other_columns_are(
    extract: Command, fake: FakeInThread
) -> None:
    line = json.dumps({"id": 1, "text": text_of(1), "gold": {"customer": "Ann1 Lee"}})
    code, out, err = await extract.run("-", "--here", "--no-reuse", stdin=line + "\n")
    assert code == 0, err
    assert json.loads(out)["fields"] == {
        "field_1": "Ann1 Lee",
        "field_2": "oak chairs",
        "field_3": 3,
    }


async def test_without_a_worker_the_command_says_so_and_ctrl_c_still_works(
    extract: Command, store: JobStore
) -> None:
    (extract.folder / "mails.ndjson").write_text(lines(3))
    async with extract.started("mails.ndjson") as process, asyncio.timeout(_PATIENCE_S):
        assert process.stderr is not None
        await process.stderr.readuntil(b"No worker is alive")
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130
    assert (await the_job(store)).status is JobStatus.PAUSED


async def test_a_detached_job_is_left_to_the_workers(extract: Command, store: JobStore) -> None:
    code, out, err = await extract.run("-", "--detach", "--no-reuse", stdin=lines(3))
    assert code == 0, err
    job = await the_job(store)
    assert out.strip() == str(job.id)
    assert job.status is JobStatus.RUNNING
    assert not job.spec.reuse
