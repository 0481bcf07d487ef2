"""Searches in comma-separated values (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

from adapters.files.click_columns import ClickColumns
from adapters.files.click_lines import (
    LONGEST_LINE,
    Content,
    Piece,
    opened,
    overlong,
    spoiled,
    unfit,
)
from adapters.files.click_values import Days, counts_of_texts, rates_of_texts
from domain.errors import Violation
from domain.insights.bulk import Position, RawBlock, Reject

_UNFINISHED: Final = "unexpected end of data"
_WORDS: Final = (
    (_UNFINISHED, "opens a quoted field that does not end"),
    ("field larger", "has a field of more than 131072 characters, or a quoted one without end"),
    ("new-line character", "has a carriage return outside of quotes"),
    (
        "expected after",
        'goes on after the end of a quoted field: a quote in a field is doubled ("")',
    ),
)
"""What the module `csv` says, in our words."""


@dataclass(slots=True, kw_only=True)
class _Parsed:
    """Rows of a piece: where each begins, what is none, how many lines these are, and the rest."""

    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    spoiled: list[Reject] = field(default_factory=list)
    count: int
    rest: bytes = b""


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

    def unread(self, path: Path) -> Sequence[str]:
        """Columns of the file that are not read."""
        with opened(path) as content:
            return self.columns.among(self._heading(content)[0])[1]

    def blocks(self, path: Path, start: Position) -> Iterator[RawBlock]:
        """See `ports.click_source`."""
        days = Days()
        with opened(path) as content:
            heading, begin = self._heading(content)
            found, _ = self.columns.among(heading)
            places = {column: heading.index(self.columns.name(column)) for column in found}
            line, rest = max(start.line, 1), b""
            for piece in _with_end(content.pieces(max(start.offset, begin), self.block_bytes)):
                ends = piece.overlong is not None or not piece.data
                parsed = self._parse(rest + piece.data, line + 1, len(heading), final=ends)
                line, rest = line + parsed.count, parsed.rest
                if piece.overlong is not None:
                    line += 1
                    parsed.spoiled.append(overlong(line, piece.overlong))
                if not parsed.rows and not parsed.spoiled:
                    continue
                yield RawBlock(
                    columns=_columns(parsed.rows, places, days),
                    lines=parsed.lines,
                    spoiled=parsed.spoiled,
                    end=Position(offset=piece.end - len(rest), line=line),
                    read=piece.read,
                )

    def _heading(self, content: Content) -> tuple[list[str], int]:
        """The names of the columns, and where the rows begin, in bytes."""
        line = content.file.readline(LONGEST_LINE)
        if not line:
            raise unfit("is empty; a line with the names of the columns comes first")
        try:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in line:
                raise unfit("is UTF-16 or no text: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise unfit(f"is not UTF-8 (byte {error.start} of line 1)") from None
        try:
            [names] = csv.reader([text], strict=True, delimiter=self.delimiter)
        except (csv.Error, ValueError) as error:
            raise unfit(f"has no heading in line 1: {error}") from None
        if len(names) == 1 and any(each in names[0] for each in ",;|\t"):
            raise unfit(f"has one column by {self.delimiter!r}, {names[0]!r}: see --delimiter")
        return [name.strip() for name in names], len(line)

    def _parse(self, data: bytes, first: int, width: int, *, final: bool) -> _Parsed:
        """The rows of whole lines, of which the first is line `first`.

        The last row may go on in lines that are not there: unless `final`, it is given back.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="surrogateescape")
            return self._one_by_one(text, first, width, final=final)
        reader = csv.reader(StringIO(text, newline="\n"), strict=True, delimiter=self.delimiter)
        try:
            rows = list(reader)
        except csv.Error:
            return self._one_by_one(text, first, width, final=final)
        if set(map(len, rows)) <= {width} and reader.line_num == len(rows):
            return _Parsed(rows=rows, lines=range(first, first + len(rows)), count=len(rows))
        return self._one_by_one(text, first, width, final=final)

    def _one_by_one(self, text: str, first: int, width: int, *, final: bool) -> _Parsed:
        """The same for rows of which some may be wrong, or span lines."""
        lines = list(StringIO(text, newline="\n"))
        reader = csv.reader(iter(lines), strict=True, delimiter=self.delimiter)
        rows, begins, wrong, done = [], [], [], 0
        while done < len(lines):
            begin = done
            try:
                row = next(reader)
            except csv.Error as error:
                if str(error) == _UNFINISHED and not final:
                    break
                done = reader.line_num
                piece = "".join(lines[begin:done]).rstrip("\r\n")
                words = next((ours for theirs, ours in _WORDS if theirs in str(error)), str(error))
                until = (
                    f" (lines {first + begin} to {first + done - 1})" if done - begin > 1 else ""
                )
                shown = piece.encode(errors="surrogateescape").decode(errors="backslashreplace")
                wrong.append(spoiled(first + begin, shown, words + until))
                continue
            done = reader.line_num
            why = _unfit_row(row, width)
            if why is not None:
                reasons = [Violation(pointer="", detail=why)]
                wrong.append(Reject(line=first + begin, row=row, reasons=reasons))
            elif row:
                rows.append(row)
                begins.append(first + begin)
        rest = "".join(lines[done:]).encode(errors="surrogateescape")
        return _Parsed(rows=rows, lines=begins, spoiled=wrong, count=done, rest=rest)


def _unfit_row(row: Sequence[str], width: int) -> str | None:
    """Why fields are no row; a blank line has none, and is no row but not wrong."""
    if row and len(row) != width:
        return f"has {len(row)} fields, the heading has {width}"
    for place, text in enumerate(row, start=1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            byte = ord(text[error.start]) - 0xDC00
            return f"is not UTF-8 (byte 0x{byte:02X} in field {place})"
    return None


def _columns(
    rows: Sequence[Sequence[str]], places: dict[str, int], days: Days
) -> dict[str, Sequence[Any]]:
    if not rows:
        return {}
    by_place = list(zip(*rows, strict=True))
    found: dict[str, Sequence[Any]] = {name: by_place[place] for name, place in places.items()}
    found["clicks"] = counts_of_texts(found["clicks"])
    found["impressions"] = counts_of_texts(found["impressions"])
    if "click_through_rate" in found:
        found["click_through_rate"] = rates_of_texts(found["click_through_rate"])
    if "search_date" in found:
        found["search_date"] = days.of_texts(found["search_date"])
    return found


def _with_end(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The pieces, and an empty one where the file ends."""
    piece = None
    for piece in pieces:
        yield piece
    if piece is not None:
        yield Piece(data=b"", end=piece.end, read=piece.read)
