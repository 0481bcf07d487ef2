"""Answers, marked: each value against the gold. All scores are counted from these."""

from __future__ import annotations

from dataclasses import dataclass

from domain.comparison.figures import Judgement
from domain.comparison.judging import error_of, judge, similarity
from domain.comparison.model import LabelledText, Outcome
from domain.comparison.report import Cell, Reply
from domain.extraction.schema import Field, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One contestant's answer to one text.

    Attributes:
        text: what was asked about.
        outcome: what came of it.
        reply: the answer, each value judged.
        cluster: number of the texts that are like this one, itself included.
    """

    text: LabelledText
    outcome: Outcome
    reply: Reply
    cluster: int


def mark(schema: Schema, text: LabelledText, outcome: Outcome, *, cluster: int) -> Marked:
    """Judge each value of an answer."""
    cells = tuple(_cell(field, text, outcome) for field in schema.fields)
    known = [cell.judgement for cell in cells if cell.judgement is not Judgement.UNKNOWN]
    reply = Reply(
        contestant=outcome.contestant,
        status=outcome.status.value,
        failure=None if outcome.failure is None else outcome.failure.value,
        perfect=all(judgement.right for judgement in known) if known else None,
        cells=cells,
        warnings=outcome.warnings,
    )
    return Marked(text=text, outcome=outcome, reply=reply, cluster=cluster)


def _cell(field: Field, text: LabelledText, outcome: Outcome) -> Cell:
    judgement = judge(field, text.gold, outcome)
    value = outcome.fields.get(field.name)
    near: float | None = None
    if judgement is Judgement.NO_RECORD:
        near = 0.0
    elif text.gold is not None and field.name in text.gold:
        near = similarity(field, text.gold[field.name], value)
    return Cell(
        field=field.name,
        value=value,
        judgement=judgement,
        error=error_of(field, judgement, text, outcome),
        similarity=near,
        spans=tuple(
            (each.start, each.end) for each in outcome.evidence if each.field == field.name
        ),
    )
