"""What is done to a message: noise around and in it, and pages of small talk."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from labelled_messages.filling import PLACE, Draft, Piece

_TYPO_SHARE: Final = 0.04
_MISREAD: Final = {"o": "0", "l": "1", "i": "l", "m": "rn", "e": "c", "S": "5", "B": "8"}
_MISREAD_SHARE: Final = 0.12
_HARD_SPACE_SHARE: Final = 0.15


def misspelt(rng: random.Random, draft: Draft) -> Draft:
    """Letters swapped, left out or doubled in a few places, one at least."""

    def spoil(words: str) -> str:
        letters = list(words)
        for at in range(len(letters) - 1):
            if not (letters[at].isalpha() and letters[at + 1].isalpha()):
                continue
            if rng.random() >= _TYPO_SHARE:
                continue
            slip = rng.randrange(3)
            if slip == 0:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            else:
                letters[at] = "" if slip == 1 else letters[at] * 2
        return "".join(letters)

    spoilt = _reworded(draft, spoil)
    return misspelt(rng, draft) if spoilt == draft else spoilt


def scanned(rng: random.Random, draft: Draft) -> Draft:
    """Letters taken for others, and lines broken anywhere, as by a reader of scans."""

    def spoil(words: str) -> str:
        made = []
        for letter in words:
            if letter in _MISREAD and rng.random() < _MISREAD_SHARE:
                made.append(_MISREAD[letter])
            elif letter == " " and rng.random() < _MISREAD_SHARE:
                made.append(rng.choice(("  ", " \n", " . ")))
            else:
                made.append(letter)
        return "".join(made)

    return _reworded(draft, spoil)


def marked_up(rng: random.Random, draft: Draft) -> Draft:
    """As HTML: paragraphs, breaks, hard spaces; the values at times in bold."""

    def mark(words: str) -> str:
        marked = words.replace("\n\n", "</p><p>").replace("\n", "<br>")
        return "".join(
            "&nbsp;" if letter == " " and rng.random() < _HARD_SPACE_SHARE else letter
            for letter in marked
        )

    pieces: list[Piece] = []
    for piece in draft.pieces:
        if piece.part is None:
            pieces.append(Piece(mark(piece.text)))
        elif rng.random() < 0.5:
            pieces += (Piece("<b>"), piece, Piece("</b>"))
        else:
            pieces.append(piece)
    return replace(draft, pieces=tuple(pieces))


def _reworded(draft: Draft, change: Callable[[str], str]) -> Draft:
    pieces = tuple(piece if piece.part else Piece(change(piece.text)) for piece in draft.pieces)
    return replace(draft, pieces=pieces)


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
