"""How messages get dirty on their way: the words suffer, the values stay as they are."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from domain.datasets.filling import Draft, Piece

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
