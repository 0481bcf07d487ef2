"""What every `Statistics` holds."""

from __future__ import annotations

from math import comb

import pytest

from ports.comparison import Column, RatioOfSums, Statistics
from tests.contracts.contract import Contract

ONES: Column = ("ones",)
RIGHT: Column = ("right",)
WORSE: Column = ("worse",)
MEAN = RatioOfSums(over=RIGHT, under=ONES)


class StatisticsContract(Contract):
    @pytest.fixture
    def statistics(self) -> Statistics:
        raise NotImplementedError

    @pytest.mark.parametrize(
        ("only_first", "only_second", "p_value"),
        [
            (0, 0, 1.0),
            (5, 0, 2 / 2**5),
            (0, 6, 2 / 2**6),
            (10, 2, 2 * (1 + 12 + 66) / 2**12),
            (7, 7, 1.0),
        ],
    )
    def test_mcnemars_test_is_exact(
        self, statistics: Statistics, only_first: int, only_second: int, p_value: float
    ) -> None:
        assert statistics.mcnemar(only_first, only_second) == pytest.approx(p_value, rel=1e-9)

    @pytest.mark.parametrize(("only_first", "only_second"), [(40, 60), (130, 90), (1, 300)])
    def test_mcnemars_test_sums_the_tails_of_a_fair_coin(
        self, statistics: Statistics, only_first: int, only_second: int
    ) -> None:
        tosses = only_first + only_second
        tail = sum(comb(tosses, heads) for heads in range(min(only_first, only_second) + 1))
        found = statistics.mcnemar(only_first, only_second)
        assert found == pytest.approx(2 * tail / 2**tosses, rel=1e-9)
        assert statistics.mcnemar(only_second, only_first) == pytest.approx(found)

    def test_the_upper_bound_of_nothing_found_is_that_of_the_literature(
        self, statistics: Statistics
    ) -> None:
        assert statistics.upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
        assert statistics.upper_bound(0, 300) < 0.01
        assert statistics.upper_bound(0, 1) == pytest.approx(0.95)
        assert statistics.upper_bound(4, 4) == 1.0

    def test_at_the_upper_bound_so_few_would_be_found_once_in_twenty(
        self, statistics: Statistics
    ) -> None:
        rate = statistics.upper_bound(5, 60)
        chance = sum(comb(60, k) * rate**k * (1 - rate) ** (60 - k) for k in range(6))
        assert chance == pytest.approx(0.05)

    def test_the_bootstrap_of_a_rate_has_the_quantiles_of_the_binomial(
        self, statistics: Statistics
    ) -> None:
        # Of 100 draws with a chance of 0.3, 2.5 % bring at most 21 and 97.5 % at most 39.
        columns = {RIGHT: [1.0] * 30 + [0.0] * 70, ONES: [1.0] * 100}
        drawn = statistics.resample(columns, range(100), draws=10_000, seed=7)
        assert drawn.interval([MEAN]) == pytest.approx((0.21, 0.39), abs=0.011)

    def test_documents_of_one_cluster_are_drawn_together(self, statistics: Statistics) -> None:
        columns = {RIGHT: [1.0, 1.0, 0.0, 0.0], ONES: [1.0] * 4}
        one = statistics.resample(columns, [0, 0, 0, 0], draws=200, seed=7)
        assert one.interval([MEAN]) == (0.5, 0.5)
        # Two clusters, all right and none: a quarter of the draws takes the first twice.
        two = statistics.resample(columns, [0, 0, 1, 1], draws=200, seed=7)
        assert two.interval([MEAN]) == (0.0, 1.0)

    def test_pairs_stay_together(self, statistics: Statistics) -> None:
        columns = {RIGHT: [1.0, 0.0] * 20, WORSE: [1.0, 0.0] * 20, ONES: [1.0] * 40}
        drawn = statistics.resample(columns, range(40), draws=500, seed=7)
        apart = [MEAN, RatioOfSums(over=WORSE, under=ONES, weight=-1)]
        assert drawn.interval(apart) == (0.0, 0.0)

    def test_a_weight_multiplies(self, statistics: Statistics) -> None:
        drawn = statistics.resample({ONES: [1.0] * 5}, range(5), draws=10, seed=7)
        assert drawn.interval([RatioOfSums(over=ONES, under=ONES, weight=2.5)]) == (2.5, 2.5)

    def test_draws_without_anything_below_the_line_are_left_out(
        self, statistics: Statistics
    ) -> None:
        columns = {RIGHT: [1.0, 0.0], ONES: [1.0, 0.0], WORSE: [0.0, 0.0]}
        drawn = statistics.resample(columns, [0, 1], draws=200, seed=7)
        assert drawn.interval([MEAN]) == (1.0, 1.0)
        assert drawn.interval([RatioOfSums(over=RIGHT, under=WORSE)]) is None

    def test_the_same_seed_gives_the_same_interval_and_another_does_not(
        self, statistics: Statistics
    ) -> None:
        columns = {RIGHT: [float(n % 7) for n in range(50)], ONES: [1.0] * 50}
        first, again, other = (
            statistics.resample(columns, range(50), draws=200, seed=seed).interval([MEAN])
            for seed in (7, 7, 8)
        )
        assert first == again != other

    def test_more_draws_than_are_held_at_once_are_all_made(self, statistics: Statistics) -> None:
        size = 3_000
        columns = {RIGHT: [1.0, 0.0] * (size // 2), ONES: [1.0] * size}
        drawn = statistics.resample(columns, range(size), draws=1_500, seed=7)
        # Half a rate, give or take 1.96 sqrt(.25 / 3000)
        assert drawn.interval([MEAN]) == pytest.approx((0.482, 0.518), abs=0.003)

    def test_a_column_that_was_not_given_is_an_error(self, statistics: Statistics) -> None:
        drawn = statistics.resample({ONES: [1.0]}, [0], draws=10, seed=7)
        with pytest.raises(KeyError):
            drawn.interval([MEAN])

    def test_ratios_may_be_summed_by_how_far_they_are_from_nothing(
        self, statistics: Statistics
    ) -> None:
        columns = {ONES: [1.0] * 4, RIGHT: [1.0] * 4, WORSE: [-1.0] * 4}
        both = (MEAN, RatioOfSums(over=WORSE, under=ONES))
        drawn = statistics.resample(columns, range(4), draws=20, seed=7)
        assert drawn.interval(both) == (0.0, 0.0)
        assert drawn.interval(both, absolute=True) == (2.0, 2.0)
