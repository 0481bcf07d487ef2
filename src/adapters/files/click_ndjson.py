"""Searches as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.files.click_columns import ClickColumns
from adapters.files.click_rejects import rejected
from adapters.files.click_values import LONGEST_LINE, Days, counts_of_numbers
from adapters.files.content import BOM, BadRow, check_to_the_end, opened, spoiled, unfit
from domain.insights.bulk import COLUMNS, Position, RawBlock
from domain.strict_json import DEEPEST, MOST_DIGITS, NotStrictJson, read_json

_Row = Mapping[str, Any]
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])
_DIGITS: Final = bytes(0x30 if each in b"0123456789." else 0x20 for each in range(256))
_TOO_LONG: Final = b"0" * (MOST_DIGITS + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NdjsonClicks:
    """An object a line, each read by itself: what one does not have, another may."""

    columns: ClickColumns
    block_bytes: int

    def __str__(self) -> str:
        """In a line that is the same each time."""
        return f"ndjson{self.columns}"

    def size(self, path: Path) -> int:
        """Bytes of the file on the disk."""
        return path.stat().st_size

    def check(self, path: Path) -> Sequence[str]:
        """See `content.check_to_the_end`."""
        return check_to_the_end(path)

    def unread(self, path: Path) -> Sequence[str]:
        """Members that rows at the beginning of the file have and that are not read."""
        return self._members(path)

    def blocks(self, path: Path, start: Position) -> Iterator[RawBlock]:
        """See `ports.click_source`."""
        self._members(path)
        names = {column: self.columns.name(column) for column in COLUMNS}
        days, line = Days(), start.line
        with opened(path, LONGEST_LINE) as content:
            for piece in content.pieces(start.offset, self.block_bytes):
                data = piece.data if line else piece.data.removeprefix(BOM)
                rows, lines, bad = _parsed(data, line + 1)
                line += data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
                if piece.overlong is not None:
                    line += 1
                    bad.append(content.overlong(line, piece.overlong))
                yield RawBlock(
                    columns=_columns(rows, names, days),
                    lines=lines,
                    spoiled=rejected(bad),
                    end=Position(offset=piece.end, line=line),
                    read=piece.read,
                )

    def _members(self, path: Path) -> Sequence[str]:
        """Members of the first rows that are not read.

        Raises:
            InvalidInput: none of these rows has a member that each must have, so it is called
                otherwise; or there is no line at all.
        """
        with opened(path, LONGEST_LINE) as content:
            for piece in content.pieces(0, self.block_bytes):
                rows, _, bad = _parsed(piece.data.removeprefix(BOM), 1)
                if rows:
                    names = list(dict.fromkeys(name for row in rows for name in row))
                    return self.columns.among(names)[1]
                if bad or piece.overlong is not None:
                    return []
        raise unfit("is empty")


def _parsed(data: bytes, first: int) -> tuple[Sequence[_Row], Sequence[int], list[BadRow]]:
    """The rows of whole lines, the first of which is line `first`; where each begins; the rest."""
    count = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
    try:
        rows = _DECODER.decode_lines(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        rows = []
    if len(rows) == count and _strict(data, rows):
        return rows, range(first, first + count), []
    rows, begins, bad = [], [], list[BadRow]()
    for number, line in enumerate(data.split(b"\n"), start=first):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except NotStrictJson as error:
            why = str(error).replace("(line 1, ", "(")
        else:
            if isinstance(row, dict):
                rows.append(row)
                begins.append(number)
                continue
            why = "is no object"
        bad.append(spoiled(number, line.rstrip(b"\r"), why))
    return rows, begins, bad


def _strict(data: bytes, rows: Sequence[_Row]) -> bool:
    """Whether `read_json` would surely have read the same from these lines.

    A library that reads ten times as fast lets a member stand twice, and takes longer numbers and
    deeper nesting. So there are to be as many `":` as members; so few brackets that they cannot
    nest too deep; and no long run of digits.
    """
    return (
        data.translate(None, b" \t\r").count(b'":') == sum(map(len, rows))
        and data.count(b"{") + data.count(b"[") < len(rows) + DEEPEST
        and _TOO_LONG not in data.translate(_DIGITS)
    )


def _columns(
    rows: Sequence[_Row], names: Mapping[str, str], days: Days
) -> dict[str, Sequence[Any]]:
    if not rows:
        return {}
    columns: dict[str, Sequence[Any]] = {
        column: [row.get(name) for row in rows] for column, name in names.items()
    }
    columns["clicks"] = counts_of_numbers(columns["clicks"])
    columns["impressions"] = counts_of_numbers(columns["impressions"])
    columns["search_date"] = days.of_texts(columns["search_date"])
    if not any(each is not None for each in columns["click_through_rate"]):
        del columns["click_through_rate"]
    return columns
