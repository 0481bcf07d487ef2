"""Files that were uploaded or written, kept in memory."""

from __future__ import annotations

import re
import time
from itertools import count

import msgspec

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_FIELD = re.compile(rb'name="([^"]*)"')
_FILENAME = re.compile(rb'filename="([^"]*)"')


class StoredFile(msgspec.Struct, kw_only=True):
    """One file and what its owner said about it."""

    id: str
    content: bytes
    name: str
    purpose: str = ""
    mime_type: str = "application/jsonl"
    created_at: float = 0.0


class FileShelf:
    """Files by id; ids are `prefix` and a number, never used twice."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)
        self._files: dict[str, StoredFile] = {}

    def put(
        self, content: bytes, *, name: str, purpose: str = "", mime_type: str = "application/jsonl"
    ) -> StoredFile:
        """Keep a new file."""
        file = StoredFile(
            id=f"{self._prefix}{next(self._numbers):024x}",
            content=content,
            name=name,
            purpose=purpose,
            mime_type=mime_type,
            created_at=time.time(),
        )
        self._files[file.id] = file
        return file

    def get(self, id_: str) -> StoredFile | None:
        """The file, or None."""
        return self._files.get(id_)

    def drop(self, id_: str) -> bool:
        """Forget a file; False when it is not there."""
        return self._files.pop(id_, None) is not None

    def clear(self) -> None:
        """Forget all files; ids go on counting."""
        self._files.clear()

    def all(self) -> list[StoredFile]:
        """All files, newest first."""
        return list(reversed(self._files.values()))


class Part(msgspec.Struct, frozen=True):
    """One field of a form; `filename` is empty for a plain value."""

    content: bytes
    filename: str


def read_form(content_type: str, body: bytes) -> dict[str, Part]:
    """The fields of a `multipart/form-data` body by name; empty when it is none."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return {}
    fields = {}
    for chunk in body.split(b"--" + boundary.group(1).encode()):
        head, _, content = chunk.partition(b"\r\n\r\n")
        name, filename = _FIELD.search(head), _FILENAME.search(head)
        if name is not None:
            fields[name.group(1).decode()] = Part(
                content.removesuffix(b"\r\n"), filename.group(1).decode() if filename else ""
            )
    return fields
