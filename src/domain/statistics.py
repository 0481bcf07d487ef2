"""Arithmetic of samples: intervals of rates, percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

Z_95: Final = 1.96
"""Standard normal quantile of a two-sided 95 % interval."""


def wilson_interval(count: float, total: float, *, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a rate (Wilson 1927).

    Args:
        count: 0..total.
        total: above 0; whole but for the worth of observations that are alike.
        z: quantile of the standard normal distribution, above 0.

    Returns:
        Lower and upper bound, within 0..1; the rate lies between them.
    """
    rate = count / total
    centre = rate + z * z / (2 * total)
    half = z * sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def design_effect(clusters: Sequence[Sequence[int]]) -> float:
    """How many times as many observations a mean needs because some are alike (Kish 1965).

    By how much the sums of the clusters vary more than those of unrelated observations would: 1
    where each stands alone, and where nothing varies.

    Args:
        clusters: observations, by what makes them alike; at least one in each.

    Returns:
        1 and up.
    """
    size = sum(map(len, clusters))
    mean = sum(map(sum, clusters)) / size
    alone = sum((each - mean) ** 2 for cluster in clusters for each in cluster)
    together = sum((sum(cluster) - mean * len(cluster)) ** 2 for cluster in clusters)
    return max(1.0, together / alone) if alone else 1.0


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value below which `fraction` of `values` lies, interpolated (SQL's PERCENTILE_CONT).

    Args:
        values: at least one, in any order.
        fraction: 0..1.
    """
    ordered = sorted(values)
    position = fraction * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
