"""The arithmetic of samples, on figures worked out by hand and on random ones."""

from __future__ import annotations

from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.statistics import design_effect, percentile, wilson_interval

COUNTS = st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Worked out with the score interval's formula at z = 1.96.
    [
        (0, 1, 0.0, 0.793457),
        (1, 1, 0.206543, 1.0),
        (40, 100, 0.309400, 0.497999),
        (0, 100, 0.0, 0.036995),
        (5, 10, 0.236590, 0.763410),
    ],
)
def test_wilsons_interval_is_that_of_the_literature(
    count: int, total: int, low: float, high: float
) -> None:
    assert wilson_interval(count, total) == pytest.approx((low, high), abs=1e-6)


@given(counts=COUNTS)
def test_a_rate_lies_within_its_interval_and_that_within_nought_and_one(
    counts: tuple[int, int],
) -> None:
    count, total = counts
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total + 1e-12
    assert count / total - 1e-12 <= high <= 1


@given(counts=COUNTS)
def test_the_interval_of_a_rate_mirrors_that_of_its_complement(counts: tuple[int, int]) -> None:
    count, total = counts
    low, high = wilson_interval(count, total)
    mirrored = wilson_interval(total - count, total)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-9)


@given(counts=st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_ten_times_the_evidence_narrows_the_interval(counts: tuple[int, int]) -> None:
    count, total = counts
    low, high = wilson_interval(count, total)
    lower, upper = wilson_interval(10 * count, 10 * total)
    assert upper - lower < high - low


@given(values=st.lists(st.floats(-1e9, 1e9), min_size=2))
def test_quartiles_are_those_of_the_standard_library(values: list[float]) -> None:
    expected = quantiles(values, n=4, method="inclusive")
    found = [percentile(values, fraction) for fraction in (0.25, 0.5, 0.75)]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7.0], fraction) for fraction in (0.0, 0.3, 1.0)] == [7.0, 7.0, 7.0]


@pytest.mark.parametrize(
    ("clusters", "effect"),
    [
        # Two that fare alike throughout are worth two observations of eight: (4 + 4) / (8 x .25).
        ([[1, 1, 1, 1], [0, 0, 0, 0]], 4.0),
        # (1 + 1 + 1 + 1) / (12 x .25)
        ([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1], [0, 0]], 4 / 3),
        # Less than by chance is no gain: 0 / 2.
        ([[1, 1, 0, 0], [0, 1, 0, 1]], 1.0),
        ([[1, 1], [1, 1]], 1.0),
        # Leads of one over the other: mean 0, (4 + 4) / 4.
        ([[1, 1], [-1, -1]], 2.0),
    ],
)
def test_alike_observations_call_for_more_of_them(clusters: list[list[int]], effect: float) -> None:
    assert design_effect(clusters) == pytest.approx(effect)


@given(observed=st.lists(st.integers(-1, 1), min_size=1))
def test_observations_that_stand_alone_call_for_no_more(observed: list[int]) -> None:
    assert design_effect([[each] for each in observed]) == pytest.approx(1)
