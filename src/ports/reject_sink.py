"""Where rows go that are not taken."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.insights.bulk import Reject


class RejectSink(Protocol):
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
    def write(self, rejects: Sequence[Reject]) -> int:
        """Write rows so that they outlive the process; returns the file's length in bytes.

        Raises:
            OSError: the file cannot be written.
        """
        ...
