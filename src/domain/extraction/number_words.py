"""The number words and month names of the languages that customers of a shop write in.

Plain data: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish; Chinese, Japanese
and Korean. The one list of the project: whatever reads or writes numbers takes its words from here.
"""

# ruff: noqa: RUF001 - numerals that look like other characters
from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Language:
    """How a language makes numbers of words. Words are casefolded, with and without accents.

    Attributes:
        added: words that are added to what stands before: units, teens, tens, whole hundreds where
            they are words of their own.
        times: words that multiply what stands before: hundred, dozen, thousand.
        counted: those of `times` that say no number alone ("dozens of people").
        half: words for a half.
        half_joint: the words between a number and a half behind it ("two and a half").
        joint: the word between the parts of a number ("and"); empty where there is none.
        joint_after: sizes of the part before it, by what may still be added: 1000 after a thousand,
            100 after a hundred, 10 after a ten.
        joint_before: the parts that may follow it; all when empty.
        articles: words that are a one before `times` and before `half` only ("a dozen").
        glued: numbers are written as one word.
        units_follow: tens may be followed by a unit.
        twenties: sixty and eighty may be followed by up to nineteen, and eighty is four twenties.
        homonyms: words that mean another thing elsewhere. They count in texts with a word of
            `common`, and in those without such a word of another language.
        common: words that hardly a text in this language lacks, and hardly another has.
    """

    added: Mapping[str, int | Fraction]
    times: Mapping[str, int]
    counted: frozenset[str] = frozenset()
    half: frozenset[str] = frozenset()
    half_joint: tuple[str, ...] = ()
    joint: str = ""
    joint_after: frozenset[int] = frozenset()
    joint_before: frozenset[int] = frozenset()
    articles: frozenset[str] = frozenset()
    glued: bool = False
    units_follow: bool = True
    twenties: bool = False
    homonyms: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()


def spellings(words: Iterable[str]) -> list[str]:
    """`words` casefolded, each without its accents too, and with the German way round them."""
    found: dict[str, None] = {}
    for word in words:
        plain = word.casefold()
        german = plain.replace("ü", "ue").replace("ö", "oe")
        bare = unicodedata.normalize("NFD", plain.replace("ł", "l"))
        bare = "".join(c for c in bare if not unicodedata.combining(c))
        found.update(dict.fromkeys((plain, german, bare)))
    return list(found)


def _words(text: str) -> frozenset[str]:
    return frozenset(spellings(text.split()))


def _added(table: Mapping[int | Fraction, str]) -> dict[str, int | Fraction]:
    return {word: value for value, text in table.items() for word in spellings(text.split())}


def _times(table: Mapping[int, str]) -> dict[str, int]:
    return {word: value for value, text in table.items() for word in spellings(text.split())}


ENGLISH: Final = Language(
    added=_added(
        {
            0: "zero",
            1: "one",
            2: "two couple pair",
            3: "three",
            4: "four",
            5: "five",
            6: "six",
            7: "seven",
            8: "eight",
            9: "nine",
            10: "ten",
            11: "eleven",
            12: "twelve",
            13: "thirteen",
            14: "fourteen",
            15: "fifteen",
            16: "sixteen",
            17: "seventeen",
            18: "eighteen",
            19: "nineteen",
            20: "twenty",
            30: "thirty",
            40: "forty fourty",
            50: "fifty",
            60: "sixty",
            70: "seventy",
            80: "eighty",
            90: "ninety",
        }
    ),
    times=_times(
        {
            12: "dozen dozens",
            20: "score scores",
            100: "hundred hundreds",
            1000: "thousand thousands",
            10**6: "million millions mln",
            10**9: "billion billions",
        }
    ),
    counted=_words("dozens score scores hundreds thousands millions mln billions"),
    half=_words("half"),
    half_joint=("and", "a"),
    joint="and",
    joint_after=frozenset({100, 1000}),
    articles=_words("a an"),
    common=_words(
        "the and please you of for we is need with this that are our have would thanks i'd"
    ),
)

