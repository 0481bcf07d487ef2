"""SciPy holds the contract, and agrees with what is computed without it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest
from scipy import stats
from scipy.optimize import linear_sum_assignment

from adapters.statistics.scipy_statistics import ScipyStatistics
from domain.comparison.similarity import best_pairing
from domain.statistics import wilson_interval
from ports.comparison import Column, RatioOfSums, Statistics
from tests.contracts.statistics import StatisticsContract


class TestScipyStatistics(StatisticsContract):
    @pytest.fixture
    def statistics(self) -> Statistics:
        return ScipyStatistics()


@pytest.mark.parametrize(("count", "total"), [(0, 10), (7, 10), (270, 300), (1000, 1000)])
def test_wilsons_interval_is_scipys(count: int, total: int) -> None:
    theirs = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert wilson_interval(count, total) == pytest.approx(tuple(theirs), abs=1e-4)


def test_the_best_pairing_is_scipys() -> None:
    scores = [[((7 * row + 3) * (column + 5)) % 13 / 13 for column in range(9)] for row in range(6)]
    rows, columns = linear_sum_assignment(scores, maximize=True)
    best = sum(scores[row][column] for row, column in zip(rows, columns, strict=True))
    assert best_pairing(scores) == pytest.approx(best)


def claims(*, lead: float, lean: float) -> tuple[float, float]:
    """How often interval and test both tell two contestants apart, and how often the test alone.

    Args:
        lead: by how much the first is better.
        lean: standard deviation of what suits one of them, and not the other, in a wording.
    """
    rng = random.Random(3)
    statistics = ScipyStatistics()
    right, under = RatioOfSums(over=("a",), under=("n",)), ("n",)
    apart = [right, RatioOfSums(over=("b",), under=under, weight=-1)]
    both = tested = 0
    for _ in range(COMPARISONS):
        leans = [rng.gauss(lead / 2, lean) for _ in range(WORDINGS)]
        first = [rng.random() < 0.75 + leans[n % WORDINGS] for n in range(TEXTS)]
        second = [rng.random() < 0.75 - leans[n % WORDINGS] for n in range(TEXTS)]
        columns: Mapping[Column, Sequence[float]] = {
            ("a",): first,
            ("b",): second,
            under: [1.0] * TEXTS,
        }
        clusters = [n % WORDINGS for n in range(TEXTS)]
        bounds = statistics.resample(columns, clusters, draws=300, seed=7).interval(apart)
        assert bounds is not None
        pairs = list(zip(first, second, strict=True))
        significant = (
            statistics.mcnemar(pairs.count((True, False)), pairs.count((False, True))) < 0.05
        )
        tested += significant
        both += significant and (bounds[0] > 0 or bounds[1] < 0)
    return both / COMPARISONS, tested / COMPARISONS


COMPARISONS, TEXTS, WORDINGS = 400, 300, 30


def test_wordings_that_suit_one_of_two_equals_make_a_winner_once_in_twenty_at_most() -> None:
    both, tested = claims(lead=0.0, lean=0.15)
    assert both <= 0.05 + 2 * 0.011  # two standard errors of 400 comparisons
    assert tested > 0.2  # what the exact test alone, which takes texts as unrelated, would claim


def test_a_real_lead_is_found() -> None:
    both, _ = claims(lead=0.1, lean=0.0)
    assert both > 0.7
