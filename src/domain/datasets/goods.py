"""The shop's products as people say them, and companies that buy them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from domain.samples.catalogue import Product

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
