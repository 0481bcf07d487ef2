"""Wordings of the judged part whose number is not written as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.datasets.filling import Words

IMPLICIT_NUMBER: Final[Sequence[str]] = (
    "{hi}\n\nplease reserve {words} {product} for our new branch.\n\n{bye}\n{customer}",
    "What we are looking for is {words} {product}. {customer}",
    "{person} writing: it would be {words} {product} this time, same colour as the old ones.",
    "Dear shop, {words} {product} for {firm}, before the holidays if you can manage.",
    "{hi} do you deliver {words} {product} on a {weekday}? Then do so, to {customer}.",
    "Our order of today: {words} {product}, on the account of {customer}.",
)
NUMBER_WORDS: Final[Sequence[Words]] = (
    Words("three dozen", 36),
    Words("nine", 9),
    Words("a couple of", 2),
    Words("forty-eight", 48),
    Words("one and a half dozen", 18),
    Words("a hundred and twenty", 120),
    Words("eleven", 11),
    Words("five dozen", 60),
    Words("thirty-six", 36),
    Words("a score of", 20),
    Words("two hundred", 200),
    Words("eighteen", 18),
    Words("four dozen", 48),
    Words("sixty-five", 65),
)
_PALLETS: Final = (24, 36, 48, 60, 72, 96, 120)
COMPUTED: Final[Sequence[tuple[str, Words]]] = (
    (
        (
            "{hi}\n\nplease load {words} of {product} for us; a full one of them holds {base}"
            " pieces.\n\n{bye}\n{customer}"
        ),
        Words("half a pallet", 0.5, _PALLETS),
    ),
    (
        "Pallet size for {product}: {base} pieces. {customer} takes {words}.",
        Words("a pallet and a half", 1.5, _PALLETS),
    ),
    (
        "{customer} here. Of the {base} {product} that you have in stock we'd take {words}.",
        Words("a quarter", 0.25, (24, 40, 48, 60, 80, 100)),
    ),
    (
        "{hi} {words} as in {month}, please: back then it was {base} {product}. {bye} {customer}",
        Words("twice as many", 2, (6, 8, 12, 15, 18, 30)),
    ),
    (
        "I'd like {words} for my sister: {product}, all on one bill. {person}",
        Words("{base} for me and as many again", 2, (3, 4, 5, 7, 8)),
    ),
    (
        "{firm} is moving and orders {product}, {words}.",
        Words("two for each of our {base} offices", 2, (6, 7, 8, 9, 12)),
    ),
)
