"""Statistics that need more than arithmetic."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Column: TypeAlias = tuple[str, ...]
"""The name of a figure that every document has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
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
    def interval(self, ratios: Sequence[Ratio]) -> tuple[float, float] | None:
        """The 95 % interval of the sum of `ratios`: percentiles of the draws.

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
