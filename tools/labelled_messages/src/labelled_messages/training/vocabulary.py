"""Names, firms and goods of the training texts; none of them is one of the set's or the shop's."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class _Names(NamedTuple):
    given: Sequence[str]
    family: Sequence[str]
    family_first: str | None = None  # what stands between, where the family name comes first


def _names(given: str, family: str, family_first: str | None = None) -> _Names:
    return _Names(given.split(), family.split(), family_first)


_NAMES: Final[Mapping[str, _Names]] = {
    "en": _names(
        "James Emma Noah Charlotte Liam Amelia Henry Alice Jack Sophie George Lily Edward"
        " Holly Peter"
        " Rachel Simon Claire Dylan Megan Callum Bethany Rhys Siobhan Eoin Tamsin Wes Brooke Tyler"
        " Kayla Dev Anjali Kofi Abena Farah Bilal Wanjiru Thabo Mei Hiro Ewa Ivan Olga Petra Lars",
        "Smith Jones Taylor Brown Walker Wright Hughes Green Carter Mitchell Turner Collins Parker"
        " Bennett Murphy Kelly O'Neill McCarthy Stewart Campbell Fisher Barnes Chapman Lowe Shaw"
        " Hudson Payne Doyle Bishop Frost Kapoor Desai Osei Boateng Kamau Dlamini Rahman"
        " Qureshi Ito"
        " Larsen Novak Petrov Lindgren Van_Dyke Saint-Clair",
    ),
    "de": _names(
        "Hans Sabine Klaus Petra Stefan Ursula Tobias Annika Florian Greta Moritz Lena Jörg Birgit"
        " Sven Wiebke Rüdiger Gisela Till Katrin",
        "Schmidt Fischer Weber Wagner Becker Schulz Hoffmann Koch Richter Klein Wolf"
        " Neumann Schwarz"
        " Krüger Hartmann Böhm Lange Winkler Graf Seidel Jäger von_Hagen",
    ),
    "fr": _names(
        "Pierre Camille Julien Manon Antoine Léa Nicolas Sylvie Guillaume Océane Étienne Margaux"
        " Bastien Aurélie Yves Solène Jean-Luc Anne-Marie",
        "Martin Bernard Petit Durand Leroy Simon Laurent Michel Garnier Faure Girard Mercier Blanc"
        " Guérin Perrin Barbier Renaud Lemoine de_Villiers",
    ),
    "es": _names(
        "Carlos María Javier Carmen Miguel Pilar Álvaro Rocío Diego Elena Pablo Teresa Hugo Marta"
        " Jorge Nuria Iker Consuelo",
        "Fernández López Sánchez Gómez Díaz Moreno Álvarez Romero Navarro Torres Domínguez Vázquez"
        " Serrano Molina Delgado Herrera Campos",
    ),
    "it": _names(
        "Marco Francesca Luca Valentina Andrea Federica Paolo Silvia Giorgio Martina Enrico Serena"
        " Stefano Alessia Bruno Rosa",
        "Rossi Russo Ferrari Romano Colombo Ricci Marino Greco Conti Costa Giordano Mancini"
        " Lombardi"
        " Barbieri Fontana Santoro De_Santis",
    ),
    "pl": _names(
        "Piotr Hanna Krzysztof Katarzyna Tomasz Joanna Marcin Magdalena Wojciech Beata"
        " Grzegorz Aleksandra"
        " Jakub Urszula Stanisław Dorota",
        "Nowak Wójcik Kamiński Lewandowska Zieliński Szymańska Woźniak Kozłowska Mazur Krawczyk"
        " Piotrowski Grabowska Pawlak Michalska Górski",
    ),
    "ja": _names(
        "翔太 葵 拓也 さくら 直樹 由美 和也 恵子 悠斗 真理子 亮 千夏",
        "田中 伊藤 山本 中村 小林 加藤 吉田 山田 松本 井上 木村 林",
        " ",
    ),
    "zh": _names(
        "敏 静 强 磊 洋 艳 勇 杰 娟 涛 明 超 晓明 雨欣 建国 文博",
        "赵 黄 周 吴 徐 孙 胡 朱 高 何 郭 马",
        "",
    ),
}
_FIRM_WORDS: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "en": (
        (
            *(
                "Bluebird",
                "Northgate",
                "Silver Oak",
                "Maple Leaf",
                "Red Brick",
                "Oakfield",
                "Pioneer",
            ),
            *(
                "Sunnyside",
                "Castle Hill",
                "Brightwater",
                "Fox & Hare",
                "Elmwood",
                "Corner",
                "Summit",
            ),
            *("Lakeview", "Old Mill", "Harlow", "Ironbridge", "Meadow", "Quayside", "Two Rivers"),
        ),
        (
            *("Café", "Ltd", "Nursery", "Guest House", "Inc.", "Dental", "Architects", "Catering"),
            *("Gym", "Veterinary Clinic", "Brewery", "& Co", "Florists", "Events", "Consulting"),
            *("Primary", "Hair Salon", "LLC", "Community Centre", "Motors", "Design Studio", "B&B"),
        ),
    ),
    "de": (
        ("Sonnenhof", "Rheinblick", "Adler", "Fischer", "Weber", "Waldeck", "Hansa", "Alpenrose"),
        ("GmbH", "AG", "KG", "Café", "Apotheke", "Catering", "& Söhne", "e.K.", "Tischlerei"),
    ),
    "fr": (
        ("Maison Petit", "Le Vieux Port", "Bernard", "Les Tilleuls", "Garnier", "La Rotonde"),
        ("SARL", "SAS", "& Fils", "Traiteur", "Boulangerie", "Conseil", "Restaurant"),
    ),
    "es": (
        ("El Olivo", "Casa Torres", "Moreno", "La Plaza", "Costa Azul", "Navarro", "San Telmo"),
        ("S.A.", "S.L.", "Hermanos", "Restaurante", "Eventos", "Papelería", "Hostal"),
    ),
    "it": (
        ("Il Cortile", "Rossi", "La Pineta", "Colombo", "Fontana", "Belvedere", "San Marco"),
        ("S.p.A.", "S.n.c.", "& Figli", "Ristorante", "Farmacia", "Eventi", "Pasticceria"),
    ),
    "pl": (
        ("Zielona", "Nowak", "Karczma", "Wisła", "Mazur", "Stary Młyn", "Baltic"),
        ("S.A.", "sp. j.", "Catering", "Apteka", "Usługi", "Restauracja", "Hotel"),
    ),
    "ja": (
        ("さくら", "東山", "ひかり", "北斗", "みどり", "海風"),
        ("商店", "株式会社", "食堂", "歯科", "デザイン", "ホテル"),
    ),
    "zh": (
        ("红叶", "东方", "蓝天", "金桥", "绿洲", "长城"),
        ("餐厅", "有限公司", "超市", "酒楼", "设计", "诊所"),
    ),
}


def person(rng: random.Random, language: str) -> str:
    """A name as its bearer signs: in full, or short."""
    names = _NAMES[language]
    given, family = (rng.choice(part).replace("_", " ") for part in (names.given, names.family))
    if names.family_first is not None:
        return f"{family}{names.family_first}{given}"
    style = rng.random()
    if style < 0.72:
        return f"{given} {family}"
    if style < 0.84:
        return given
    if style < 0.9:
        return f"{given[0]}. {family}"
    if style < 0.95:
        return f"{given} {family}".lower()
    return f"{given} {rng.choice(names.family).replace('_', ' ')}-{family}"


def firm(rng: random.Random, language: str) -> str:
    """The name of a company."""
    first, second = (rng.choice(words) for words in _FIRM_WORDS[language])
    if language in {"ja", "zh"}:
        return f"{first}{second}"
    return f"{first} {second}" if rng.random() < 0.85 else f"{second} {first}"


_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        *("blue", "large", "small", "white", "stainless steel", "recycled", "ceramic", "black"),
        *("leather", "canvas", "heavy-duty", "insulated", "bamboo", "plastic", "striped", "matte"),
        *("children's", "copper", "transparent", "double-sided", "woollen", "antique", "spare"),
        *("red", "olive", "stackable", "extra long", "A4", "glass", "tall", "rubber", "velvet"),
    ),
    "de": ("", "blaue", "große", "kleine", "weiße", "schwarze", "stapelbare", "runde"),
    "fr": ("", "petites", "grandes", "jolies"),
    "es": ("", "pequeñas", "grandes"),
    "it": ("", "piccole", "grandi"),
    "pl": ("", "duży", "mały", "niebieski"),
    "ja": ("", "白い", "大きい", "青い", "木製の"),
    "zh": ("", "白色", "大号", "蓝色", "不锈钢"),
}
_GOODS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        *("mug", "plate", "teapot", "apron", "clipboard", "stapler", "vase", "curtain", "bucket"),
        *("broom", "hammer", "screwdriver", "backpack", "umbrella", "bath towel", "bathrobe"),
        *("doormat", "coat hanger", "wine glass", "corkscrew", "thermos flask", "cutting board"),
        *("salad bowl", "tea towel", "oven glove", "whisk", "rolling pin", "webcam", "headset"),
        *("charging cable", "power strip", "printer cartridge", "label maker", "whiteboard"),
        *("marker", "ring binder", "desk pad", "filing tray", "wall clock", "picture frame"),
        *("plant pot", "watering can", "rake", "shovel", "wheelbarrow", "tool box", "paint roller"),
        *("paint tin", "door handle", "smoke alarm", "fire extinguisher", "first aid kit", "tent"),
        *("sleeping bag", "camping stove", "yoga mat", "dumbbell", "football", "skipping rope"),
        *(
            "cushion",
            "side table",
            "wardrobe",
            "headboard",
            "coat rack",
            "laundry basket",
            "napkin",
        ),
        *(
            "serving tray",
            "cake stand",
            "jam jar",
            "coffee grinder",
            "egg timer",
            "trivet",
            "torch",
        ),
        *("battery", "extension lead", "monitor arm", "tablet case", "phone charger", "envelope"),
        *("roll of tape", "box of screws", "pack of napkins", "bag of compost", "bottle of soap"),
        *("ream of paper", "set of coasters", "tin of varnish", "crate of apples", "gift card"),
    ),
    "de": (
        *("Tassen", "Teller", "Handtücher", "Schürzen", "Regenschirme", "Rucksäcke", "Ordner"),
        *("Vasen", "Eimer", "Besen", "Kerzen", "Weingläser", "Fußmatten", "Bilderrahmen"),
        *("Taschenlampen", "Schraubendreher", "Blumentöpfe", "Tischdecken", "Bürostühle"),
    ),
    "fr": (
        *("tasses", "assiettes", "serviettes de bain", "parapluies", "sacs à dos", "classeurs"),
        *("vases", "seaux", "balais", "bougies", "verres à vin", "paillassons", "nappes"),
        *("horloges", "tabliers", "pots de fleurs", "tabourets"),
    ),
    "es": (
        *("tazas", "platos", "toallas", "paraguas", "mochilas", "carpetas", "jarrones", "cubos"),
        *("escobas", "velas", "copas de vino", "felpudos", "manteles", "relojes", "delantales"),
        *("macetas", "taburetes"),
    ),
    "it": (
        *("tazze", "piatti", "asciugamani", "ombrelli", "zaini", "raccoglitori", "vasi", "secchi"),
        *("scope", "candele", "calici da vino", "zerbini", "tovaglie", "orologi", "grembiuli"),
        *("sgabelli", "cornici"),
    ),
    "pl": (
        *("kubek", "talerz", "ręcznik", "parasol", "plecak", "segregator", "wazon", "wiadro"),
        *("miotła", "świeca", "kieliszek do wina", "wycieraczka", "obrus", "zegar ścienny"),
        *("fartuch", "doniczka", "taboret"),
    ),
    "ja": (
        *("マグカップ", "皿", "タオル", "傘", "リュック", "ファイル", "花瓶", "バケツ", "ほうき"),
        *("ろうそく", "ワイングラス", "玄関マット", "テーブルクロス", "掛け時計", "エプロン"),
        "植木鉢",
    ),
    "zh": (
        *("杯子", "盘子", "毛巾", "雨伞", "背包", "文件夹", "花瓶", "水桶", "扫帚", "蜡烛"),
        *("红酒杯", "地垫", "桌布", "挂钟", "围裙", "花盆"),
    ),
}
_SIZES: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        *(
            "30 cm",
            "1.5 l",
            "2 m",
            "XL",
            "size M",
            "no. 4",
            "12 V",
            "500 ml",
            "40x60",
            "A3",
            "3 kg",
        ),
        *("Mk II", "T20", "with lid", "for indoors", "6-pack", "24 inch", "type B", "0.75 l"),
    ),
    "de": ("30 cm", "1,5 l", "2 m", "aus Holz", "mit Deckel", "A4", "Gr. M"),
    "fr": ("30 cm", "1,5 l", "en bois", "avec couvercle", "A4", "bleus"),
    "es": ("30 cm", "1,5 l", "de madera", "con tapa", "A4"),
    "it": ("30 cm", "1,5 l", "in legno", "con coperchio", "A4"),
    "pl": ("30 cm", "1,5 l", "z drewna", "z pokrywką", "A4"),
    "ja": ("30cm", "1.5L", "A4", "Lサイズ"),
    "zh": ("30厘米", "1.5升", "A4", "L号"),
}
_COLOURS: Final = ("sand", "navy", "off-white", "natural", "anthracite", "rose", "teal", "set of 4")


class Good(NamedTuple):
    """A product in words: as it is ordered, and as somebody says it again."""

    text: str
    again: str


def good(rng: random.Random, language: str, count: int | None) -> Good:
    """Something to buy, `count` of it (None: some)."""
    thing, kind = rng.choice(_GOODS[language]), rng.choice(_KINDS[language])
    style = rng.random()
    if language != "en":
        words = [
            kind if style < 0.4 else "",
            thing,
            rng.choice(_SIZES[language]) if style > 0.7 else "",
        ]
        between = "" if language in {"ja", "zh"} else " "
        text = between.join(word for word in words if word)
        return Good(text, thing)
    several = count != 1 and (style < 0.65 or rng.random() < 0.2)
    noun = plural(thing) if several else thing
    if style < 0.2:
        text = noun
    elif style < 0.65:
        text = f"{kind} {noun}"
    elif style < 0.8:
        text = f"{noun} {rng.choice(_SIZES['en'])}"
    elif style < 0.9:
        text = f"{kind} {noun} {rng.choice(_SIZES['en'])}"
    else:
        text = f"{noun}, {rng.choice(_COLOURS)}"
    if style >= 0.65 and rng.random() < 0.7:
        text = text[0].upper() + text[1:] if rng.random() < 0.3 else _title(text)
    return Good(text, plural(thing))


def _title(text: str) -> str:
    return " ".join(word[0].upper() + word[1:] for word in text.split(" "))


def plural(thing: str) -> str:
    """Of the first noun: rolls of tape, mugs."""
    head, of, rest = thing.partition(" of ")
    if head.endswith(("s", "x", "ch", "sh")):
        head += "es"
    elif head.endswith("y") and head[-2] not in "aeiou":
        head = f"{head[:-1]}ies"
    else:
        head += "s"
    return f"{head}{of}{rest}"


def goods() -> list[str]:
    """Every thing on the lists, in all languages."""
    return [thing for things in _GOODS.values() for thing in things]


def names() -> list[str]:
    """Every given and family name, in all languages."""
    return [
        name.replace("_", " ")
        for listed in _NAMES.values()
        for name in (*listed.given, *listed.family)
    ]


def firms() -> list[str]:
    """Every firm that can be made."""
    return [
        f"{first}{'' if language in {'ja', 'zh'} else ' '}{second}"
        for language, (firsts, seconds) in _FIRM_WORDS.items()
        for first in firsts
        for second in seconds
    ]
