"""Writes rows of searches into a file or a stream."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

from domain.insights.bulk import StoredRecord


class ClickFormat(Protocol):
    """One form of a file of searches; what it writes is read back as it was."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that this form can be written here.

        Raises:
            InvalidInput: a library is not installed; says how to install it.
        """
        ...

    @abstractmethod
    def encode(self, rows: AsyncIterable[Sequence[StoredRecord]]) -> AsyncIterator[bytes]:
        """The file, piece by piece: never more than a bounded part of it is in memory."""
        ...
