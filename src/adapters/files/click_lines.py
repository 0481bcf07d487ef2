"""Files of searches that are made of lines, gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from domain.errors import InvalidInput, Violation
from domain.insights.bulk import Reject

LONGEST_LINE: Final = 1_048_576
"""Bytes; no row of searches comes near."""
BLOCK_BYTES: Final = 65_536
"""Stays in a processor's cache: in blocks of 1 MiB, reading took half as long again."""
_SHOWN: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Lines that follow one another.

    Attributes:
        data: the lines, with their ends.
        end: bytes of the content up to the end of `data`, and of an overlong line after it.
        read: bytes of the file as it lies on the disk that have been read.
        overlong: how a line of more than `LONGEST_LINE` bytes begins that follows `data`; None if
            no such line does.
    """

    data: bytes
    end: int
    read: int
    overlong: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An open file: what is in it, and the file as it lies on the disk."""

    file: BufferedIOBase
    raw: BufferedIOBase

    def pieces(self, start: int, size: int) -> Iterator[Piece]:
        """The lines from byte `start` on, some `size` bytes at a time."""
        self.file.seek(start)
        end = start
        while data := self.file.read(size):
            rest = b"" if data.endswith(b"\n") else self.file.readline(LONGEST_LINE)
            data += rest
            overlong = None
            end += len(data)
            if len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                whole = data.rfind(b"\n") + 1
                data, overlong = data[:whole], data[whole : whole + _SHOWN]
                end += self._rest_of_line()
            yield Piece(data=data, end=end, read=self.raw.tell(), overlong=overlong)

    def _rest_of_line(self) -> int:
        """Skips to the end of the line; returns its length in bytes."""
        skipped = 0
        while part := self.file.readline(LONGEST_LINE):
            skipped += len(part)
            if part.endswith(b"\n"):
                break
        return skipped


@contextmanager
def opened(path: Path) -> Iterator[Content]:
    """The content of a file, which is unpacked if its name ends in `.gz`.

    Raises:
        InvalidInput: it is not gzipped, or not to its end.
        OSError: it cannot be read.
    """
    with path.open("rb") as raw:
        if path.suffix.lower() != ".gz":
            yield Content(file=raw, raw=raw)
            return
        try:
            with gzip.open(raw) as unpacked:
                yield Content(file=unpacked, raw=raw)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise unfit(f"is no whole gzip file: {error}") from None


def unfit(detail: str) -> InvalidInput:
    """Of a file that is not what it should be."""
    return InvalidInput.of([Violation(pointer="", detail=detail)])


def spoiled(line: int, text: str, why: str) -> Reject:
    """What could not be read as a row, shown by its beginning."""
    more = "" if len(text) <= _SHOWN else f"; `row` holds its first {_SHOWN} characters"
    return Reject(line=line, row=text[:_SHOWN], reasons=[Violation(pointer="", detail=why + more)])


def overlong(line: int, beginning: bytes) -> Reject:
    """A line that is left out for its length."""
    return spoiled(
        line,
        beginning.decode(errors="backslashreplace"),
        f"has more than {LONGEST_LINE} bytes in its line",
    )
