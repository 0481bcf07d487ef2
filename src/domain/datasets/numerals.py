"""Whole numbers as the people of a language write them."""

from __future__ import annotations

import random
from typing import Final

from domain.extraction.number_words import CJK_DIGITS, CJK_TENS

_DIGITS: Final = {
    value: sign for sign, value in CJK_DIGITS.items() if sign in "零一二三四五六七八九"
}
_SCALES: Final = tuple((CJK_TENS[sign], sign) for sign in "千百十")
_THOUSANDS: Final = {"en": ",", "de": ".", "es": ".", "it": ".", "fr": "\u202f", "pl": "\u00a0"}
_CJK: Final = frozenset({"ja", "zh"})


def written(rng: random.Random, number: int, language: str) -> str:
    """`number` (1..9999) in digits, or in the numerals of Japanese and Chinese."""
    if language in _CJK:
        style = rng.randrange(3)
        if style == 0:
            return cjk(number, ones=language == "zh")
        return _wide(str(number)) if style == 1 else str(number)
    if number >= 1000 and rng.random() < 0.7:
        return f"{number // 1000}{_THOUSANDS[language]}{number % 1000:03}"
    return str(number)


def cjk(number: int, *, ones: bool) -> str:
    """`number` (1..9999) in CJK numerals.

    Args:
        number: what to write.
        ones: as in Chinese, where a hundred is `一百` and a gap in the places takes `零`; else as
            in Japanese, where it is `百`.
    """
    text, rest, gap = "", number, False
    for scale, sign in _SCALES:
        digit, rest = divmod(rest, scale)
        if digit:
            bare = digit == 1 and (not ones or (scale == 10 and not text))
            text += ("零" if gap and ones else "") + ("" if bare else _DIGITS[digit]) + sign
            gap = False
        elif text:
            gap = True
    if rest:
        text += ("零" if gap and ones else "") + _DIGITS[rest]
    return text


def _wide(digits: str) -> str:
    return "".join(chr(ord(digit) + 0xFEE0) for digit in digits)
