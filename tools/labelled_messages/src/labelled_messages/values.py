"""What fills the places of a wording: products and firms, numerals, and what means nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from entrypoints.up.sample_data.catalogue import Product
from entrypoints.up.sample_data.people import person_name

_PLURAL_ALREADY: Final = frozenset(
    {
        "cotton sheets",
        "string lights",
        "solar lights",
        "pruning shears",
        "creme brulee ramekins",
    }
)
_PLURALS: Final[Mapping[str, str]] = {
    "french press": "french presses",
    "chef knife": "chef knives",
    "wireless mouse": "wireless mice",
    "ladder bookshelf": "ladder bookshelves",
    "planter box": "planter boxes",
    "garden hose": "garden hoses",
    "standing desk": "standing desks",
    "led bulb e27": "LED bulbs E27",
    "dotted notebook": "dotted notebooks",
    "usb c hub": "USB-C hubs",
    "storage bench": "storage benches",
}
_SINGULARS: Final[Mapping[str, str]] = {
    "led bulb e27": "LED bulb E27",
    "usb c hub": "USB-C hub",
}


class Mention(NamedTuple):
    """A product in words.

    Attributes:
        text: as it stands in the message.
        again: as somebody says it a second time.
        article: as the catalogue has it.
    """

    text: str
    again: str
    article: str


def has_singular(product: Product) -> bool:
    """Whether people order one of it: they order a pair of shears and a set of sheets."""
    return product.search not in _PLURAL_ALREADY


def mention(product: Product, count: int, *, by_name: bool) -> Mention:
    """`count` of a product in running text, or its name in the catalogue."""
    search = product.search
    plural = search if search in _PLURAL_ALREADY else _PLURALS.get(search, f"{search}s")
    spoken = _SINGULARS.get(search, search) if count == 1 else plural
    return Mention(product.name if by_name else spoken, plural, product.name)


FIRMS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "Riverside Dental Practice",
        "Green Door Books",
        "Okafor & Sons",
        "Hotel Bellavista",
        "St Mary's Primary School",
        "Nordlicht Studios",
        "Whitfield Interiors",
        "The Copper Kettle",
        "Patel Brothers Ltd",
        "Harbour Yoga",
        "Marlowe Legal LLP",
        "Seventh Street Bakery",
        "Al-Masri Trading",
        "Kyoto Tea Rooms",
    ),
    "de": ("Nordlicht GmbH", "Bäckerei Hübner", "Kanzlei Vogt & Köhler", "Gasthof Zur Linde"),
    "fr": ("Café Lumière", "Atelier Rousseau", "Hôtel du Parc", "Cabinet Lefèvre SARL"),
    "es": ("Hotel Miramar S.L.", "Librería Ortega", "Clínica Ibáñez", "Estudio Zúñiga"),
    "it": ("Studio Pergola", "Trattoria Da Nino", "Bianchi Arredi S.r.l.", "Albergo Aurora"),
    "pl": ("Kawiarnia Pod Lipą", "Jabłoński Sp. z o.o.", "Pensjonat Bursztyn", "Studio Żak"),
    "ja": ("株式会社青空", "喫茶みなと", "高橋工務店", "旅館松風"),
    "zh": ("青山茶馆", "陈氏家居有限公司", "海湾酒店", "晨光书店"),
}

FOREIGN: Final[Mapping[str, Sequence[str]]] = {
    "de": (
        "Wolldecken",
        "Schreibtischlampen",
        "Eichenstühle",
        "Notizbücher A5",
        "Gartenschläuche 25 m",
        "Kissenbezüge aus Seide",
        "LED-Lampen 8,5 W",
        "Gusseisenpfannen 26 cm",
        "Vogelhäuschen aus Zedernholz",
    ),
    "fr": (
        "couvertures en laine",
        "cafetières à piston",
        "lampes de bureau",
        "chaises en chêne",
        "carnets A5",
        "rallonges 2,5 m",
        "taies d'oreiller en soie",
        "lampes LED 8,5 W",
        "tapis ronds en jute",
    ),
    "es": (
        "mantas de lana",
        "lámparas de escritorio",
        "sillas de roble",
        "cuadernos A5",
        "mangueras de jardín de 25 m",
        "fundas de almohada de seda",
        "bombillas de 8,5 W",
        "ollas de 4,5 l",
    ),
    "it": (
        "coperte di lana",
        "lampade da scrivania",
        "sedie in rovere",
        "quaderni A5",
        "tubi da giardino da 25 m",
        "federe di seta",
        "lampadine da 8,5 W",
        "pentole da 4,5 l",
    ),
    "pl": (
        "koc wełniany",
        "lampka biurkowa",
        "krzesło dębowe",
        "notes A5 w kropki",
        "wąż ogrodowy 25 m",
        "poszewka jedwabna",
        "żarówka 8,5 W",
        "garnek żeliwny 4,5 l",
    ),
    "ja": (
        "ウールブランケット",
        "デスクランプ",
        "オーク材の椅子",
        "ドット方眼ノート",
        "シルクの枕カバー",
        "鋳鉄フライパン",
        "モーションセンサーライト",
        "丸い壁掛けミラー",
    ),
    "zh": (
        "羊毛毯",
        "台灯",
        "橡木椅",
        "点阵笔记本",
        "真丝枕套",
        "铸铁锅",
        "感应夜灯",
        "圆形挂镜",
    ),
}
"""Products in the languages of the multilingual texts, in the form that stands behind a number."""


# Told here once more: texts that were written from the parser's own table could not show it wrong.
_DIGITS: Final = dict(enumerate("零一二三四五六七八九"))
_SCALES: Final = ((1000, "千"), (100, "百"), (10, "十"))
_THOUSANDS: Final = {"en": ",", "de": ".", "es": ".", "it": ".", "fr": "\u202f", "pl": "\u00a0"}
_CJK: Final = frozenset({"ja", "zh"})


def written(rng: random.Random, number: int, language: str) -> str:
    """`number` (1..9999) in digits, or in the numerals of Japanese and Chinese."""
    if language in _CJK:
        style = rng.randrange(3)
        if style == 0:
            return cjk(number, ones=language == "zh")
        return _wide(str(number)) if style == 1 else str(number)
    if number >= 1000 and rng.random() < 0.7:
        return f"{number // 1000}{_THOUSANDS[language]}{number % 1000:03}"
    return str(number)


def cjk(number: int, *, ones: bool) -> str:
    """`number` (1..9999) in CJK numerals.

    Args:
        number: what to write.
        ones: as in Chinese, where a hundred is `一百` and a gap in the places takes `零`; else as
            in Japanese, where it is `百`.
    """
    text, rest, gap = "", number, False
    for scale, sign in _SCALES:
        digit, rest = divmod(rest, scale)
        if digit:
            bare = digit == 1 and (not ones or (scale == 10 and not text))
            text += ("零" if gap and ones else "") + ("" if bare else _DIGITS[digit]) + sign
            gap = False
        elif text:
            gap = True
    if rest:
        text += ("零" if gap and ones else "") + _DIGITS[rest]
    return text


def _wide(digits: str) -> str:
    return "".join(chr(ord(digit) + 0xFEE0) for digit in digits)


_MONTHS: Final[Sequence[str]] = (
    *("January", "February", "March", "April", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_WEEKDAYS: Final[Sequence[str]] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_STREETS: Final[Sequence[str]] = (
    *("Mill Lane", "Harbour Street", "Old Station Road", "Linden Avenue", "Church Row"),
    *("Canal Walk", "Rue des Tanneurs", "Gartenstraße", "Via Garibaldi"),
)
_GREETINGS: Final[Sequence[str]] = (
    *("Hello,", "Hi,", "Hi there,", "Good morning,", "Good afternoon,", "Dear team,"),
    *("Dear Sir or Madam,", "Dear all,", "Hello everyone,"),
)
_CLOSINGS: Final[Sequence[str]] = (
    *("Kind regards,", "Best wishes,", "Many thanks,", "Thanks in advance,", "Best,"),
    *("Yours sincerely,", "Warm regards,", "Have a nice day,"),
)
_DECIMAL_COMMA: Final = frozenset({"de", "fr", "es", "it", "pl"})


def decoys(rng: random.Random, *, count: int, customer: str, language: str) -> Mapping[str, str]:
    """Fillings for the places that state nothing; none of them is the count or the customer."""
    small = rng.sample([n for n in range(11, 99) if n != count], 3)
    earlier = rng.choice([n for n in (3, 4, 5, 7, 9, 10, *range(12, 61)) if n != count])
    others = [person_name(rng).name for _ in range(4)]
    cents = rng.choice(("00", "50", "90", "95"))
    return {
        "n1": str(small[0]),
        "n2": str(small[1]),
        "n3": str(small[2]),
        "n4": str(rng.randint(4001, 9999)),
        "n4b": str(rng.randint(4001, 9999)),
        "n6": str(rng.randint(100_000, 999_999)),
        "earlier": str(earlier),
        "price": f"{rng.randint(4, 240)}{',' if language in _DECIMAL_COMMA else '.'}{cents}",
        "yen": f"{rng.randint(2, 30)},{rng.choice(('480', '800', '980'))}",
        "phone": f"+44 20 7946 0{rng.randint(100, 999)}",
        "day": str(rng.randint(2, 28)),
        "date": f"{rng.randint(2, 28)} {rng.choice(_MONTHS)}",
        "month": rng.choice(_MONTHS),
        "weekday": rng.choice(_WEEKDAYS),
        "time": f"{rng.randint(8, 18)}:{rng.choice(('00', '15', '30', '45'))}",
        "street": f"{rng.randint(101, 199)} {rng.choice(_STREETS)}",
        "other_person": next((name for name in others if name != customer), "Tom Delaney"),
        "hi": rng.choice(_GREETINGS),
        "bye": rng.choice(_CLOSINGS),
    }
