"""GGUF files made by hand, byte by byte: sound ones, and odd ones of every kind."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Final

_U32: Final = 4
_F32: Final = 6
_BOOL: Final = 7
_STRING: Final = 8
_ARRAY: Final = 9
_U64: Final = 10
F32: Final = 0
Q4_0: Final = 2
_SIZES: Final = {F32: (1, 4), Q4_0: (32, 18)}

# The shape of a model with 2 layers, 4 heads of 16 numbers, 2 of them with keys and values.
MODEL: Final[Mapping[str, Any]] = {
    "general.architecture": "llama",
    "general.type": "model",
    "general.name": "A Tiny One",
    "general.license": "mit",
    "llama.block_count": 2,
    "llama.context_length": 4096,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": "{{ messages[0].content }}",
}
TENSORS: Final[Mapping[str, tuple[int, ...]]] = {
    "token_embd.weight": (64, 3),
    "blk.0.attn_q.weight": (64, 64),
    "blk.1.attn_q.weight": (64, 64),
}
ADAPTER: Final[Mapping[str, Any]] = {
    "general.architecture": "llama",
    "general.type": "adapter",
    "adapter.type": "lora",
}
ADAPTER_TENSORS: Final[Mapping[str, tuple[int, ...]]] = {
    "blk.0.attn_q.weight.lora_a": (64, 8),
    "blk.0.attn_q.weight.lora_b": (8, 64),
}


def text(value: str) -> bytes:
    """A text as the format writes it: its length, and its bytes."""
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def value(given: Any) -> bytes:
    """A value behind its type."""
    if isinstance(given, bool):
        return struct.pack("<I?", _BOOL, given)
    if isinstance(given, int):
        return struct.pack("<II", _U32, given)
    if isinstance(given, float):
        return struct.pack("<If", _F32, given)
    if isinstance(given, str):
        return struct.pack("<I", _STRING) + text(given)
    kinds = {str: _STRING, int: _U32}
    kind = kinds[type(given[0])]
    items = b"".join(text(each) if kind == _STRING else struct.pack("<I", each) for each in given)
    return struct.pack("<IIQ", _ARRAY, kind, len(given)) + items


@dataclass(kw_only=True)
class GgufBytes:
    """A file to be; whatever is odd about it is set before `content` is asked for."""

    values: Mapping[str, Any] = field(default_factory=lambda: MODEL)
    tensors: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: TENSORS)
    kind: int = F32
    version: int = 3
    magic: bytes = b"GGUF"
    extra: Sequence[bytes] = ()
    fill: int = 0

    def content(self) -> bytes:
        block, size = _SIZES.get(self.kind, (1, 4))
        infos, data = b"", b""
        for name, shape in self.tensors.items():
            infos += text(name) + struct.pack("<I", len(shape))
            infos += b"".join(struct.pack("<Q", each) for each in shape)
            infos += struct.pack("<IQ", self.kind, len(data))
            data += bytes([self.fill]) * (prod(shape) // block * size)
            data += bytes(-len(data) % 32)
        keys = [text(name) + value(given) for name, given in self.values.items()]
        keys += self.extra
        head = self.magic + struct.pack("<IQQ", self.version, len(self.tensors), len(keys))
        head += b"".join(keys) + infos
        return head + bytes(-len(head) % 32) + data

    def write(self, path: Path) -> Path:
        path.write_bytes(self.content())
        return path


def without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values but those of `names`."""
    return {name: each for name, each in values.items() if name not in names}


def parts(folder: Path, count: int, stem: str = "big") -> Iterable[Path]:
    """The parts of a model that is split: the first with the metadata, each with a tensor."""
    for number in range(1, count + 1):
        values = {**MODEL, "split.count": count, "split.no": number - 1}
        tensors = {f"blk.{number}.attn_q.weight": (64, 64)}
        path = folder / f"{stem}-{number:05}-of-{count:05}.gguf"
        yield GgufBytes(values=values, tensors=tensors).write(path)
