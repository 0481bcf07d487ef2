"""Giving up the rows of old days, whose figures stay."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from domain.insights.model import Rules


class SearchRetention(Protocol):
    """Deletes rows of the log that need not be kept one by one.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def days_with_rows(self, before: date) -> Sequence[date]:
        """The days before `before` that the log has rows of, oldest first."""
        ...

    @abstractmethod
    async def prune(self, day: date, rules: Rules, *, now: datetime) -> int:
        """Delete the rows of one day and keep what they add up to, at once or not at all.

        All analyses go on to count them, and the day's insight is stored as `compute` would store
        it. Rows of the day that come later are counted beside them.

        Args:
            now: aware UTC; as in `SearchInsightStore.compute`.

        Returns:
            How many rows were deleted.

        Raises:
            ChangesCollided: rows of the day are being written by a transaction that takes long.
        """
        ...
