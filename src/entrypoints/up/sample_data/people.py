"""Names of made-up people from many places."""

# ruff: noqa: RUF001 - the characters of the names

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple


class PersonName(NamedTuple):
    """A name as its bearer writes it, and in Latin letters for an e-mail address."""

    name: str
    latin: str


class _Place(NamedTuple):
    language: str
    share: int
    family_first: bool
    given: Sequence[str]
    family: Sequence[str]


def _place(
    language: str, share: int, given: str, family: str, *, family_first: bool = False
) -> _Place:
    """Names are divided by spaces; `written|latin` where the letters do not tell."""
    return _Place(language, share, family_first, given.split(), family.split())


_PLACES: Final = (
    _place(
        "en",
        30,
        "Nina Oliver Grace Samuel Ruth Aidan Zoë Marcus Fiona Theo Imogen Ravi Priya Leah Omar",
        "Hall Okafor O'Brien Patel Nguyen Whitfield Clarke Adeyemi Fraser Singh Marlowe D'Souza",
    ),
    _place(
        "de",
        18,
        "Jürgen Anke Björn Käthe Lukas Sörine Felix Mareike Uwe Änne Jonas Heike",
        "Müller Groß Schäfer Weiß Köhler Özdemir Brandt Lüders Vogt Hübner",
    ),
    _place(
        "fr",
        12,
        "Élodie François Chloé Hélène Benoît Maëlle Gaël Noémie Thaïs Rémi",
        "Lefèvre Dubois Gagné Château Moreau Bélanger Père Fontaine Rousseau",
    ),
    _place(
        "es",
        12,
        "José Begoña Íñigo Lucía Andrés Ximena Raúl Sofía Martín Inés",
        "Muñoz García Peña Ibáñez Núñez Castañeda Ríos Zúñiga Ortega",
    ),
    _place(
        "pl",
        8,
        "Łukasz Agnieszka Zofia Bartłomiej Małgorzata Paweł Jiří Šárka Żaneta",
        "Wiśniewski Żak Dąbrowska Kowalczyk Dvořák Černý Šimková Jabłoński",
    ),
    _place(
        "sv",
        6,
        "Åsa Søren Håkon Ingrid Þóra Jørgen Maija Väinö",
        "Ångström Sørensen Bjørnstad Lindqvist Mäkelä Kjær Guðmundsdóttir",
    ),
    _place(
        "ru",
        5,
        "Анна|Anna Дмитрий|Dmitry Оксана|Oksana Юрий|Yuri Мария|Maria",
        "Иванова|Ivanova Шевченко|Shevchenko Кузнецов|Kuznetsov Ковальчук|Kovalchuk",
    ),
    _place(
        "ja",
        5,
        "陽菜|Hina 健太|Kenta 美咲|Misaki 大輔|Daisuke 結衣|Yui",
        "佐藤|Sato 鈴木|Suzuki 高橋|Takahashi 渡辺|Watanabe",
        family_first=True,
    ),
    _place(
        "vi",
        4,
        "Thị_Hương Văn_Đức Ngọc_Ánh Quốc_Bảo",
        "Nguyễn Trần Phạm Lê",
        family_first=True,
    ),
    _place(
        "it",
        6,
        "Giulia Matteo Chiara Niccolò Elisabetta Davide Ilaria",
        "Bianchi D'Angelo Esposito Ferrè Moretti Caputo De_Luca",
    ),
    _place("pt", 5, "João Conceição Tiago Inês Gonçalo", "Pereira Simões Falcão Magalhães"),
    _place("tr", 4, "Emre Gülşen Çağla İbrahim Ayşe", "Yıldız Çelik Şahin Öztürk"),
    _place("hi", 4, "Aarav Ananya Rohan Lakshmi Vikram", "Sharma Iyer Banerjee Krishnamurthy"),
    _place("yo", 3, "Adaeze Chinedu Temitope Ngozi Kwame", "Okonkwo Balogun Mensah Adebayo"),
    _place("ar", 3, "Yusuf Layla Khalid Noor Salma", "Al-Masri Haddad Ben_Youssef El-Sayed"),
    _place("ko", 3, "Ji-woo Seo-yeon Min-jun Ha-eun", "Park Kim Choi Jung"),
    _place(
        "zh",
        3,
        "秀英|Xiuying 伟|Wei 芳|Fang 志强|Zhiqiang 丽娜|Lina",
        "王|Wang 李|Li 张|Zhang 刘|Liu 陈|Chen",
        family_first=True,
    ),
)
_CUMULATED: Final = [sum(p.share for p in _PLACES[: n + 1]) for n in range(len(_PLACES))]
_WITHOUT_MARKS: Final = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th"}
    | {"ð": "d", "æ": "ae", "ı": "i"}
)


def person_name(rng: random.Random, language: str | None = None) -> PersonName:
    """A name to make someone of; two people may share it.

    Args:
        language: of people whose names are of one place; None means anywhere.
    """
    drawn = rng.choices(_PLACES, cum_weights=_CUMULATED)[0]
    place = next((each for each in _PLACES if each.language == language), drawn)
    given, family = rng.choice(place.given), rng.choice(place.family)
    written = [part.partition("|")[0].replace("_", " ") for part in (given, family)]
    latin = [_latin(part.partition("|")[2] or part) for part in (given, family)]
    if place.family_first:
        written.reverse()
    between = "" if place.language == "zh" else " "
    return PersonName(name=between.join(written), latin=".".join(latin))


def _latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_WITHOUT_MARKS))
    return re.sub("[^a-z]", "", plain.lower())
