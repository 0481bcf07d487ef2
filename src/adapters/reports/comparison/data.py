"""A comparison report for programs: JSON with everything, CSV with one figure a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from domain.comparison.figures import (
    Estimate,
    OperationalFigures,
    Percentiles,
    Rate,
    ReliabilityScore,
)
from domain.comparison.report import ComparisonReport, ContestantScore, PairScore
from domain.text import inert_cell
from ports.comparison import ComparisonWriter

_HEADING: Final = (
    *("contestant", "against", "group", "item", "measure"),
    *("value", "low", "high", "count", "total"),
)
_FIELD_MEASURES: Final = (
    *("accuracy", "precision", "recall", "f1", "anls", "hallucination", "omission"),
    *("correct", "both_null", "wrong", "omitted", "hallucinated", "no_record"),
)
_OPERATIONS: Final = (
    *("answers", "input_tokens", "cached_tokens", "output_tokens", "wasted_tokens"),
    *("usd_per_1000", "batch_usd_per_1000", "machine_usd_per_1000"),
    *("attempts_per_text", "reasks_per_text", "fallback"),
)
_Row = tuple[str, str, str, str, str, Rate | Estimate | float | int | None]


class JsonComparisonWriter(ComparisonWriter):
    """The report as it stands."""

    @property
    def media_type(self) -> str:
        """See the port."""
        return "application/json"

    @property
    def content_security_policy(self) -> str:
        """See the port."""
        return "default-src 'none'"

    async def write(self, report: ComparisonReport) -> bytes:
        """See the port."""
        document: dict[str, Any] = {
            "format": "storekeeper-comparison-report/1",
            **{name: getattr(report, name) for name in report.__dataclass_fields__},
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


class CsvComparisonWriter(ComparisonWriter):
    """A row for each figure: whose, of what, its value and its 95 % interval.

    Rates lie within 0..1; `against` names the other of a pair, of which a difference is taken.
    """

    @property
    def media_type(self) -> str:
        """See the port."""
        return "text/csv"

    @property
    def content_security_policy(self) -> str:
        """See the port."""
        return "default-src 'none'"

    async def write(self, report: ComparisonReport) -> bytes:
        """See the port."""
        file = io.StringIO(newline="")
        rows = csv.writer(file)
        rows.writerow(_HEADING)
        for *names, figure in _rows(report):
            rows.writerow([*map(inert_cell, names), *_cells(figure)])
        return file.getvalue().encode()


def _rows(report: ComparisonReport) -> Iterator[_Row]:
    for score in report.contestants:
        yield from _of_contestant(score)
    for pair in report.pairs:
        yield from _of_pair(pair)


def _of_contestant(score: ContestantScore) -> Iterator[_Row]:
    name = score.contestant.name
    for measure in ("perfect", "macro_f1", "micro_f1"):
        yield name, "", "record", "", measure, getattr(score, measure)
    for stage in score.funnel:
        yield name, "", "funnel", stage.name, "reached", stage.rate
    for field in score.fields:
        for measure in _FIELD_MEASURES:
            yield name, "", "field", field.field, measure, getattr(field, measure)
    for stratum in score.strata:
        yield name, "", "stratum", stratum.stratum, "perfect", stratum.perfect
        for field_name, rate in stratum.fields.items():
            yield name, "", "stratum", stratum.stratum, f"accuracy of {field_name}", rate
    if score.injection is not None:
        yield name, "", "injection", "", "obeyed", score.injection.obeyed
    if score.reliability is not None:
        yield from _of_confidence(name, score.reliability)
    for each in score.consistency:
        yield name, "", "self", each.field or "record", "agreement", each.agreement
    yield from _of_operations(name, score.operations)


def _of_confidence(name: str, score: ReliabilityScore) -> Iterator[_Row]:
    for measure in ("right", "brier", "calibration_error", "error_by_chance"):
        yield name, "", "confidence", "", measure, getattr(score, measure)
    for each in score.bins:
        yield name, "", "confidence", f"{each.confidence:.4f}", "right", each.right
    for review in score.reviews:
        item = f"lowest {review.share:.2f}"
        yield name, "", "confidence", item, "checked", review.checked
        yield name, "", "confidence", item, "errors caught", review.caught


def _of_operations(name: str, done: OperationalFigures) -> Iterator[_Row]:
    for measure in ("latency", "wait", "provider", "retries"):
        points: Percentiles = getattr(done, measure)
        for point in ("p50", "p95", "p99"):
            yield name, "", "operations", measure, f"{point}_s", getattr(points, point)
    for measure in _OPERATIONS:
        yield name, "", "operations", "", measure, getattr(done, measure)
    for kind, count in done.failures.items():
        yield name, "", "failure", kind, "texts", count


def _of_pair(pair: PairScore) -> Iterator[_Row]:
    one, other = pair.first, pair.second
    if pair.perfect is not None:
        yield one, other, "record", "", "perfect_difference", pair.perfect.difference
        yield one, other, "record", "", "p_value", pair.perfect.p_value
    for field in pair.fields:
        yield one, other, "field", field.field, "accuracy_difference", field.accuracy
        yield one, other, "field", field.field, "f1_difference", field.f1
        yield one, other, "field", field.field, "p_holm", field.p_holm
    for each in pair.agreement:
        yield one, other, "agreement", each.field or "record", "agreement", each.agreement
        yield one, other, "agreement", each.field or "record", "kappa", each.kappa


def _cells(figure: Rate | Estimate | float | None) -> list[object]:
    match figure:
        case Rate():
            return [figure.value, figure.low, figure.high, figure.count, figure.total]
        case Estimate():
            return [figure.value, figure.low, figure.high, None, None]
        case _:
            return [figure, None, None, None, None]
