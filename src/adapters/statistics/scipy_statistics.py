"""Statistics by SciPy and NumPy, which are loaded when somebody asks: SciPy takes a second."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from domain.errors import Unavailable
from ports.comparison import Column, RatioOfSums, Resampling, Statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK_CELLS: Final = 2_000_000
"""Drawn documents that are held at once: 16 MB."""
_LOWER_TAIL: Final = 0.025


class ScipyStatistics(Statistics):
    """Exact tests by `scipy.stats`, the bootstrap by matrices."""

    def check(self) -> None:
        """Whether there are statistics here.

        Raises:
            Unavailable: the libraries are not installed; says how to get them.
        """
        if any(find_spec(name) is None for name in ("scipy", "numpy")):
            raise Unavailable(
                "The statistics of a comparison need a library that is not installed here:"
                " pip install 'storekeeper[statistics]'."
            )

    def mcnemar(self, only_first: int, only_second: int) -> float:
        """See the port."""
        self.check()
        from scipy import stats  # noqa: PLC0415

        discordant = only_first + only_second
        if not discordant:
            return 1.0
        return float(stats.binomtest(only_first, discordant).pvalue)

    def upper_bound(self, count: int, total: int) -> float:
        """See the port."""
        self.check()
        from scipy import stats  # noqa: PLC0415

        # `less` bounds from above alone.
        test: Any = stats.binomtest(count, total, alternative="less")
        return float(test.proportion_ci(0.95, method="exact").high)

    def resample(
        self,
        columns: Mapping[Column, Sequence[float]],
        clusters: Sequence[int],
        *,
        draws: int,
        seed: int,
    ) -> Resampling:
        """See the port."""
        self.check()
        import numpy as np  # noqa: PLC0415
        from scipy import stats  # noqa: PLC0415

        names = {name: place for place, name in enumerate(columns)}
        documents = np.array(list(columns.values()), dtype=float).T
        groups = max(clusters) + 1
        sums = np.zeros((groups, len(names)))
        np.add.at(sums, np.asarray(clusters), documents)
        random = np.random.default_rng(seed)
        drawn = np.empty((draws, len(names)))
        step = max(1, _CHUNK_CELLS // groups)
        for first in range(0, draws, step):
            size = min(step, draws - first)
            # How often each draw takes each cluster, without a loop over the draws.
            picked = random.integers(groups, size=(size, groups))
            picked += np.arange(size)[:, None] * groups
            times = np.bincount(picked.ravel(), minlength=size * groups).reshape(size, groups)
            drawn[first : first + size] = times @ sums
        # Hesterberg 2015: as Student's t is wider than the normal distribution for few clusters.
        tail = _LOWER_TAIL
        if groups > 1:
            reach = stats.t.ppf(tail, groups - 1) * math.sqrt(groups / (groups - 1))
            tail = float(stats.norm.cdf(reach))
        return _DrawnSums(names, drawn, tail)


class _DrawnSums(Resampling):
    """The sum of each column in each draw.

    Args:
        names: columns of `drawn` by name.
        drawn: (draws, columns).
        tail: share of the draws that lies below an interval, and above it.
    """

    def __init__(
        self, names: Mapping[Column, int], drawn: NDArray[np.float64], tail: float
    ) -> None:
        self._names = names
        self._drawn = drawn
        self._tail = tail

    def interval(
        self, ratios: Sequence[RatioOfSums], *, absolute: bool = False
    ) -> tuple[float, float] | None:
        """See the port."""
        import numpy as np  # noqa: PLC0415

        total = np.zeros(len(self._drawn))
        defined = np.ones(len(self._drawn), dtype=bool)
        for ratio in ratios:
            under = self._drawn[:, self._names[ratio.under]]
            present = under != 0
            defined &= present
            over = self._drawn[:, self._names[ratio.over]]
            part = ratio.weight * over / np.where(present, under, 1.0)
            total += np.abs(part) if absolute else part
        if not defined.any():
            return None
        low, high = np.quantile(total[defined], (self._tail, 1 - self._tail))
        return float(low), float(high)
