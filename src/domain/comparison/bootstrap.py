"""Scores as sums over documents, and how far they would move with other documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from domain.comparison.figures import Estimate, ValueJudgement
from domain.comparison.judgements import Observation, is_null
from domain.comparison.model import LabelledText
from domain.extraction.schema import Field, RecordSchema
from ports.comparison import Column, RatioOfSums, Statistics

DRAWS: Final = 10_000
FEWEST_CLUSTERS: Final = 10
"""With fewer wordings, how far they differ cannot be told; texts count then."""
_GIVEN: Final = {ValueJudgement.CORRECT, ValueJudgement.WRONG, ValueJudgement.HALLUCINATED}


class BootstrapEstimator:
    """Values of scores with the interval of the bootstrap over documents.

    Args:
        columns: a figure for each document, by name.
        clusters: for each document, the number of those that are drawn together with it.
        statistics: draws.
        draws: how often.
        seed: of the draws.
    """

    def __init__(
        self,
        columns: Mapping[Column, Sequence[float]],
        clusters: Sequence[int],
        statistics: Statistics,
        *,
        draws: int,
        seed: int,
    ) -> None:
        self._sums = {name: sum(column) for name, column in columns.items()}
        numbers = {each: number for number, each in enumerate(dict.fromkeys(clusters))}
        without_gaps = [numbers[each] for each in clusters]
        self._resampling = statistics.resample(columns, without_gaps, draws=draws, seed=seed)

    def defined(self, ratio: RatioOfSums) -> bool:
        """Whether there is anything below the line."""
        return bool(self._sums[ratio.under])

    def estimate(self, *ratios: RatioOfSums, absolute: bool = False) -> Estimate:
        """The sum of `ratios` with its interval; without a value when one is not defined.

        Args:
            ratios: at least one.
            absolute: sum up how far each is from 0.
        """
        if not all(self.defined(ratio) for ratio in ratios):
            return Estimate(value=None, low=None, high=None)
        parts = [
            ratio.weight * self._sums[ratio.over] / self._sums[ratio.under] for ratio in ratios
        ]
        value = sum(map(abs, parts) if absolute else parts)
        bounds = self._resampling.interval(ratios, absolute=absolute)
        low, high = bounds or (None, None)
        return Estimate(value=value, low=low, high=high)


def columns_of(
    schema: RecordSchema, by_contestant: Mapping[str, Sequence[Observation]]
) -> Mapping[Column, Sequence[float]]:
    """What the scores are ratios of, one figure a document.

    Args:
        schema: whose fields are scored.
        by_contestant: what each made of the same texts with gold, in the same order.
    """
    columns: dict[Column, list[float]] = {}
    for observations in by_contestant.values():
        for place, observation in enumerate(observations):
            for column, figure in _figures(schema, observation):
                columns.setdefault(column, [0.0] * len(observations))[place] = figure
    return columns


def _figures(schema: RecordSchema, observation: Observation) -> Iterator[tuple[Column, float]]:
    name = observation.judged.contestant
    all_correct = all_present = rated = 0
    gaps: dict[Column, float] = {}
    for field, cell in zip(schema.fields, observation.judged.cells, strict=True):
        wanted = is_wanted(field, observation)
        given = cell.judgement in _GIVEN
        correct = cell.judgement is ValueJudgement.CORRECT
        yield ("known", field.name), cell.judgement is not ValueJudgement.UNKNOWN
        yield ("wanted", field.name), wanted
        yield ("given", name, field.name), given
        yield ("correct", name, field.name), correct
        yield ("present", name, field.name), wanted + given
        yield ("right", name, field.name), cell.judgement.right
        if cell.confidence is not None and cell.judgement is not ValueJudgement.UNKNOWN:
            gap = confidence_gap(name, confidence_bin(cell.confidence))
            rated += 1
            gaps[gap.over] = gaps.get(gap.over, 0.0) + cell.confidence - cell.judgement.right
        all_correct += correct
        all_present += wanted + given
    yield from gaps.items()
    yield ("rated", name), rated
    yield ("judged",), 1.0
    yield ("perfect", name), bool(observation.judged.perfect)
    yield ("correct", name), all_correct
    yield ("present", name), all_present


def is_wanted(field: Field, observation: Observation) -> bool:
    """Whether the gold holds a value for `field`."""
    gold = observation.text.gold or {}
    return not is_null(field, gold.get(field.name))


def accuracy(name: str, field: str, *, sign: int = 1) -> RatioOfSums:
    """Right answers, silence included, of the texts whose gold is known."""
    return RatioOfSums(over=("right", name, field), under=("known", field), weight=sign)


def perfection(name: str, *, sign: int = 1) -> RatioOfSums:
    """Perfect records of all."""
    return RatioOfSums(over=("perfect", name), under=("judged",), weight=sign)


def f1(name: str, field: str, *, weight: float = 1.0) -> RatioOfSums:
    """Twice the right values, of the values given and to be found (van Rijsbergen 1979)."""
    return RatioOfSums(
        over=("correct", name, field), under=("present", name, field), weight=2.0 * weight
    )


BINS: Final = 10
"""Of confidence, each as wide as the others."""


def confidence_bin(confidence: float) -> int:
    """The number of the bin of a confidence, from 0."""
    return min(BINS - 1, int(confidence * BINS))


def confidence_gap(name: str, number: int) -> RatioOfSums:
    """By how much the confidence of a bin's values exceeds what is right, over all values."""
    return RatioOfSums(over=("gap", name, str(number)), under=("rated", name))


def clusters_of(texts: Sequence[LabelledText]) -> tuple[Mapping[str, int], bool]:
    """Which texts are alike, as a number by text id, and whether the wordings decided it.

    Texts of one template are; but for very few templates, and where there are none, each text
    stands alone, an attacked one with its twin.
    """
    ids = {text.id for text in texts}
    twins = [text.twin if text.twin in ids else text.id for text in texts]
    wordings = [
        f"template {text.template}" if text.template else f"text {twin}"
        for text, twin in zip(texts, twins, strict=True)
    ]
    templates = {text.template for text in texts} - {""}
    clustered = bool(templates) and len(set(wordings)) >= FEWEST_CLUSTERS
    keys = wordings if clustered else twins
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return {text.id: numbers[key] for text, key in zip(texts, keys, strict=True)}, clustered
