"""Numbers, dates, prices and the like, as people write them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from labelled_messages.values import written


class Said(NamedTuple):
    """A value and how the text says it."""

    text: str
    value: str | int | float | None


def _words(text: str) -> Sequence[str]:
    return text.split()


_ONES: Final[Mapping[str, Sequence[str]]] = {
    "en": _words(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen"
    ),
    "de": _words(
        "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn"
        " fünfzehn sechzehn siebzehn achtzehn neunzehn"
    ),
    "fr": _words(
        "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze"
        " seize dix-sept dix-huit dix-neuf"
    ),
    "es": _words(
        "un dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince"
        " dieciséis diecisiete dieciocho diecinueve"
    ),
    "it": _words(
        "un due tre quattro cinque sei sette otto nove dieci undici dodici tredici"
        " quattordici quindici sedici diciassette diciotto diciannove"
    ),
    "pl": _words(
        "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście"
        " trzynaście czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście"
    ),
}
_TENS: Final[Mapping[str, Mapping[int, str]]] = {
    "en": {
        20: "twenty",
        30: "thirty",
        40: "forty",
        50: "fifty",
        60: "sixty",
        70: "seventy",
        80: "eighty",
        90: "ninety",
        100: "a hundred",
        200: "two hundred",
        500: "five hundred",
    },
    "de": {
        20: "zwanzig",
        30: "dreißig",
        40: "vierzig",
        50: "fünfzig",
        60: "sechzig",
        100: "hundert",
    },
    "fr": {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 100: "cent"},
    "es": {
        20: "veinte",
        30: "treinta",
        40: "cuarenta",
        50: "cincuenta",
        60: "sesenta",
        100: "cien",
    },
    "it": {
        20: "venti",
        30: "trenta",
        40: "quaranta",
        50: "cinquanta",
        60: "sessanta",
        100: "cento",
    },
    "pl": {
        20: "dwadzieścia",
        30: "trzydzieści",
        40: "czterdzieści",
        50: "pięćdziesiąt",
        100: "sto",
    },
}
_GROUPS: Final[Mapping[str, Sequence[tuple[str, int]]]] = {
    "en": (
        *(("a dozen", 12), ("one dozen", 12), ("half a dozen", 6), ("two dozen", 24)),
        *(("three dozen", 36), ("four dozen", 48), ("ten dozen", 120), ("a pair of", 2)),
        *(("5 dozen", 60), ("2 dozen", 24), ("a couple of", 2), ("one and a half dozen", 18)),
    ),
    "de": (
        ("ein Dutzend", 12),
        ("zwei Dutzend", 24),
        ("ein halbes Dutzend", 6),
        ("drei Dutzend", 36),
    ),
    "fr": (
        *(("une douzaine de", 12), ("deux douzaines de", 24), ("une demi-douzaine de", 6)),
        ("une vingtaine de", 20),
    ),
    "es": (("una docena de", 12), ("dos docenas de", 24), ("media docena de", 6)),
    "it": (("una dozzina di", 12), ("due dozzine di", 24), ("mezza dozzina di", 6)),
    "pl": (("tuzin", 12), ("dwa tuziny", 24)),
}
_USUAL: Final[Sequence[int]] = (
    *(2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50, 60, 100) * 2,
    *range(2, 60),
)
_MANY: Final[Sequence[int]] = (500, 800, 1_000, 1_250, 2_000, 5_000)


def draw_count(rng: random.Random) -> int:
    """How many are ordered (>= 1)."""
    style = rng.random()
    if style < 0.1:
        return 1
    if style < 0.75:
        return rng.choice(_USUAL)
    return rng.randint(2, 400) if style < 0.93 else rng.choice(_MANY)


def said_count(rng: random.Random, count: int, language: str, *, words: float) -> Said:
    """`count` in digits, or with the chance `words` in words where there are some."""
    if rng.random() < words:
        said = spelt(rng, language)
        if said is not None:
            return said
    return Said(written(rng, count, language), count)


def spelt(rng: random.Random, language: str) -> Said | None:
    """Some number in words; None in languages whose numerals are digits of their own."""
    ones = _ONES.get(language)
    if ones is None:
        return None
    style = rng.random()
    if style < 0.3:
        return Said(*rng.choice(_GROUPS[language]))
    if style < 0.75:
        nth = rng.randrange(len(ones))
        return Said(ones[nth], nth + 1)
    tens = _TENS[language]
    ten = rng.choice(sorted(tens))
    if language == "en" and style > 0.85 and ten < 100:
        nth = rng.randrange(9)
        return Said(f"{tens[ten]}-{ones[nth]}", ten + nth + 1)
    return Said(tens[ten], ten)


TWICE: Final[Mapping[str, Sequence[tuple[str, float]]]] = {
    "en": (("twice that", 2), ("double that", 2), ("half of that", 0.5), ("three times that", 3)),
    "de": (("doppelt so viele", 2), ("halb so viele", 0.5), ("dreimal so viele", 3)),
    "fr": (("le double", 2), ("la moitié", 0.5), ("le triple", 3)),
    "es": (("el doble", 2), ("la mitad", 0.5), ("el triple", 3)),
    "it": (("il doppio", 2), ("la metà", 0.5), ("il triplo", 3)),
    "pl": (("dwa razy tyle", 2), ("połowa tego", 0.5), ("trzy razy tyle", 3)),
    "ja": (("その倍", 2), ("その半分", 0.5)),
    "zh": (("要两倍", 2), ("要一半", 0.5)),
}
"""What is said of another number."""

_MONTHS: Final = _words(
    "January February March April May June July August September October November December"
)


def price(rng: random.Random, language: str) -> Said:
    """An amount of money; the value is the number."""
    cents = rng.choice((0, 0, 50, 90, 95, 99, 25))
    amount = rng.randint(1, 180)
    value = amount + cents / 100
    digits = f"{amount}.{cents:02}" if cents or rng.random() < 0.4 else str(amount)
    if language == "ja":
        yen = rng.randint(3, 90) * 100
        return Said(f"{yen}円", yen)
    if language == "zh":
        return Said(f"{digits}元", value if cents else amount)
    if language != "en":
        digits = digits.replace(".", ",")
        return Said(rng.choice((f"{digits} €", f"{digits} EUR")), value if cents else amount)
    style = rng.choice(("${}", "£{}", "{} euros", "€{}", "{} EUR", "{} dollars"))
    return Said(style.format(digits), value if cents else amount)


def due(rng: random.Random, language: str) -> Said:
    """A day; the value is `YYYY-MM-DD`."""
    year, month, day = rng.randint(2026, 2029), rng.randint(1, 12), rng.randint(1, 28)
    iso = f"{year}-{month:02}-{day:02}"
    if language in {"ja", "zh"}:
        return Said(f"{year}年{month}月{day}日", iso)
    if language != "en":
        return Said(rng.choice((f"{day:02}.{month:02}.{year}", iso, f"{day}.{month}.{year}")), iso)
    name = _MONTHS[month - 1]
    forms = (f"{day} {name} {year}", f"{name} {day}, {year}", iso, f"{day} {name[:3]} {year}")
    return Said(rng.choice(forms), iso)


_ROADS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "{} Willow Court, Leeds",
        "{} Park Road",
        "Unit {}, Dock Lane, Hull",
        "{} High Street, York",
    ),
    "de": ("Lindenallee {}, 50667 Köln", "Am Markt {}, Jena", "Bergweg {}"),
    "fr": ("{} rue de la Gare, Nantes", "{} place du Marché"),
    "es": ("calle Mayor {}, Toledo", "avenida del Mar {}"),
    "it": ("via Roma {}, Pisa", "piazza Dante {}"),
    "pl": ("ul. Długa {}, Gdańsk", "ul. Polna {}"),
    "ja": ("東京都港区芝{}", "大阪市北区梅田{}"),
    "zh": ("上海市南京路{}号", "北京市朝阳区{}号"),
}


def address(rng: random.Random, language: str) -> Said:
    """A place to send something to."""
    text = rng.choice(_ROADS[language]).format(rng.randint(1, 240))
    return Said(text, text)


def phone(rng: random.Random) -> Said:
    """A telephone number, as it stands."""
    style = rng.choice(("+49 {}{} {}{}{}", "0{}{}-{}{}{}", "07{}{} {}{}{}", "({}{}) {}{}-{}"))
    text = style.format(*(rng.randint(10, 99) for _ in range(5)))
    return Said(text, text)


def reference(rng: random.Random) -> Said:
    """A number of an order or a file, as it stands."""
    number = rng.randint(1_000, 99_999)
    text = rng.choice(("A-{}", "PO{}", "2027/{}", "{}", "ref{}x", "K{}-7")).format(number)
    return Said(text, text)
