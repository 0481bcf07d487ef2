"""Finding words in a text although case, white space or punctuation differ."""

# ruff: noqa: RUF001 - typographic quotes and dashes are what is matched
from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SAME: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a text: offsets in code points, `end` behind the last."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text without case, accents of width and repeated spaces, with the way back."""

    text: str
    origin: array[int]

    def span(self, start: int, end: int) -> Span:
        return Span(start=self.origin[start], end=self.origin[end - 1] + 1)


@lru_cache(maxsize=16)
def _fold(text: str, *, words_only: bool) -> _Folded:
    characters: list[str] = []
    origin = array("L")
    for index, character in enumerate(text):
        if character.isascii():
            folded = character.lower()
        else:
            folded = unicodedata.normalize("NFKC", character.translate(_SAME)).casefold()
        for each in folded:
            space = each.isspace() or (words_only and not each.isalnum())
            if not space:
                characters.append(each)
            elif characters and characters[-1] == " ":
                continue
            else:
                characters.append(" ")
            origin.append(index)
    return _Folded("".join(characters), origin)


def folded(text: str) -> str:
    """`text` as words only, without case, for comparing values."""
    return _fold(text, words_only=True).text.strip()


def locate(text: str, words: str, *, whole_words: bool = True) -> Span | None:
    """The first place in `text` where `words` stand, the most literal match first."""
    return next(locate_all(text, words, whole_words=whole_words), None)


def locate_all(text: str, words: str, *, whole_words: bool = True) -> Iterator[Span]:
    """The places in `text` where `words` stand, by the strictest reading that finds any.

    First literally, else but for case and white space, else but for punctuation too.

    Args:
        text: where to look.
        words: what to look for; nothing is found for an empty or blank one.
        whole_words: whether a letter or digit beside the place rules it out, so that `Ann` is not
            found in `planning`.
    """
    wanted = words.strip()
    if not wanted:
        return
    found = False
    for start in _occurrences(text, wanted, whole_words=whole_words):
        found = True
        yield Span(start=start, end=start + len(wanted))
    for words_only in (False, True):
        if found:
            return
        needle = _fold(wanted, words_only=words_only).text.strip()
        if not needle:
            return
        haystack = _fold(text, words_only=words_only)
        for start in _occurrences(haystack.text, needle, whole_words=whole_words):
            found = True
            yield haystack.span(start, start + len(needle))


def _occurrences(text: str, wanted: str, *, whole_words: bool) -> Iterator[int]:
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not whole_words or (
            _boundary(text[start - 1 : start], wanted[0])
            and _boundary(text[end : end + 1], wanted[-1])
        ):
            yield start
        start = text.find(wanted, start + 1)


def _boundary(outside: str, inside: str) -> bool:
    """Whether a word may begin or end between the two characters."""
    if not outside or not (outside.isalnum() and inside.isalnum()):
        return True
    # Scripts without spaces have no boundaries to ask for; a digit beside a letter is one
    # ("24cartons").
    return (
        ord(outside) > 0x2E7F or ord(inside) > 0x2E7F or (outside.isdigit() is not inside.isdigit())
    )
