"""The header of a GGUF file, read by itself: what it says of a model, and where its tensors lie.

The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md. Texts of a vocabulary are stepped
over, and no tensor is read: a header of 250,000 tokens takes some tenths of a second.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final, TypeAlias

from domain.errors import Unavailable

Value: TypeAlias = bool | int | float | str

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)  # llama.cpp reads no other
_LEAST_BYTES: Final = 24
_LONGEST_NAME: Final = 65_535
_LONGEST_SHOWN: Final = 200
_MOST_DIMENSIONS: Final = 4
_DEFAULT_ALIGNMENT: Final = 32
_KEPT_NUMBERS: Final = 4_096  # more is a vocabulary's, not a layer's
_STRING: Final = 8
_ARRAY: Final = 9
_NUMBERS: Final[Mapping[int, str]] = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
# ggml's types by number: name, numbers in a block, bytes of a block.
_TYPES: Final[Mapping[int, tuple[str, int, int]]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
_AGAIN: Final = "download it again"
_FOREIGN: Final = (
    (
        re.compile(rb"version https://git-lfs"),
        "a pointer of Git LFS, not the file itself: run `git lfs pull`, or download the file",
    ),
    (
        re.compile(rb"\s*<(!doctype|html|\?xml|head|script)", re.IGNORECASE),
        f"a web page, such as one that asks to sign in: {_AGAIN}, by the link to the file itself",
    ),
    (re.compile(rb"\s*\{"), f"JSON, such as the error of a server: {_AGAIN}"),
    (
        re.compile(rb".{6}\0\0\{", re.DOTALL),
        "a safetensors file: take a GGUF file of the same model, or convert it by llama.cpp",
    ),
    (
        re.compile(rb"PK\x03\x04|\x80[\x02-\x05]"),
        "a checkpoint of PyTorch, or an archive: take the GGUF file of the same model",
    ),
    (re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|\x28\xb5\x2f\xfd"), "compressed: unpack it"),
    (
        re.compile(rb"tjgg|lmgg|fmgg|algg|ggjt|ggml|ggmf|ggla"),
        "of the formats before GGUF, which llama.cpp reads no more: take a newer conversion",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufTensor:
    """One tensor.

    Attributes:
        name: such as `blk.0.attn_q.weight`.
        shape: its lengths, the fastest dimension first.
        kind: the type of its numbers, such as `Q4_K`.
        offset: where it begins in the file, in bytes.
        size: in bytes.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What stands before the tensors.

    Attributes:
        path: the file.
        values: numbers and texts by key.
        numbers: arrays of at most 4,096 numbers by key.
        lengths: how long each array is, those of texts too, by key.
        tensors: in the order of the file.
        data_offset: where the tensors begin, in bytes.
        size: of the file, in bytes.
    """

    path: Path
    values: Mapping[str, Value]
    numbers: Mapping[str, tuple[Value, ...]]
    lengths: Mapping[str, int]
    tensors: tuple[GgufTensor, ...]
    data_offset: int
    size: int

    def text(self, key: str) -> str | None:
        """The text of a key that holds one, as it may be shown; None for none.

        Without blanks around, control characters replaced, and cut after 200 characters: whoever
        made the file chose it.
        """
        value = self.values.get(key)
        return _shown(value.strip()) or None if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """The whole number of a key that holds one."""
        value = self.values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_header(path: Path) -> GgufHeader:
    """The header of a file.

    Raises:
        Unavailable: it cannot be read, is no GGUF file, is one that llama.cpp does not read, or is
            shorter than its tensors say; the message says what it is, and what to do.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise Unavailable(f"{path} is a folder: name the .gguf file in it.")
        if not stat.S_ISREG(found.st_mode):
            raise Unavailable(f"{path} is no ordinary file: name a .gguf file.")
        if found.st_size == 0:
            raise Unavailable(f"{path} is empty: {_AGAIN}.")
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), found.st_size, access=mmap.ACCESS_READ) as content,
        ):
            return _Reader(path, content).header()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unavailable(f"{path} cannot be read ({reason}).") from error


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:_LONGEST_SHOWN])


