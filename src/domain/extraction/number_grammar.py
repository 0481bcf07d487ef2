"""How a language makes numbers of words: what its table in `number_words` says of each word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NumeralGrammar:
    """How a language makes numbers of words. Words are casefolded, with and without accents.

    Attributes:
        added: words that are added to what stands before: units, teens, tens, whole hundreds where
            they are words of their own.
        times: words that multiply what stands before: hundred, dozen, thousand.
        counted: those of `times` that say no number alone ("dozens of people").
        half: words for a half.
        half_joint: the words between a number and a half behind it ("two and a half").
        joint: the word between the parts of a number ("and"); empty where there is none.
        joint_after: sizes of the part before it, by what may still be added: 1000 after a thousand,
            100 after a hundred, 10 after a ten.
        joint_before: the parts that may follow it; all when empty.
        articles: words that are a one before `times` and before `half` only ("a dozen").
        glued: numbers are written as one word.
        units_follow: tens may be followed by a unit.
        twenties: sixty and eighty may be followed by up to nineteen, and eighty is four twenties.
        homonyms: words that mean another thing elsewhere. They count in texts with a word of
            `common`, and in those without such a word of another language.
        common: words that hardly a text in this language lacks, and hardly another has.
    """

    added: Mapping[str, int | Fraction]
    times: Mapping[str, int]
    counted: frozenset[str] = frozenset()
    half: frozenset[str] = frozenset()
    half_joint: tuple[str, ...] = ()
    joint: str = ""
    joint_after: frozenset[int] = frozenset()
    joint_before: frozenset[int] = frozenset()
    articles: frozenset[str] = frozenset()
    glued: bool = False
    units_follow: bool = True
    twenties: bool = False
    homonyms: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()


def spellings(words: Iterable[str]) -> list[str]:
    """`words` casefolded, each without its accents too, and with the German way round them."""
    found: dict[str, None] = {}
    for word in words:
        plain = word.casefold()
        german = plain.replace("ü", "ue").replace("ö", "oe")
        bare = unicodedata.normalize("NFD", plain.replace("ł", "l"))
        bare = "".join(c for c in bare if not unicodedata.combining(c))
        found.update(dict.fromkeys((plain, german, bare)))
    return list(found)


def words_of(text: str) -> frozenset[str]:
    """The words of `text`, which blanks divide, in all their spellings."""
    return frozenset(spellings(text.split()))


def added_by(table: Mapping[int | Fraction, str]) -> dict[str, int | Fraction]:
    """Numbers by each spelling of their words; `table` names several words with blanks between."""
    return {word: value for value, text in table.items() for word in spellings(text.split())}


def times_by(table: Mapping[int, str]) -> dict[str, int]:
    """The same for words that multiply."""
    return {word: value for value, text in table.items() for word in spellings(text.split())}
