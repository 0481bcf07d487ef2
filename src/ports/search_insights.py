"""Insights into searches: computed from the log, and stored a day at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from domain.insights.history import QueryHistory
from domain.insights.model import FIRST_DAY, Analysis, Period, Rules
from domain.insights.stored import StoredInsight


class SearchAnalysis(Protocol):
    """The analyses over any period, from the log itself.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def analyse(self, period: Period, rules: Rules) -> Analysis:
        """All three analyses over one state of the log."""
        ...

    @abstractmethod
    async def history(self, query: str, period: Period) -> QueryHistory:
        """Each day of `period` for one query, however it is spelt."""
        ...


class SearchInsightStore(Protocol):
    """The stored insights, one a day.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def compute(self, day: date, rules: Rules, *, now: datetime) -> StoredInsight:
        """Compute one day from the log and store it, at once or not at all.

        The newest state of the log wins however many compute the same day at a time. Figures
        that come out the same leave the stored row as it is.

        Args:
            now: aware UTC; becomes `computed_at` where the figures changed.

        Raises:
            ChangesCollided: rows of the day are being written by a transaction that takes long.
        """
        ...

    @abstractmethod
    async def get(self, day: date) -> StoredInsight:
        """Load one day.

        Raises:
            NotFound: no insight is stored for it.
        """
        ...

    @abstractmethod
    async def page(
        self,
        *,
        limit: int,
        before: date | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> Sequence[StoredInsight]:
        """Up to `limit` days, newest first, before `before` and within `first`..`last`."""
        ...

    @abstractmethod
    async def days_to_compute(self, until: date, *, since: date = FIRST_DAY) -> Sequence[date]:
        """Days from `since` to `until` whose insight is lacking or stale, oldest first.

        It is lacking where the log has rows of a day and there is no insight, or one of an older
        `DEFINITION_VERSION`. It is stale where rows of the day have come, gone or changed since it
        was computed. An insight that another program wrote is neither.
        """
        ...

    @abstractmethod
    async def last_computed(self, period: Period) -> datetime | None:
        """The latest `computed_at` among the insights of `period`, aware UTC; None without one."""
        ...
