"""Results as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

import msgspec

from domain.extraction.jobs.items import ItemResult
from domain.extraction.jobs.result_rows import record_of
from domain.extraction.schema import RecordSchema
from ports.reports import ResultFormat

_PIECE_BYTES: Final = 65_536


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
