"""How small a difference a number of texts can show, and how many a difference needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import NormalDist
from typing import Final

POWER: Final = 0.8
SIGNIFICANCE: Final = 0.05
_Z_SIDES: Final = NormalDist().inv_cdf(1 - SIGNIFICANCE / 2)
_Z_POWER: Final = NormalDist().inv_cdf(POWER)
_HALVINGS: Final = 40


def texts_needed(difference: float, discordance: float) -> int:
    """Pairs that McNemar's test needs for a difference, at 5 % two-sided and 80 % power.

    The formula of Connor (1987) for unconditional power: (z_a sqrt(d) + z_b sqrt(d - D^2))^2 / D^2,
    with d the discordance and D the difference.

    Args:
        difference: of the two rates, above 0 and at most 1.
        discordance: share of the pairs that differ, 0..1; fewer than the difference cannot be.
    """
    discordant = max(difference, discordance)
    root = _Z_SIDES * sqrt(discordant) + _Z_POWER * sqrt(discordant - difference**2)
    return ceil((root / difference) ** 2)


def detectable_difference(texts: int, discordance: float) -> float | None:
    """The smallest difference that `texts` pairs show with 80 % power; `texts_needed` turned round.

    Args:
        texts: 0 and up.
        discordance: share of the pairs that differ, 0..1.

    Returns:
        None when even a difference in all of the pairs that differ would not show.
    """
    if not discordance or texts_needed(discordance, discordance) > texts:
        return None
    low, high = 0.0, discordance
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if texts_needed(middle, discordance) <= texts else (middle, high)
    return high


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values after Holm's step-down correction (Holm 1979), in their order."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    by_size = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(by_size):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected
