"""Finding words in a text although spelling by code points, case, space or punctuation differ."""

# ruff: noqa: RUF001 - typographic quotes and dashes are what is matched
from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

_SAME: Final = str.maketrans(
    {
        **dict.fromkeys("’‘‚‛ʼ′´`", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "ı": "i",
        "\u0307": None,  # what casefolding leaves of "İ"
    }
)
_RUN: Final = re.compile(r"[\x00-\x7f]+(?=[\x00-\x7f]|\Z)|.", re.DOTALL)
"""ASCII up to its last character, which a mark may follow, or one character."""
_JOINERS: Final = "\u200c\u200d"
_MOST_MARKS: Final = 30
"""On one base, as in Unicode's stream-safe format: sorting more of them takes quadratic time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a text: offsets in code points, `end` behind the last."""

    start: int
    end: int


class MatchStrictness(Enum):
    """How much of a spelling counts.

    LITERAL: composed (NFC), without characters of no width, digits of any script as 0 to 9.
    FOLDED: compatibility forms, quotes, dashes, case and white space are alike too. WORDS: whatever
    is neither letter, mark nor digit is a space.
    """

    LITERAL = auto()
    FOLDED = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True)
class NormalizedText:
    """A text as it is read, with the way back.

    Attributes:
        text: what is read.
        starts: for each of its characters, where the original one begins, marks included.
        ends: and where it ends.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> Span:
        """The stretch of the original text that `text[start:end]` was read from."""
        return Span(start=self.starts[start], end=self.ends[end - 1])


@lru_cache(maxsize=24)
def normalized(text: str, reading: MatchStrictness = MatchStrictness.LITERAL) -> NormalizedText:
    """`text` without the differences that `reading` ignores."""
    read = _characters(text, _composed if reading is MatchStrictness.LITERAL else _folded)
    if reading is MatchStrictness.LITERAL:
        return read
    return _spaced(read, words_only=reading is MatchStrictness.WORDS)


def _characters(text: str, read: Callable[[str], str]) -> NormalizedText:
    used = {character: read(character) for character in set(text)}
    if all(
        len(other) == 1 and not _extends(character) and not _has_no_width(character)
        for character, other in used.items()
    ):  # nearly all texts, at a tenth of the time
        return NormalizedText(
            text.translate({ord(character): other for character, other in used.items()}),
            range(len(text)),
            range(1, len(text) + 1),
        )
    parts: list[str] = []
    starts, ends = array("L"), array("L")
    for cluster, start, end in _clusters(text):
        if end - start == len(cluster) and cluster.isascii():
            parts.extend(map(read, cluster))
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
            continue
        part = read(cluster)
        parts.append(part)
        starts.extend([start] * len(part))
        ends.extend([end] * len(part))
    return NormalizedText("".join(parts), starts, ends)


def _clusters(text: str) -> Iterator[tuple[str, int, int]]:
    """Runs of ASCII, and single characters with the marks on them; what has no width is left out.

    A character of no width within a word lies between two clusters, so that a stretch of the text
    holds it; at the edge of a word it belongs to neither.
    """
    at, length = 0, len(text)
    while at < length:
        match = _RUN.match(text, at)
        assert match is not None
        run, end = match.group(), match.end()
        start, at, marks = at, end, 0
        if not run.isascii() and _has_no_width(run):
            continue
        while at < length and text[at] > "\x7f":
            if _extends(text[at]) and marks < _MOST_MARKS:
                run, end, marks = run + text[at], at + 1, marks + 1
            elif text[at] in _JOINERS:
                end = at + 1
            elif not _has_no_width(text[at]):
                break
            at += 1
        yield run, start, end


@lru_cache(maxsize=4096)
def _extends(character: str) -> bool:
    """Whether it belongs to the character before it: marks, vowels and finals of Hangul in jamo."""
    return (
        unicodedata.category(character)[0] == "M"
        or "\u1160" <= character <= "\u11ff"
        or character in "\uff9e\uff9f"  # voiced sounds of half-width kana
    )


@lru_cache(maxsize=4096)
def _has_no_width(character: str) -> bool:
    """Soft hyphens, zero-width spaces and joiners, marks of direction and of byte order."""
    return unicodedata.category(character) == "Cf"


@lru_cache(maxsize=65_536)
def _composed(cluster: str) -> str:
    read = unicodedata.normalize("NFC", cluster)
    if len(read) == 1:
        if read.isdecimal():
            return str(unicodedata.decimal(read))
        # Full-width forms, but for the comma, which never stands before decimals.
        if "\uff01" <= read <= "\uff5e" and read != "，":
            return chr(ord(read) - 0xFEE0)
    return read


@lru_cache(maxsize=65_536)
def _folded(cluster: str) -> str:
    read = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", cluster).casefold())
    return read.translate(_SAME)


def _spaced(read: NormalizedText, *, words_only: bool) -> NormalizedText:
    """White space, or all that is no word, as single spaces."""
    parts: list[str] = []
    starts, ends = array("L"), array("L")

    def keep(piece: str, first: int, last: int) -> None:
        parts.append(piece)
        starts.extend(read.starts[first:last])
        ends.extend(read.ends[first:last])

    at = 0
    for match in re.finditer(r"[\W_]+" if words_only else r"\s+", read.text):
        start, end = match.span()
        keep(read.text[at:start], at, start)
        at = end
        if match.group().isascii():
            keep(" ", start, start + 1)
            continue
        for index in range(start, end):
            if _extends(read.text[index]):
                keep(read.text[index], index, index + 1)
            elif not parts or parts[-1] != " ":
                keep(" ", index, index + 1)
    keep(read.text[at:], at, len(read.text))
    return NormalizedText("".join(parts), starts, ends)


def folded(text: str) -> str:
    """`text` as words only, without case, for comparing values."""
    return normalized(text, MatchStrictness.WORDS).text.strip()


def locate(text: str, words: str) -> Span | None:
    """The first place in `text` where `words` stand, the most literal match first."""
    return next(locate_all(text, words), None)


def locate_all(text: str, words: str, *, widened: bool = False) -> Iterator[Span]:
    """The places in `text` where `words` stand, by the strictest reading that finds any.

    First literally, else but for case and white space, else but for punctuation too. Places begin
    and end with a word: `Ann` is not found in `planning`.

    Args:
        text: where to look.
        words: what to look for; nothing is found for an empty or blank one.
        widened: find them within words too, where they stand nowhere else; the places are then
            the whole words.
    """
    found = False
    for whole in (True, False) if widened else (True,):
        for reading in MatchStrictness:
            needle = normalized(words, reading).text.strip()
            if not needle:
                break
            haystack = normalized(text, reading)
            for start, end in _occurrences(haystack.text, needle, whole=whole):
                found = True
                yield haystack.span(start, end)
            if found:
                return


def _occurrences(text: str, wanted: str, *, whole: bool) -> Iterator[tuple[int, int]]:
    start = text.find(wanted)
    while start >= 0:
        first, last = start, start + len(wanted)
        if not whole:
            while not boundary(text, first):
                first -= 1
            while not boundary(text, last):
                last += 1
            yield first, last
            start = text.find(wanted, last)
            continue
        if boundary(text, first) and boundary(text, last):
            yield first, last
        start = text.find(wanted, start + 1)


def boundary(text: str, at: int) -> bool:
    """Whether a word may begin or end before the character at `at`."""
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if _extends(after):
        return False
    if not ((before.isalnum() or _extends(before)) and after.isalnum()):
        return True
    # Scripts without spaces have no boundaries to ask for, Arabic and Hebrew write prepositions
    # and articles to the word; a digit beside a letter is one ("24cartons").
    return runs_on(before) or runs_on(after) or before.isdecimal() is not after.isdecimal()


def runs_on(character: str) -> bool:
    """Whether its script writes words without a space between them, or parts of speech to them."""
    return (
        character > "\u2e7f"
        or "\u0590" <= character <= "\u06ff"
        or "\u0e00" <= character <= "\u0eff"
        or "\u1000" <= character <= "\u109f"
        or "\u1780" <= character <= "\u17ff"
    )
