"""Numbers in words: a small grammar for each language, and the numerals of East Asia."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from domain.extraction.amounts import MOST_DIGITS, Exact, amounts
from domain.extraction.number_words import (
    CJK_DIGITS,
    CJK_FORMAL,
    CJK_SCALES,
    CJK_TENS,
    JAPANESE_THINGS,
    KOREAN_COUNTERS,
    KOREAN_DIGITS,
    KOREAN_NATIVE_TENS,
    KOREAN_NATIVE_UNITS,
    KOREAN_SCALES,
    KOREAN_TENS,
    LANGUAGES,
    Language,
)

_HALF: Final = Fraction(1, 2)
_MOST: Final = 10**15
"""Numbers in words end here; it also keeps what a text may make this module compute small."""
_SHORTEST_COMPOUND: Final = 6
_LONGEST_WORD: Final = 80
_LONGEST_PART: Final = 20
_JOINED: Final = re.compile(r"[^\S\n]{0,3}[-‐‑]?[^\S\n]{0,3}\n?[^\S\n]{0,3}")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a number in digits with its readings.

    Attributes:
        start: offset of the first character.
        end: offset behind the last.
        word: casefolded; empty for digits.
        values: what digits say; empty for words.
    """

    start: int
    end: int
    word: str = ""
    values: tuple[Exact, ...] = ()


@dataclass(frozen=True, slots=True)
class Numeral:
    """A stretch that says a number, with all its readings."""

    start: int
    end: int
    values: tuple[Exact, ...]


def in_words(text: str, tokens: Sequence[Token]) -> Iterator[Numeral]:
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
                yield Numeral(token.start, tokens[done - 1].end, values)


def _by_word(words: Callable[[Language], Iterable[str]]) -> Mapping[str, Sequence[Language]]:
    found: dict[str, list[Language]] = {}
    for language in LANGUAGES:
        for word in set(words(language)):
            found.setdefault(word, []).append(language)
    return found


_BEGIN: Final = _by_word(
    lambda it: {*it.added, *it.half, *it.articles, *it.times.keys() - it.counted}
)
_BEHIND_DIGITS: Final = _by_word(lambda it: {*it.times, *it.half_joint[:1]})
_GLUED: Final = tuple(language for language in LANGUAGES if language.glued)


def _starts(tokens: Sequence[Token]) -> Mapping[Language, Sequence[int]]:
    """Where a number may begin, by language."""
    found: dict[Language, list[int]] = {}
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


def _countable(language: Language, word: str) -> bool:
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

    language: Language
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
    language: Language,
    text: str,
    tokens: Sequence[Token],
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
    said: _Sum, text: str, tokens: Sequence[Token], at: int, end: int, foreign: frozenset[str]
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


def _joined(said: _Sum, text: str, tokens: Sequence[Token], at: int) -> bool:
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


def _follow(text: str, tokens: Sequence[Token], at: int, words: Sequence[Collection[str]]) -> bool:
    """Whether the tokens from `at` are one of each of `words`, joined."""
    return len(tokens) >= at + len(words) and all(
        tokens[index].word in each
        and _JOINED.fullmatch(text, tokens[index - 1].end, tokens[index].start)
        for index, each in enumerate(words, start=at)
    )


@lru_cache(maxsize=8192)
def _one_word(language: Language, word: str) -> Exact | None:
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


_EAST_DIGITS: Final = {**CJK_DIGITS, **CJK_FORMAL}
_EAST_SCALES: Final = {**CJK_TENS, **CJK_SCALES}
_LITERAL: Final = r"\d+(?:[.,]\d+)*"


def _run(digits: Collection[str], scales: Collection[str], spaced: str) -> str:
    """Numerals in a row, digits of our own between them: `12万5000`."""
    scale, every = "".join(scales), "".join((*digits, *scales))
    return (
        rf"(?:{_LITERAL}[ \u00a0]?(?=[{scale}]))?[{every}]"
        rf"(?:[{every}]|(?<=[{scale}]){_LITERAL}|{spaced})*"
    )


_CJK_RUN: Final = _run(_EAST_DIGITS, _EAST_SCALES, "(?!)")
_CJK: Final = re.compile(rf"(?<![A-Za-z0-9_])(?<!\d[.,])第?{_CJK_RUN}")
_CJK_DOZENS: Final = re.compile(
    rf"(?<![A-Za-z0-9_{''.join((*_EAST_DIGITS, *_EAST_SCALES))}])(?<!\d[.,])"
    rf"(?P<count>{_CJK_RUN}|\d{{1,6}}|半)[ ]?(?:ダース|打(?![开開电電印折包算扰断]))"
)
_THINGS: Final = re.compile(rf"(?<!もう)(?:{'|'.join(JAPANESE_THINGS)})")
_PIECE: Final = re.compile(rf"{_LITERAL}|.")
_COUNTERS: Final = f"(?:{'|'.join(sorted(KOREAN_COUNTERS, key=len, reverse=True))})"
_KOREAN: Final = re.compile(
    rf"(?<![가-힣A-Za-z0-9_])(?<!\d[.,])(?:"
    rf"(?P<sino>{_run(KOREAN_DIGITS, [*KOREAN_SCALES, *KOREAN_TENS], '(?<=[만억조]) (?=[가-힣])')})"
    rf"|(?P<native>(?:{'|'.join(KOREAN_NATIVE_TENS)})?(?:{'|'.join(KOREAN_NATIVE_UNITS)})?)"
    rf")(?:(?P<counted>[ ]?{_COUNTERS})|(?![가-힣]))"
)


