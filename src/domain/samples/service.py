"""Fills a place with sample data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from domain.datasets.messages import messages
from domain.errors import Conflict
from domain.samples.model import SampleSize
from domain.samples.records import orders, users
from domain.samples.searches import search_clicks
from ports.sample_sink import SampleSink

Row = TypeVar("Row")
Progress = Callable[[str, int], None]
"""Is told a kind of row (users, orders, clicks, texts) and how many more were written."""

_STEP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleService:
    """Makes rows by their seeds and hands them on, one at a time."""

    sink: SampleSink

    async def fill(self, size: SampleSize, *, append: bool, progress: Progress) -> None:
        """Write all rows of `size`, or none.

        Args:
            append: add to what is there.
            progress: called every thousand rows.

        Raises:
            Conflict: rows are there already, and `append` is not set.
            DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut, OSError: see
                the port.
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
            await writer.write_texts(_told("texts", messages(size.texts, seed=size.seed), progress))


def _told(kind: str, rows: Iterable[Row], progress: Progress) -> Iterator[Row]:
    count = 0
    for row in rows:
        yield row
        count += 1
        if count == _STEP:
            progress(kind, count)
            count = 0
    progress(kind, count)
