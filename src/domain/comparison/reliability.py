"""Whether a contestant's confidence is what it says, and what a check of its values would find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import floor, pi, sqrt
from statistics import fmean
from typing import Final

from domain.comparison.bootstrap import BootstrapEstimator, confidence_bin, confidence_gap
from domain.comparison.figures import (
    ReliabilityBin,
    ReliabilityScore,
    ReviewYield,
    ValueJudgement,
    rate_of,
)
from domain.comparison.judgements import Observation

REVIEWED: Final = (0.05, 0.10, 0.20)
"""Shares of the values, the least confident ones: a report tells what their check would find."""
FEWEST_WRONG: Final = 10
"""With fewer wrong values, which of them a check would catch is chance."""


def reliability(
    name: str, observations: Sequence[Observation], estimator: BootstrapEstimator
) -> ReliabilityScore | None:
    """How the confidence of the contestant `name` stands to what is right.

    Looked at are the values whose gold is known and whose confidence is stated; None without any.
    """
    rated = [
        (each.cluster, cell.confidence, cell.judgement.right)
        for each in observations
        for cell in each.judged.cells
        if cell.confidence is not None and cell.judgement is not ValueJudgement.UNKNOWN
    ]
    if not rated:
        return None
    by_bin: defaultdict[int, list[tuple[int, float, bool]]] = defaultdict(list)
    for value in rated:
        by_bin[confidence_bin(value[1])].append(value)
    wrong = sum(not right for _, _, right in rated)
    return ReliabilityScore(
        right=rate_of((cluster, right) for cluster, _, right in rated),
        brier=fmean((confidence - right) ** 2 for _, confidence, right in rated),
        calibration_error=estimator.estimate(
            *(confidence_gap(name, number) for number in sorted(by_bin)), absolute=True
        ),
        error_by_chance=sum(
            # How far the right values of the bin stray, as a normal distribution does on average.
            sqrt(2 / pi * sum(confidence * (1 - confidence) for _, confidence, _ in values))
            for values in by_bin.values()
        )
        / len(rated),
        bins=tuple(
            ReliabilityBin(
                confidence=fmean(confidence for _, confidence, _ in values),
                right=rate_of((cluster, right) for cluster, _, right in values),
            )
            for _, values in sorted(by_bin.items())
        ),
        reviews=tuple(_review(share, rated) for share in REVIEWED) if wrong >= FEWEST_WRONG else (),
    )


def _review(share: float, rated: Sequence[tuple[int, float, bool]]) -> ReviewYield:
    """What checking the values with the lowest confidence finds, at most `share` of them.

    Of equally confident ones all are checked or none: nothing tells which of them to take.
    """
    ordered = sorted(confidence for _, confidence, _ in rated)
    first_left = ordered[floor(share * len(ordered))]
    return ReviewYield(
        share=share,
        checked=sum(confidence < first_left for confidence in ordered),
        caught=rate_of(
            (cluster, confidence < first_left) for cluster, confidence, right in rated if not right
        ),
    )
