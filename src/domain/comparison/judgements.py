"""Whether a value is the right one, how near it comes, and what went wrong."""

# ruff: noqa: RUF001 - typographic quotes and dashes are what is unified
from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import isclose, isfinite
from typing import Final, TypeAlias

from domain.comparison.figures import ErrorKind, ValueJudgement
from domain.comparison.model import LabelledText
from domain.comparison.report import JudgedAnswer, JudgedValue
from domain.comparison.results import ContestantAnswer
from domain.comparison.similarity import best_pairing, text_similarity
from domain.extraction.schema import Field, FieldType, RecordSchema, Scalar, Value

RELATIVE_TOLERANCE: Final = 1e-6
"""Numbers this near to one another are equal; integers must be the same."""
_ABSOLUTE_TOLERANCE: Final = 1e-9
_SAME: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})
_EDGES: Final = " .,;:!?\"'"

Plain: TypeAlias = str | float | bool
Normal: TypeAlias = Plain | tuple[Plain, ...] | None


def normalised(field: Field, value: Value) -> Normal:
    """What of `value` is judged; None for null, blank and empty.

    Texts and choices: NFKC, typographic quotes and dashes as plain ones, no case, single spaces, no
    punctuation at the edges. Numbers and dates by what they say. Lists: their items in order, since
    the order of a list is not judged.
    """
    if not field.many:
        single = ", ".join(str(item) for item in value) if isinstance(value, list) else value
        return _plain(field.type, single)
    items = value if isinstance(value, list) else [value]
    kept = [each for item in items if (each := _plain(field.type, item)) is not None]
    return tuple(sorted(kept, key=lambda each: (type(each).__name__, each))) or None


# A value is met again in every comparison that it is part of. Typed, since 1 and True hash alike.
@lru_cache(maxsize=16_384, typed=True)
def _plain(kind: FieldType, item: Scalar) -> Plain | None:
    if item is None:
        return None
    if kind is FieldType.BOOLEAN and isinstance(item, bool):
        return item
    if kind.numeric and not isinstance(item, bool) and (number := _number(item)) is not None:
        return number
    text = " ".join(unicodedata.normalize("NFKC", str(item)).translate(_SAME).casefold().split())
    if kind is FieldType.DATE:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return text or None
    return text.strip(_EDGES) or text or None


def _number(item: Scalar) -> float | None:
    try:
        number = float(item)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def same(field: Field, first: Value, second: Value) -> bool:
    """Whether two values say the same, after normalisation and within the tolerance."""
    ours, theirs = normalised(field, first), normalised(field, second)
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        pairs = zip(ours, theirs, strict=False)
        return len(ours) == len(theirs) and all(_equal(field.type, *pair) for pair in pairs)
    return _equal(field.type, ours, theirs)


def _equal(kind: FieldType, first: Normal, second: Normal) -> bool:
    if kind is FieldType.NUMBER and isinstance(first, float) and isinstance(second, float):
        return isclose(first, second, rel_tol=RELATIVE_TOLERANCE, abs_tol=_ABSOLUTE_TOLERANCE)
    return first == second


def category(field: Field, value: Value) -> Normal:
    """A value as one of the names that chance-corrected agreement counts (six digits a number)."""
    plain = normalised(field, value)
    if isinstance(plain, tuple):
        return tuple(map(_rounded, plain))
    return None if plain is None else _rounded(plain)


def _rounded(item: Plain) -> Plain:
    return float(f"{item:.6g}") if isinstance(item, float) else item


def similarity(field: Field, first: Value, second: Value) -> float:
    """ANLS* of two values (Peer et al. 2024), 0..1.

    Strings share characters; everything else is equal or not, for a quantity of 120 is not nearly
    one of 12. Two lists are paired as well as can be, and what is left over counts 0.
    """
    ours, theirs = normalised(field, first), normalised(field, second)
    if ours == theirs or ours is None or theirs is None:
        return float(ours == theirs)
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        short, long = sorted((ours, theirs), key=len)
        scores = [[_near(field.type, one, other) for other in long] for one in short]
        return best_pairing(scores) / len(long)
    return _near(field.type, ours, theirs)


