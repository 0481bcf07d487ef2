"""Searches as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.files.click_columns import ClickColumns
from adapters.files.click_lines import LONGEST_LINE, opened, overlong, spoiled, unfit
from adapters.files.click_values import Days, counts_of_numbers
from domain.insights.bulk import COLUMNS, Position, RawBlock, Reject

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class NdjsonClicks:
    """An object a line; the first one shows which members there are."""

    columns: ClickColumns
    block_bytes: int

    def __str__(self) -> str:
        """In a line that is the same each time."""
        return f"ndjson{self.columns}"

    def size(self, path: Path) -> int:
        """Bytes of the file on the disk."""
        return path.stat().st_size

    def unread(self, path: Path) -> Sequence[str]:
        """Members of the first line that are not read."""
        return self._members(path)[1]

    def blocks(self, path: Path, start: Position) -> Iterator[RawBlock]:
        """See `ports.click_source`."""
        found, _ = self._members(path)
        row_type = msgspec.defstruct(
            "Row", [(name, Any, None) for name in COLUMNS], rename=dict(self.columns.named)
        )
        decoder = msgspec.json.Decoder(row_type)
        days, line = Days(), start.line
        with opened(path) as content:
            for piece in content.pieces(start.offset, self.block_bytes):
                data = piece.data if line else piece.data.removeprefix(_BOM)
                count = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
                lines: Sequence[int] = range(line + 1, line + 1 + count)
                wrong: list[Reject] = []
                try:
                    rows = decoder.decode_lines(data)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    rows = []
                if len(rows) != count:  # one is wrong, or blank
                    rows, lines, wrong = self._one_by_one(row_type, data, line + 1)
                line += count
                if piece.overlong is not None:
                    line += 1
                    wrong.append(overlong(line, piece.overlong))
                yield RawBlock(
                    columns=_columns(rows, found, days),
                    lines=lines,
                    spoiled=wrong,
                    end=Position(offset=piece.end, line=line),
                    read=piece.read,
                )

    def _members(self, path: Path) -> tuple[Sequence[str], Sequence[str]]:
        with opened(path) as content:
            line = content.file.readline(LONGEST_LINE)
            while line and not line.removeprefix(_BOM).strip():
                line = content.file.readline(LONGEST_LINE)
        if not line:
            raise unfit("is empty")
        try:
            first = json.loads(line.decode("utf-8-sig"))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            raise unfit(f"has no JSON in its first line: {error}") from None
        if not isinstance(first, dict):
            raise unfit("has no object in its first line")
        return self.columns.among(list(first))

    def _one_by_one(
        self, row_type: type[msgspec.Struct], data: bytes, first: int
    ) -> tuple[list[Any], list[int], list[Reject]]:
        """Rows of lines of which some may be wrong, where each begins, and what is none."""
        rows, begins, wrong = [], [], []
        names = {column: self.columns.name(column) for column in COLUMNS}
        for number, line in enumerate(data.split(b"\n"), start=first):
            if not line.strip():
                continue
            try:
                raw = json.loads(line.decode())
            except UnicodeDecodeError as error:
                why = f"is not UTF-8 (byte {error.start})"
            except (ValueError, RecursionError) as error:
                why = f"is not JSON: {error}".replace("line 1 column", "column")
            else:
                if isinstance(raw, dict):
                    rows.append(row_type(*(raw.get(name) for name in names.values())))
                    begins.append(number)
                    continue
                why = "is no object"
            text = line.decode(errors="backslashreplace").rstrip("\r")
            wrong.append(spoiled(number, text, why))
        return rows, begins, wrong


def _columns(rows: Sequence[Any], found: Sequence[str], days: Days) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {name: list(map(attrgetter(name), rows)) for name in found}
    if rows:
        columns["clicks"] = counts_of_numbers(columns["clicks"])
        columns["impressions"] = counts_of_numbers(columns["impressions"])
        if "search_date" in columns:
            columns["search_date"] = days.of_texts(columns["search_date"])
    return columns
