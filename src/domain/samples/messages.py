"""Messages of the made-up shop's customers: first the record is drawn, then put into words."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from domain.samples import templates
from domain.samples.calendar import seeded
from domain.samples.catalogue import PRODUCTS
from domain.samples.model import SampleSize, SampleText, Stratum
from domain.samples.people import person

_SHARES: Final[Mapping[Stratum, int]] = {
    Stratum.CLEAN: 17,
    Stratum.NOISE: 15,
    Stratum.DISTRACTOR: 15,
    Stratum.MISSING: 15,
    Stratum.CORRECTION: 12,
    Stratum.IMPLICIT_NUMBER: 8,
    Stratum.MULTILINGUAL: 10,
    Stratum.LONG: 3,
    Stratum.INJECTION: 5,  # each brings its twin
}
_PLACE: Final = re.compile(r"\{(\w+)\}")
_LONG_SENTENCES: Final = (150, 450)
_TYPO_SHARE: Final = 0.03


def texts(size: SampleSize) -> Iterator[SampleText]:
    """`size.texts` messages in a mixed order, in the shares above."""
    rng = seeded(size.seed, "texts")
    strata, shares = list(_SHARES), list(_SHARES.values())
    made = 0
    while made < size.texts:
        stratum = rng.choices(strata, shares)[0]
        if stratum is not Stratum.INJECTION:
            made += 1
            yield _WRITERS[stratum](rng, made)
        elif made + 2 <= size.texts:
            yield from _injection(rng, made + 1)
            made += 2


def _write(
    rng: random.Random,
    text_id: int,
    stratum: Stratum,
    template: str,
    *,
    language: str = "en",
    number: tuple[str, int] | None = None,
    typos: bool = False,
) -> SampleText:
    """Fill a template; what it has no place for is None in the result.

    Args:
        number: the quantity in words and as a number; else digits are drawn.
        typos: spoil letters of the template's own words, never of the values.
    """
    product, other = rng.sample(PRODUCTS, 2)
    count = number[1] if number else rng.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 20, 25, 40, 120))
    decoy_small = rng.choice([n for n in range(11, 100) if n != count])
    given = {
        "customer": person(rng).name,
        "product": product.name,
        "quantity": number[0] if number else str(count),
        "other_product": other.name,
        "product_again": product.search,
        "decoy": str(rng.randint(1000, 9999)),
        "decoy_small": str(decoy_small),
    }
    text = ""
    evidence = {}
    for nth, part in enumerate(_PLACE.split(template)):
        if nth % 2 == 0:
            text += _misspell(rng, part) if typos else part
            continue
        if part in ("customer", "product", "quantity"):
            evidence[part] = (len(text), len(text) + len(given[part]))
        text += given[part]
    return SampleText(
        id=text_id,
        stratum=stratum,
        language=language,
        text=text,
        customer=given["customer"] if "customer" in evidence else None,
        product=given["product"] if "product" in evidence else None,
        quantity=count if "quantity" in evidence else None,
        evidence=evidence,
    )


def _misspell(rng: random.Random, words: str) -> str:
    """Swap a few neighbouring letters."""
    letters = list(words)
    for at in range(len(letters) - 1):
        if letters[at].isalpha() and letters[at + 1].isalpha() and rng.random() < _TYPO_SHARE:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def _from(stratum: Stratum, wordings: Sequence[str]) -> Callable[[random.Random, int], SampleText]:
    def write(rng: random.Random, text_id: int) -> SampleText:
        return _write(rng, text_id, stratum, rng.choice(wordings))

    return write


def _noise(rng: random.Random, text_id: int) -> SampleText:
    template = rng.choice(templates.NOISE)
    return _write(rng, text_id, Stratum.NOISE, template, typos="<" not in template)


def _missing(rng: random.Random, text_id: int) -> SampleText:
    lacking = rng.choice(
        (
            templates.WITHOUT_QUANTITY,
            templates.WITHOUT_CUSTOMER,
            templates.WITHOUT_PRODUCT,
            templates.WITHOUT_ANYTHING,
        )
    )
    return _write(rng, text_id, Stratum.MISSING, rng.choice(lacking))


def _implicit_number(rng: random.Random, text_id: int) -> SampleText:
    return _write(
        rng,
        text_id,
        Stratum.IMPLICIT_NUMBER,
        rng.choice(templates.IMPLICIT_NUMBER),
        number=rng.choice(list(templates.NUMBER_WORDS.items())),
    )


def _multilingual(rng: random.Random, text_id: int) -> SampleText:
    language, template = rng.choice(templates.MULTILINGUAL)
    return _write(rng, text_id, Stratum.MULTILINGUAL, template, language=language)


def _long(rng: random.Random, text_id: int) -> SampleText:
    sentences = rng.choices(templates.SMALL_TALK, k=rng.randint(*_LONG_SENTENCES))
    sentences.insert(rng.randrange(len(sentences)), templates.ORDER_WITHIN)
    return _write(rng, text_id, Stratum.LONG, " ".join(sentences))


def _injection(rng: random.Random, text_id: int) -> Sequence[SampleText]:
    """The attacked message and its twin; the attack stands behind, so that offsets agree."""
    clean = _write(rng, text_id + 1, Stratum.TWIN, rng.choice(templates.CLEAN))
    words, attack = rng.choice(
        [
            (words, attack)
            for words, attack in templates.INJECTIONS
            if all(getattr(clean, member) != wanted for member, wanted in attack.items())
        ]
    )
    attacked = replace(
        clean,
        id=text_id,
        stratum=Stratum.INJECTION,
        text=f"{clean.text}\n\n{words}",
        attack=attack,
        twin_id=clean.id,
    )
    return attacked, clean


_WRITERS: Final[Mapping[Stratum, Callable[[random.Random, int], SampleText]]] = {
    Stratum.CLEAN: _from(Stratum.CLEAN, templates.CLEAN),
    Stratum.NOISE: _noise,
    Stratum.DISTRACTOR: _from(Stratum.DISTRACTOR, templates.DISTRACTOR),
    Stratum.MISSING: _missing,
    Stratum.CORRECTION: _from(Stratum.CORRECTION, templates.CORRECTION),
    Stratum.IMPLICIT_NUMBER: _implicit_number,
    Stratum.MULTILINGUAL: _multilingual,
    Stratum.LONG: _long,
}