_DUTCH_UNITS: Final = {
    1: "een",
    2: "twee",
    3: "drie",
    4: "vier",
    5: "vijf",
    6: "zes",
    7: "zeven",
    8: "acht",
    9: "negen",
}
_GERMAN_UNITS: Final = {
    1: "ein",
    2: "zwei",
    3: "drei",
    4: "vier",
    5: "fünf",
    6: "sechs",
    7: "sieben",
    8: "acht",
    9: "neun",
}
_GERMAN_TENS: Final = {
    20: "zwanzig",
    30: "dreißig",
    40: "vierzig",
    50: "fünfzig",
    60: "sechzig",
    70: "siebzig",
    80: "achtzig",
    90: "neunzig",
}
_DUTCH_TENS: Final = {
    20: "twintig",
    30: "dertig",
    40: "veertig",
    50: "vijftig",
    60: "zestig",
    70: "zeventig",
    80: "tachtig",
    90: "negentig",
}


def _units_first(
    units: Mapping[int, str], tens: Mapping[int, str], joint: str
) -> dict[int | Fraction, str]:
    """`fünfundzwanzig`, `vijfentwintig`."""
    return {
        ten + unit: f"{unit_word}{joint}{ten_word}"
        for ten, ten_word in tens.items()
        for unit, unit_word in units.items()
    }


_GERMAN: Final = Language(
    added=_added(_units_first(_GERMAN_UNITS, _GERMAN_TENS, "und"))
    | _added(_GERMAN_TENS)  # type: ignore[arg-type]  # whole numbers are fractions
    | _added(_GERMAN_UNITS)  # type: ignore[arg-type]
    | _added(
        {
            0: "null",
            1: "eins eine einen einem einer eines",
            Fraction(3, 2): "anderthalb eineinhalb einundeinhalb",
            2: "zwo paar",
            Fraction(5, 2): "zweieinhalb",
            Fraction(7, 2): "dreieinhalb",
            10: "zehn",
            11: "elf",
            12: "zwölf",
            13: "dreizehn",
            14: "vierzehn",
            15: "fünfzehn",
            16: "sechzehn",
            17: "siebzehn",
            18: "achtzehn",
            19: "neunzehn",
        }
    ),
    times=_times(
        {
            12: "dutzend dutzende",
            100: "hundert hunderte",
            1000: "tausend tausende tsd",
            10**6: "million millionen mio",
            10**9: "milliarde milliarden mrd",
        }
    ),
    counted=_words("dutzende hunderte tausende tsd millionen mio milliarden mrd"),
    half=_words("halb halbe halber halbes halben"),
    half_joint=("und", "ein"),
    joint="und",
    joint_after=frozenset({100, 1000}),
    glued=True,
    units_follow=False,
    homonyms=_words("elf null"),
    common=_words("und der die das bitte wir ich für ist mit brauche brauchen vielen danke hallo"),
)
_DUTCH: Final = Language(
    added=_added(_units_first(_DUTCH_UNITS, _DUTCH_TENS, "en"))
    | _added({ten + 2: f"tweeën{word}" for ten, word in _DUTCH_TENS.items()})
    | _added({ten + 3: f"drieën{word}" for ten, word in _DUTCH_TENS.items()})
    | _added(_DUTCH_TENS)  # type: ignore[arg-type]
    | _added(_DUTCH_UNITS)  # type: ignore[arg-type]
    | _added(
        {
            0: "nul",
            1: "één",
            Fraction(3, 2): "anderhalf anderhalve",
            2: "paar",
            Fraction(5, 2): "tweeënhalf tweeënhalve",
            10: "tien",
            11: "elf",
            12: "twaalf",
            13: "dertien",
            14: "veertien",
            15: "vijftien",
            16: "zestien",
            17: "zeventien",
            18: "achttien",
            19: "negentien",
        }
    ),
    times=_times(
        {
            12: "dozijn dozijnen",
            100: "honderd honderden",
            1000: "duizend duizenden",
            10**6: "miljoen miljoenen mln",
            10**9: "miljard mld",
        }
    ),
    counted=_words("dozijnen honderden duizenden miljoenen mln mld"),
    half=_words("half halve"),
    half_joint=("en", "een"),
    joint="en",
    joint_after=frozenset({100, 1000}),
    glued=True,
    units_follow=False,
    homonyms=_words("elf"),
    common=_words("het wij graag voor van ik een wilt u alstublieft bedankt"),
)

