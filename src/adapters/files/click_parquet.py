"""Searches in Parquet, by pyarrow where it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from adapters.files.click_columns import ClickColumns
from adapters.files.click_values import Days, counts_of_numbers
from adapters.files.content import unfit
from domain.insights.bulk import Position, RawBlock

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
class ParquetClicks:
    """Typed columns; a null stands for what is not known."""

    columns: ClickColumns

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

    def blocks(self, path: Path, start: Position) -> Iterator[RawBlock]:
        """See `ports.click_source`; positions are rows."""
        days = Days()
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
                yield RawBlock(
                    columns=columns,
                    lines=range(done - rest.num_rows + 1, done + 1),
                    spoiled=(),
                    end=Position(offset=done, line=done),
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
