"""Numbers as people write them, each whole: a part of a number, a date or a code is none."""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from domain.extraction.east_asian_numerals import east_asian_numbers
from domain.extraction.matching import normalized, runs_on
from domain.extraction.number_words import MONTHS
from domain.extraction.numerals import SEPARATORS, SPACES, NumeralSpan, TextToken, amounts
from domain.extraction.word_numerals import numbers_in_words

_DASHES: Final = "\\-‐‑–"
_TOKEN: Final = re.compile(
    rf"(?P<digits>\d{{1,3}}(?:[{SPACES}]\d{{3}})+(?!\d)(?:[.,٫]\d+)?(?![{SPACES}.,:/_{_DASHES}]?\d)"
    rf"|\d+(?:[{SEPARATORS.replace(SPACES, '')}:/⁄_{_DASHES}]\d+)*)"
    r"|(?P<vulgar>[¼-¾⅐-⅞])|(?P<word>[^\W\d_¼-¾⅐-⅞]+)"
)
_DATE: Final = re.compile(
    r"(?P<first>\d{4})(?P<sign>[-/.])\d{1,2}(?P=sign)\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(?P<last>\d{2}|\d{4})"
)
_RANGE: Final = re.compile(
    rf"(?!\d{{3}}-\d{{4}}\Z)(?P<low>[1-9][^{_DASHES}]*)[{_DASHES}](?P<high>[1-9].*)"
)
_FRACTION: Final = re.compile(r"(?P<above>\d{1,2})[/⁄](?P<below>\d{1,2})")
_AND_A_FRACTION: Final = re.compile(
    r"[ \u00a0]?(?:(?P<sign>[¼-¾⅐-⅞])"
    r"|(?<=[ \u00a0])(?P<above>\d{1,2})[/⁄](?P<below>\d{1,2})(?![\w/]))"
)
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_PERCENT: Final = re.compile(r"\s?%")
_TRAILING: Final = re.compile(r"[-−](?![\w\-−])(?P<word>\s+[^\W\d_])?")
_LIST: Final = re.compile(r"\d+(?:[,，]\d+)+")
_CURRENCY: Final = r"(?:EUR|USD|GBP|CHF|PLN|JPY|CNY|RMB|KRW|INR|Rs\.?|R\$|[$€£¥₩₹])"
_BEFORE: Final = re.compile(
    rf"(?:(?:(?P<outer>[-−–])\s?)?(?<![^\W_]){_CURRENCY}\s?)?(?P<sign>[-−–])?\Z"
)
_CURRENCY_BEFORE: Final = re.compile(rf"(?<![^\W_]){_CURRENCY}\Z")
_MINUS: Final = re.compile(r"(?<!\w)(?:minus|negative|moins|menos|meno)\s\Z", re.IGNORECASE)
_ORDINALS: Final = frozenset(
    (
        *("st", "nd", "rd", "th", "er", "re", "e", "ère", "ere", "ème", "eme", "ième", "º", "ª"),
        *("de", "ste", "ter", "ten"),
    )
)
_SHORT: Final = {"k": 1000, "K": 1000, "M": 10**6, "Mn": 10**6, "mn": 10**6, "bn": 10**9}
_AREA: Final = re.compile(r"(?:m|mm|cm|dm|km|ft|in)[23](?!\w)")
_EXPONENT: Final = re.compile(r"[eE](?P<power>[+-]?\d{1,2})(?!\w)")
_NO_NUMBER: Final = re.compile(
    # Telephones, e-mail addresses and links.
    rf"(?<![\w.,])(?:\+\d|\(?0\d)(?=\d*[{SPACES}()/\-])[\d{SPACES}()/\-]{{5,20}}\d(?![\w.,]?\d)"
    r"|\(\d{3}\)[ ]?\d{3}-\d{4}(?!\d)"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[\w.-]+|\b(?:https?://|www\.)\S+"
)
_N: Final = r"[\d〇零一二三四五六七八九十]"
_SPELT_DATE: Final = re.compile(
    r"\d{1,2}(?:st|nd|rd|th|\.|º)?\s(?:of\s|de\s)?(?P<month>[^\W\d_]{3,12})\.?,?\s(?:del?\s)?(?P<year>\d{4})"
    r"(?!\d)"
    r"|(?P<earlier>[^\W\d_]{3,12})\.?\s\d{1,2}(?:st|nd|rd|th)?,?\s(?P<later>\d{4})(?!\d)"
    rf"|(?:(?P<east>\d{{4}})\s?[年년]\s?)?{_N}{{1,3}}\s?[月월](?:\s?{_N}{{1,3}}\s?[日号號일])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReading:
    """One reading of a number; ambiguous spellings (`1.200`) have two.

    Attributes:
        value: what it says.
        start: offset of its first character, a sign included.
        end: offset behind its last character.
    """

    value: float
    start: int
    end: int


@lru_cache(maxsize=16)
def numbers_in(text: str) -> tuple[NumberReading, ...]:
    """Every number in `text`, in order, each with all its readings.

    Whatever stands within another one, a date, a time, a telephone or a code is left out.
    """
    read = normalized(text)
    tokens: list[TextToken] = []
    found: list[tuple[int, int, Sequence[NumeralSpan]]] = [*_no_numbers(read.text)]
    for whole, numerals in _in_digits(read.text, tokens):
        found.append((*whole, numerals))
    spoken = (*numbers_in_words(read.text, tokens), *east_asian_numbers(read.text))
    found += [(each.start, each.end, (_signed_word(read.text, each),)) for each in spoken]
    numbers: dict[NumberReading, None] = {}
    first = reach = -1
    for start, end, numerals in sorted(found, key=lambda each: (each[0], -each[1])):
        if end <= reach and (start, end) != (first, reach):
            continue
        first, reach = start, end
        for numeral in numerals:
            span = read.span(numeral.start, numeral.end)
            for value in numeral.values:
                numbers[NumberReading(value=float(value), start=span.start, end=span.end)] = None
    return tuple(numbers)


def _no_numbers(text: str) -> Iterator[tuple[int, int, Sequence[NumeralSpan]]]:
    """Telephones, addresses and dates, of which a year in four digits alone is a number."""
    for match in _NO_NUMBER.finditer(text):
        yield *match.span(), ()
    for match in _SPELT_DATE.finditer(text):
        month = match["month"] or match["earlier"]
        if month is None or month.casefold() in MONTHS:
            year = next((name for name in ("year", "later", "east") if match[name]), None)
            years = [NumeralSpan(*match.span(year), (int(match[year]),))] if year else []
            yield *match.span(), years


def _in_digits(
    text: str, tokens: list[TextToken]
) -> Iterator[tuple[tuple[int, int], Sequence[NumeralSpan]]]:
    """What is written in digits, and `tokens` filled with the words and numbers of `text`."""
    listed = len(re.findall(r"^[-−–]\d", text, re.MULTILINE)) > 1
    at = 0
    while (match := _TOKEN.search(text, at)) is not None:
        start, end = match.span()
        at = end
        if match["word"]:
            tokens.append(TextToken(start, end, word=match["word"].casefold()))
            continue
        plain = _vulgar(text, match) or _written(text, match)
        for numeral in plain:
            at = max(at, numeral.end)
            tokens.append(TextToken(numeral.start, numeral.end, values=numeral.values))
        signed = [_signed(text, numeral, listed=listed) for numeral in plain]
        if len(plain) == 1:
            signed += _parts(text, plain[0])
        whole = min([start, *(n.start for n in signed)]), max([at, *(n.end for n in signed)])
        yield whole, signed


def _vulgar(text: str, match: re.Match[str]) -> list[NumeralSpan]:
    """`½`, `1½`, `1 1/2`."""
    start, end = match.span()
    if match["vulgar"]:
        return [NumeralSpan(start, end, (_sixteenths(match.group()),))]
    if not match["digits"].isdecimal() or not _free(text, start) or len(match["digits"]) > 4:
        return []
    more = _AND_A_FRACTION.match(text, end)
    if more is None:
        return []
    if more["sign"]:
        part = _sixteenths(more["sign"])
    else:
        above, below = int(more["above"]), int(more["below"])
        if not 0 < above < below:
            return []
        part = Fraction(above, below)
    return [NumeralSpan(start, more.end(), (int(match["digits"]) + part,))]


@lru_cache(maxsize=64)
def _sixteenths(sign: str) -> Fraction:
    return Fraction(unicodedata.numeric(sign)).limit_denominator(16)


def _written(text: str, match: re.Match[str]) -> list[NumeralSpan]:
    """The numbers of one chunk of digits and the signs between them."""
    chunk, (start, end) = match.group(), match.span()
    if not _free(text, start):
        return []
    date = _DATE.fullmatch(chunk)
    if date is not None:
        year = "first" if date["first"] else "last"
        first = start + date.start(year)
        return [NumeralSpan(first, end, (int(date[year]),))] if len(date[year]) == 4 else []
    fraction = _FRACTION.fullmatch(chunk)
    if fraction is not None:
        above, below = int(fraction["above"]), int(fraction["below"])
        return [NumeralSpan(start, end, (Fraction(above, below),))] if 0 < above < below else []
    suffix = _suffix(text, end)
    if suffix is None:
        return []
    bare_point = text[start - 1 : start] == "." and not text[start - 2 : start - 1].strip(" \n($€£")
    if bare_point and chunk.isdecimal():
        chunk, start = f"0.{chunk}", start - 1
    values = amounts(chunk)
    found = (
        [NumeralSpan(start, end, values)]
        if values
        else _several(chunk, text[start - 1 : start], start)
    )
    if not found:
        return []
    factor, stop = suffix
    *before, last = found
    values = last.values if factor == 1 else tuple(value * factor for value in last.values)
    return [*before, NumeralSpan(last.start, stop, values)]


def _several(chunk: str, before: str, start: int) -> list[NumeralSpan]:
    """The numbers of a range or a list; none of a code or a time."""
    span = None if before == "#" else _RANGE.fullmatch(chunk)
    if span is None and not _LIST.fullmatch(chunk):
        return []
    parts = (
        [each.span() for each in re.finditer(r"\d+", chunk)]
        if span is None
        else [span.span("low"), span.span("high")]
    )
    read = [amounts(chunk[first:last]) for first, last in parts]
    if not all(read) or (span and not (read[0][0] < read[1][0] and _near(*parts))):
        return []
    return [
        NumeralSpan(start + first, start + last, values)
        for (first, last), values in zip(parts, read, strict=True)
    ]


def _near(low: tuple[int, int], high: tuple[int, int]) -> bool:
    """Whether the ends of a range have about as many digits: `8-12`, not `2024-11220`."""
    return (high[1] - high[0]) - (low[1] - low[0]) <= 1


def _free(text: str, start: int) -> bool:
    """Whether a number may begin here: not within a word or code such as `A4`, `SKU-12`, `v2`."""
    before = text[start - 1 : start]
    earlier = text[start - 2 : start - 1] if start > 1 else ""
    if not before:
        return True
    if before in "xX×":
        return not earlier.isalpha() or runs_on(earlier)
    if before.isalpha() and not runs_on(before):
        return _CURRENCY_BEFORE.search(text, max(0, start - 5), start) is not None
    if before in "-‐‑−":
        return not (earlier.isalnum() or earlier == "_") or bool(
            _CURRENCY_BEFORE.search(text, max(0, start - 6), start - 1)
        )
    return before not in "_%"


def _suffix(text: str, end: int) -> tuple[Fraction | int, int] | None:
    """What the letters behind multiply by and where they end; None when they make it a code."""
    power = _EXPONENT.match(text, end)
    if power is not None:
        return Fraction(10) ** int(power["power"]), power.end()
    letters = _LETTERS.match(text, end)
    if letters is None:
        return None if text[end : end + 1] == "_" else (1, end)
    word, stop = letters.group(), letters.end()
    if runs_on(word[0]):
        return 1, end
    if word.casefold() in _ORDINALS:
        return None
    following = text[stop : stop + 1]
    if following.isdecimal() and word not in "xX×" and not _AREA.match(text, end):
        return None
    if following == "-" and text[stop + 1 : stop + 2].isdecimal():
        return None
    return (_SHORT[word], stop) if word in _SHORT else (1, end)


def _parts(text: str, numeral: NumeralSpan) -> list[NumeralSpan]:
    """`12 500` may be two numbers; with any other space between it is one."""
    written = text[numeral.start : numeral.end]
    if not re.fullmatch(r"\d+(?: \d+)+", written):
        return []
    return [
        NumeralSpan(numeral.start + part.start(), numeral.start + part.end(), (int(part.group()),))
        for part in re.finditer(r"\d+", written)
    ]


def _signed(text: str, numeral: NumeralSpan, *, listed: bool) -> NumeralSpan:
    """The number with its sign, percent sign or the parentheses of book-keeping."""
    start, end, values = numeral.start, numeral.end, numeral.values
    before = _BEFORE.search(text, max(0, start - 8), start)
    assert before is not None
    earlier = text[before.start() - 1 : before.start()] if before.start() else ""
    sign = before["sign"] or before["outer"]
    percent = _PERCENT.match(text, end)
    if percent:
        end = percent.end()
        values += tuple(Fraction(value) / 100 for value in values)
    if sign and not earlier.isalnum():
        start = before.start() if before["outer"] else start - 1
        negative = tuple(-value for value in values)
        # Two lines that begin so are a list: "-5 mugs", "-3 plates".
        bullet = listed and not earlier.strip("\n")
        return NumeralSpan(start, end, values + negative if bullet else negative)
    trailing = _TRAILING.match(text, end)
    if trailing:
        negative = tuple(-value for value in values)
        return NumeralSpan(start, end + 1, values + negative if trailing["word"] else negative)
    if text[before.start() - 1 : before.start()] == "(" and text[end : end + 1] == ")":
        cents = before.start() < start or "." in text[start:end] or "," in text[start:end]
        negative = tuple(-value for value in values)
        return NumeralSpan(before.start() - 1, end + 1, negative if cents else values + negative)
    return _signed_word(text, NumeralSpan(start, end, values))


def _signed_word(text: str, numeral: NumeralSpan) -> NumeralSpan:
    """`minus five`, `minus 5`."""
    minus = _MINUS.search(text, max(0, numeral.start - 10), numeral.start)
    if minus is None:
        return numeral
    return NumeralSpan(minus.start(), numeral.end, tuple(-value for value in numeral.values))
