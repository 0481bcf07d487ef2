"""Small talk by the page, for messages whose order stands deep inside."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

from domain.datasets.filling import PLACE

_FILLINGS: Final[Mapping[str, Sequence[str]]] = {
    "month": ("January", "February", "March", "April", "June", "July", "August", "October"),
    "place": (
        *("the lake", "the harbour", "Saint-Malo", "the allotments", "my brother's village"),
        *("Porto", "the old quarry", "the coast", "Lower Hutton", "the botanical garden"),
    ),
    "relative": (
        *("my aunt", "our eldest", "my neighbour upstairs", "the vicar", "my cousin from Leeds"),
        *("our landlord", "my late uncle's friend", "the postman", "my sister-in-law"),
    ),
    "hobby": (
        *("the accordion", "watercolours", "chess by post", "rowing", "Portuguese", "yoga"),
        *("model trains", "beekeeping", "bell-ringing", "crosswords", "the trombone"),
    ),
    "thing": (
        *("lift", "fountain", "bakery", "street lamp", "weathervane", "kettle", "piano"),
        *("cinema", "bandstand", "clock tower", "umbrella stand", "boiler"),
    ),
}
_CHARACTERS_BEFORE: Final = 26_000
"""About 6,000 tokens of English."""
_CHARACTERS_AFTER: Final = (400, 3_000)


def pages(rng: random.Random, sentences: Sequence[str]) -> Mapping[str, str]:
    """Small talk for the places `filler` (6,000 tokens) and `filler_after` (up to a page)."""
    return {
        "filler": _paragraphs(rng, sentences, _CHARACTERS_BEFORE),
        "filler_after": _paragraphs(rng, sentences, rng.randint(*_CHARACTERS_AFTER)),
    }


def _paragraphs(rng: random.Random, sentences: Sequence[str], characters: int) -> str:
    """At least so many characters."""
    found: list[str] = []
    length = 0
    while length < characters:
        chosen = rng.sample(sentences, rng.randint(3, 8))
        paragraph = " ".join(_sentence(rng, each) for each in chosen)
        found.append(paragraph)
        length += len(paragraph) + 2
    return "\n\n".join(found)


def _sentence(rng: random.Random, wording: str) -> str:
    made = PLACE.sub(lambda match: _filling(rng, match[1]), wording)
    return made[0].upper() + made[1:]


def _filling(rng: random.Random, place: str) -> str:
    if place == "n":
        return str(rng.randint(11, 59))
    if place == "hundreds":
        return str(rng.randint(120, 980))
    if place == "few":
        return rng.choice(("two", "three", "four", "five"))
    return rng.choice(_FILLINGS[place])