_ITALIAN_TENS: Final = {
    20: "venti",
    30: "trenta",
    40: "quaranta",
    50: "cinquanta",
    60: "sessanta",
    70: "settanta",
    80: "ottanta",
    90: "novanta",
}
_ITALIAN_UNITS: Final = {
    1: "uno",
    2: "due",
    3: "tre",
    4: "quattro",
    5: "cinque",
    6: "sei",
    7: "sette",
    8: "otto",
    9: "nove",
}
# 21 to 99 are one word, which leaves a vowel out before another: ventuno, trentadue.
_ITALIAN: Final = Language(
    added=_added(
        {
            ten + unit: (tens[:-1] if word[0] in "uo" else tens) + word
            for ten, tens in _ITALIAN_TENS.items()
            for unit, word in _ITALIAN_UNITS.items()
        }
    )
    | _added({ten + 1: f"{tens[:-1]}un" for ten, tens in _ITALIAN_TENS.items()})
    | _added({ten + 3: f"{tens}tré" for ten, tens in _ITALIAN_TENS.items()})
    | _added(_ITALIAN_TENS)  # type: ignore[arg-type]
    | _added(_ITALIAN_UNITS)  # type: ignore[arg-type]
    | _added(
        {
            0: "zero",
            1: "un una",
            2: "paio",
            3: "tré",
            10: "dieci",
            11: "undici",
            12: "dodici",
            13: "tredici",
            14: "quattordici",
            15: "quindici",
            16: "sedici",
            17: "diciassette",
            18: "diciotto",
            19: "diciannove",
        }
    ),
    times=_times(
        {
            10: "decina decine",
            12: "dozzina dozzine",
            # Before otto and ottanta the hundred loses its vowel: centotto.
            100: "cento cent centinaio centinaia",
            1000: "mille mila migliaia",
            10**6: "milione milioni mln",
            10**9: "miliardo miliardi mld",
        }
    ),
    counted=_words("decine dozzine cent centinaia mila migliaia milioni mln miliardi mld"),
    half=_words("mezzo mezza"),
    half_joint=("e",),
    joint="e",
    joint_after=frozenset({100, 1000}),
    glued=True,
    units_follow=False,
    homonyms=_words("due sei mezzo mezza cent"),
    common=_words(
        "il gli per vorrei grazie di che buongiorno ciao sono servono della con ordinare"
    ),
)

_FRENCH: Final = Language(
    added=_added(
        {
            0: "zéro",
            1: "un une",
            2: "deux paire",
            3: "trois",
            4: "quatre",
            5: "cinq",
            6: "six",
            7: "sept",
            8: "huit",
            9: "neuf",
            10: "dix",
            11: "onze",
            12: "douze",
            13: "treize",
            14: "quatorze",
            15: "quinze",
            16: "seize",
            20: "vingt vingts",
            30: "trente",
            40: "quarante",
            50: "cinquante",
            60: "soixante",
            70: "septante",
            80: "huitante octante",
            90: "nonante",
        }
    ),
    times=_times(
        {
            10: "dizaine dizaines",
            12: "douzaine douzaines",
            15: "quinzaine",
            20: "vingtaine",
            30: "trentaine",
            40: "quarantaine",
            50: "cinquantaine",
            60: "soixantaine",
            100: "cent cents centaine centaines",
            1000: "mille mil millier milliers",
            10**6: "million millions mio",
            10**9: "milliard milliards mrd",
        }
    ),
    counted=_words("dizaines douzaines cents centaines milliers millions mio milliards mrd"),
    half=_words("demi demie"),
    half_joint=("et",),
    joint="et",
    joint_after=frozenset({10, 20, 1000}),
    joint_before=frozenset({1, 11}),
    twenties=True,
    homonyms=_words("seize cent cents onze"),
    common=_words(
        "le les nous vous et pour je est des merci bonjour avec il du au commande voudrais"
    ),
)

_SPANISH: Final = Language(
    added=_added(
        {
            0: "cero",
            1: "uno un una",
            2: "dos par",
            3: "tres",
            4: "cuatro",
            5: "cinco",
            6: "seis",
            7: "siete",
            8: "ocho",
            9: "nueve",
            10: "diez",
            11: "once",
            12: "doce",
            13: "trece",
            14: "catorce",
            15: "quince",
            16: "dieciséis",
            17: "diecisiete",
            18: "dieciocho",
            19: "diecinueve",
            20: "veinte",
            21: "veintiuno veintiún veintiuna",
            22: "veintidós",
            23: "veintitrés",
            24: "veinticuatro",
            25: "veinticinco",
            26: "veintiséis",
            27: "veintisiete",
            28: "veintiocho",
            29: "veintinueve",
            30: "treinta",
            40: "cuarenta",
            50: "cincuenta",
            60: "sesenta",
            70: "setenta",
            80: "ochenta",
            90: "noventa",
            100: "cien ciento",
            200: "doscientos doscientas",
            300: "trescientos trescientas",
            400: "cuatrocientos cuatrocientas",
            500: "quinientos quinientas",
            600: "seiscientos seiscientas",
            700: "setecientos setecientas",
            800: "ochocientos ochocientas",
            900: "novecientos novecientas",
        }
    ),
    times=_times(
        {
            10: "decena decenas",
            12: "docena docenas",
            100: "centenar centenares",
            1000: "mil millar millares miles",
            10**6: "millón millones",
        }
    ),
    counted=_words("decenas docenas centenares miles millares millones"),
    half=_words("medio media"),
    half_joint=("y",),
    joint="y",
    joint_after=frozenset({10}),
    homonyms=_words("once dos quince media medio par"),
    common=_words(
        "el los las por y para con necesito necesitamos gracias hola quiero del quisiera queremos"
    ),
)

