"""Imports of files of searches: each row once, whatever cuts them short."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from adapters.files.click_columns import ClickColumnNames
from adapters.files.click_files import ClickFile, RejectedRowFile
from domain.errors import Conflict, DatabaseUnavailable, InvalidInput
from domain.insights.click_import import ClickImportService
from domain.insights.click_rows import AcceptedRow, ClickImportState
from tests.contracts.click_imports import ClickImportRepositoryContract, ImportStore
from tests.fakes.insights import MemoryClickImportRepository
from tests.fakes.system import StandingClock

HEADING = "search_query,clicks,impressions,search_date\n"


class TestMemoryClickImports(ClickImportRepositoryContract):
    @pytest.fixture
    def store(self) -> ImportStore:
        imports = MemoryClickImportRepository(StandingClock())

        async def rows() -> list[AcceptedRow]:
            return imports.rows

        return ImportStore(imports=imports, rows=rows)


class ImportBench:
    """One file, and what imports it in chunks of a few rows."""

    def __init__(self, folder: Path, imports: MemoryClickImportRepository) -> None:
        self.path = folder / "clicks.csv"
        self.rejects = folder / "clicks.csv.rejects.ndjson"
        self.imports = imports
        self.service = ClickImportService(imports=imports, chunk_rows=5)
        self.seen: list[tuple[int, int]] = []

    def write(self, count: int, bad: frozenset[int] = frozenset()) -> None:
        lines = [f"q{n},{3 if n in bad else 1},2,2026-11-20\n" for n in range(count)]
        self.path.write_text(HEADING + "".join(lines))

    async def run(
        self,
        *,
        again: bool = False,
        day: date | None = None,
        stop_after: int = 10**9,
        service: ClickImportService | None = None,
    ) -> ClickImportState:
        service = service or self.service
        columns = ClickColumnNames(named={}, dated=day is None)
        file = ClickFile(
            self.path, name=self.path.name, form="csv", columns=columns, block_bytes=20
        )
        sink = RejectedRowFile(self.rejects)
        stop = asyncio.Event()

        def progress(current: ClickImportState, read: int) -> None:
            self.seen.append((current.position.line, read))
            if len(self.seen) >= stop_after:
                stop.set()

        started = await service.start(file, sink, day=day, again=again)
        return await service.run(started, file, sink, day=day, progress=progress, stop=stop)

    @property
    def queries(self) -> list[str]:
        return [row[0] for row in self.imports.rows]

    def rejected_lines(self) -> list[int]:
        return [json.loads(line)["line"] for line in self.rejects.read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> ImportBench:
    return ImportBench(tmp_path, MemoryClickImportRepository(StandingClock()))


async def test_a_file_goes_in_whole_and_its_bad_rows_are_kept_with_the_reasons(
    bench: ImportBench,
) -> None:
    bench.write(23, bad=frozenset({0, 4, 22}))
    done = await bench.run()
    assert bench.queries == [f"q{n}" for n in range(23) if n not in {0, 4, 22}]
    assert (done.accepted, done.rejected, done.position.line) == (20, 3, 24)
    assert done.finished_at is not None
    assert done.rejects_bytes == bench.rejects.stat().st_size
    assert json.loads(bench.rejects.read_text().splitlines()[1]) == {
        "line": 6,
        "row": {"search_query": "q4", "clicks": 3, "impressions": 2, "search_date": "2026-11-20"},
        "reasons": [
            {"pointer": "/clicks", "detail": "must not be more than impressions, which are 2"}
        ],
    }
    assert bench.rejected_lines() == [2, 6, 24]
    assert bench.seen[-1] == (24, bench.path.stat().st_size)
    assert len(bench.seen) > 3


async def test_without_bad_rows_there_is_no_file_of_them(bench: ImportBench) -> None:
    bench.write(7)
    assert (await bench.run()).rejected == 0
    assert not bench.rejects.exists()


async def test_a_file_of_a_heading_alone_is_imported_with_nothing(bench: ImportBench) -> None:
    bench.write(0)
    done = await bench.run()
    assert (done.accepted, done.finished_at is not None) == (0, True)


async def test_a_file_is_imported_once_unless_it_is_asked_for_again(bench: ImportBench) -> None:
    bench.write(3)
    await bench.run()
    with pytest.raises(Conflict, match=r"in the log already: clicks\.csv .* 3 rows\. --again"):
        await bench.run()
    assert len(bench.queries) == 3
    again = await bench.run(again=True)
    assert (again.id, again.accepted) == (2, 3)
    assert len(bench.queries) == 6


async def test_a_stopped_import_goes_on_and_takes_each_row_once(bench: ImportBench) -> None:
    bench.write(40, bad=frozenset(range(0, 40, 7)))
    for chunks in range(1, 9):
        bench.seen.clear()
        part = await bench.run(stop_after=1)
        assert part.finished_at is None, chunks
        if part.position.line == 41:
            break
    done = await bench.run(again=True)  # of an unfinished one there is nothing to do again
    assert done.finished_at is not None
    assert bench.queries == [f"q{n}" for n in range(40) if n % 7]
    assert bench.rejected_lines() == [n + 2 for n in range(0, 40, 7)]
    assert (done.accepted, done.rejected) == (34, 6)


class Failing(MemoryClickImportRepository):
    """Loses its connection at every third chunk, before or after it is stored."""

    def __init__(self) -> None:
        super().__init__(StandingClock())
        self.calls = 0

    async def append(self, before: ClickImportState, after: ClickImportState, rows: object) -> None:
        self.calls += 1
        if self.calls % 3 == 0 and self.calls % 2 == 0:
            raise DatabaseUnavailable("gone")
        await super().append(before, after, rows)  # type: ignore[arg-type]
        if self.calls % 3 == 0:
            raise DatabaseUnavailable("gone, and nobody knows whether it is stored")


async def test_a_database_that_goes_away_costs_no_row_and_doubles_none(tmp_path: Path) -> None:
    bench = ImportBench(tmp_path, Failing())
    bad = frozenset(range(3, 60, 4))
    bench.write(60, bad=bad)
    failures = 0
    while True:
        try:
            done = await bench.run()
        except DatabaseUnavailable:
            failures += 1
        else:
            break
    assert failures > 2
    assert bench.queries == [f"q{n}" for n in range(60) if n not in bad]
    assert bench.rejected_lines() == sorted(n + 2 for n in bad)
    assert done.rejected == len(bad)


async def test_what_may_be_the_same_rows_once_more_is_not_taken_unasked(bench: ImportBench) -> None:
    bench.write(12)
    part = await bench.run(stop_after=1)
    bench.write(13)
    with pytest.raises(Conflict, match=r"is not as it was when its import was cut short at line 7"):
        await bench.run()
    assert len(bench.queries) == part.accepted
    assert (await bench.run(again=True)).accepted == 13
    bench.write(14)  # whose forerunner is whole
    assert (await bench.run()).accepted == 14


async def test_a_part_without_a_row_keeps_nothing_out(bench: ImportBench) -> None:
    bench.write(3)
    await bench.imports.begin(b"another", name=bench.path.name, options="csv by ','")
    assert (await bench.run()).accepted == 3


async def test_other_options_are_refused_while_an_import_is_open(bench: ImportBench) -> None:
    bench.write(12)
    await bench.run(stop_after=1)
    with pytest.raises(Conflict, match=r"other options, at line \d+ now: .* \(csv by ','\)"):
        await bench.run(day=date(2026, 1, 1))
    assert (await bench.run()).accepted == 12


async def test_rejected_rows_of_another_import_are_not_overwritten(bench: ImportBench) -> None:
    bench.write(3, bad=frozenset({1}))
    bench.rejects.write_text("precious\n")
    with pytest.raises(InvalidInput) as caught:
        await bench.run()
    assert "move it away" in caught.value.violations[0].detail
    assert (bench.rejects.read_text(), bench.queries) == ("precious\n", [])
    assert await bench.imports.latest(b"") is None
    bench.rejects.unlink()
    assert (await bench.run()).rejected == 1


async def test_rejected_rows_that_are_gone_stop_an_import(bench: ImportBench) -> None:
    bench.write(30, bad=frozenset({0}))
    await bench.run(stop_after=1)
    bench.rejects.unlink()
    with pytest.raises(InvalidInput) as caught:
        await bench.run()
    assert "put it back" in caught.value.violations[0].detail


async def test_another_process_that_goes_on_stops_this_one(bench: ImportBench) -> None:
    bench.write(30)
    part = await bench.run(stop_after=1)

    class Overtaken(MemoryClickImportRepository):
        async def append(
            self, before: ClickImportState, after: ClickImportState, rows: object
        ) -> None:
            bench.imports.imports[before.id] = replace(before, position=after.position)
            await bench.imports.append(before, after, rows)  # type: ignore[arg-type]

    overtaken = Overtaken(StandingClock())
    overtaken.imports = bench.imports.imports
    with pytest.raises(Conflict, match="Another process"):
        await bench.run(service=ClickImportService(imports=overtaken, chunk_rows=5))
    assert len(bench.queries) == part.accepted
