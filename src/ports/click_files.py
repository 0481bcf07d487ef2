"""Files of searches: read into the log, and written from it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from typing import Protocol

from domain.insights.click_rows import (
    AcceptedRow,
    ClickImportState,
    ClickImportTotals,
    ClickRowBlock,
    LoggedRow,
    ReadPosition,
    RejectedRow,
)


class ClickFileReader(Protocol):
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
        """What `ClickRowBlock.read` comes to at the end."""
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
    def blocks(self, start: ReadPosition) -> Iterator[ClickRowBlock]:
        """The blocks from `start`, where an earlier block ended.

        Raises:
            InvalidInput: the file is not of its format, or lacks a column.
            OSError: the file cannot be read.
        """
        ...


class RejectedRowWriter(Protocol):
    """A file of rejected rows, which is there once a row is in it."""

    @abstractmethod
    def claim(self) -> None:
        """Make sure that nothing stands there before an import begins.

        Raises:
            InvalidInput: rows that another import rejected do.
        """
        ...

    @abstractmethod
    def keep(self, size: int) -> None:
        """Keep the first `size` bytes, which this import has written; drop what follows them.

        Raises:
            InvalidInput: there are fewer.
            OSError: the file cannot be written.
        """
        ...

    @abstractmethod
    def write(self, rejects: Sequence[RejectedRow]) -> int:
        """Write rows so that they outlive the process; returns the file's length in bytes.

        Raises:
            OSError: the file cannot be written.
        """
        ...


class ClickImportRepository(Protocol):
    """Puts the rows of files into the log, each of them once.

    How far a file is goes into the same transaction as its rows, so that a process may be killed
    at any time.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def latest(self, fingerprint: bytes) -> ClickImportState | None:
        """The newest import of a file with this content; None if there was none."""
        ...

    @abstractmethod
    async def last_named(self, name: str) -> ClickImportState | None:
        """The newest import of a file that was called so; None if there was none."""
        ...

    @abstractmethod
    async def totals(self) -> ClickImportTotals:
        """All imports together."""
        ...

    @abstractmethod
    async def begin(self, fingerprint: bytes, *, name: str, options: str) -> ClickImportState:
        """Begin to import a file.

        Raises:
            Conflict: an import of the same content is not finished.
        """
        ...

    @abstractmethod
    async def append(
        self, before: ClickImportState, after: ClickImportState, rows: Sequence[AcceptedRow]
    ) -> None:
        """Write all rows and go from `before` to `after`, or do neither.

        Raises:
            Conflict: the import is not at `before`: another process goes on with it.
        """
        ...

    @abstractmethod
    async def finish(self, at: ClickImportState) -> ClickImportState:
        """The file is read to its end; returns the import with the time.

        Raises:
            Conflict: as for `append`.
        """
        ...


class ClickEncoder(Protocol):
    """One form of a file of searches; what it writes is read back as it was."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that this form can be written here.

        Raises:
            InvalidInput: a library is not installed; says how to install it.
        """
        ...

    @abstractmethod
    def encode(self, rows: AsyncIterable[Sequence[LoggedRow]]) -> AsyncIterator[bytes]:
        """The file, piece by piece: never more than a bounded part of it is in memory."""
        ...
