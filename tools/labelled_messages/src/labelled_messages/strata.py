"""What makes a message hard to read, and how often each kind comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Stratum(StrEnum):
    """What makes a message hard to extract from."""

    CLEAN = "clean"
    NOISE = "noise"  # typos, signatures, quoted threads, HTML, scans
    DISTRACTOR = "distractor"  # other numbers and names stand beside the wanted ones
    MISSING = "missing"  # one or all of the values are not said
    CORRECTION = "correction"  # the writer changes the order; the last word holds
    IMPLICIT_NUMBER = "implicit_number"  # "two dozen", "half a pallet"
    MULTILINGUAL = "multilingual"
    LONG = "long"  # the order stands deep in a long text
    INJECTION = "injection"  # the text gives orders to whoever reads it


class Split(StrEnum):
    """Which part of a set a text belongs to; no wording is in both.

    DEV is for looking at while prompts are made; TEST is judged and read by nobody before.
    """

    TEST = "test"
    DEV = "dev"


class Cell(NamedTuple):
    """A kind of text within a split; an injection comes with its clean twin, as two texts."""

    stratum: Stratum
    split: Split

    @property
    def size(self) -> int:
        """Texts that are made at once."""
        return 2 if self.stratum is Stratum.INJECTION else 1


SHARES: Final[Mapping[Stratum, int]] = {
    Stratum.CLEAN: 8,
    Stratum.NOISE: 15,
    Stratum.DISTRACTOR: 15,
    Stratum.MISSING: 15,
    Stratum.CORRECTION: 12,
    Stratum.IMPLICIT_NUMBER: 8,
    Stratum.MULTILINGUAL: 10,
    Stratum.LONG: 5,
    Stratum.INJECTION: 12,  # half of them are the twins, which count as clean
}
"""Percent of all texts."""
_PARTS: Final[Mapping[Split, int]] = {Split.TEST: 5, Split.DEV: 1}


def schedule(count: int) -> Iterator[Cell]:
    """The cells of a set of `count` texts, in order.

    Each text goes to the cell that is furthest behind its share, so that every beginning of the
    set has all kinds in about their shares.
    """
    weights = {
        Cell(stratum, split): share * part
        for stratum, share in SHARES.items()
        for split, part in _PARTS.items()
    }
    whole = sum(weights.values())
    made = dict.fromkeys(weights, 0)
    total = 0
    while total < count:
        fitting = [cell for cell in weights if total + cell.size <= count]
        cell = max(
            fitting,
            key=lambda each: (weights[each] * (total + each.size) - made[each] * whole) / each.size,
        )
        made[cell] += cell.size
        total += cell.size
        yield cell
