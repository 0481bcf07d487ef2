"""Searches in comma-separated values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.files.click_columns import ClickColumns
from adapters.files.click_rejects import rejected
from adapters.files.click_values import LONGEST_LINE, Days, counts_of_texts, rates_of_texts
from adapters.files.content import check_to_the_end, opened
from adapters.files.csv_rows import CsvTable
from domain.insights.bulk import Position, RawBlock
from domain.text import plain_cell


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvClicks:
    """A heading names the columns; a blank stands for what is not known."""

    columns: ClickColumns
    delimiter: str
    block_bytes: int

    def __str__(self) -> str:
        """In a line that is the same each time."""
        return f"csv by {self.delimiter!r}{self.columns}"

    def size(self, path: Path) -> int:
        """Bytes of the file on the disk."""
        return path.stat().st_size

    def check(self, path: Path) -> Sequence[str]:
        """See `content.check_to_the_end`."""
        return check_to_the_end(path)

    def unread(self, path: Path) -> Sequence[str]:
        """Columns of the file that are not read."""
        with opened(path, LONGEST_LINE) as content:
            return self.columns.among(CsvTable(content, self.delimiter).heading)[1]

    def blocks(self, path: Path, start: Position) -> Iterator[RawBlock]:
        """See `ports.click_source`."""
        days = Days()
        with opened(path, LONGEST_LINE) as content:
            table = CsvTable(content, self.delimiter)
            found, _ = self.columns.among(table.heading)
            places = {column: table.heading.index(self.columns.name(column)) for column in found}
            for block in table.blocks(start.offset, start.line, self.block_bytes):
                yield RawBlock(
                    columns=_columns(block.rows, places, days),
                    lines=block.lines,
                    spoiled=rejected(block.bad),
                    end=Position(offset=block.end, line=block.line),
                    read=block.read,
                )


def _columns(
    rows: Sequence[Sequence[str]], places: Mapping[str, int], days: Days
) -> dict[str, Sequence[Any]]:
    if not rows:
        return {}
    by_place = list(zip(*rows, strict=True))
    found: dict[str, Sequence[Any]] = {name: by_place[place] for name, place in places.items()}
    found["search_query"] = [
        plain_cell(query) if query[:1] == "'" else query for query in found["search_query"]
    ]
    found["clicks"] = counts_of_texts(found["clicks"])
    found["impressions"] = counts_of_texts(found["impressions"])
    if "click_through_rate" in found:
        found["click_through_rate"] = rates_of_texts(found["click_through_rate"])
    if "search_date" in found:
        found["search_date"] = days.of_texts(found["search_date"])
    return found
