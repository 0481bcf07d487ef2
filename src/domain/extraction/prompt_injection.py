"""Prompt injection: words of a text that instruct its reader, or imitate a model's conversation."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from domain.extraction.matching import Span, normalized
from domain.extraction.model import Evidence, ExtractionWarning, WarningKind

_INSTRUCTIONS: Final = re.compile(
    r"""
      \b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}
        \b(?:instruction|instructions|prompt|prompts|rules|guidelines|context)\b
    | (?:^|(?<=[.!?>]\s)|(?<=>)|(?<=<!--\s)|(?<=<!--))
        (?:system|assistant|developer)\s*(?:prompt|message|override|note)?\s*:\s*\S
    | \byou\s+are\s+now\s+(?:an?|the|acting|called|\w*bot|\w*gpt)\b
    | \byou\s+are\s+no\s+longer\s+(?:an?|bound|limited|restricted)\b
    | \bas\s+an?\s+(?:ai|a\.i\.)\b | \blanguage\s+models?\b
    | \b(?:dear|attention|hey|note\s+to(?:\s+the)?)\s+(?:ai|llm|chatgpt|gpt|gemini|assistant|bot
        |model|extractor|parser)\b
    | \b(?:set|report|output|return|respond|reply|answer|extract|record|write|print)\b
        [^.!?\n]{0,40}\b(?:field_?\d|json|the\s+fields?|as\s+the\s+(?:customer|quantity|product))\b
    | \b(?:ignoriere|vergiss|missachte)\b[^.!?\n]{0,40}\b(?:anweisung|anweisungen|regeln|vorgaben)\b
    | \b(?:ignorez|oubliez|ignore)\b[^.!?\n]{0,40}\b(?:instructions|consignes|règles)\b
    | \b(?:ignora|ignore|olvida|ignorar)\b[^.!?\n]{0,40}
        \b(?:instrucciones|instruções|istruzioni|reglas|regras|regole)\b
    | 忽略[^。！？\n]{0,20}(?:指令|指示|说明|規則|规则) | (?:指示|命令)を無視
    | </?(?:text|document|data|user|system|instructions?)(?:-[0-9a-z]+)?>
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_COUNTERFEIT: Final = re.compile(
    r"""
      <\|[a-z_]{2,24}\|?> | <\|(?:im_start|im_end|system)\b | <(?:start|end)_of_turn>
    | \[/?INST\] | <</?SYS>> | </?text-(?=[a-f]*[0-9])[0-9a-f]{4,32}>
    | "quote"\s{0,3}:[^\n]{0,300}?"value"\s{0,3}:
    """,
    re.VERBOSE,
)
"""What a model's conversation is made of, and no customer's message."""
_DICTATED: Final = re.compile(
    r"""
      \b(?:set|report|output|return|respond|reply|answer|extract|record|write|print|put|enter|change
        |name|fill|give)\b[^.!?\n]{0,40}?
        (?:\b(?:quantity|customer|product|values?|fields?|field_?\d|json|record)\b|\d)
    | \b(?:quantity|customer|product)\s{1,3}(?:is|=)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE_END: Final = re.compile(r"[.!?。！？](?=\s|$)|\n|-->|$")
_SENTENCE_START: Final = re.compile(r"(?:[.!?。！？]\s+|\n|<!--)")


def embedded_instructions(text: str) -> list[Span]:
    """The sentences of `text` that may speak to a model rather than to a shop.

    Customers write such sentences too ("You are now out of blankets"), so this is something to
    know about a text and no reason to leave out what stands in them.
    """
    return _sentences(text, _INSTRUCTIONS, _COUNTERFEIT)


def commands(text: str) -> list[Span]:
    """Those of these sentences that dictate a value of the record too."""
    return [
        span
        for span in embedded_instructions(text)
        if _DICTATED.search(normalized(text[span.start : span.end]).text)
    ]


def counterfeits(text: str) -> list[Span]:
    """The sentences of `text` that imitate the markup of a model's conversation or its answer."""
    return _sentences(text, _COUNTERFEIT)


@lru_cache(maxsize=32)
def _sentences(text: str, *signs: re.Pattern[str]) -> list[Span]:
    """The sentences in which one of `signs` stands, in order and apart from each other."""
    read = normalized(text)
    found = sorted(match.span() for sign in signs for match in sign.finditer(read.text))
    starts = [0, *(match.end() for match in _SENTENCE_START.finditer(read.text))] if found else []
    spans: list[tuple[int, int]] = []
    for first, last in found:
        if spans and last <= spans[-1][1]:
            continue
        start = starts[bisect_right(starts, first) - 1]
        end = _SENTENCE_END.search(read.text, last)
        assert end is not None  # at the latest at the end of the text
        if spans and start < spans[-1][1]:
            start = spans.pop()[0]
        spans.append((start, end.end()))
    return [read.span(start, end) for start, end in spans]


def instruction_flags(
    spans: Sequence[Span], evidence: Sequence[Evidence]
) -> list[ExtractionWarning]:
    """A flag for each passage that may instruct the reader, and for each value out of one."""
    flags = [
        ExtractionWarning(
            kind=WarningKind.EMBEDDED_INSTRUCTION,
            detail="The text may address the reader's software; nothing was obeyed.",
            start=span.start,
            end=span.end,
        )
        for span in spans
    ]
    return flags + [
        ExtractionWarning(
            kind=WarningKind.EMBEDDED_INSTRUCTION,
            field=item.field,
            detail="The value stands only in words that may address the reader's software.",
            start=item.start,
            end=item.end,
        )
        for item in evidence
        if any(span.start <= item.start and item.end <= span.end for span in spans)
    ]
