"""The numerals of Chinese, Japanese and Korean: their words, and how they are read."""

# ruff: noqa: RUF001 - numerals that look like other characters
from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Final

from domain.extraction.numerals import MOST_DIGITS, Exact, NumeralSpan, amounts

_CJK_DIGITS: Final[Mapping[str, int]] = {
    character: value for value, character in enumerate("零一二三四五六七八九")
} | {"〇": 0, "两": 2, "兩": 2}
_CJK_FORMAL: Final[Mapping[str, int]] = {
    character: value
    for value, text in {
        1: "壹壱弌",
        2: "贰貳弐",
        3: "叁參参",
        4: "肆",
        5: "伍",
        6: "陆陸",
        7: "柒",
        8: "捌",
        9: "玖",
    }.items()
    for character in text
}
"""Of contracts and banks; many mean another thing in a word, so they count beside a scale only."""
_CJK_TENS: Final[Mapping[str, int]] = {"十": 10, "百": 100, "千": 1000} | {
    "拾": 10,
    "佰": 100,
    "仟": 1000,
}
_CJK_SCALES: Final[Mapping[str, int]] = {
    **dict.fromkeys("万萬", 10**4),
    **dict.fromkeys("億亿", 10**8),
    "兆": 10**12,
}
_JAPANESE_THINGS: Final[Mapping[str, int]] = {
    "ひとつ": 1,
    "ふたつ": 2,
    "みっつ": 3,
    "よっつ": 4,
    "いつつ": 5,
    "むっつ": 6,
    "ななつ": 7,
    "やっつ": 8,
    "ここのつ": 9,
}
_KOREAN_DIGITS: Final[Mapping[str, int]] = {
    character: value for value, character in enumerate("영일이삼사오육칠팔구")
} | {"공": 0, "륙": 6}
_KOREAN_TENS: Final[Mapping[str, int]] = {"십": 10, "백": 100, "천": 1000}
_KOREAN_SCALES: Final[Mapping[str, int]] = {"만": 10**4, "억": 10**8, "조": 10**12}
_KOREAN_NATIVE_TENS: Final[Mapping[str, int]] = {
    "열": 10,
    "스물": 20,
    "스무": 20,
    "서른": 30,
    "마흔": 40,
    "쉰": 50,
    "예순": 60,
    "일흔": 70,
    "여든": 80,
    "아흔": 90,
}
_KOREAN_NATIVE_UNITS: Final[Mapping[str, int]] = {
    "하나": 1,
    "한": 1,
    "둘": 2,
    "두": 2,
    "셋": 3,
    "세": 3,
    "넷": 4,
    "네": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
}
_KOREAN_COUNTERS: Final = (
    *("개", "명", "분", "권", "장", "대", "병", "박스", "상자", "잔", "자루", "켤레", "세트", "벌"),
    *("통", "봉", "봉지", "팩", "마리", "그루", "송이", "다스", "묶음", "롤", "포", "포대", "캔"),
    *("컵", "쌍", "채", "척", "점", "매", "건", "원", "킬로", "kg"),
)

_HALF: Final = Fraction(1, 2)
_EAST_DIGITS: Final = {**_CJK_DIGITS, **_CJK_FORMAL}
_EAST_SCALES: Final = {**_CJK_TENS, **_CJK_SCALES}
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
_THINGS: Final = re.compile(rf"(?<!もう)(?:{'|'.join(_JAPANESE_THINGS)})")
_PIECE: Final = re.compile(rf"{_LITERAL}|.")
_COUNTERS: Final = f"(?:{'|'.join(sorted(_KOREAN_COUNTERS, key=len, reverse=True))})"
_SINO_KOREAN: Final = _run(
    _KOREAN_DIGITS, [*_KOREAN_SCALES, *_KOREAN_TENS], "(?<=[만억조]) (?=[가-힣])"
)
_KOREAN: Final = re.compile(
    rf"(?<![가-힣A-Za-z0-9_])(?<!\d[.,])(?:"
    rf"(?P<sino>{_SINO_KOREAN})"
    rf"|(?P<native>(?:{'|'.join(_KOREAN_NATIVE_TENS)})?(?:{'|'.join(_KOREAN_NATIVE_UNITS)})?)"
    rf")(?:(?P<counted>[ ]?{_COUNTERS})|(?![가-힣]))"
)


def east_asian_numbers(text: str) -> Iterator[NumeralSpan]:
    """The numbers in Chinese, Japanese and Korean numerals, those that begin in digits included."""
    for match in _CJK_DOZENS.finditer(text):
        count = match["count"]
        dozens = (_HALF,) if count == "半" else _east_asian(count)
        yield NumeralSpan(match.start(), match.end(), tuple(12 * each for each in dozens))
    for match in _CJK.finditer(text):
        # "第三" is the third; what it is part of must not be read again.
        values = () if match.group().startswith("第") else _east_asian(match.group())
        yield NumeralSpan(match.start(), match.end(), values)
    for match in _THINGS.finditer(text):
        yield NumeralSpan(*match.span(), (_JAPANESE_THINGS[match.group()],))
    yield from _korean(text)


def _korean(text: str) -> Iterator[NumeralSpan]:
    for match in _KOREAN.finditer(text):
        sino, native, counted = match["sino"], match["native"], match["counted"]
        if sino:
            scaled = any(character in _KOREAN_MULTIPLES for character in sino)
            # Most of the syllables are words too: "이" is "this", "오이" a cucumber.
            if (len(sino) > 1 and scaled) or (counted and len(sino) == 1):
                yield NumeralSpan(*match.span("sino"), _east_asian(sino))
        elif native and (len(native) > 1 or counted):
            tens = next((each for each in _KOREAN_NATIVE_TENS if native.startswith(each)), "")
            value = _KOREAN_NATIVE_TENS.get(tens, 0)
            value += _KOREAN_NATIVE_UNITS.get(native.removeprefix(tens), 0)
            yield NumeralSpan(*match.span("native"), (value,))


_CHINESE: Final = re.compile("[两兩]|一[百千]")
_KOREAN_MULTIPLES: Final = {**_KOREAN_TENS, **_KOREAN_SCALES}
_DIGITS: Final = {**_EAST_DIGITS, **_KOREAN_DIGITS}
_TENS: Final = {**_CJK_TENS, **_KOREAN_TENS}
_SCALES: Final = {**_CJK_SCALES, **_KOREAN_SCALES}


def _east_asian(numeral: str) -> tuple[Exact, ...]:
    """The readings of a row of numerals; none when it says nothing.

    `一百五` and `两千三` are Chinese for 150 and 2300; Japanese, where `百五` is 105, has neither
    `两` nor a `一` before a hundred. `一万二` is read as 12000 and as 10002.
    """
    pieces = _PIECE.findall(numeral.replace(" ", "").replace("\u00a0", ""))
    if all(piece in _CJK_FORMAL for piece in pieces):
        return ()
    if all(piece in _CJK_DIGITS for piece in pieces):  # as years and telephones are said
        digits = "".join(str(_CJK_DIGITS[piece]) for piece in pieces)
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
