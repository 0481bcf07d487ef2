"""Files of texts as people have them: packed or not, with lines of any length."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from domain.errors import InvalidInput, Violation

BLOCK_BYTES: Final = 65_536
"""Stays in a processor's cache: in blocks of 1 MiB, reading took half as long again."""
BOM: Final = b"\xef\xbb\xbf"

_SHOWN: Final = 4_096
_BEGINNING: Final = 512
_CHECKED_BYTES: Final = 1_048_576
_GZIP: Final = b"\x1f\x8b"
_IN_UTF_8: Final = "save it as UTF-8 (iconv -f {} -t UTF-8)"
_NO_TEXT: Final = (
    (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff", f"is UTF-32: {_IN_UTF_8.format('UTF-32')}"),
    (rb"\xff\xfe|\xfe\xff", f"is UTF-16: {_IN_UTF_8.format('UTF-16')}"),
    (rb"[^\x00]\x00[^\x00]\x00", f"is UTF-16: {_IN_UTF_8.format('UTF-16LE')}"),
    (rb"\x00[^\x00]\x00[^\x00]", f"is UTF-16: {_IN_UTF_8.format('UTF-16BE')}"),
    (rb"PK\x03\x04", "is a ZIP archive or an Excel workbook: unpack it, or save it as CSV UTF-8"),
    (rb"\xd0\xcf\x11\xe0", "is an Excel workbook: save it as CSV UTF-8"),
    (rb"BZh[1-9]1AY&SY", "is packed by bzip2: unpack it, or pack it by gzip"),
    (rb"\xfd7zXZ\x00", "is packed by xz: unpack it, or pack it by gzip"),
    (rb"\x28\xb5\x2f\xfd", "is packed by zstd: unpack it, or pack it by gzip"),
    (rb"\x04\x22\x4d\x18|7z\xbc\xaf", "is packed by another program than gzip: unpack it"),
    (rb"\x1f\x8b", "is packed by gzip twice: unpack it"),
    (rb"PAR1", "is Parquet"),
    (rb"%PDF-", "is PDF: save its text in UTF-8"),
    (rb".{257}ustar", "is a tar archive: unpack it"),
)
"""How files begin that are no lines of UTF-8, and what to do with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedRow:
    """What could not be read as a row.

    Attributes:
        line: where it begins, from 1.
        row: its fields, or what stands in the file, as a text that can be encoded.
        why: what is wrong, as the end of a sentence.
    """

    line: int
    row: object
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineBlock:
    """Lines that follow one another.

    Attributes:
        data: the lines, with their ends.
        end: bytes of the content up to the end of `data`, and of an overlong line after it.
        read: bytes of the file as it lies on the disk that have been read.
        overlong: how a line beyond the bound begins that follows `data`; None if none does.
    """

    data: bytes
    end: int
    read: int
    overlong: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFile:
    """What is in an open file, unpacked.

    Attributes:
        file: from its beginning.
        raw: the file as it lies on the disk.
        packed: what unpacks it; None for a plain file.
        longest: bytes of a line, or of a row of several lines.
    """

    file: IO[bytes]
    raw: IO[bytes]
    packed: GzipReader | None
    longest: int

    def blocks(self, start: int = 0, size: int = BLOCK_BYTES) -> Iterator[LineBlock]:
        """The lines from byte `start` on, some `size` bytes at a time."""
        self.file.seek(start)
        end = start
        while data := self.file.read(size):
            rest = b"" if data.endswith(b"\n") else self.file.readline(self.longest)
            data += rest
            end += len(data)
            begin = data.rfind(b"\n", 0, -1) + 1
            goes_on = len(rest) == self.longest and not rest.endswith(b"\n")
            overlong = None
            if goes_on or len(data) - begin > self.longest:
                data, overlong = data[:begin], data[begin : begin + _SHOWN]
                end += self._rest_of_line() if goes_on else 0
            yield LineBlock(data=data, end=end, read=self.raw.tell(), overlong=overlong)

    def lines(self) -> Iterator[tuple[int, bytes | MalformedRow]]:
        """Each line without its end, by its number from 1."""
        number = 0
        for block in self.blocks():
            data = block.data if number else block.data.removeprefix(BOM)
            for number, line in enumerate(data.splitlines(), start=number + 1):  # noqa: B020
                yield number, line
            if block.overlong is not None:
                number += 1
                yield number, self.overlong(number, block.overlong)

    def overlong(self, line: int, beginning: bytes) -> MalformedRow:
        """A line that is left out for its length, shown by its beginning."""
        return malformed_row(line, beginning, f"has more than {self.longest} bytes in its line")

    def _rest_of_line(self) -> int:
        """Skips to the end of the line; returns its length in bytes."""
        skipped = 0
        while part := self.file.readline(self.longest):
            skipped += len(part)
            if part.endswith(b"\n"):
                break
        return skipped


class GzipReader(io.RawIOBase):
    """What is packed by gzip in a file: its members one behind the other, as gunzip reads them.

    Zeros behind a member are padding. What else follows there is left alone, which is `trailing`.

    Raises (each reading):
        EOFError: the file ends within a member.
        zlib.error: it is damaged, or no gzip at all.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        self.trailing = False
        self._packed = packed
        self._place = 0
        self._rest = b""
        self._member = _member()

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True, forward by reading on, back by beginning anew."""
        return True

    def tell(self) -> int:
        """Bytes read, unpacked."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte of what is unpacked, counted from the beginning."""
        assert whence == io.SEEK_SET
        if offset < self._place:
            self._packed.seek(0)
            self._place, self._rest, self._member = 0, b"", _member()
        while self._place < offset and self.read(min(BLOCK_BYTES, offset - self._place)):
            pass
        return self._place

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        while not self._member.eof or self._begins_another():
            packed = self._member.unconsumed_tail or self._rest or self._packed.read(BLOCK_BYTES)
            self._rest = b""
            data = self._member.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                self._place += len(data)
                return len(data)
            if not packed and not self._member.eof:
                raise EOFError("its end is missing")
        return 0

    def _begins_another(self) -> bool:
        """Go on with the member behind the one that has ended, if there is one."""
        rest = self._member.unused_data.lstrip(b"\0")
        while len(rest) < len(_GZIP) and (more := self._packed.read(BLOCK_BYTES)):
            rest = (rest + more).lstrip(b"\0")
        if not rest.startswith(_GZIP):
            self.trailing = self.trailing or bool(rest)
            return False
        self._member, self._rest = _member(), rest
        return True


@contextmanager
def open_text_file(path: Path, longest: int) -> Iterator[LineFile]:
    """The content of a file: see `unpack_text_file`.

    Raises:
        InvalidInput, OSError: see there.
    """
    with path.open("rb") as raw:
        if path.suffix.lower() == ".gz" and raw.read(2) != _GZIP:
            raise unfit("is no whole gzip file: it does not begin as one")
        with unpack_text_file(raw, longest) as content:
            yield content


@contextmanager
def unpack_text_file(raw: IO[bytes], longest: int) -> Iterator[LineFile]:
    """What is in an open file, packed by gzip or not, whatever it is called.

    Args:
        raw: can be sought; it stays open.
        longest: bytes of a line; longer ones are left out.

    Raises:
        InvalidInput: it is packed by something else, cut short or damaged, or no UTF-8 by its
            beginning.
        OSError: it cannot be read.
    """
    raw.seek(0)
    packed = GzipReader(raw) if raw.read(2) == _GZIP else None
    raw.seek(0)
    file = io.BufferedReader(packed, BLOCK_BYTES) if packed else raw
    try:
        _check_text(file.read(_BEGINNING))
        file.seek(0)
        yield LineFile(file=file, raw=raw, packed=packed, longest=longest)
    except (EOFError, zlib.error) as error:
        raise unfit(f"is no whole gzip file: {error}") from None


def check_to_the_end(path: Path) -> Sequence[str]:
    """Read a packed file once, so that its rows are written only if all of them can be.

    Returns:
        What in the file is not read.

    Raises:
        InvalidInput, OSError: as `unpack_text_file`.
    """
    with open_text_file(path, BLOCK_BYTES) as content:
        if content.packed is None:
            return []
        while content.file.read(_CHECKED_BYTES):
            pass
        return ["what follows the gzip data"] if content.packed.trailing else []


def _member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=31)


def unfit(detail: str) -> InvalidInput:
    """Of a file that is not what it should be."""
    return InvalidInput.of([Violation(pointer="", detail=detail)])


def malformed_row(line: int, data: bytes, why: str) -> MalformedRow:
    """What could not be read as a row, shown by its beginning."""
    more = "" if len(data) <= _SHOWN else f"; `row` holds its first {_SHOWN} bytes"
    return MalformedRow(
        line=line, row=data[:_SHOWN].decode(errors="backslashreplace"), why=why + more
    )


def _check_text(beginning: bytes) -> None:
    for pattern, why in _NO_TEXT:
        if re.match(pattern, beginning, re.DOTALL):
            raise unfit(why)
