"""Writes the results of a job into a file or a stream."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from typing import Protocol

from domain.extraction.jobs.items import ItemResult
from domain.extraction.schema import Schema


class ResultFormat(Protocol):
    """One form of a results file."""

    @property
    @abstractmethod
    def media_type(self) -> str:
        """Such as `text/csv`."""
        ...

    @abstractmethod
    def check(self) -> None:
        """Make sure that this form can be written here.

        Raises:
            InvalidInput: a library is not installed; says how to install it.
        """
        ...

    @abstractmethod
    def encode(self, results: AsyncIterable[ItemResult], schema: Schema) -> AsyncIterator[bytes]:
        """The file, piece by piece: never more than a bounded part of it is in memory."""
        ...