def in_numerals(text: str) -> Iterator[Numeral]:
    """The numbers in Chinese, Japanese and Korean numerals, those that begin in digits included."""
    for match in _CJK_DOZENS.finditer(text):
        count = match["count"]
        dozens = (_HALF,) if count == "半" else _east_asian(count)
        yield Numeral(match.start(), match.end(), tuple(12 * each for each in dozens))
    for match in _CJK.finditer(text):
        # "第三" is the third; what it is part of must not be read again.
        values = () if match.group().startswith("第") else _east_asian(match.group())
        yield Numeral(match.start(), match.end(), values)
    for match in _THINGS.finditer(text):
        yield Numeral(*match.span(), (JAPANESE_THINGS[match.group()],))
    yield from _korean(text)


def _korean(text: str) -> Iterator[Numeral]:
    for match in _KOREAN.finditer(text):
        sino, native, counted = match["sino"], match["native"], match["counted"]
        if sino:
            scaled = any(character in _KOREAN_SCALES for character in sino)
            # Most of the syllables are words too: "이" is "this", "오이" a cucumber.
            if (len(sino) > 1 and scaled) or (counted and len(sino) == 1):
                yield Numeral(*match.span("sino"), _east_asian(sino))
        elif native and (len(native) > 1 or counted):
            tens = next((each for each in KOREAN_NATIVE_TENS if native.startswith(each)), "")
            value = KOREAN_NATIVE_TENS.get(tens, 0)
            value += KOREAN_NATIVE_UNITS.get(native.removeprefix(tens), 0)
            yield Numeral(*match.span("native"), (value,))


_CHINESE: Final = re.compile("[两兩]|一[百千]")
_KOREAN_SCALES: Final = {**KOREAN_TENS, **KOREAN_SCALES}
_DIGITS: Final = {**_EAST_DIGITS, **KOREAN_DIGITS}
_TENS: Final = {**CJK_TENS, **KOREAN_TENS}
_SCALES: Final = {**CJK_SCALES, **KOREAN_SCALES}


def _east_asian(numeral: str) -> tuple[Exact, ...]:
    """The readings of a row of numerals; none when it says nothing.

    `一百五` and `两千三` are Chinese for 150 and 2300; Japanese, where `百五` is 105, has neither
    `两` nor a `一` before a hundred. `一万二` is read as 12000 and as 10002.
    """
    pieces = _PIECE.findall(numeral.replace(" ", "").replace("\u00a0", ""))
    if all(piece in CJK_FORMAL for piece in pieces):
        return ()
    if all(piece in CJK_DIGITS for piece in pieces):  # as years and telephones are said
        digits = "".join(str(CJK_DIGITS[piece]) for piece in pieces)
        return (int(digits),) if len(digits) <= MOST_DIGITS else ()
    before: Exact = 0  # the whole 万, 億, 兆
    section: Exact = 0  # the 千, 百, 十 behind them
    digit: Exact | None = None
    zero, ten, scale, last = False, 10**4, 10**16, 0
    for piece in pieces:
        factor = _TENS.get(piece) or _SCALES.get(piece)
        if factor is None:
            value = _unscaled(piece)
            if digit or value is None or (last and value >= last):
                return ()
            zero, digit = zero or value == 0, value
            continue
        if factor >= (ten if piece in _TENS else scale):
            return ()
        if piece in _TENS:
            section += factor * (1 if digit is None else digit)
            ten = factor
        else:
            before += factor * (section + (digit or 0) or 1)
            section, ten, scale = 0, 10**4, factor
        digit, zero, last = None, False, factor
    short = None if zero else _short(numeral, digit, last)
    if short is None:
        return (before + section + (digit or 0),)
    # With `万` both are common.
    return tuple(before + section + each for each in (short, digit or 0)[: 1 + (last >= 10**4)])


def _short(numeral: str, digit: Exact | None, last: int) -> Exact | None:
    """What the digit behind a scale says in Chinese, of the place below; None in Japanese."""
    if not digit or digit >= 10 or last < 100:
        return None
    return digit * last // 10 if last >= 10**4 or _CHINESE.search(numeral) else None


def _unscaled(piece: str) -> Exact | None:
    """What a numeral for a digit, or digits of our own, say."""
    read = _DIGITS.get(piece)
    return read if read is not None else next(iter(amounts(piece)), None)
