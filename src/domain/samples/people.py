"""Names of made-up people from many places."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple


class Person(NamedTuple):
    """A name as its bearer writes it, and in Latin letters for an e-mail address."""

    name: str
    latin: str


class _Place(NamedTuple):
    share: int
    family_first: bool
    given: Sequence[str]
    family: Sequence[str]


def _place(share: int, given: str, family: str, *, family_first: bool = False) -> _Place:
    """Names are divided by spaces; `written|latin` where the letters do not tell."""
    return _Place(share, family_first, given.split(), family.split())


_PLACES: Final = (
    _place(
        30,
        "Nina Oliver Grace Samuel Ruth Aidan Zoë Marcus Fiona Theo Imogen Ravi Priya Leah Omar",
        "Hall Okafor O'Brien Patel Nguyen Whitfield Clarke Adeyemi Fraser Singh Marlowe D'Souza",
    ),
    _place(
        18,
        "Jürgen Anke Björn Käthe Lukas Sörine Felix Mareike Uwe Änne Jonas Heike",
        "Müller Groß Schäfer Weiß Köhler Özdemir Brandt Lüders Vogt Hübner",
    ),
    _place(
        12,
        "Élodie François Chloé Hélène Benoît Maëlle Gaël Noémie Thaïs Rémi",
        "Lefèvre Dubois Gagné Château Moreau Bélanger Père Fontaine Rousseau",
    ),
    _place(
        12,
        "José Begoña Íñigo Lucía Andrés Ximena Raúl Sofía Martín Inés",
        "Muñoz García Peña Ibáñez Núñez Castañeda Ríos Zúñiga Ortega",
    ),
    _place(
        8,
        "Łukasz Agnieszka Zofia Bartłomiej Małgorzata Paweł Jiří Šárka Żaneta",
        "Wiśniewski Żak Dąbrowska Kowalczyk Dvořák Černý Šimková Jabłoński",
    ),
    _place(
        6,
        "Åsa Søren Håkon Ingrid Þóra Jørgen Maija Väinö",
        "Ångström Sørensen Bjørnstad Lindqvist Mäkelä Kjær Guðmundsdóttir",
    ),
    _place(
        5,
        "Анна|Anna Дмитрий|Dmitry Оксана|Oksana Юрий|Yuri Мария|Maria",
        "Иванова|Ivanova Шевченко|Shevchenko Кузнецов|Kuznetsov Ковальчук|Kovalchuk",
    ),
    _place(
        5,
        "陽菜|Hina 健太|Kenta 美咲|Misaki 大輔|Daisuke 結衣|Yui",
        "佐藤|Sato 鈴木|Suzuki 高橋|Takahashi 渡辺|Watanabe",
        family_first=True,
    ),
    _place(
        4,
        "Thị_Hương Văn_Đức Ngọc_Ánh Quốc_Bảo",
        "Nguyễn Trần Phạm Lê",
        family_first=True,
    ),
)
_CUMULATED: Final = [sum(p.share for p in _PLACES[: n + 1]) for n in range(len(_PLACES))]
_WITHOUT_MARKS: Final = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th"}
    | {"ð": "d", "æ": "ae"}
)


def person(rng: random.Random) -> Person:
    """Someone; two people may share a name."""
    place = rng.choices(_PLACES, cum_weights=_CUMULATED)[0]
    given, family = rng.choice(place.given), rng.choice(place.family)
    written = [part.partition("|")[0].replace("_", " ") for part in (given, family)]
    latin = [_latin(part.partition("|")[2] or part) for part in (given, family)]
    if place.family_first:
        written.reverse()
    return Person(name=" ".join(written), latin=".".join(latin))


def _latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_WITHOUT_MARKS))
    return re.sub("[^a-z]", "", plain.lower())