class _Reader:
    """Goes through the bytes from the first on; whatever they hold, it stays within them."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self._path = path
        self._content = content
        self._size = len(content)
        self._at = 0

    def header(self) -> GgufHeader:
        self._refuse_foreign()
        version, tensor_count, key_count = (self._number(code) for code in "IQQ")
        if version & 0xFFFF == 0:
            raise self._bad("is big-endian; this machine reads the little-endian file of the model")
        if version not in _VERSIONS:
            raise self._bad(
                f"has version {version} of the GGUF format, llama.cpp here reads"
                f" {' and '.join(map(str, _VERSIONS))}: take another conversion"
            )
        values: dict[str, Value] = {}
        numbers: dict[str, tuple[Value, ...]] = {}
        lengths: dict[str, int] = {}
        for _ in range(self._bounded(key_count, 12)):
            key = self._name()
            if key in values or key in lengths:
                raise self._broken(f"names {key} twice")
            kind = self._number("I")
            if kind == _ARRAY:
                lengths[key], some = self._array()
                if some is not None:
                    numbers[key] = some
            else:
                values[key] = self._value(kind)
        alignment = values.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._broken(
                f"has a general.alignment of {alignment!r}, which is no power of two"
            )
        infos = [self._tensor() for _ in range(self._bounded(tensor_count, 24))]
        data_offset = -(-self._at // alignment) * alignment
        return GgufHeader(
            path=self._path,
            values=values,
            numbers=numbers,
            lengths=lengths,
            tensors=tuple(self._placed(infos, data_offset, alignment)),
            data_offset=data_offset,
            size=self._size,
        )

    def _refuse_foreign(self) -> None:
        start = self._content[:_LEAST_BYTES]
        if start[:4] != _MAGIC:
            what = next((what for sign, what in _FOREIGN if sign.match(start)), None)
            raise self._bad(f"is {what}" if what else f"is no GGUF file: name one, or {_AGAIN}")
        if len(start) < _LEAST_BYTES:
            raise self._cut("its header goes on")
        self._at = 4

    def _placed(
        self, infos: list[tuple[str, tuple[int, ...], int, int]], data_offset: int, alignment: int
    ) -> Iterator[GgufTensor]:
        """The tensors, seen to lie one behind the other and inside of the file."""
        expected, names = 0, set[str]()
        for name, shape, number, offset in infos:
            if number not in _TYPES:
                raise self._bad(
                    f"has a quantisation (type {number} of ggml) that is not known here:"
                    " take another file of the model, such as Q4_K_M"
                )
            kind, block, block_bytes = _TYPES[number]
            if name in names:
                raise self._broken(f"has the tensor {name} twice")
            names.add(name)
            if shape[0] % block:
                raise self._broken(f"has rows of {shape[0]} numbers in {name}, of type {kind}")
            if offset != expected:
                raise self._broken(f"has {name} at {offset} and not at {expected}")
            size = prod(shape) // block * block_bytes
            end = data_offset + offset + size
            if end > self._size:
                raise self._cut(f"{name} ends at byte {end:,}")
            yield GgufTensor(
                name=name, shape=shape, kind=kind, offset=data_offset + offset, size=size
            )
            expected = -(-(offset + size) // alignment) * alignment

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._name()
        dimensions = self._number("I")
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise self._broken(f"has {dimensions} dimensions in {name}")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        if not all(0 < length < 1 << 40 for length in shape):
            raise self._broken(f"has a shape of {shape} in {name}")
        return name, shape, self._number("I"), self._number("Q")

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._string(self._size)
        if kind not in _NUMBERS:
            raise self._broken(f"has a value of type {kind}")
        value: Value = self._unpack(f"<{_NUMBERS[kind]}")[0]
        return value

    def _array(self) -> tuple[int, tuple[Value, ...] | None]:
        """How long an array is, and what it holds if those are not many numbers."""
        kind, length = self._number("I"), self._number("Q")
        if kind == _STRING:
            self._skip_strings(length)
            return length, None
        if kind not in _NUMBERS:
            raise self._broken(f"has an array of type {kind}")
        width = struct.calcsize(f"<{_NUMBERS[kind]}")
        self._bounded(length, width)
        if length <= _KEPT_NUMBERS:
            return length, self._unpack(f"<{length}{_NUMBERS[kind]}")
        self._at += length * width
        return length, None

    def _skip_strings(self, count: int) -> None:
        content, at, last = self._content, self._at, self._size - 8
        read = struct.Struct("<Q").unpack_from
        for _ in range(self._bounded(count, 8)):
            if at > last:
                raise self._cut("its header goes on")
            at += 8 + read(content, at)[0]
        if at > self._size:
            raise self._cut("its header goes on")
        self._at = at

    def _string(self, longest: int) -> str:
        length = self._number("Q")
        if length > longest:
            raise self._broken(f"has a text of {length} bytes")
        self._bounded(length, 1)
        found = self._content[self._at : self._at + length]
        self._at += length
        return found.decode("utf-8", errors="replace")

    def _name(self) -> str:
        """A text that errors may quote."""
        return _shown(self._string(_LONGEST_NAME))

    def _number(self, code: str) -> int:
        return int(self._unpack(f"<{code}")[0])

    def _unpack(self, form: str) -> tuple[Value, ...]:
        end = self._at + struct.calcsize(form)
        if end > self._size:
            raise self._cut("its header goes on")
        found: tuple[Value, ...] = struct.unpack_from(form, self._content, self._at)
        self._at = end
        return found

    def _bounded(self, count: int, least_bytes: int) -> int:
        """A count of things, each of which takes bytes: as many as are left, at most."""
        if count * least_bytes > self._size - self._at:
            raise self._cut("its header goes on")
        return count

    def _cut(self, what: str) -> Unavailable:
        return self._bad(f"is cut off: it has {self._size:,} bytes, and {what}: {_AGAIN}")

    def _broken(self, how: str) -> Unavailable:
        return self._bad(f"is damaged, or not made by llama.cpp's programs: it {how}; {_AGAIN}")

    def _bad(self, how: str) -> Unavailable:
        return Unavailable(f"{self._path} {how}.")


def sampled(header: GgufHeader) -> Iterator[bytes]:
    """The header's bytes, then a piece from the begin, the middle and the end of each tensor.

    Raises:
        Unavailable: the file cannot be read any more.
    """
    piece = 4_096
    try:
        with header.path.open("rb") as file:
            yield file.read(header.data_offset)
            for tensor in header.tensors:
                for start in (0, (tensor.size - piece) // 2, tensor.size - piece):
                    file.seek(tensor.offset + max(0, start))
                    yield file.read(min(piece, tensor.size))
            if os.fstat(file.fileno()).st_size != header.size:
                raise Unavailable(f"{header.path} was changed while it was read: try again.")
    except OSError as error:
        raise Unavailable(f"{header.path} cannot be read ({error.strerror}).") from error
