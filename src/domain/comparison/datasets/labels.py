"""What makes a text with its labels a good one, whatever file it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from domain.comparison.model import LabelledText
from domain.extraction.jobs.items import Document
from domain.extraction.jobs.service import check_document
from domain.extraction.schema import RecordSchema, Value
from domain.text import closest

PLAIN: Final = ("language", "template", "split", "twin")
"""Members of a labelled text that are strings, besides its id and the text itself."""
_LIKENESS: Final = 0.75


class LabelledTextError(ValueError):
    """A line or row that is no labelled text; says why, as the end of a sentence."""


def checked(
    given: Mapping[str, Any],
    schema: RecordSchema,
    number: int,
    *,
    strata: Sequence[str],
    gold: Mapping[str, Value] | None,
    attack: Mapping[str, Value] | None,
    spans: Mapping[str, tuple[int, int]],
) -> LabelledText:
    """The labelled text of these parts.

    Args:
        given: its text, and its id and `PLAIN` where it has them.
        schema: whose fields the labels name.
        number: of its line, which is the id of a text without one.
        strata, gold, attack, spans: as the text has them.

    Raises:
        LabelledTextError: says what is wrong with it.
    """
    document = Document(text=given.get("text", ""), id=given.get("id", str(number)))
    for violation in check_document(document, ""):
        raise LabelledTextError(f"has {violation.pointer.strip('/')} that {violation.detail}")
    if gold is not None:
        missing = [field.name for field in schema.fields if field.name not in gold]
        if missing:
            detail = f"has gold without {', '.join(missing)}; write null where the text is silent"
            raise LabelledTextError(detail)
    for name, (start, end) in spans.items():
        if not start < end <= len(document.text):
            detail = f"has the span {start}-{end} of {name}, in {len(document.text)} characters"
            raise LabelledTextError(detail)
        if gold is not None and gold[name] is None:
            raise LabelledTextError(f"has a span of {name}, whose gold is null")
    return LabelledText(
        id=document.id or str(number),
        text=document.text,
        gold=gold,
        spans=spans,
        strata=tuple(strata),
        attack=attack,
        **{name: given[name] for name in PLAIN if name in given},
    )


def check_names(given: Sequence[str], known: Sequence[str]) -> None:
    """Leave names alone that are not known, unless one looks like a known one misspelt.

    Raises:
        LabelledTextError: it does.
    """
    for name in given:
        close = closest(name, known, likeness=_LIKENESS)
        if name not in known and close is not None and close not in given:
            raise LabelledTextError(f"has {name!r}; did you mean {close!r}?")


def faults_between(texts: Sequence[tuple[int, LabelledText]]) -> Iterator[tuple[int, str]]:
    """What is wrong with texts beside one another: ids that stand twice, twins that are not there.

    Args:
        texts: each with the number of its line.

    Yields:
        The number of a line and the end of a sentence about it.
    """
    lines: dict[str, int] = {}
    for number, text in texts:
        if text.id in lines:
            yield number, f"has the id {text.id!r} of line {lines[text.id]}"
        lines.setdefault(text.id, number)
    for number, text in texts:
        if text.twin is not None and (text.twin == text.id or text.twin not in lines):
            yield number, f"names the twin {text.twin!r}, which is no other text here"
