"""The number words and month names of the languages that customers of a shop write in.

Plain data: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish. The one list of
the project; the numerals of East Asia, which are read otherwise, stand with their reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from domain.extraction.number_grammar import NumeralGrammar, added_by, spellings, times_by, words_of

ENGLISH: Final = NumeralGrammar(
    added=added_by(
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
    times=times_by(
        {
            12: "dozen dozens",
            20: "score scores",
            100: "hundred hundreds",
            1000: "thousand thousands",
            10**6: "million millions mln",
            10**9: "billion billions",
        }
    ),
    counted=words_of("dozens score scores hundreds thousands millions mln billions"),
    half=words_of("half"),
    half_joint=("and", "a"),
    joint="and",
    joint_after=frozenset({100, 1000}),
    articles=words_of("a an"),
    common=words_of(
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


_GERMAN: Final = NumeralGrammar(
    added=added_by(_units_first(_GERMAN_UNITS, _GERMAN_TENS, "und"))
    | added_by(_GERMAN_TENS)  # type: ignore[arg-type]  # whole numbers are fractions
    | added_by(_GERMAN_UNITS)  # type: ignore[arg-type]
    | added_by(
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
    times=times_by(
        {
            12: "dutzend dutzende",
            100: "hundert hunderte",
            1000: "tausend tausende tsd",
            10**6: "million millionen mio",
            10**9: "milliarde milliarden mrd",
        }
    ),
    counted=words_of("dutzende hunderte tausende tsd millionen mio milliarden mrd"),
    half=words_of("halb halbe halber halbes halben"),
    half_joint=("und", "ein"),
    joint="und",
    joint_after=frozenset({100, 1000}),
    glued=True,
    units_follow=False,
    homonyms=words_of("elf null"),
    common=words_of(
        "und der die das bitte wir ich für ist mit brauche brauchen vielen danke hallo"
    ),
)
_DUTCH: Final = NumeralGrammar(
    added=added_by(_units_first(_DUTCH_UNITS, _DUTCH_TENS, "en"))
    | added_by({ten + 2: f"tweeën{word}" for ten, word in _DUTCH_TENS.items()})
    | added_by({ten + 3: f"drieën{word}" for ten, word in _DUTCH_TENS.items()})
    | added_by(_DUTCH_TENS)  # type: ignore[arg-type]
    | added_by(_DUTCH_UNITS)  # type: ignore[arg-type]
    | added_by(
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
    times=times_by(
        {
            12: "dozijn dozijnen",
            100: "honderd honderden",
            1000: "duizend duizenden",
            10**6: "miljoen miljoenen mln",
            10**9: "miljard mld",
        }
    ),
    counted=words_of("dozijnen honderden duizenden miljoenen mln mld"),
    half=words_of("half halve"),
    half_joint=("en", "een"),
    joint="en",
    joint_after=frozenset({100, 1000}),
    glued=True,
    units_follow=False,
    homonyms=words_of("elf"),
    common=words_of("het wij graag voor van ik een wilt u alstublieft bedankt"),
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
_ITALIAN: Final = NumeralGrammar(
    added=added_by(
        {
            ten + unit: (tens[:-1] if word[0] in "uo" else tens) + word
            for ten, tens in _ITALIAN_TENS.items()
            for unit, word in _ITALIAN_UNITS.items()
        }
    )
    | added_by({ten + 1: f"{tens[:-1]}un" for ten, tens in _ITALIAN_TENS.items()})
    | added_by({ten + 3: f"{tens}tré" for ten, tens in _ITALIAN_TENS.items()})
    | added_by(_ITALIAN_TENS)  # type: ignore[arg-type]
    | added_by(_ITALIAN_UNITS)  # type: ignore[arg-type]
    | added_by(
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
    times=times_by(
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
    counted=words_of("decine dozzine cent centinaia mila migliaia milioni mln miliardi mld"),
    half=words_of("mezzo mezza"),
    half_joint=("e",),
    joint="e",
    joint_after=frozenset({100, 1000}),
    glued=True,
    units_follow=False,
    homonyms=words_of("due sei mezzo mezza cent"),
    common=words_of(
        "il gli per vorrei grazie di che buongiorno ciao sono servono della con ordinare"
    ),
)

_FRENCH: Final = NumeralGrammar(
    added=added_by(
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
    times=times_by(
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
    counted=words_of("dizaines douzaines cents centaines milliers millions mio milliards mrd"),
    half=words_of("demi demie"),
    half_joint=("et",),
    joint="et",
    joint_after=frozenset({10, 20, 1000}),
    joint_before=frozenset({1, 11}),
    twenties=True,
    homonyms=words_of("seize cent cents onze"),
    common=words_of(
        "le les nous vous et pour je est des merci bonjour avec il du au commande voudrais"
    ),
)

_SPANISH: Final = NumeralGrammar(
    added=added_by(
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
    times=times_by(
        {
            10: "decena decenas",
            12: "docena docenas",
            100: "centenar centenares",
            1000: "mil millar millares miles",
            10**6: "millón millones",
        }
    ),
    counted=words_of("decenas docenas centenares miles millares millones"),
    half=words_of("medio media"),
    half_joint=("y",),
    joint="y",
    joint_after=frozenset({10}),
    homonyms=words_of("once dos quince media medio par"),
    common=words_of(
        "el los las por y para con necesito necesitamos gracias hola quiero del quisiera queremos"
    ),
)

_PORTUGUESE: Final = NumeralGrammar(
    added=added_by(
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
    times=times_by(
        {
            10: "dezena dezenas",
            12: "dúzia dúzias",
            100: "centena centenas",
            1000: "mil milhar milhares",
            10**6: "milhão milhões",
        }
    ),
    counted=words_of("dezenas dúzias centenas milhares milhões"),
    half=words_of("meio meia"),
    half_joint=("e",),
    joint="e",
    joint_after=frozenset({10, 100, 1000}),
    homonyms=words_of("um doze onze meia"),
    common=words_of(
        "uma para com obrigado obrigada preciso precisamos olá quero não são os favor gostaria"
    ),
)

_POLISH: Final = NumeralGrammar(
    added=added_by(
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
    times=times_by(
        {
            12: "tuzin tuzina tuziny tuzinów",
            1000: "tysiąc tysiące tysięcy tys",
            10**6: "milion miliony milionów mln",
            10**9: "miliard miliardy miliardów mld",
        }
    ),
    counted=words_of("tuziny tuzinów tysiące tysięcy tys miliony milionów mln miliardy mld"),
    half=words_of("pół"),
    half_joint=("i",),
    homonyms=words_of("sto para pół"),
    common=words_of(
        "proszę dla potrzebuję dzień dobry się jest zamawiam potrzebujemy sztuk dziękuję"
    ),
)

LANGUAGES: Final[Sequence[NumeralGrammar]] = (
    ENGLISH,
    _GERMAN,
    _FRENCH,
    _SPANISH,
    _ITALIAN,
    _PORTUGUESE,
    _DUTCH,
    _POLISH,
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
