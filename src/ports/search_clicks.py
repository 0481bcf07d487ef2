"""The log of searches and clicks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from datetime import date
from typing import Protocol

from domain.insights.bulk import StoredRecord
from domain.insights.model import SearchClick


class SearchClickLog(Protocol):
    """Where searches and clicks are written down."""

    @abstractmethod
    async def append(self, clicks: Sequence[SearchClick]) -> int:
        """Write all rows or none; a row without `search_date` gets the current UTC day.

        The stored `click_through_rate` is clicks over impressions, NULL without impressions.

        Returns:
            How many rows were written.

        Raises:
            DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see
                `domain.errors`.
        """
        ...


class SearchClickReader(Protocol):
    """Reads the log from end to end."""

    @abstractmethod
    def rows(
        self, first: date | None = None, last: date | None = None
    ) -> AsyncGenerator[Sequence[StoredRecord], None]:
        """The rows in the order in which they came, as they are at one time, some at a time.

        Args:
            first, last: the days, both included; None for no bound. Rows without a day are there
                only if neither is given.

        Raises:
            DatabaseUnavailable, DatabaseBusy, StatementTimedOut: see `domain.errors`.
        """
        ...
