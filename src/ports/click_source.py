"""A file of searches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Protocol

from domain.insights.bulk import Position, RawBlock


class ClickSource(Protocol):
    """Rows in a file of some format, read block by block."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the file is called, for people."""
        ...

    @property
    @abstractmethod
    def fingerprint(self) -> bytes:
        """SHA-256 of the file's bytes, 32 bytes.

        Raises:
            OSError: the file cannot be read.
        """
        ...

    @property
    @abstractmethod
    def options(self) -> str:
        """How the file is read: its format and columns, in a line that is the same each time."""
        ...

    @property
    @abstractmethod
    def size(self) -> int:
        """What `RawBlock.read` comes to at the end."""
        ...

    @property
    @abstractmethod
    def unread(self) -> Sequence[str]:
        """Columns of the file that are not read, by their names there, and what `check` left."""
        ...

    @abstractmethod
    def check(self) -> None:
        """Make sure, before its first row is written, that the file can be read to its end.

        Raises:
            InvalidInput: it cannot: it is cut short or damaged, or lacks a column.
            OSError: the file cannot be read.
        """
        ...

    @abstractmethod
    def blocks(self, start: Position) -> Iterator[RawBlock]:
        """The blocks from `start`, where an earlier block ended.

        Raises:
            InvalidInput: the file is not of its format, or lacks a column.
            OSError: the file cannot be read.
        """
        ...
