"""SciPy holds the contract, comes late, and agrees with what is computed without it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scipy import stats
from scipy.optimize import linear_sum_assignment

from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.similarity import best_pairing
from domain.statistics import wilson_interval
from ports.statistics import Statistics
from tests.contracts.statistics import StatisticsContract


class TestScipyStatistics(StatisticsContract):
    @pytest.fixture
    def statistics(self) -> Statistics:
        return ScipyStatistics()


def test_importing_it_does_not_load_scipy() -> None:
    program = (
        "import sys; import adapters.statistics.scipy_statistics;"
        " sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(("count", "total"), [(0, 10), (7, 10), (270, 300), (1000, 1000)])
def test_wilsons_interval_is_scipys(count: int, total: int) -> None:
    theirs = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert wilson_interval(count, total) == pytest.approx(tuple(theirs), abs=1e-4)


def test_the_best_pairing_is_scipys() -> None:
    scores = [[((7 * row + 3) * (column + 5)) % 13 / 13 for column in range(9)] for row in range(6)]
    rows, columns = linear_sum_assignment(scores, maximize=True)
    best = sum(scores[row][column] for row, column in zip(rows, columns, strict=True))
    assert best_pairing(scores) == pytest.approx(best)