_PORTUGUESE: Final = Language(
    added=_added(
        {
            0: "zero",
            1: "um uma",
            2: "dois duas",
            3: "três",
            4: "quatro",
            5: "cinco",
            6: "seis",
            7: "sete",
            8: "oito",
            9: "nove",
            10: "dez",
            11: "onze",
            12: "doze",
            13: "treze",
            14: "catorze quatorze",
            15: "quinze",
            16: "dezesseis dezasseis",
            17: "dezessete dezassete",
            18: "dezoito",
            19: "dezenove dezanove",
            20: "vinte",
            30: "trinta",
            40: "quarenta",
            50: "cinquenta cinqüenta",
            60: "sessenta",
            70: "setenta",
            80: "oitenta",
            90: "noventa",
            100: "cem cento",
            200: "duzentos duzentas",
            300: "trezentos trezentas",
            400: "quatrocentos quatrocentas",
            500: "quinhentos quinhentas",
            600: "seiscentos seiscentas",
            700: "setecentos setecentas",
            800: "oitocentos oitocentas",
            900: "novecentos novecentas",
        }
    ),
    times=_times(
        {
            10: "dezena dezenas",
            12: "dúzia dúzias",
            100: "centena centenas",
            1000: "mil milhar milhares",
            10**6: "milhão milhões",
        }
    ),
    counted=_words("dezenas dúzias centenas milhares milhões"),
    half=_words("meio meia"),
    half_joint=("e",),
    joint="e",
    joint_after=frozenset({10, 100, 1000}),
    homonyms=_words("um doze onze meia"),
    common=_words(
        "uma para com obrigado obrigada preciso precisamos olá quero não são os favor gostaria"
    ),
)

_POLISH: Final = Language(
    added=_added(
        {
            0: "zero",
            1: "jeden jedna jedno jedną jednego",
            Fraction(3, 2): "półtora półtorej",
            2: "dwa dwie dwóch para",
            3: "trzy trzech",
            4: "cztery czterech",
            5: "pięć pięciu",
            6: "sześć sześciu",
            7: "siedem siedmiu",
            8: "osiem ośmiu",
            9: "dziewięć dziewięciu",
            10: "dziesięć dziesięciu",
            11: "jedenaście jedenastu",
            12: "dwanaście dwunastu",
            13: "trzynaście trzynastu",
            14: "czternaście czternastu",
            15: "piętnaście piętnastu",
            16: "szesnaście szesnastu",
            17: "siedemnaście siedemnastu",
            18: "osiemnaście osiemnastu",
            19: "dziewiętnaście dziewiętnastu",
            20: "dwadzieścia dwudziestu",
            30: "trzydzieści trzydziestu",
            40: "czterdzieści czterdziestu",
            50: "pięćdziesiąt pięćdziesięciu",
            60: "sześćdziesiąt sześćdziesięciu",
            70: "siedemdziesiąt siedemdziesięciu",
            80: "osiemdziesiąt osiemdziesięciu",
            90: "dziewięćdziesiąt dziewięćdziesięciu",
            100: "sto stu",
            200: "dwieście dwustu",
            300: "trzysta trzystu",
            400: "czterysta czterystu",
            500: "pięćset pięciuset",
            600: "sześćset sześciuset",
            700: "siedemset siedmiuset",
            800: "osiemset ośmiuset",
            900: "dziewięćset dziewięciuset",
        }
    ),
    times=_times(
        {
            12: "tuzin tuzina tuziny tuzinów",
            1000: "tysiąc tysiące tysięcy tys",
            10**6: "milion miliony milionów mln",
            10**9: "miliard miliardy miliardów mld",
        }
    ),
    counted=_words("tuziny tuzinów tysiące tysięcy tys miliony milionów mln miliardy mld"),
    half=_words("pół"),
    half_joint=("i",),
    homonyms=_words("sto para pół"),
    common=_words(
        "proszę dla potrzebuję dzień dobry się jest zamawiam potrzebujemy sztuk dziękuję"
    ),
)

