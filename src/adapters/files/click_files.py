"""Files of searches, whatever their format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from adapters.files.click_columns import ClickColumns
from adapters.files.click_csv import CsvClicks
from adapters.files.click_ndjson import NdjsonClicks
from adapters.files.click_parquet import ParquetClicks
from adapters.files.click_values import LONGEST_LINE
from adapters.files.content import BLOCK_BYTES, BOM, opened, unfit
from domain.errors import InvalidInput, Violation
from domain.insights.bulk import Position, RawBlock
from ports.click_source import ClickSource


class _Form(Protocol):
    """One format of a file; what it raises does not name the file."""

    def size(self, path: Path) -> int: ...

    def check(self, path: Path) -> Sequence[str]: ...

    def unread(self, path: Path) -> Sequence[str]: ...

    def blocks(self, path: Path, start: Position) -> Iterator[RawBlock]: ...


class ClickFile(ClickSource):
    """A file in one of the formats.

    Args:
        path: where it is.
        name: what it is called, for people.
        form: `csv`, `ndjson` or `parquet`.
        columns: how its columns are called.
        delimiter: between the fields of a CSV file.
        block_bytes: of a file of lines that are read at a time, about.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        form: str,
        columns: ClickColumns,
        delimiter: str = ",",
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._path = path
        self._name = name
        forms: dict[str, _Form] = {
            "csv": CsvClicks(columns=columns, delimiter=delimiter, block_bytes=block_bytes),
            "ndjson": NdjsonClicks(columns=columns, block_bytes=block_bytes),
            "parquet": ParquetClicks(columns=columns),
        }
        self._form = forms[form]
        self._seen = self._stamp()
        self._left: Sequence[str] = ()

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    @property
    def fingerprint(self) -> bytes:
        """See the port."""
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    @property
    def options(self) -> str:
        """See the port."""
        return str(self._form)

    @property
    def size(self) -> int:
        """See the port."""
        with _named(self._name):
            return self._form.size(self._path)

    @property
    def unread(self) -> Sequence[str]:
        """See the port."""
        with _named(self._name):
            return [*self._form.unread(self._path), *self._left]

    def check(self) -> None:
        """See the port."""
        with _named(self._name):
            self._form.unread(self._path)
            self._left = self._form.check(self._path)

    def blocks(self, start: Position) -> Iterator[RawBlock]:
        """See the port; a file that somebody writes to meanwhile is refused."""
        with _named(self._name):
            for block in self._form.blocks(self._path, start):
                if self._stamp() != self._seen:
                    raise unfit("was changed while it was read")
                yield block

    def _stamp(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_size, found.st_mtime_ns


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput.of(
            [Violation(pointer=name, detail=each.detail) for each in error.violations]
        ) from None


def form_of(path: Path, name: str) -> str:
    """The format of a file by how it begins: `parquet`, `ndjson` or else `csv`.

    Args:
        path: where it is.
        name: what it is called, for people.

    Raises:
        InvalidInput: it is packed in a way that is not read.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    with _named(name), opened(path, LONGEST_LINE) as content:
        start = content.file.read(4096).removeprefix(BOM).lstrip()
    return "ndjson" if start.startswith(b"{") else "csv"
