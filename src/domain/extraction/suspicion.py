"""What makes a text suspect: words that instruct the reader, statements that contradict."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from domain.extraction.matching import Span, folded
from domain.extraction.model import Evidence, Flag, FlagKind
from domain.extraction.numbers import Number, numbers_in
from domain.extraction.schema import Field, Schema

_INSTRUCTIONS: Final = re.compile(
    r"""
      \b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}
        \b(?:instruction|instructions|prompt|prompts|rules|guidelines|context)\b
    | \b(?:system|assistant|developer)\s*(?:prompt|message|override|note)?\s*:\s*\S
    | \byou\s+are\s+(?:now|no\s+longer)\b
    | \b(?:as\s+an?\s+)?(?:ai|a\.i\.|language)\s+(?:model|assistant|system)s?\b
    | \b(?:dear|attention|hey|note\s+to(?:\s+the)?)\s+(?:ai|llm|chatgpt|gpt|gemini|assistant|bot
        |model|extractor|parser)\b
    | \b(?:set|report|output|return|respond|reply|answer|extract|record|write|print)\b
        [^.!?\n]{0,40}\b(?:field_?\d|json|the\s+fields?|as\s+the\s+(?:customer|quantity|product))\b
    | \b(?:ignoriere|vergiss|missachte)\b[^.!?\n]{0,40}\b(?:anweisung|anweisungen|regeln|vorgaben)\b
    | \b(?:ignorez|oubliez|ignore)\b[^.!?\n]{0,40}\b(?:instructions|consignes|règles)\b
    | \b(?:ignora|ignore|olvida|ignorar)\b[^.!?\n]{0,40}
        \b(?:instrucciones|instruções|istruzioni|reglas|regras|regole)\b
    | 忽略[^。！？\n]{0,20}(?:指令|指示|说明|規則|规则) | (?:指示|命令)を無視
    | <\|?(?:im_start|im_end|system|endoftext|start_of_turn)\b | \[/?INST\] | <</?SYS>>
    | </?(?:text|document|data|user|system|instructions?)(?:-[0-9a-z]+)?>
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE_END: Final = re.compile(r"[.!?。！？](?=\s|$)|\n|-->|$")
_SENTENCE_START: Final = re.compile(r"(?:[.!?。！？]\s+|\n|<!--)")
_LABELLED: Final = re.compile(
    r"^[ \t>*-]*(?P<label>[^\W\d_][^\n:=]{0,30}?)[ \t]*[:=][ \t]*(?P<value>\S[^\n]*)$",
    re.MULTILINE,
)
_REPLACED: Final = re.compile(
    r"\b(?:not|instead\s+of|rather\s+than|statt|nicht|au\s+lieu\s+de|en\s+vez\s+de|invece\s+di"
    r"|in\s+plaats\s+van|em\s+vez\s+de)\s*$",
    re.IGNORECASE,
)


def embedded_instructions(text: str) -> list[Span]:
    """The sentences of `text` that speak to a model rather than to a shop."""
    spans: list[Span] = []
    starts = [0, *(match.end() for match in _SENTENCE_START.finditer(text))]
    for match in _INSTRUCTIONS.finditer(text):
        start = starts[bisect_right(starts, match.start()) - 1]
        end = _SENTENCE_END.search(text, match.end())
        stop = end.end() if end else len(text)
        if spans and start < spans[-1].end:
            spans[-1] = Span(start=spans[-1].start, end=max(stop, spans[-1].end))
        else:
            spans.append(Span(start=start, end=stop))
    return spans


def instruction_flags(spans: Sequence[Span]) -> list[Flag]:
    """A flag for each passage that instructs the reader."""
    return [
        Flag(
            kind=FlagKind.EMBEDDED_INSTRUCTION,
            detail="The text addresses the reader's software; these words were not obeyed.",
            start=span.start,
            end=span.end,
        )
        for span in spans
    ]


def contradictions(schema: Schema, evidence: Sequence[Evidence], text: str) -> list[Flag]:
    """Places that state another value for a field than its evidence does.

    Two shapes are recognised: the same label with another value (`qty: 5` ... `qty: 7`), and the
    same counted thing with another number (`5 mugs` ... `7 mugs`) unless the text itself takes
    that number back (`not 7 mugs`).
    """
    fields = {field.name: field for field in schema.fields if not field.many}
    flags: list[Flag] = []
    for item in evidence:
        field = fields.get(item.field)
        if field is None:
            continue
        other = next(_rivals(field, item, text), None)
        if other is not None:
            flags.append(
                Flag(
                    kind=FlagKind.CONTRADICTION,
                    field=item.field,
                    detail="The text also states another value.",
                    start=other.start,
                    end=other.end,
                )
            )
    return flags


def _rivals(field: Field, item: Evidence, text: str) -> Iterator[Span]:
    lines = list(_LABELLED.finditer(text))
    for line in lines:
        if item.end <= line.start("value") or line.end("value") <= item.start:
            continue
        label, stated = folded(line["label"]), folded(line["value"])
        for other in lines:
            if folded(other["label"]) == label and folded(other["value"]) != stated:
                yield Span(start=other.start("value"), end=other.end("value"))
    if field.type.numeric:
        yield from _counts(item, text)


def _counts(item: Evidence, text: str) -> Iterator[Span]:
    numbers = numbers_in(text)
    mine = [n for n in numbers if item.start <= n.start and n.end <= item.end]
    if not mine:
        return
    thing = _next_word(text, mine[0])
    values = {number.value for number in mine if number.start == mine[0].start}
    for number in numbers:
        if (
            thing
            and number.value not in values
            and not item.start <= number.start < item.end
            and _next_word(text, number) == thing
            and not _REPLACED.search(text, max(0, number.start - 20), number.start)
        ):
            yield Span(start=number.start, end=number.end)


def _next_word(text: str, number: Number) -> str:
    match = re.compile(r"[ \t]*(?:x|×)?[ \t]*([^\W\d_]{3,})").match(text, number.end)
    return match[1].casefold() if match else ""
