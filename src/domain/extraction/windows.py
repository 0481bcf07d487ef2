"""Long texts: how many tokens they may have, and overlapping windows that fit."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import math
import re
from typing import Final

from domain.extraction.matching import Span, boundary

_BREAKS: Final = (
    re.compile(r"\n[^\S\n]*\n"),
    re.compile(r"[.!?]\s|[。！？]|\n"),
    re.compile(r"\s"),
)


def estimate_tokens(text: str) -> int:
    """Tokens that `text` may have, on the high side.

    No tokenizer is asked: each provider has its own. ASCII text has about four characters a
    token; three are assumed. Other alphabets take up to one token a character, CJK up to 1.5.
    """
    if text.isascii():  # the rule of most texts and of every prompt, at a hundredth of the time
        return math.ceil(len(text) / 3)
    ascii_count = sum(character.isascii() for character in text)
    wide = sum(character > "\u2e7f" for character in text)
    other = len(text) - ascii_count - wide
    return math.ceil(ascii_count / 3 + other / 1.5 + wide * 1.5)


def windows(text: str, max_tokens: int, *, overlap: float = 0.1) -> list[Span]:
    """Cut `text` into windows of at most `max_tokens` estimated tokens.

    They end between paragraphs, else sentences, else words where one stands in their last third,
    do not begin within a number, and overlap, so that a fact on a border is whole in one of them.

    Args:
        text: what to cut; a text that fits is one window.
        max_tokens: size of a window (>= 1).
        overlap: share of a window that the next one repeats, 0..0.5.
    """
    if estimate_tokens(text) <= max_tokens:
        return [Span(start=0, end=len(text))]
    found: list[Span] = []
    start = 0
    while True:
        length = _fitting(text, start, max_tokens)
        if start + length >= len(text):
            found.append(Span(start=start, end=len(text)))
            return found
        end = _break_before(text, start + length * 2 // 3, start + length)
        found.append(Span(start=start, end=end))
        start = max(start + 1, end - int((end - start) * overlap))
        if any(character.isdecimal() for character in text[start - 1 : start + 1]):
            word = _BREAKS[-1].search(text, start - 1, end - 1)
            start = start if word is None else word.end()


def _fitting(text: str, start: int, max_tokens: int) -> int:
    """How many characters from `start` fit, at least one."""
    low, high = 1, min(len(text) - start, max_tokens * 3)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate_tokens(text[start : start + middle]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    return low


def _break_before(text: str, earliest: int, latest: int) -> int:
    for kind in _BREAKS:
        ends = [match.end() for match in kind.finditer(text, earliest, latest)]
        if ends:
            return ends[-1]
    return next((at for at in range(latest, earliest, -1) if boundary(text, at)), latest)
