"""Wordings with places become messages: the values are drawn first, then put into words.

A wording is a string with places in braces. Of the record: `{customer}` (a person, at times a
company), `{person}`, `{firm}`, `{product}` (as people say it: "oak chairs"), `{article}` (as the
catalogue has it), `{quantity}` (digits) or `{words}` (a number that is not written as one). All
other places are filled with what only looks like it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from entrypoints.up.sample_data.catalogue import PRODUCTS
from entrypoints.up.sample_data.people import person_name
from labelled_messages.values import FIRMS, FOREIGN, Mention, decoys, has_singular, mention, written

PLACE: Final = re.compile(r"\{(\w+)\}")
CUSTOMER, PRODUCT, QUANTITY = "customer", "product", "quantity"
_PART_OF: Final = {
    "customer": CUSTOMER,
    "person": CUSTOMER,
    "firm": CUSTOMER,
    "product": PRODUCT,
    "article": PRODUCT,
    "quantity": QUANTITY,
    "words": QUANTITY,
}
_COUNTS: Final[Sequence[int]] = (
    *(2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50, 60) * 3,
    *(7, 9, 14, 16, 18, 22, 32, 36, 45, 75, 80, 100, 120, 144, 150, 200, 250, 400),
)
_MANY: Final[Sequence[int]] = (1_200, 1_500, 2_400, 3_000)
_MANY_SHARE: Final = 0.08
_SINGLE_SHARE: Final = 0.12
_FIRM_SHARE: Final = 0.2


class Words(NamedTuple):
    """A number that is said but not written as one.

    Attributes:
        phrase: the words, with a place `{base}` where they name a number.
        value: what they say, or its factor on a base.
        bases: numbers to choose the base from, which stands as `{base}` in the wording too; none
            when the phrase says all.
    """

    phrase: str
    value: float
    bases: Sequence[int] = ()


class Piece(NamedTuple):
    """A stretch of a message, and the field that it states, if any."""

    text: str
    part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message in the making: values keep their places while words around them change.

    Attributes:
        pieces: in reading order; each field is stated by at most one of them.
        values: customer, product and quantity; None for what is not said.
        template: names the wording.
        language: ISO 639-1 code.
        given: what the places were filled with.
        kind: what was done to it, such as `html`; empty when nothing was.
    """

    pieces: tuple[Piece, ...]
    values: Mapping[str, str | int | None]
    template: str
    language: str
    given: Mapping[str, str]
    kind: str = ""

    @property
    def text(self) -> str:
        """The whole message."""
        return "".join(piece.text for piece in self.pieces)

    def spans(self) -> dict[str, tuple[int, int]]:
        """Where each stated field stands: offsets in code points, the end behind the last."""
        found: dict[str, tuple[int, int]] = {}
        at = 0
        for piece in self.pieces:
            if piece.part is not None:
                found[piece.part] = (at, at + len(piece.text))
            at += len(piece.text)
        return found

    def within(self, before: str, after: str) -> Draft:
        """The same message between other words."""
        return replace(
            self,
            pieces=(Piece(before), *self.pieces, Piece(after)),
        )


def fill(
    rng: random.Random,
    wording: str,
    *,
    template: str,
    language: str = "en",
    words: Words | None = None,
    extra: Mapping[str, str] | None = None,
) -> Draft:
    """Draw a record and put it into words.

    Args:
        rng: the chance behind it.
        wording: see the module.
        template: its name.
        language: of the wording.
        words: for the place `{words}`.
        extra: further places and what fills them.
    """
    places = PLACE.findall(wording)
    base = rng.choice(words.bases) if words and words.bases else None
    count = _count(rng, wording, language)
    if words:
        count = round(words.value * (base or 1))
    customer = _customer(rng, places, language)
    named, other = _mentions(rng, language, count, by_name="article" in places)
    given = {
        **decoys(rng, count=count, customer=customer, language=language),
        "customer": customer,
        "person": customer,
        "firm": customer,
        "product": named.text,
        "article": named.text,
        "again": named.again,
        "other": other.text,
        "other_article": other.article,
        "quantity": written(rng, count, language),
        "words": words.phrase.format(base=base) if words else "",
        "base": str(base),
        **(extra or {}),
    }
    pieces = []
    for nth, part in enumerate(PLACE.split(wording)):
        if nth % 2:
            pieces.append(Piece(given[part], _PART_OF.get(part)))
        elif part:
            pieces.append(Piece(part))
    stated = {piece.part for piece in pieces}
    record: dict[str, str | int] = {CUSTOMER: customer, PRODUCT: named.text, QUANTITY: count}
    return Draft(
        pieces=tuple(pieces),
        values={name: value if name in stated else None for name, value in record.items()},
        template=template,
        language=language,
        given=given,
    )


def decorate(wording: str, draft: Draft) -> str:
    """Words that state nothing, filled with what the draft was filled with."""
    return PLACE.sub(lambda match: draft.given[match[1]], wording)


def _count(rng: random.Random, wording: str, language: str) -> int:
    """How many: one only where the wording holds for a single thing, thousands for no person."""
    singular = "{article}" in wording or "{quantity} {product}" in wording
    drawn = rng.random()
    if singular and language == "en" and drawn < _SINGLE_SHARE:
        return 1
    if "{person}" not in wording and drawn > 1 - _MANY_SHARE:
        return rng.choice(_MANY)
    return rng.choice(_COUNTS)


def _customer(rng: random.Random, places: Sequence[str], language: str) -> str:
    firm = "firm" in places or ("customer" in places and rng.random() < _FIRM_SHARE)
    if firm:
        return rng.choice(FIRMS.get(language, FIRMS["en"]))
    abroad = language == "en" or rng.random() < _FIRM_SHARE
    return person_name(rng, None if abroad else language).name


def _mentions(
    rng: random.Random, language: str, count: int, *, by_name: bool
) -> tuple[Mention, Mention]:
    """The product that is ordered, and another."""
    if language in FOREIGN:
        one, other = rng.sample(FOREIGN[language], 2)
        return Mention(one, one, one), Mention(other, other, other)
    singles = [product for product in PRODUCTS if by_name or count > 1 or has_singular(product)]
    first, second = rng.sample(singles, 2)
    return mention(first, count, by_name=by_name), mention(second, 2, by_name=False)
