"""The log of searches, for rows by the million."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.insights.bulk import ClickRecord
from domain.insights.imports import ClickImport


class ClickImports(Protocol):
    """Puts the rows of files into the log, each of them once.

    How far a file is goes into the same transaction as its rows, so that a process may be killed
    at any time.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def latest(self, fingerprint: bytes) -> ClickImport | None:
        """The newest import of a file with this content; None if there was none."""
        ...

    @abstractmethod
    async def last_named(self, name: str) -> ClickImport | None:
        """The newest import of a file that was called so; None if there was none."""
        ...

    @abstractmethod
    async def begin(self, fingerprint: bytes, *, name: str, options: str) -> ClickImport:
        """Begin to import a file.

        Raises:
            Conflict: an import of the same content is not finished.
        """
        ...

    @abstractmethod
    async def append(
        self, before: ClickImport, after: ClickImport, rows: Sequence[ClickRecord]
    ) -> None:
        """Write all rows and go from `before` to `after`, or do neither.

        Raises:
            Conflict: the import is not at `before`: another process goes on with it.
        """
        ...

    @abstractmethod
    async def finish(self, at: ClickImport) -> ClickImport:
        """The file is read to its end; returns the import with the time.

        Raises:
            Conflict: as for `append`.
        """
        ...
