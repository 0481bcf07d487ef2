"""Results as comma-separated values (RFC 4180)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from typing import Any, Final

from domain.extraction.jobs.items import ItemResult
from domain.extraction.jobs.result_rows import cells_of, columns_of
from domain.extraction.schema import RecordSchema
from domain.text import inert_cell
from ports.reports import ResultFormat

_PIECE_CHARACTERS: Final = 65_536


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
            writer.writerow(_shown(cell) for cell in cells_of(result, schema))
            if buffer.tell() >= _PIECE_CHARACTERS:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()


def _shown(cell: Any) -> Any:
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
