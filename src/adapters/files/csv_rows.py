"""Comma-separated values (RFC 4180), read strictly: the one reader of whatever table comes in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import islice
from operator import itemgetter
from typing import Final

from adapters.files.line_files import (
    BLOCK_BYTES,
    BOM,
    LineBlock,
    LineFile,
    MalformedRow,
    malformed_row,
    unfit,
)

# The bound of the module is one for the whole process. Ours is the content's, on whole rows.
csv.field_size_limit(2**31 - 1)

_UNFINISHED: Final = "unexpected end of data"
_GOES_ON: Final = "expected after"
_WORDS: Final = (
    ("new-line character", "has a carriage return outside of quotes"),
    (
        _GOES_ON,
        'goes on after the end of a quoted field: a quote in a field is doubled ("")',
    ),
)
"""What the module `csv` says, in our words."""
_EXCEL: Final = re.compile(rb"sep=(.)\r?\n?", re.IGNORECASE)
_OTHER_DELIMITERS: Final = ",;|\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvBlock:
    """Rows that follow one another.

    Attributes:
        rows: each of as many fields as the heading.
        lines: where each begins.
        bad: what is no row.
        end, line: bytes and lines of the content up to the end of the block.
        read: bytes of the file as it lies on the disk that have been read.
    """

    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    bad: Sequence[MalformedRow]
    end: int
    line: int
    read: int


@dataclass(slots=True, kw_only=True)
class _Parsed:
    """Rows of a block: where each begins, what is none, how many lines these are, and the rest."""

    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    bad: list[MalformedRow] = field(default_factory=list)
    count: int
    rest: bytes = b""


class CsvTable:
    """A table below a heading.

    Blank lines are no rows. Excel's first line `sep=;` names the delimiter. Blank fields behind
    the last column are dropped.

    Args:
        content: from its beginning.
        delimiter: between fields, unless the file names it.

    Attributes:
        heading: the names of the columns, without blanks around them.

    Raises:
        InvalidInput: there is no heading, or it is divided by something else.
    """

    def __init__(self, content: LineFile, delimiter: str) -> None:
        self._content = content
        self._delimiter = delimiter
        self._begin = self._lines = 0
        self.heading: Sequence[str] = self._names(self._first_line())

    def rows(self) -> Iterator[tuple[int, Sequence[str] | MalformedRow]]:
        """Each row, or what is none, by the number of the line where it begins."""
        for block in self.blocks():
            found: list[tuple[int, Sequence[str] | MalformedRow]] = []
            found += zip(block.lines, block.rows, strict=True)
            found += ((each.line, each) for each in block.bad)
            yield from sorted(found, key=itemgetter(0))

    def blocks(
        self, offset: int = 0, line: int = 0, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[CsvBlock]:
        """The rows from a place on where an earlier block ended, some `block_bytes` at a time."""
        line, rest, again = max(line, self._lines), b"", 0
        for block in _with_end(self._content.blocks(max(offset, self._begin), block_bytes)):
            ends = block.overlong is not None or not block.data
            rest += block.data
            if len(rest) < again and not ends:
                continue
            parsed = self._parse(rest, line + 1, final=ends)
            # A row that goes on is read again once there is twice as much, so not too often.
            line, rest, again = line + parsed.count, parsed.rest, 2 * len(parsed.rest)
            if block.overlong is not None:
                line += 1
                parsed.bad.append(self._content.overlong(line, block.overlong))
            if parsed.rows or parsed.bad:
                yield CsvBlock(
                    rows=parsed.rows,
                    lines=parsed.lines,
                    bad=parsed.bad,
                    end=block.end - len(rest),
                    line=line,
                    read=block.read,
                )

    def _first_line(self) -> str:
        """The line of the names; the rows begin behind it."""
        longest = self._content.longest
        while line := self._content.file.readline(longest):
            first = not self._begin
            self._begin += len(line)
            self._lines += 1
            line = line.removeprefix(BOM) if first else line
            excel = _EXCEL.fullmatch(line) if first else None
            if excel is not None:
                self._delimiter = excel[1].decode("latin-1")
            elif line.strip():
                if len(line) == longest and not line.endswith(b"\n"):
                    raise unfit(f"has more than {longest} bytes in its first line")
                try:
                    return line.decode()
                except UnicodeDecodeError as error:
                    detail = f"is not UTF-8 (byte {error.start} of line {self._lines})"
                    raise unfit(f"{detail}: iconv -f WINDOWS-1252 -t UTF-8") from None
        raise unfit("is empty; a line with the names of the columns comes first")

    def _names(self, line: str) -> Sequence[str]:
        delimiter = self._delimiter
        try:
            [names] = csv.reader([line], strict=True, delimiter=delimiter)
        except (csv.Error, ValueError) as error:
            why = str(error)
            if "\r" in line.rstrip("\r\n"):
                why = "do its lines end with a carriage return alone? (tr '\\r' '\\n')"
            raise unfit(f"has no heading in line {self._lines}: {why}") from None
        if "\x00" in line:
            raise unfit(f"is no text: NUL in line {self._lines}")
        if len(names) == 1 and any(each in names[0] for each in _OTHER_DELIMITERS):
            raise unfit(
                f"has one column by {delimiter!r}, {names[0]!r}: divide them so, or see --delimiter"
            )
        return [name.strip() for name in names]

    def _parse(self, data: bytes, first: int, *, final: bool) -> _Parsed:
        """The rows of whole lines, of which the first is line `first`.

        The last row may go on in lines that are not there: unless `final`, it is given back.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="surrogateescape")
            return self._one_by_one(text, first, final=final)
        reader = csv.reader(StringIO(text, newline="\n"), strict=True, delimiter=self._delimiter)
        try:
            rows = list(reader)
        except csv.Error:
            return self._one_by_one(text, first, final=final)
        if set(map(len, rows)) <= {len(self.heading)} and reader.line_num == len(rows):
            return _Parsed(rows=rows, lines=range(first, first + len(rows)), count=len(rows))
        return self._one_by_one(text, first, final=final)

    def _one_by_one(self, text: str, first: int, *, final: bool) -> _Parsed:
        """The same for rows of which some may be wrong, or span lines."""
        lines = list(StringIO(text, newline="\n"))
        done, read = 0, 0  # lines that are through; lines before those of the reader
        reader = csv.reader(iter(lines), strict=True, delimiter=self._delimiter)
        rows, begins, bad = [], [], []
        while done < len(lines):
            begin = done
            try:
                row, error = next(reader), ""
            except csv.Error as caught:
                row, error = [], str(caught)
            done = read + reader.line_num
            why = self._fault(row, error)
            if why is None and done - begin <= 1:
                if row:
                    rows.append(row[: len(self.heading)])
                    begins.append(first + begin)
                continue
            piece = _bytes("".join(lines[begin:done]))
            too_long = len(piece) > self._content.longest
            if error == _UNFINISHED and not final and not too_long:
                done = begin
                break
            spans = done - begin > 1
            if error == _UNFINISHED or too_long or (spans and self._opens(lines[done - 1], error)):
                # Rows behind a quote that is not closed are rows.
                why = "opens a quoted field that does not end"
                bad.append(malformed_row(first + begin, _bytes(lines[begin]).rstrip(b"\r\n"), why))
                done = read = begin + 1
                behind = islice(lines, done, None)
                reader = csv.reader(behind, strict=True, delimiter=self._delimiter)
            elif why is None:
                rows.append(row[: len(self.heading)])
                begins.append(first + begin)
            else:
                why += f" (lines {first + begin} to {first + done - 1})" if spans else ""
                shown = malformed_row(first + begin, piece.rstrip(b"\r\n"), why)
                fields = [_bytes(each).decode(errors="backslashreplace") for each in row]
                bad.append(replace(shown, row=fields) if row else shown)
        return _Parsed(
            rows=rows, lines=begins, bad=bad, count=done, rest=_bytes("".join(lines[done:]))
        )

    def _opens(self, line: str, error: str) -> bool:
        """Whether a quote was taken for the end of a field in `line` that rather begins one."""
        before, _, after = line.partition('"')
        begins = not before or before.endswith(self._delimiter)
        return _GOES_ON in error and begins and not after.startswith('"')

    def _fault(self, row: Sequence[str], error: str) -> str | None:
        """Why fields are no row; a blank line has none, and is no row but not wrong."""
        if error:
            return next((ours for theirs, ours in _WORDS if theirs in error), error)
        width = len(self.heading)
        if row and len(row) < width:
            return f"has {len(row)} fields, the heading has {width}"
        if any(row[width:]):
            remedy = f"a field that holds {self._delimiter!r} stands in quotes"
            return f"has {len(row)} fields, the heading has {width}: {remedy}"
        for place, text in enumerate(row, start=1):
            try:
                text.encode()
            except UnicodeEncodeError as found:
                byte = ord(text[found.start]) - 0xDC00
                return f"is not UTF-8 (byte 0x{byte:02X} in field {place})"
        return None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _with_end(blocks: Iterator[LineBlock]) -> Iterator[LineBlock]:
    """The blocks, and an empty one where the file ends."""
    block = None
    for block in blocks:
        yield block
    if block is not None:
        yield LineBlock(data=b"", end=block.end, read=block.read)
