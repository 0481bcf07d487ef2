"""What every log of searches that takes files of rows holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from domain.errors import Conflict
from domain.insights.click_rows import (
    AcceptedRow,
    ClickImportState,
    ClickImportTotals,
    ReadPosition,
)
from ports.click_files import ClickImportRepository
from tests.contracts.click_formats import record
from tests.contracts.contract import Contract

CONTENT, OTHER = b"\x01" * 32, b"\x02" * 32
ROWS = [record("lamp", 1, 2), record(" Söfa\n", 0, 0), record("😀" * 255, 2**31 - 1, 2**31 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStore:
    """Imports that start empty.

    Attributes:
        rows: what is in the log, in order.
    """

    imports: ClickImportRepository
    rows: Callable[[], Awaitable[list[AcceptedRow]]]


def moved(before: ClickImportState, rows: int, rejected: int = 0) -> ClickImportState:
    return replace(
        before,
        position=ReadPosition(
            offset=before.position.offset + 100, line=before.position.line + rows + rejected
        ),
        accepted=before.accepted + rows,
        rejected=before.rejected + rejected,
        rejects_bytes=before.rejects_bytes + 70 * rejected,
    )


class ClickImportRepositoryContract(Contract):
    @pytest.fixture
    def store(self) -> ImportStore:
        raise NotImplementedError

    async def test_an_import_is_found_by_the_content_of_its_file(self, store: ImportStore) -> None:
        assert await store.imports.latest(CONTENT) is None
        begun = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        assert (begun.name, begun.options, begun.position) == ("a.csv", "csv", ReadPosition())
        assert (begun.accepted, begun.rejected, begun.rejects_bytes) == (0, 0, 0)
        assert begun.started_at.tzinfo is not None
        assert begun.finished_at is None
        assert await store.imports.latest(CONTENT) == begun
        assert await store.imports.latest(OTHER) is None

    async def test_the_last_import_of_a_name_is_found(self, store: ImportStore) -> None:
        assert await store.imports.last_named("a.csv") is None
        first = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        assert await store.imports.last_named("a.csv") == first
        second = await store.imports.begin(OTHER, name="a.csv", options="csv")
        assert await store.imports.last_named("a.csv") == second
        assert await store.imports.last_named("b.csv") is None

    async def test_totals_are_those_of_all_imports(self, store: ImportStore) -> None:
        nothing = ClickImportTotals(unfinished=0, accepted=0, rejected=0)
        assert await store.imports.totals() == nothing
        first = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        read = moved(first, 2, rejected=1)
        await store.imports.append(first, read, ROWS[:2])
        await store.imports.finish(read)
        second = await store.imports.begin(OTHER, name="b.csv", options="csv")
        await store.imports.append(second, moved(second, 1, rejected=3), ROWS[2:])
        assert await store.imports.totals() == ClickImportTotals(
            unfinished=1, accepted=3, rejected=4
        )

    async def test_rows_go_in_with_the_place_that_they_end_at(self, store: ImportStore) -> None:
        begun = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        first = moved(begun, 2, rejected=1)
        await store.imports.append(begun, first, ROWS[:2])
        assert await store.imports.latest(CONTENT) == first
        second = moved(first, 1)
        await store.imports.append(first, second, ROWS[2:])
        third = moved(second, 0, rejected=3)
        await store.imports.append(second, third, [])
        assert await store.imports.latest(CONTENT) == third
        finished = await store.imports.finish(third)
        assert finished.finished_at is not None
        assert replace(finished, finished_at=None) == third
        assert await store.imports.latest(CONTENT) == finished
        assert await store.rows() == ROWS

    async def test_who_is_not_where_the_import_is_writes_nothing(self, store: ImportStore) -> None:
        begun = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        first = moved(begun, 1)
        await store.imports.append(begun, first, ROWS[:1])
        with pytest.raises(Conflict, match="Another process"):
            await store.imports.append(begun, first, ROWS[:1])
        with pytest.raises(Conflict, match="Another process"):
            await store.imports.finish(begun)
        await store.imports.finish(first)
        for late in (first, begun):
            with pytest.raises(Conflict, match="Another process"):
                await store.imports.append(late, moved(late, 1), ROWS[:1])
            with pytest.raises(Conflict, match="Another process"):
                await store.imports.finish(late)
        assert await store.rows() == ROWS[:1]

    async def test_of_several_that_go_on_at_once_one_does(self, store: ImportStore) -> None:
        begun = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        after = moved(begun, 1)
        results = await asyncio.gather(
            *(store.imports.append(begun, after, ROWS[:1]) for _ in range(4)),
            return_exceptions=True,
        )
        assert sum(result is None for result in results) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 3
        assert await store.rows() == ROWS[:1]

    async def test_one_import_of_a_content_is_open_at_a_time(self, store: ImportStore) -> None:
        begun = await store.imports.begin(CONTENT, name="a.csv", options="csv")
        with pytest.raises(Conflict, match="Another process"):
            await store.imports.begin(CONTENT, name="b.csv", options="csv")
        await store.imports.begin(OTHER, name="b.csv", options="csv")
        await store.imports.finish(begun)
        again = await store.imports.begin(CONTENT, name="b.csv", options="csv")
        assert again.id != begun.id
        assert await store.imports.latest(CONTENT) == again
