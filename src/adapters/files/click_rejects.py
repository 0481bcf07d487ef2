"""Rejected rows as lines of JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from adapters.files.content import BadRow
from domain.errors import InvalidInput, Violation
from domain.insights.bulk import Reject
from ports.reject_sink import RejectSink


class RejectsFile(RejectSink):
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

    def write(self, rejects: Sequence[Reject]) -> int:
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


def rejected(bad: Iterable[BadRow]) -> list[Reject]:
    """What could not be read as rows, as it is told."""
    return [
        Reject(line=each.line, row=each.row, reasons=[Violation(pointer="", detail=each.why)])
        for each in bad
    ]


def _document(reject: Reject) -> dict[str, object]:
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
