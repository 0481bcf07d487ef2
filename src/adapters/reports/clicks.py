"""Rows of searches as CSV, lines of JSON and Parquet."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from importlib import import_module
from typing import Any, Final

import msgspec

from adapters.reports.result_formats import DrainableBuffer, ParquetFormat
from domain.insights.click_rows import COLUMNS, LoggedRow
from domain.text import inert_cell
from ports.click_files import ClickEncoder

_QUOTED: Final = re.compile('[",\r\n]')
_GROUP_ROWS: Final = 65_536


class CsvClickEncoder(ClickEncoder):
    """UTF-8 with a heading; NULL is a blank.

    What a spreadsheet would run as a formula is led by an apostrophe, which an import takes away.
    """

    def check(self) -> None:
        """See the port; nothing is missing."""

    async def encode(self, rows: AsyncIterable[Sequence[LoggedRow]]) -> AsyncIterator[bytes]:
        """See the port."""
        yield (",".join(COLUMNS) + "\n").encode()
        async for some in rows:
            # By hand: the module `csv` of Python 3.11 leaves a carriage return unquoted.
            yield "".join(
                f"{_quoted(query)},{_bare(clicks)},{_bare(impressions)},{_bare(rate)},{_bare(day)}\n"
                for query, clicks, impressions, rate, day in some
            ).encode()


class NdjsonClickEncoder(ClickEncoder):
    """An object a line."""

    def check(self) -> None:
        """See the port; nothing is missing."""

    async def encode(self, rows: AsyncIterable[Sequence[LoggedRow]]) -> AsyncIterator[bytes]:
        """See the port."""
        encoder = msgspec.json.Encoder()
        async for some in rows:
            yield encoder.encode_lines([dict(zip(COLUMNS, row, strict=True)) for row in some])


class ParquetClickEncoder(ClickEncoder):
    """Typed columns, compressed by Zstandard, in groups of some 65,536 rows."""

    def check(self) -> None:
        """See the port."""
        ParquetFormat().check()

    async def encode(self, rows: AsyncIterable[Sequence[LoggedRow]]) -> AsyncIterator[bytes]:
        """See the port."""
        # Optional, untyped, and slow to import: only who asks for Parquet pays it.
        pa: Any = import_module("pyarrow")
        pq: Any = import_module("pyarrow.parquet")
        types = (pa.string(), pa.int32(), pa.int32(), pa.float64(), pa.date32())
        shape = pa.schema(list(zip(COLUMNS, types, strict=True)))
        sink = DrainableBuffer()
        gathered: list[LoggedRow] = []

        def write() -> None:
            by_column = zip(*gathered, strict=True)
            arrays = [
                pa.array(column, type=kind) for column, kind in zip(by_column, types, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=shape))

        with pq.ParquetWriter(sink, shape, compression="zstd") as writer:
            async for some in rows:
                gathered += some
                if len(gathered) >= _GROUP_ROWS:
                    await asyncio.to_thread(write)
                    gathered.clear()
                    yield sink.take()
            if gathered:
                await asyncio.to_thread(write)
        yield sink.take()


def _quoted(query: str | None) -> str:
    if query is None:
        return ""
    query = inert_cell(query)
    return '"' + query.replace('"', '""') + '"' if _QUOTED.search(query) or not query else query


def _bare(value: object) -> object:
    return "" if value is None else value
