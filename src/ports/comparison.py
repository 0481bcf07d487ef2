"""What a comparison needs from outside: a store, a log, forms of its report, statistics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from domain.comparison.model import (
    Comparison,
    ComparisonId,
    ComparisonJob,
    ComparisonSpec,
    LabelledText,
)
from domain.comparison.report import ComparisonReport
from domain.comparison.results import ComparisonResults, ContestantAnswer, Provenance


class ComparisonRepository(Protocol):
    """Comparisons by id; each method is atomic.

    A new one is added inside a unit of work, beside its jobs.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: see `domain.errors`.
    """

    @abstractmethod
    async def add(self, spec: ComparisonSpec, jobs: Sequence[ComparisonJob]) -> Comparison:
        """Store a comparison whose jobs are stored already.

        Raises:
            NotFound: the schema version is not registered.
        """
        ...

    @abstractmethod
    async def get(self, comparison_id: ComparisonId) -> Comparison:
        """Load one.

        Raises:
            NotFound: no such comparison.
        """
        ...

    @abstractmethod
    async def page(self, *, limit: int, before: ComparisonId | None = None) -> Sequence[Comparison]:
        """Up to `limit` comparisons, newest first, with ids below `before`."""
        ...

    @abstractmethod
    async def texts(self, comparison_id: ComparisonId) -> Sequence[LabelledText]:
        """What is read in it, in its order.

        Raises:
            NotFound: no such comparison.
        """
        ...

    @abstractmethod
    async def remove(self, comparison_id: ComparisonId) -> None:
        """Remove it; its jobs and their results stay.

        Raises:
            NotFound: no such comparison.
        """
        ...


class ComparisonResultLog(Protocol):
    """One comparison's own; nothing that was appended is lost when the process dies."""

    @abstractmethod
    def read(self) -> ComparisonResults | None:
        """What stands there; None when nothing does.

        Raises:
            InvalidInput: it is not such a log, or damaged; names the line.
        """
        ...

    @abstractmethod
    def begin(self, spec: ComparisonSpec, provenance: Provenance) -> None:
        """Write down what is asked from now on, in addition to what stands there."""
        ...

    @abstractmethod
    def append(self, answer: ContestantAnswer) -> None:
        """Write down one answer."""
        ...


class ComparisonWriter(Protocol):
    """One form of a report."""

    @property
    @abstractmethod
    def media_type(self) -> str:
        """Such as `text/html`."""
        ...

    @property
    @abstractmethod
    def content_security_policy(self) -> str:
        """What a browser that shows the file may load and run of it."""
        ...

    @abstractmethod
    async def write(self, report: ComparisonReport) -> bytes:
        """The whole file.

        Raises:
            ChartFailed: a chart cannot be drawn.
        """
        ...


Column: TypeAlias = tuple[str, ...]
"""The name of a figure that every document has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioOfSums:
    """`weight` times the sum of one column over the sum of another.

    Attributes:
        over: column above the line.
        under: column below it.
        weight: a factor; -1 subtracts.
    """

    over: Column
    under: Column
    weight: float = 1.0


class Resampling(Protocol):
    """Documents drawn again and again, with replacement."""

    @abstractmethod
    def interval(
        self, ratios: Sequence[RatioOfSums], *, absolute: bool = False
    ) -> tuple[float, float] | None:
        """The 95 % interval of the sum of `ratios`: percentiles of the draws.

        With `absolute`, of the sum of their distances from 0.

        They reach out as Student's t does, lest few clusters make it too narrow. Draws where a sum
        below the line is 0 are left out; None when that is all of them.

        Raises:
            KeyError: a column that was not given.
        """
        ...


class Statistics(Protocol):
    """Exact tests and the bootstrap.

    Raises (each method):
        Unavailable: a library is not installed; says how to get it.
    """

    @abstractmethod
    def mcnemar(self, only_first: int, only_second: int) -> float:
        """McNemar's exact test, two-sided: how likely so uneven a split is, were both as good.

        Args:
            only_first: documents where only the first is right (>= 0).
            only_second: documents where only the second is (>= 0).

        Returns:
            The p-value, within 0..1; 1 when nothing differs.
        """
        ...

    @abstractmethod
    def upper_bound(self, count: int, total: int) -> float:
        """The one-sided 95 % upper bound of a rate (Clopper and Pearson 1934).

        Args:
            count: 0..total.
            total: 1 and up.
        """
        ...

    @abstractmethod
    def resample(
        self,
        columns: Mapping[Column, Sequence[float]],
        clusters: Sequence[int],
        *,
        draws: int,
        seed: int,
    ) -> Resampling:
        """Draw documents with replacement, the same ones for every column, so that pairs stay.

        Args:
            columns: a figure for each document, all of the same length, at least one column.
            clusters: for each document, which documents are drawn together with it: 0 and up,
                without gaps; at least one document.
            draws: how often (>= 1).
            seed: the same seed and input give the same draws (>= 0).
        """
        ...
