"""What the figures allow to be said, in words; never more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.comparison.figures import PairAgreement, PerfectDifference, Rate
from domain.comparison.model import Contestant
from domain.comparison.pairs import SIGNIFICANCE
from domain.comparison.report import Verdict, VerdictKind

FEW_TEXTS: Final = 30
"""Below it, that nothing was found says nothing."""


def alone(
    contestant: Contestant, perfect: Rate | None, texts: int, *, wordings: int = 0
) -> Verdict:
    """Of one contestant.

    Args:
        contestant: who.
        perfect: its perfect records; None without gold.
        texts: texts that it was asked about.
        wordings: how few templates the texts come from, when they are too few to draw from.
    """
    if perfect is None:
        sentence = (
            f"{contestant.name} read {_texts(texts)}; without gold and without a second provider"
            " nothing says how well."
        )
    else:
        sentence = (
            f"{contestant.name} is right on {_percent(perfect.value)} of {_texts(perfect.total)}"
            f" (95 % interval {_hundredths(perfect.low)} to {_hundredths(perfect.high)})."
        )
    return Verdict(
        kind=VerdictKind.ALONE,
        winner=None,
        sentence=sentence + _reservations([contestant], wordings if perfect else 0),
    )


def unjudged(first: Contestant, second: Contestant, record: PairAgreement) -> Verdict:
    """Of two contestants without gold, by how far their records agree."""
    rate = record.agreement
    if rate.total:
        same = (
            f"{first.name} and {second.name} give the same record on {rate.count:,} of"
            f" {_texts(rate.total)} ({_percent(rate.value)}, 95 % interval"
            f" {_hundredths(rate.low)} to {_hundredths(rate.high)})."
        )
    else:
        same = f"{first.name} and {second.name} have no text of which both give a record."
    return Verdict(
        kind=VerdictKind.NO_GOLD,
        winner=None,
        sentence=f"{same} Without gold, nothing says which of them is right."
        + _reservations([first, second], 0),
    )


def judged(
    first: Contestant,
    second: Contestant,
    perfect: PerfectDifference,
    *,
    pairs: int = 1,
    wordings: int = 0,
) -> Verdict:
    """Of two contestants with gold, by their perfect records.

    A better one is named only where the interval of the difference leaves out 0 and the exact test
    says the same.

    Args:
        first: who stands first in `perfect`.
        second: who stands second.
        perfect: what they differ in.
        pairs: pairs of contestants that were tested at once.
        wordings: how few templates the texts come from, when they are too few to draw from.
    """
    low, high = perfect.difference.low or 0.0, perfect.difference.high or 0.0
    apart = low > 0 or high < 0
    tested = perfect.p_holm < SIGNIFICANCE
    if apart and tested:
        kind, winner = VerdictKind.BETTER, first if low > 0 else second
        sentence = _better(first, second, perfect, pairs)
    elif _size(perfect) < FEW_TEXTS:
        kind, winner = VerdictKind.TOO_FEW, None
        sentence = _too_few(first, second, perfect)
    else:
        kind, winner = VerdictKind.NOT_DISTINGUISHABLE, None
        sentence = _level(first, second, perfect, pairs)
        if apart is not tested:
            sentence += " Interval and exact test do not say the same, so that nothing is claimed."
    return Verdict(
        kind=kind,
        winner=winner.name if winner else None,
        sentence=sentence + _reservations([first, second], wordings),
    )


def _better(first: Contestant, second: Contestant, perfect: PerfectDifference, pairs: int) -> str:
    ahead, behind, low, high, rates = _in_order(first, second, perfect)
    return (
        f"{ahead} is right on {_hundredths(rates[0] - rates[1])} more of 100 texts than {behind}"
        f" (95 % interval {_hundredths(low)} to {_hundredths(high)}): every field is right on"
        f" {_percent(rates[0])} of {_texts(_size(perfect))}, against {_percent(rates[1])}"
        f" ({_exact(perfect, pairs)})."
    )


def _too_few(first: Contestant, second: Contestant, perfect: PerfectDifference) -> str:
    ours, theirs = perfect.both + perfect.only_first, perfect.both + perfect.only_second
    return (
        f"Too few texts to tell {first.name} and {second.name} apart: of {_size(perfect)},"
        f" {first.name} is right on {ours}, {second.name} on {theirs}."
        f" A 5-point difference needs about {_about(perfect.needed[0.05])} texts."
    )


def _level(first: Contestant, second: Contestant, perfect: PerfectDifference, pairs: int) -> str:
    ahead, _, low, high, rates = _in_order(first, second, perfect)
    size = _size(perfect)
    start = f"{first.name} and {second.name} are not distinguishable on these {_texts(size)}"
    if not perfect.only_first + perfect.only_second:
        # The bootstrap knows no more than these texts and would give an interval without width.
        bound = 1 - SIGNIFICANCE ** (1 / size)
        return (
            f"{start}: both are right on the same {_percent(rates[0])}. With 95 % certainty,"
            f" no more than {_hundredths(bound)} of 100 texts are right for one of them alone."
        )
    found = (
        f"{ahead} is right on {_hundredths(rates[0] - rates[1])} more of 100"
        if rates[0] > rates[1]
        else f"both are right on {_percent(rates[0])}"
    )
    needed = perfect.needed[0.03]
    more = f"; a 3-point difference needs about {_about(needed)}" if needed > size else ""
    shown = (
        "So few unrelated texts are right for one of them alone that no test could tell them apart"
        if perfect.detectable is None
        else f"A difference of {_hundredths(perfect.detectable)} points would show 4 times in 5"
    )
    return (
        f"{start}: {found} (95 % interval of the difference {_hundredths(low)} to"
        f" {_hundredths(high)}; {_exact(perfect, pairs)}). {shown}{more}."
    )


def _in_order(
    first: Contestant, second: Contestant, perfect: PerfectDifference
) -> tuple[str, str, float, float, tuple[float, float]]:
    """Who is ahead, who behind, the interval of the lead, and both rates."""
    size = _size(perfect)
    ours = (perfect.both + perfect.only_first) / size
    theirs = (perfect.both + perfect.only_second) / size
    low, high = perfect.difference.low or 0.0, perfect.difference.high or 0.0
    if ours >= theirs:
        return first.name, second.name, low, high, (ours, theirs)
    return second.name, first.name, -high, -low, (theirs, ours)


def _reservations(contestants: Sequence[Contestant], wordings: int) -> str:
    """What a reader must know besides; begins with a space when there is something."""
    said = ""
    if wordings:
        noun = "1 wording" if wordings == 1 else f"{wordings} wordings"
        said += f" All texts come from {noun}, so that this holds for texts like these alone."
    names = [each.name for each in contestants if each.simulated]
    if len(names) == 1:
        said += f" The provider of {names[0]} is simulated: this says nothing about a real one."
    elif names:
        listed = " and ".join(names)
        said += f" The providers of {listed} are simulated: this says nothing about real ones."
    return said


def _size(perfect: PerfectDifference) -> int:
    return perfect.both + perfect.only_first + perfect.only_second + perfect.neither


def _exact(perfect: PerfectDifference, pairs: int) -> str:
    p_value = "p < 0.0001" if perfect.p_holm < 0.0001 else f"p = {perfect.p_holm:.2g}"
    corrected = f" after Holm's correction for {pairs} pairs" if pairs > 1 else ""
    return f"exact McNemar {p_value}{corrected}"


def _about(count: int) -> str:
    """To three digits, and to tens below 1,000: more would be a pretence."""
    step = max(10, 10 ** (len(str(count)) - 3))
    return f"{round(count / step) * step:,}"


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"


def _percent(rate: float | None) -> str:
    return f"{_hundredths(rate)} %"


def _hundredths(rate: float | None) -> str:
    return f"{round(100 * (rate or 0.0), 1) + 0.0:.1f}"  # never -0.0
