"""The search log, the insights computed from it, and the runs that keep them complete."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from domain.insights.click_rows import LoggedRow
from domain.insights.model import (
    FIRST_DAY,
    Period,
    PeriodInsights,
    QueryHistory,
    RankingRules,
    SearchClickRow,
    StoredInsight,
)
from domain.insights.run_history import FinishedRun, RunHistory


class SearchClickWriter(Protocol):
    """Where searches and clicks are written down."""

    @abstractmethod
    async def append(self, clicks: Sequence[SearchClickRow]) -> int:
        """Write all rows or none; a row without `search_date` gets the current UTC day.

        The stored `click_through_rate` is clicks over impressions, NULL without impressions.

        Returns:
            How many rows were written.

        Raises:
            DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see
                `domain.errors`.
        """
        ...


class SearchClickExport(Protocol):
    """Reads the log from end to end."""

    @abstractmethod
    def rows(
        self, first: date | None = None, last: date | None = None
    ) -> AsyncGenerator[Sequence[LoggedRow], None]:
        """The rows in the order in which they came, as they are at one time, some at a time.

        Args:
            first, last: the days, both included; None for no bound. Rows without a day are there
                only if neither is given.

        Raises:
            DatabaseUnavailable, DatabaseBusy, StatementTimedOut: see `domain.errors`.
        """
        ...


class SearchAnalyser(Protocol):
    """The analyses over any period, from the log itself.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def analyse(self, period: Period, rules: RankingRules) -> PeriodInsights:
        """All three analyses over one state of the log."""
        ...

    @abstractmethod
    async def history(self, query: str, period: Period) -> QueryHistory:
        """Each day of `period` for one query, however it is spelt."""
        ...


class SearchInsightRepository(Protocol):
    """The stored insights, one a day.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def compute(self, day: date, rules: RankingRules, *, now: datetime) -> StoredInsight:
        """Compute one day from the log and store it, at once or not at all.

        The newest state of the log wins however many compute the same day at a time. Figures
        that come out the same leave the stored row as it is.

        Args:
            now: aware UTC; becomes `computed_at` where the figures changed.

        Raises:
            WriteConflict: rows of the day are being written by a transaction that takes long.
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


class SearchClickPruner(Protocol):
    """Deletes rows of the log that need not be kept one by one.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def days_with_rows(self, before: date) -> Sequence[date]:
        """The days before `before` that the log has rows of, oldest first."""
        ...

    @abstractmethod
    async def prune(self, day: date, rules: RankingRules, *, now: datetime) -> int:
        """Delete the rows of one day and keep what they add up to, at once or not at all.

        All analyses go on to count them, and the day's insight is stored as `compute` would store
        it. Rows of the day that come later are counted beside them.

        Args:
            now: aware UTC; as in `SearchInsightRepository.compute`.

        Returns:
            How many rows were deleted.

        Raises:
            WriteConflict: rows of the day are being written by a transaction that takes long.
        """
        ...


class ScheduledRunRepository(Protocol):
    """What every process, and every scheduler, writes down and reads in one place.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def record(self, run: FinishedRun) -> None:
        """Write down a run that has ended: it becomes the newest of its outcome, and is counted."""
        ...

    @abstractmethod
    async def histories(self) -> Mapping[str, RunHistory]:
        """The history of each task that has ended a run, by its name."""
        ...
