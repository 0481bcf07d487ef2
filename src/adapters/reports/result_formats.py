"""Results of a job as files: NDJSON, CSV (RFC 4180), and Parquet by pyarrow if installed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from datetime import date, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.extraction.jobs.items import ItemResult
from domain.extraction.jobs.result_rows import (
    CellType,
    ResultColumn,
    cells_of,
    columns_of,
    record_of,
)
from domain.extraction.schema import RecordSchema
from domain.text import inert_cell
from ports.reports import ResultFormat

_PIECE_BYTES: Final = 65_536
_PIECE_CHARACTERS: Final = 65_536
_GROUP_ROWS: Final = 5_000


class NdjsonFormat(ResultFormat):
    """An object a line, complete: fields, evidence with offsets, warnings."""

    @property
    def media_type(self) -> str:
        """See the port."""
        return "application/x-ndjson"

    def check(self) -> None:
        """See the port; nothing is missing."""

    async def encode(
        self,
        results: AsyncIterable[ItemResult],
        schema: RecordSchema,  # noqa: ARG002 (each line names its fields itself)
    ) -> AsyncIterator[bytes]:
        """See the port."""
        encoder = msgspec.json.Encoder()
        piece = bytearray()
        async for result in results:
            piece += encoder.encode(record_of(result)) + b"\n"
            if len(piece) >= _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        if piece:
            yield bytes(piece)


class CsvFormat(ResultFormat):
    """UTF-8 with a heading; lists stand as JSON.

    A text that a spreadsheet would run as a formula is led by an apostrophe: customers wrote it.
    """

    @property
    def media_type(self) -> str:
        """See the port."""
        return "text/csv"

    def check(self) -> None:
        """See the port; nothing is missing."""

    async def encode(
        self, results: AsyncIterable[ItemResult], schema: RecordSchema
    ) -> AsyncIterator[bytes]:
        """See the port."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(column.name for column in columns_of(schema))
        async for result in results:
            writer.writerow(_csv_cell(cell) for cell in cells_of(result, schema))
            if buffer.tell() >= _PIECE_CHARACTERS:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()


def _csv_cell(cell: Any) -> Any:
    match cell:
        case bool():
            return "true" if cell else "false"
        case list():
            return json.dumps(cell, ensure_ascii=False) if cell else ""
        case datetime():
            return cell.isoformat().replace("+00:00", "Z")
        case str():
            return inert_cell(cell)
        case _:
            return cell


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