LANGUAGES: Final[Sequence[Language]] = (
    ENGLISH,
    _GERMAN,
    _FRENCH,
    _SPANISH,
    _ITALIAN,
    _PORTUGUESE,
    _DUTCH,
    _POLISH,
)

CJK_DIGITS: Final[Mapping[str, int]] = {
    character: value for value, character in enumerate("零一二三四五六七八九")
} | {"〇": 0, "两": 2, "兩": 2}
CJK_FORMAL: Final[Mapping[str, int]] = {
    character: value
    for value, text in {
        1: "壹壱弌",
        2: "贰貳弐",
        3: "叁參参",
        4: "肆",
        5: "伍",
        6: "陆陸",
        7: "柒",
        8: "捌",
        9: "玖",
    }.items()
    for character in text
}
"""Of contracts and banks; many mean another thing in a word, so they count beside a scale only."""
CJK_TENS: Final[Mapping[str, int]] = {"十": 10, "百": 100, "千": 1000} | {
    "拾": 10,
    "佰": 100,
    "仟": 1000,
}
CJK_SCALES: Final[Mapping[str, int]] = {
    **dict.fromkeys("万萬", 10**4),
    **dict.fromkeys("億亿", 10**8),
    "兆": 10**12,
}
JAPANESE_THINGS: Final[Mapping[str, int]] = {
    "ひとつ": 1,
    "ふたつ": 2,
    "みっつ": 3,
    "よっつ": 4,
    "いつつ": 5,
    "むっつ": 6,
    "ななつ": 7,
    "やっつ": 8,
    "ここのつ": 9,
}
KOREAN_DIGITS: Final[Mapping[str, int]] = {
    character: value for value, character in enumerate("영일이삼사오육칠팔구")
} | {"공": 0, "륙": 6}
KOREAN_TENS: Final[Mapping[str, int]] = {"십": 10, "백": 100, "천": 1000}
KOREAN_SCALES: Final[Mapping[str, int]] = {"만": 10**4, "억": 10**8, "조": 10**12}
KOREAN_NATIVE_TENS: Final[Mapping[str, int]] = {
    "열": 10,
    "스물": 20,
    "스무": 20,
    "서른": 30,
    "마흔": 40,
    "쉰": 50,
    "예순": 60,
    "일흔": 70,
    "여든": 80,
    "아흔": 90,
}
KOREAN_NATIVE_UNITS: Final[Mapping[str, int]] = {
    "하나": 1,
    "한": 1,
    "둘": 2,
    "두": 2,
    "셋": 3,
    "세": 3,
    "넷": 4,
    "네": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
}
KOREAN_COUNTERS: Final = (
    *("개", "명", "분", "권", "장", "대", "병", "박스", "상자", "잔", "자루", "켤레", "세트", "벌"),
    *("통", "봉", "봉지", "팩", "마리", "그루", "송이", "다스", "묶음", "롤", "포", "포대", "캔"),
    *("컵", "쌍", "채", "척", "점", "매", "건", "원", "킬로", "kg"),
)

MONTHS: Final[Mapping[str, int]] = {
    word: month
    for month, text in {
        1: "january jan januar jänner janvier janv enero ene gennaio gen janeiro januari styczeń"
        " stycznia",
        2: "february feb februar février fév févr febrero febbraio fevereiro fev februari luty"
        " lutego",
        3: "march mar märz mär mrz mars marzo março maart mrt marzec marca",
        4: "april apr avril avr abril abr aprile kwiecień kwietnia",
        5: "may mai mayo maggio mag maio mei maj maja",
        6: "june jun juni juin junio giugno giu junho czerwiec czerwca",
        7: "july jul juli juillet juil julio luglio lug julho lipiec lipca",
        8: "august aug août agosto ago augustus sierpień sierpnia",
        9: "september sep sept septembre septiembre setiembre settembre set setembro wrzesień"
        " września",
        10: "october oct oktober okt octobre octubre ottobre ott outubro out październik"
        " października",
        11: "november nov novembre noviembre novembro listopad listopada",
        12: "december dec dezember dez décembre déc diciembre dic dicembre dezembro grudzień"
        " grudnia",
    }.items()
    for word in spellings(text.split())
}
