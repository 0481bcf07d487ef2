"""Two contestants on the same texts: differences with their uncertainty, and agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from typing import Final

from domain.comparison.differences import FieldDifference, PerfectDifference
from domain.comparison.estimating import Estimator, accuracy, f1, perfection
from domain.comparison.marking import Marked
from domain.comparison.power import detectable_difference, holm, texts_needed
from domain.extraction.schema import Schema
from domain.statistics import design_effect
from ports.statistics import Statistics

DIFFERENCES: Final = (0.03, 0.05)
"""Of which a report says how many texts would show them."""

Answers = Sequence[tuple[Marked, Marked]]


def perfect_differences(
    pairs: Sequence[Answers], estimator: Estimator, statistics: Statistics
) -> list[PerfectDifference]:
    """How perfect records differ, for every pair of contestants.

    Args:
        pairs: for each pair, the two's answers to every text with gold (at least one).
        estimator: of the same texts.
        statistics: tests.
    """
    splits = [
        _split([(bool(a.reply.perfect), bool(b.reply.perfect)) for a, b in answers])
        for answers in pairs
    ]
    p_values = [statistics.mcnemar(first, second) for _, first, second, _ in splits]
    found = []
    for answers, split, p_value, p_holm in zip(
        pairs, splits, p_values, holm(p_values), strict=True
    ):
        both, first, second, neither = split
        ours, theirs = (marked.reply.contestant for marked in answers[0])
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
        leads[first.cluster].append(bool(first.reply.perfect) - bool(second.reply.perfect))
    return design_effect(list(leads.values()))


def field_differences(
    schema: Schema, answers: Answers, estimator: Estimator, statistics: Statistics
) -> tuple[FieldDifference, ...]:
    """How two contestants differ in each field of the texts with gold (at least one)."""
    ours, theirs = (marked.reply.contestant for marked in answers[0])
    splits = []
    for place, _ in enumerate(schema.fields):
        cells = [(a.reply.cells[place], b.reply.cells[place]) for a, b in answers]
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
