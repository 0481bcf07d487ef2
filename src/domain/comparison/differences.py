"""What two contestants differ in, and agree in, on the same texts: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.comparison.figures import Estimate, Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfectDifference:
    """Perfect records of two contestants, text by text.

    Attributes:
        both: texts that both read perfectly.
        only_first: texts that only the first did.
        only_second: texts that only the second did.
        neither: texts that neither did.
        difference: rate of the first less that of the second.
        p_value: exact McNemar, two-sided.
        p_holm: the same after Holm's correction over all pairs of contestants.
        design_effect: how many times as many texts a difference needs because alike texts fare
            alike; 1 when they do not.
        detectable: smallest difference that this many texts, with as many discordant ones, show
            in 80 % of all experiments at 5 %; None when none would.
        needed: by difference (0.03, 0.05), the texts that would show it.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: Estimate
    p_value: float
    p_holm: float
    design_effect: float
    detectable: float | None
    needed: Mapping[float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """One field of two contestants, text by text.

    Attributes:
        field: its name.
        accuracy: accuracy of the first less that of the second.
        f1: F1 of the first less that of the second.
        only_first: texts where only the first is right.
        only_second: texts where only the second is right.
        p_value: exact McNemar on right answers, two-sided.
        p_holm: the same after Holm's correction over the fields.
    """

    field: str
    accuracy: Estimate
    f1: Estimate
    only_first: int
    only_second: int
    p_value: float
    p_holm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAgreement:
    """How far two contestants give the same answer; needs no gold.

    Attributes:
        field: its name; None for the whole record.
        agreement: same answers, silence included, of all texts.
        anls: mean similarity (ANLS*).
        kappa: Cohen's kappa, on enumerated and boolean fields only; None on others, and when both
            always give one and the same value.
    """

    field: str | None
    agreement: Rate
    anls: float | None
    kappa: float | None
