"""Sample data into files: CSV for rows, NDJSON for messages."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from domain.comparison.model import LabelledText
from domain.datasets.lines import line_of
from domain.samples.model import ClickRow, OrderRow, UserRow
from ports.sample_sink import SampleSink, SampleWriter

_USERS, _ORDERS, _CLICKS, _TEXTS = "users.csv", "orders.csv", "search_clicks.csv", "texts.ndjson"
_NAMES: Final = (_USERS, _ORDERS, _CLICKS, _TEXTS)


class FileSampleSink(SampleSink):
    """A folder; a file is there once it is whole, and a kind without rows has none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def occupied(self) -> Sequence[str]:
        """Files that exist; see the port."""
        return [name for name in _NAMES if (self._folder / name).exists()]

    def open(self) -> AbstractAsyncContextManager[SampleWriter]:
        """A writer; see the port."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SampleWriter]:
        self._folder.mkdir(parents=True, exist_ok=True)
        writer = _FileWriter(self._folder)
        try:
            yield writer
            writer.finish()
        finally:
            writer.discard()


class _FileWriter(SampleWriter):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def reserve_user_ids(self, count: int) -> int:  # noqa: ARG002 (ids are free here)
        """See the port."""
        return 1

    async def write_users(self, rows: Iterable[UserRow]) -> None:
        """See the port."""
        self._csv(_USERS, UserRow._fields, ((*row[:3], _utc(row.created_at)) for row in rows))

    async def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """See the port."""
        self._csv(_ORDERS, OrderRow._fields, ((*row[:3], _utc(row.order_date)) for row in rows))

    async def write_clicks(self, rows: Iterable[ClickRow]) -> None:
        """See the port."""
        self._csv(_CLICKS, ClickRow._fields, rows)

    async def write_texts(self, rows: Iterable[LabelledText]) -> None:
        """See the port."""
        with self._partial(_TEXTS).open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(line_of(row))

    def finish(self) -> None:
        """Give every file that has rows its name."""
        for name in _NAMES:
            partial = self._partial(name)
            with partial.open(encoding="utf-8") as file:
                lines = sum(1 for _, _ in zip(range(2), file, strict=False))
            if lines > (0 if name == _TEXTS else 1):
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
