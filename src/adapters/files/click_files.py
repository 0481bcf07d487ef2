"""Files of searches, whatever their format, and the file of the rows that were rejected."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from adapters.files.click_columns import LONGEST_LINE, ClickColumnNames
from adapters.files.click_formats import CsvClickReader, NdjsonClickReader, ParquetClickReader
from adapters.files.line_files import BLOCK_BYTES, BOM, open_text_file, unfit
from domain.errors import InvalidInput, Violation
from domain.insights.click_rows import ClickRowBlock, ReadPosition, RejectedRow
from ports.click_files import ClickFileReader, RejectedRowWriter


class _Form(Protocol):
    """One format of a file; what it raises does not name the file."""

    def size(self, path: Path) -> int: ...

    def check(self, path: Path) -> Sequence[str]: ...

    def unread(self, path: Path) -> Sequence[str]: ...

    def blocks(self, path: Path, start: ReadPosition) -> Iterator[ClickRowBlock]: ...


class ClickFile(ClickFileReader):
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
        columns: ClickColumnNames,
        delimiter: str = ",",
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._path = path
        self._name = name
        forms: dict[str, _Form] = {
            "csv": CsvClickReader(columns=columns, delimiter=delimiter, block_bytes=block_bytes),
            "ndjson": NdjsonClickReader(columns=columns, block_bytes=block_bytes),
            "parquet": ParquetClickReader(columns=columns),
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

    def blocks(self, start: ReadPosition) -> Iterator[ClickRowBlock]:
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
    with _named(name), open_text_file(path, LONGEST_LINE) as content:
        start = content.file.read(4096).removeprefix(BOM).lstrip()
    return "ndjson" if start.startswith(b"{") else "csv"


class RejectedRowFile(RejectedRowWriter):
    """`{"line": ..., "row": ..., "reasons": [{"pointer": ..., "detail": ...}]}` a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0

    def claim(self) -> None:
        """Make sure that nothing stands there; see the port."""
        if self._path.exists():
            raise self._unfit(
                "holds rows that another import rejected: move it away, or name another file by"
                " --rejects"
            )

    def keep(self, size: int) -> None:
        """Keep the first `size` bytes; see the port."""
        found = self._path.stat().st_size if self._path.exists() else 0
        if found < size:
            raise self._unfit(
                f"has {found:,} bytes, and this import has written {size:,} into it: put it back"
            )
        if found > size > 0:  # from a chunk that did not come to its end
            os.truncate(self._path, size)
        elif found > size:
            self._path.unlink()
        self._size = size

    def write(self, rejects: Sequence[RejectedRow]) -> int:
        """Write rows, through to the disk; see the port."""
        lines = "".join(json.dumps(_document(each), allow_nan=False) + "\n" for each in rejects)
        with self._path.open("ab") as file:
            file.write(lines.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        self._size += len(lines)
        return self._size

    def _unfit(self, detail: str) -> InvalidInput:
        return InvalidInput.of([Violation(pointer=str(self._path), detail=detail)])


def _document(reject: RejectedRow) -> dict[str, object]:
    return {
        "line": reject.line,
        "row": _shown(reject.row),
        "reasons": [
            {"pointer": each.pointer, "detail": _shown(each.detail)} for each in reject.reasons
        ],
    }


def _shown(value: object) -> object:
    """A value as JSON can hold it: what it has no word for (NaN, a lone surrogate) as a text."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(_shown(name)): _shown(each) for name, each in value.items()}
        case list() | tuple():
            return [_shown(each) for each in value]
        case _:
            return str(value)
