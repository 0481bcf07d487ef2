"""Searches in comma-separated values, lines of JSON, and Parquet where pyarrow is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.files.click_columns import (
    LONGEST_LINE,
    ClickColumnNames,
    DayParser,
    counts_of_numbers,
    counts_of_texts,
    rates_of_texts,
)
from adapters.files.csv_rows import CsvTable
from adapters.files.line_files import (
    BOM,
    MalformedRow,
    check_to_the_end,
    malformed_row,
    open_text_file,
    unfit,
)
from domain.errors import Violation
from domain.insights.click_rows import COLUMNS, ClickRowBlock, ReadPosition, RejectedRow
from domain.strict_json import DEEPEST, MOST_DIGITS, NotStrictJson, read_json
from domain.text import plain_cell


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvClickReader:
    """A heading names the columns; a blank stands for what is not known."""

    columns: ClickColumnNames
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
        with open_text_file(path, LONGEST_LINE) as content:
            return self.columns.among(CsvTable(content, self.delimiter).heading)[1]

    def blocks(self, path: Path, start: ReadPosition) -> Iterator[ClickRowBlock]:
        """See `ports.click_files`."""
        days = DayParser()
        with open_text_file(path, LONGEST_LINE) as content:
            table = CsvTable(content, self.delimiter)
            found, _ = self.columns.among(table.heading)
            places = {column: table.heading.index(self.columns.name(column)) for column in found}
            for block in table.blocks(start.offset, start.line, self.block_bytes):
                yield ClickRowBlock(
                    columns=_csv_columns(block.rows, places, days),
                    lines=block.lines,
                    unreadable=_rejected(block.bad),
                    end=ReadPosition(offset=block.end, line=block.line),
                    read=block.read,
                )


def _rejected(bad: Iterable[MalformedRow]) -> list[RejectedRow]:
    """What could not be read as rows, as it is told."""
    return [
        RejectedRow(line=each.line, row=each.row, reasons=[Violation(pointer="", detail=each.why)])
        for each in bad
    ]


def _csv_columns(
    rows: Sequence[Sequence[str]], places: Mapping[str, int], days: DayParser
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


_Row = Mapping[str, Any]
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])
_DIGITS: Final = bytes(0x30 if each in b"0123456789." else 0x20 for each in range(256))
_TOO_LONG: Final = b"0" * (MOST_DIGITS + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NdjsonClickReader:
    """An object a line, each read by itself: what one does not have, another may."""

    columns: ClickColumnNames
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

    def blocks(self, path: Path, start: ReadPosition) -> Iterator[ClickRowBlock]:
        """See `ports.click_files`."""
        self._members(path)
        names = {column: self.columns.name(column) for column in COLUMNS}
        days, line = DayParser(), start.line
        with open_text_file(path, LONGEST_LINE) as content:
            for block in content.blocks(start.offset, self.block_bytes):
                data = block.data if line else block.data.removeprefix(BOM)
                rows, lines, bad = _parsed(data, line + 1)
                line += data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
                if block.overlong is not None:
                    line += 1
                    bad.append(content.overlong(line, block.overlong))
                yield ClickRowBlock(
                    columns=_json_columns(rows, names, days),
                    lines=lines,
                    unreadable=_rejected(bad),
                    end=ReadPosition(offset=block.end, line=line),
                    read=block.read,
                )

    def _members(self, path: Path) -> Sequence[str]:
        """Members of the first rows that are not read.

        Raises:
            InvalidInput: none of these rows has a member that each must have, so it is called
                otherwise; or there is no line at all.
        """
        with open_text_file(path, LONGEST_LINE) as content:
            for block in content.blocks(0, self.block_bytes):
                rows, _, bad = _parsed(block.data.removeprefix(BOM), 1)
                if rows:
                    names = list(dict.fromkeys(name for row in rows for name in row))
                    return self.columns.among(names)[1]
                if bad or block.overlong is not None:
                    return []
        raise unfit("is empty")


def _parsed(data: bytes, first: int) -> tuple[Sequence[_Row], Sequence[int], list[MalformedRow]]:
    """The rows of whole lines, the first of which is line `first`; where each begins; the rest."""
    count = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
    try:
        rows = _DECODER.decode_lines(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        rows = []
    if len(rows) == count and _strict(data, rows):
        return rows, range(first, first + count), []
    rows, begins, bad = [], [], list[MalformedRow]()
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
        bad.append(malformed_row(number, line.rstrip(b"\r"), why))
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


def _json_columns(
    rows: Sequence[_Row], names: Mapping[str, str], days: DayParser
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


_BLOCK_ROWS: Final = 8_192
_KINDS: Final = {
    "search_query": ("is_string", "is_large_string", "is_string_view", "is_dictionary"),
    "clicks": ("is_integer", "is_floating"),
    "impressions": ("is_integer", "is_floating"),
    "click_through_rate": ("is_floating", "is_integer", "is_null"),
    "search_date": ("is_date32", "is_string", "is_large_string", "is_string_view", "is_dictionary"),
}
"""What a column may be, by the questions of `pyarrow.types`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetClickReader:
    """Typed columns; a null stands for what is not known."""

    columns: ClickColumnNames

    def __str__(self) -> str:
        """In a line that is the same each time."""
        return f"parquet{self.columns}"

    def size(self, path: Path) -> int:
        """Rows of the file."""
        with _file(path) as file:
            return int(file.metadata.num_rows)

    def check(self, path: Path) -> Sequence[str]:
        """Unpack the columns to the end, so that rows are written only if all of them can be."""
        with _file(path) as file:
            found, _ = self.columns.among(file.schema_arrow.names)
            names = [self.columns.name(column) for column in found]
            for _ in file.iter_batches(_BLOCK_ROWS, columns=names):
                pass
        return []

    def unread(self, path: Path) -> Sequence[str]:
        """Columns of the file that are not read."""
        with _file(path) as file:
            return self.columns.among(file.schema_arrow.names)[1]

    def blocks(self, path: Path, start: ReadPosition) -> Iterator[ClickRowBlock]:
        """See `ports.click_files`; positions are rows."""
        days = DayParser()
        with _file(path) as file:
            found, _ = self.columns.among(file.schema_arrow.names)
            names = [self.columns.name(column) for column in found]
            self._check(file.schema_arrow, found)
            groups, done = _groups_from(file.metadata, start.offset)
            for batch in file.iter_batches(_BLOCK_ROWS, row_groups=groups, columns=names):
                rest = batch.slice(max(0, start.offset - done))
                done += batch.num_rows
                if not rest.num_rows:
                    continue
                columns: dict[str, Sequence[Any]] = {
                    column: _values(rest.column(rest.schema.names.index(name)))
                    for column, name in zip(found, names, strict=True)
                }
                columns["clicks"] = counts_of_numbers(columns["clicks"])
                columns["impressions"] = counts_of_numbers(columns["impressions"])
                if "search_date" in columns:
                    columns["search_date"] = days.of_texts(columns["search_date"])
                yield ClickRowBlock(
                    columns=columns,
                    lines=range(done - rest.num_rows + 1, done + 1),
                    unreadable=(),
                    end=ReadPosition(offset=done, line=done),
                    read=done,
                )

    def _check(self, schema: Any, found: Sequence[str]) -> None:
        types: Any = import_module("pyarrow.types")
        wrong = []
        for column in found:
            kind = schema.field(self.columns.name(column)).type
            if not any(getattr(types, question)(kind) for question in _KINDS[column]):
                allowed = " or ".join(each.removeprefix("is_") for each in _KINDS[column][:2])
                wrong.append(f"has {self.columns.name(column)} as {kind}: must be {allowed}")
        if wrong:
            raise unfit("; ".join(wrong))


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    """The open file.

    Raises:
        InvalidInput: it is no Parquet file, or the library is not installed.
    """
    if find_spec("pyarrow") is None:
        raise unfit(
            "is Parquet, which needs a library that is not installed here:"
            " pip install 'storekeeper[parquet]'"
        )
    # Optional, untyped, and slow to import: only who reads Parquet pays it.
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the file
            raise
        raise unfit(f"cannot be read as Parquet: {error}") from None


def _values(column: Any) -> list[Any]:
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:  # Parquet does not make sure that a string is UTF-8
        return [_value(each) for each in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()


def _groups_from(metadata: Any, offset: int) -> tuple[list[int], int]:
    """The row groups from the one that holds row `offset` on, and how many rows lie before."""
    before = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if before + rows > offset:
            return list(range(group, metadata.num_row_groups)), before
        before += rows
    return [], before
