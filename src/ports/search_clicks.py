"""The log of searches and clicks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

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
