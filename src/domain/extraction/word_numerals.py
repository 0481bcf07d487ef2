"""Numbers in words, read by the grammar of each language."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from domain.extraction.number_grammar import NumeralGrammar
from domain.extraction.number_words import LANGUAGES
from domain.extraction.numerals import Exact, NumeralSpan, TextToken

_HALF: Final = Fraction(1, 2)
_MOST: Final = 10**15
"""Numbers in words end here; it also keeps what a text may make this module compute small."""
_SHORTEST_COMPOUND: Final = 6
_LONGEST_WORD: Final = 80
_LONGEST_PART: Final = 20
_JOINED: Final = re.compile(r"[^\S\n]{0,3}[-‐‑]?[^\S\n]{0,3}\n?[^\S\n]{0,3}")


def numbers_in_words(text: str, tokens: Sequence[TextToken]) -> Iterator[NumeralSpan]:
    """The numbers of `tokens` that words make, alone or with the digits before them.

    Args:
        text: what the tokens' offsets count in.
        tokens: its words and numbers in digits, in order.
    """
    said = {token.word for token in tokens}
    spoken = {language for language in LANGUAGES if said & language.common}
    for language, starts in _starts(tokens).items():
        foreign = frozenset[str]() if language in spoken or not spoken else language.homonyms
        done = 0
        for at in starts:
            token = tokens[at]
            if at < done or token.word in foreign:
                continue
            found = [
                _phrase(language, text, tokens, at, first, foreign)
                for first in token.values or (None,)
            ]
            done = max(end for end, _ in found)
            if done > at + (not token.word or token.word in language.articles):
                values = tuple(value for _, value in found)
                yield NumeralSpan(token.start, tokens[done - 1].end, values)


def _by_word(
    words: Callable[[NumeralGrammar], Iterable[str]],
) -> Mapping[str, Sequence[NumeralGrammar]]:
    found: dict[str, list[NumeralGrammar]] = {}
    for language in LANGUAGES:
        for word in set(words(language)):
            found.setdefault(word, []).append(language)
    return found


_BEGIN: Final = _by_word(
    lambda it: {*it.added, *it.half, *it.articles, *it.times.keys() - it.counted}
)
_BEHIND_DIGITS: Final = _by_word(lambda it: {*it.times, *it.half_joint[:1]})
_GLUED: Final = tuple(language for language in LANGUAGES if language.glued)


def _starts(tokens: Sequence[TextToken]) -> Mapping[NumeralGrammar, Sequence[int]]:
    """Where a number may begin, by language."""
    found: dict[NumeralGrammar, list[int]] = {}
    for at, token in enumerate(tokens):
        following = tokens[at + 1].word if at + 1 < len(tokens) else ""
        if not token.word:
            for language in _BEHIND_DIGITS.get(following, ()):
                found.setdefault(language, []).append(at)
            continue
        known = _BEGIN.get(token.word, ())
        for language in known:
            if token.word not in language.articles or _countable(language, following):
                found.setdefault(language, []).append(at)
        if not known and len(token.word) >= _SHORTEST_COMPOUND:
            for language in _GLUED:
                if _one_word(language, token.word) is not None:
                    found.setdefault(language, []).append(at)
    return found


def _countable(language: NumeralGrammar, word: str) -> bool:
    """Whether an article may stand before it for a one: `a dozen`, `a half`, `a couple`."""
    return word in language.times or word in language.half or language.added.get(word) == 2


@dataclass(slots=True)
class _Sum:
    """A number while its words are read.

    Attributes:
        language: whose words they are.
        total: what stands before the last thousand, million or milliard, that one included.
        top: that last one; None before the first.
        group: the hundreds, tens and units behind it; None before the first.
        room: what is added next must be less.
        least: and at least this.
        unit: what a half behind would be a half of.
        ended: only a half may follow.
    """

    language: NumeralGrammar
    total: Exact = 0
    top: int | None = None
    group: Exact | None = None
    room: int = 1000
    least: int = 1
    unit: int = 1
    ended: bool = False

    @property
    def value(self) -> Exact:
        return self.total + (self.group or 0)

    def add(self, value: Exact) -> bool:
        """Whether `value` can stand here; then it is added."""
        if self.ended:
            return False
        if value >= 1000:  # a word such as "zweitausend"
            if self.group is not None or (self.top is not None and value >= self.top):
                return False
            self.total += value - value % 1000
            self.top, value = 1000, value % 1000
            if not value:
                self.unit = 1000
                return True
        elif self.language.twenties and value == 20 and self.group and self.group % 100 == 4:
            self.group += 76  # quatre-vingts
            self.room, self.unit = 20, 1
            return True
        if self.group is not None and not self.least <= value < self.room:
            return False
        self.group = (self.group or 0) + value
        self.unit = self.least = 1
        self.room = 0
        if value and value % 100 == 0:
            self.room = 100
        elif value % 10 == 0 and value >= 20 and self.language.units_follow:
            self.room = 20 if self.language.twenties and value == 60 else 10
        elif value == 10 and self.language.twenties:
            self.room, self.least = 10, 7  # dix-sept
        return True

    def multiply(self, factor: int) -> bool:
        """Whether `factor` can stand here; then it multiplies what it has to."""
        if self.ended or (self.group is not None and self.group == 0):
            return False
        if factor >= 1000:
            return self._scale(factor)
        if factor == 100 and (self.group is None or self.group % 10 or self.group < 1):
            hundreds = 100 * (1 if self.group is None else self.group)
            if not 50 <= hundreds < min(10_000, self.top or 10_000):
                return False
            self.group, self.room, self.least, self.unit = hundreds, 100, 1, 100
            return True
        if factor == 100 or self.total:
            return False
        self.group = factor * (1 if self.group is None else self.group)
        self.unit, self.ended = factor, True
        return True

    def _scale(self, factor: int) -> bool:
        if self.top is None or factor < self.top:
            total = self.total + (1 if self.group is None else self.group) * factor
        elif factor > self.top and self.value < factor:  # mil millones
            total = self.value * factor
        else:
            return False
        if total >= _MOST:
            return False
        self.total, self.unit = total, factor
        self.top, self.group, self.room, self.least = factor, None, 1000, 1
        return True

    def half(self) -> bool:
        """Whether a half can stand behind; then it is added."""
        if self.value < 1:
            return False
        if self.unit == 1:
            assert self.group is not None
            self.group += _HALF
            self.room = 0
        else:
            self.total += Fraction(self.unit, 2)
            self.ended = True
        return True


def _phrase(
    language: NumeralGrammar,
    text: str,
    tokens: Sequence[TextToken],
    at: int,
    first: Exact | None,
    foreign: frozenset[str],
) -> tuple[int, Exact]:
    """Where the number ends that begins at the token `at`, and what it says."""
    said = _Sum(language)
    if first is not None:
        said.group, said.room = first, 0
        end = at + 1
    elif tokens[at].word in language.articles:
        end = at + 1
    elif tokens[at].word in language.half:
        said.group, said.room = _HALF, 0
        end = at + 1
        if _follow(text, tokens, end, (language.articles, language.times)):
            end += 1
    else:
        _take(said, tokens[at].word)
        end = at + 1
    while end < len(tokens) and (more := _next(said, text, tokens, at, end, foreign)):
        end += more
    return end, said.value


def _next(
    said: _Sum, text: str, tokens: Sequence[TextToken], at: int, end: int, foreign: frozenset[str]
) -> int:
    """How many tokens from `end` belong to the number too; they are added to it."""
    language, word = said.language, tokens[end].word
    if not word or word in foreign or not _joined(said, text, tokens, end):
        return 0
    if word in language.half and (not said.value or (said.value == 1 and end == at + 1)):
        said.group, said.room = _HALF, 0  # "a half dozen", "une demi-douzaine"
        return 1
    joint = language.half_joint
    if (
        word in joint[:1]
        and _follow(text, tokens, end, [*((each,) for each in joint), language.half])
        and said.half()
    ):
        return len(joint) + 1
    if _take(said, word):
        return 1
    if (
        word == language.joint
        and said.room in language.joint_after
        and end + 1 < len(tokens)
        and _joined(said, text, tokens, end + 1)
        and tokens[end + 1].word not in foreign
        and (
            not language.joint_before
            or language.added.get(tokens[end + 1].word) in language.joint_before
        )
        and _take(said, tokens[end + 1].word)
    ):
        return 2
    return 0


def _take(said: _Sum, word: str) -> bool:
    """Whether `word` is a part that can stand here; then it is read."""
    language = said.language
    if word in language.added:
        return said.add(language.added[word])
    if word in language.times:
        return said.multiply(language.times[word])
    value = _one_word(language, word) if language.glued else None
    return value is not None and said.add(value)


def _joined(said: _Sum, text: str, tokens: Sequence[TextToken], at: int) -> bool:
    """Whether nothing but a space, a hyphen or the end of a line stands before the token."""
    start, end = tokens[at - 1].end, tokens[at].start
    if _JOINED.fullmatch(text, start, end):
        return True
    # "three thousand, two hundred"
    return (
        text[start:end] == ", "
        and said.group is None
        and at + 1 < len(tokens)
        and said.language.times.get(tokens[at + 1].word) == 100
    )


def _follow(
    text: str, tokens: Sequence[TextToken], at: int, words: Sequence[Collection[str]]
) -> bool:
    """Whether the tokens from `at` are one of each of `words`, joined."""
    return len(tokens) >= at + len(words) and all(
        tokens[index].word in each
        and _JOINED.fullmatch(text, tokens[index - 1].end, tokens[index].start)
        for index, each in enumerate(words, start=at)
    )


@lru_cache(maxsize=8192)
def _one_word(language: NumeralGrammar, word: str) -> Exact | None:
    """What a word made of several says: `zweihundertfünfzig`, `duecentocinquanta`."""
    return (
        _rest(_Sum(language), word, 0) if _SHORTEST_COMPOUND <= len(word) <= _LONGEST_WORD else None
    )


def _rest(said: _Sum, word: str, at: int) -> Exact | None:
    """What `word` says when its part before `at` is read; None when the rest is no number."""
    language = said.language
    for end in range(min(len(word), at + _LONGEST_PART), at + 1, -1):
        part = word[at:end]
        longer = replace(said)
        if part in language.added:
            fits = longer.add(language.added[part])
        elif language.times.get(part) in (100, 1000):
            fits = longer.multiply(language.times[part])
        else:
            fits = part == language.joint and at > 0 and said.room in language.joint_after
            if end == len(word):
                continue
        if fits:
            found = longer.value if end == len(word) else _rest(longer, word, end)
            if found is not None:
                return found
    return None
