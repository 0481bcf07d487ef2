"""Results as Parquet, by pyarrow where it is installed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from domain.errors import InvalidInput
from domain.extraction.jobs.items import ItemResult
from domain.extraction.jobs.result_rows import CellType, ResultColumn, cells_of, columns_of
from domain.extraction.schema import RecordSchema
from ports.reports import ResultFormat

_GROUP_ROWS: Final = 5_000


class ParquetFormat(ResultFormat):
    """Typed columns, compressed by Zstandard, in groups of 5,000 rows."""

    @property
    def media_type(self) -> str:
        """See the port."""
        return "application/vnd.apache.parquet"

    def check(self) -> None:
        """See the port."""
        if find_spec("pyarrow") is None:
            raise InvalidInput(
                "Parquet needs a library that is not installed here:"
                " pip install 'storekeeper[parquet]', or take NDJSON or CSV."
            )

    async def encode(
        self, results: AsyncIterable[ItemResult], schema: RecordSchema
    ) -> AsyncIterator[bytes]:
        """See the port."""
        # Optional, untyped, and slow to import: only who asks for Parquet pays it.
        pa: Any = import_module("pyarrow")
        pq: Any = import_module("pyarrow.parquet")
        columns = columns_of(schema)
        shape = pa.schema([(column.name, _type(pa, column)) for column in columns])
        sink = DrainableBuffer()
        rows: list[list[Any]] = []

        def write() -> None:
            writer.write_batch(_batch(pa, shape, columns, rows))

        with pq.ParquetWriter(sink, shape, compression="zstd") as writer:
            async for result in results:
                rows.append(cells_of(result, schema))
                if len(rows) == _GROUP_ROWS:
                    await asyncio.to_thread(write)
                    rows.clear()
                    yield sink.take()
            if rows:
                await asyncio.to_thread(write)
        yield sink.take()


class DrainableBuffer(io.RawIOBase):
    """Takes the file's bytes in their order, and gives away what has come so far."""

    def __init__(self) -> None:
        self._written = 0
        self._piece = bytearray()

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any) -> int:
        """Take `data`; returns its length."""
        piece = bytes(data)
        self._piece += piece
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        """How many bytes have come."""
        return self._written

    def close(self) -> None:
        """What was written stays to be taken."""

    def take(self) -> bytes:
        """What has come since the last call."""
        piece = bytes(self._piece)
        self._piece.clear()
        return piece


def _type(pa: Any, column: ResultColumn) -> Any:
    plain = {
        CellType.TEXT: pa.string(),
        CellType.INTEGER: pa.int64(),
        CellType.NUMBER: pa.float64(),
        CellType.BOOLEAN: pa.bool_(),
        CellType.DATE: pa.date32(),
        CellType.INSTANT: pa.timestamp("us", tz="UTC"),
    }[column.kind]
    return pa.list_(plain) if column.many else plain


def _batch(pa: Any, shape: Any, columns: Sequence[ResultColumn], rows: Sequence[list[Any]]) -> Any:
    arrays = [
        pa.array([_typed(row[place], column) for row in rows], type=shape.field(place).type)
        for place, column in enumerate(columns)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=shape)


def _typed(cell: Any, column: ResultColumn) -> Any:
    if isinstance(cell, list):
        return [_typed(each, column) for each in cell]
    if cell is None:
        return None
    if column.kind is CellType.DATE:
        return date.fromisoformat(cell)
    return float(cell) if column.kind is CellType.NUMBER else cell
