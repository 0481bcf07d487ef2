"""Fills a database or a folder with sample data."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from domain.errors import Conflict
from entrypoints.up.sample_data.rows import (
    ClickRow,
    OrderRow,
    SampleSpec,
    UserRow,
    orders,
    search_clicks,
    users,
)

Row = TypeVar("Row")
Progress = Callable[[str, int], None]
"""Is told a kind of row (users, orders, clicks) and how many more were written."""
_STEP: Final = 1000
_USERS, _ORDERS, _CLICKS = "users.csv", "orders.csv", "search_clicks.csv"
_NAMES: Final = (_USERS, _ORDERS, _CLICKS)


class SampleRowWriter(Protocol):
    """Takes rows as they are made, a table at a time; none is kept in memory.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
        OSError: a file cannot be written.
    """

    @abstractmethod
    async def reserve_user_ids(self, count: int) -> int:
        """The first of `count` ids in a row that no other user has or will get."""
        ...

    @abstractmethod
    async def write_users(self, rows: Iterable[UserRow]) -> None:
        """Write users, with the ids reserved before."""
        ...

    @abstractmethod
    async def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """Write orders of the users written before."""
        ...

    @abstractmethod
    async def write_clicks(self, rows: Iterable[ClickRow]) -> None:
        """Write searches."""
        ...


class SampleSink(Protocol):
    """A place for sample data."""

    @abstractmethod
    async def occupied(self) -> Sequence[str]:
        """What holds rows already: names of tables or files, none when all is empty."""
        ...

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[SampleRowWriter]:
        """A writer; what it wrote is there when the block ends, and is not when it raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFiller:
    """Makes rows by their seeds and hands them on, one at a time."""

    sink: SampleSink

    async def fill(self, size: SampleSpec, *, append: bool, progress: Progress) -> None:
        """Write all rows of `size`, or none.

        Args:
            append: add to what is there.
            progress: called every thousand rows.

        Raises:
            Conflict: rows are there already, and `append` is not set.
            DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut, OSError: see
                `SampleRowWriter`.
        """
        if not append:
            occupied = await self.sink.occupied()
            if occupied:
                raise Conflict(
                    f"Rows are there already: {', '.join(occupied)}."
                    " Sample data goes into an empty place, or is added with --append."
                )
        async with self.sink.open() as writer:
            first_id = await writer.reserve_user_ids(size.users) if size.users else 1
            await writer.write_users(_told("users", users(size, first_id=first_id), progress))
            await writer.write_orders(
                _told("orders", orders(size, first_user_id=first_id), progress)
            )
            await writer.write_clicks(_told("clicks", search_clicks(size), progress))


def _told(kind: str, rows: Iterable[Row], progress: Progress) -> Iterator[Row]:
    count = 0
    for row in rows:
        yield row
        count += 1
        if count == _STEP:
            progress(kind, count)
            count = 0
    progress(kind, count)


class FileSampleSink(SampleSink):
    """A folder; a file is there once it is whole, and a kind without rows has none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def occupied(self) -> Sequence[str]:
        """Files that exist; see `SampleSink`."""
        return [name for name in _NAMES if (self._folder / name).exists()]

    def open(self) -> AbstractAsyncContextManager[SampleRowWriter]:
        """A writer; see `SampleSink`."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SampleRowWriter]:
        self._folder.mkdir(parents=True, exist_ok=True)
        writer = _FileWriter(self._folder)
        try:
            yield writer
            writer.finish()
        finally:
            writer.discard()


class _FileWriter(SampleRowWriter):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def reserve_user_ids(self, count: int) -> int:  # noqa: ARG002 (ids are free here)
        """See `SampleRowWriter`."""
        return 1

    async def write_users(self, rows: Iterable[UserRow]) -> None:
        """See `SampleRowWriter`."""
        self._csv(_USERS, UserRow._fields, ((*row[:3], _utc(row.created_at)) for row in rows))

    async def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """See `SampleRowWriter`."""
        self._csv(_ORDERS, OrderRow._fields, ((*row[:3], _utc(row.order_date)) for row in rows))

    async def write_clicks(self, rows: Iterable[ClickRow]) -> None:
        """See `SampleRowWriter`."""
        self._csv(_CLICKS, ClickRow._fields, rows)

    def finish(self) -> None:
        """Give every file that has rows its name."""
        for name in _NAMES:
            partial = self._partial(name)
            with partial.open(encoding="utf-8") as file:
                lines = sum(1 for _, _ in zip(range(2), file, strict=False))
            if lines > 1:
                partial.replace(self._folder / name)

    def discard(self) -> None:
        """Remove what has no name."""
        for name in _NAMES:
            self._partial(name).unlink(missing_ok=True)

    def _csv(self, name: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        with self._partial(name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)

    def _partial(self, name: str) -> Path:
        return self._folder / f".{name}.partial"


def _utc(moment: Any) -> str:
    return moment.isoformat().replace("+00:00", "Z")  # type: ignore[no-any-return]
