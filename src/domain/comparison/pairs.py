"""Two contestants on the same texts: differences with their uncertainty, and agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil, sqrt
from statistics import NormalDist
from typing import Final

from domain.comparison.bootstrap import BootstrapEstimator, accuracy, f1, perfection
from domain.comparison.figures import FieldDifference, PerfectDifference
from domain.comparison.judgements import Observation
from domain.extraction.schema import RecordSchema
from domain.statistics import design_effect
from ports.comparison import Statistics

DIFFERENCES: Final = (0.03, 0.05)
"""Of which a report says how many texts would show them."""

Answers = Sequence[tuple[Observation, Observation]]


def perfect_differences(
    pairs: Sequence[Answers], estimator: BootstrapEstimator, statistics: Statistics
) -> list[PerfectDifference]:
    """How perfect records differ, for every pair of contestants.

    Args:
        pairs: for each pair, the two's answers to every text with gold (at least one).
        estimator: of the same texts.
        statistics: tests.
    """
    splits = [
        _split([(bool(a.judged.perfect), bool(b.judged.perfect)) for a, b in answers])
        for answers in pairs
    ]
    p_values = [statistics.mcnemar(first, second) for _, first, second, _ in splits]
    found = []
    for answers, split, p_value, p_holm in zip(
        pairs, splits, p_values, holm(p_values), strict=True
    ):
        both, first, second, neither = split
        ours, theirs = (observation.judged.contestant for observation in answers[0])
        discordance = (first + second) / len(answers)
        effect = _design_effect(answers)
        found.append(
            PerfectDifference(
                both=both,
                only_first=first,
                only_second=second,
                neither=neither,
                difference=estimator.estimate(perfection(ours), perfection(theirs, sign=-1)),
                p_value=p_value,
                p_holm=p_holm,
                design_effect=effect,
                detectable=detectable_difference(int(len(answers) / effect), discordance),
                needed={
                    each: ceil(effect * texts_needed(each, discordance)) for each in DIFFERENCES
                },
            )
        )
    return found


def _design_effect(answers: Answers) -> float:
    """Of the difference in perfect records."""
    leads: defaultdict[int, list[int]] = defaultdict(list)
    for first, second in answers:
        leads[first.cluster].append(bool(first.judged.perfect) - bool(second.judged.perfect))
    return design_effect(list(leads.values()))


def field_differences(
    schema: RecordSchema, answers: Answers, estimator: BootstrapEstimator, statistics: Statistics
) -> tuple[FieldDifference, ...]:
    """How two contestants differ in each field of the texts with gold (at least one)."""
    ours, theirs = (observation.judged.contestant for observation in answers[0])
    splits = []
    for place, _ in enumerate(schema.fields):
        cells = [(a.judged.cells[place], b.judged.cells[place]) for a, b in answers]
        splits.append(_split([(a.judgement.right, b.judgement.right) for a, b in cells]))
    p_values = [statistics.mcnemar(first, second) for _, first, second, _ in splits]
    corrected = holm(p_values)
    return tuple(
        FieldDifference(
            field=field.name,
            accuracy=estimator.estimate(
                accuracy(ours, field.name), accuracy(theirs, field.name, sign=-1)
            ),
            f1=estimator.estimate(f1(ours, field.name), f1(theirs, field.name, weight=-1)),
            only_first=splits[place][1],
            only_second=splits[place][2],
            p_value=p_values[place],
            p_holm=corrected[place],
        )
        for place, field in enumerate(schema.fields)
    )


def _split(right: Sequence[tuple[bool, bool]]) -> tuple[int, int, int, int]:
    """Both, only the first, only the second, neither."""
    return (
        right.count((True, True)),
        right.count((True, False)),
        right.count((False, True)),
        right.count((False, False)),
    )


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