def _near(kind: FieldType, first: Normal, second: Normal) -> float:
    if kind is FieldType.STRING and isinstance(first, str) and isinstance(second, str):
        return text_similarity(first, second)
    return float(_equal(kind, first, second))


def judge(
    field: Field, gold: Mapping[str, Value] | None, answer: ContestantAnswer
) -> ValueJudgement:
    """How the answer's value of `field` stands to the gold."""
    if gold is None or field.name not in gold:
        return ValueJudgement.UNKNOWN
    if not answer.has_record:
        return ValueJudgement.NO_RECORD
    right, given = gold[field.name], answer.fields.get(field.name)
    if is_null(field, right):
        return ValueJudgement.BOTH_NULL if is_null(field, given) else ValueJudgement.HALLUCINATED
    if is_null(field, given):
        return ValueJudgement.OMITTED
    return ValueJudgement.CORRECT if same(field, right, given) else ValueJudgement.WRONG


def is_null(field: Field, value: Value) -> bool:
    """Whether a value says that the text is silent: null, blank, or a list of such."""
    return normalised(field, value) is None


def error_of(
    field: Field, judgement: ValueJudgement, text: LabelledText, answer: ContestantAnswer
) -> ErrorKind | None:
    """What went wrong with the answer's value of `field`; None when nothing did."""
    if judgement.right or judgement is ValueJudgement.UNKNOWN:
        return None
    if judgement is ValueJudgement.NO_RECORD:
        return ErrorKind.NO_RECORD
    given = answer.fields.get(field.name)
    if _obeyed(field, text, given):
        return ErrorKind.OBEYED
    if judgement is not ValueJudgement.WRONG:
        return ErrorKind(judgement.value)
    assert text.gold is not None
    if similarity(field, text.gold[field.name], given) > 0:
        return ErrorKind.NEAR
    places = [(each.start, each.end) for each in answer.evidence if each.field == field.name]
    if not places or field.name not in text.spans:
        return ErrorKind.WRONG
    start, end = text.spans[field.name]
    met = any(first < end and start < last for first, last in places)
    return ErrorKind.MISREAD if met else ErrorKind.ELSEWHERE


def _obeyed(field: Field, text: LabelledText, given: Value) -> bool:
    return (
        text.attack is not None
        and field.name in text.attack
        and same(field, text.attack[field.name], given)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A judged answer as one observation of the statistics.

    Attributes:
        text: what was asked about.
        answer: what came.
        judged: each value of it.
        cluster: number of the texts that are like this one, itself included.
    """

    text: LabelledText
    answer: ContestantAnswer
    judged: JudgedAnswer
    cluster: int


def observation_of(
    schema: RecordSchema, text: LabelledText, answer: ContestantAnswer, *, cluster: int
) -> Observation:
    """Judge each value of an answer."""
    cells = tuple(_judged_value(field, text, answer) for field in schema.fields)
    known = [cell.judgement for cell in cells if cell.judgement is not ValueJudgement.UNKNOWN]
    judged = JudgedAnswer(
        contestant=answer.contestant,
        status=answer.status.value,
        failure=None if answer.failure is None else answer.failure.value,
        perfect=all(judgement.right for judgement in known) if known else None,
        cells=cells,
        warnings=answer.warnings,
    )
    return Observation(text=text, answer=answer, judged=judged, cluster=cluster)


def _judged_value(field: Field, text: LabelledText, answer: ContestantAnswer) -> JudgedValue:
    judgement = judge(field, text.gold, answer)
    value = answer.fields.get(field.name)
    near: float | None = None
    if judgement is ValueJudgement.NO_RECORD:
        near = 0.0
    elif text.gold is not None and field.name in text.gold:
        near = similarity(field, text.gold[field.name], value)
    return JudgedValue(
        field=field.name,
        value=value,
        judgement=judgement,
        error=error_of(field, judgement, text, answer),
        similarity=near,
        spans=tuple((each.start, each.end) for each in answer.evidence if each.field == field.name),
        confidence=answer.confidence.get(field.name),
    )
