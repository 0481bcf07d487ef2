"""Number words and month names of the languages that customers of a shop write in.

Plain data: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish. A word that means
another thing elsewhere (French `six` is English `six`; Spanish `once` is English `once`) is listed
only where the collision does no harm.
"""

from __future__ import annotations

from typing import Final

UNITS: Final[dict[str, float]] = {
    word: value
    for value, words in {
        0: "zero null nul",
        0.5: "half halbe halber halbes demi demie medio media mezzo mezza meia meio halve pół",
        1: "one ein eine einen einem einer eins un une uno una um uma een één jeden",
        2: "two zwei deux dos due dois duas twee couple pair paar paire dwa dwie",
        3: "three drei trois tres tre três drie trzy",
        4: "four vier quatre cuatro quattro quatro cztery",
        5: "five fünf cinq cinco cinque vijf pięć",
        6: "six sechs seis sei zes sześć",
        7: "seven sieben sept siete sette sete zeven siedem",
        8: "eight acht huit ocho otto oito osiem",
        9: "nine neun neuf nueve nove negen dziewięć",
        10: "ten zehn dix diez dieci dez tien dziesięć",
        11: "eleven elf onze undici jedenaście",
        12: "twelve zwölf douze doce dodici doze twaalf dwanaście",
        13: "thirteen dreizehn treize trece tredici treze dertien trzynaście",
        14: "fourteen vierzehn quatorze catorce quattordici catorze veertien czternaście",
        15: "fifteen fünfzehn quinze quince quindici vijftien piętnaście",
        16: "sixteen sechzehn seize dieciséis sedici dezesseis zestien szesnaście",
        17: "seventeen siebzehn diecisiete diciassette dezessete zeventien siedemnaście",
        18: "eighteen achtzehn dieciocho diciotto dezoito achttien osiemnaście",
        19: "nineteen neunzehn diecinueve diciannove dezenove negentien dziewiętnaście",
        20: "twenty zwanzig vingt veinte venti vinte twintig dwadzieścia",
        21: "veintiuno",
        22: "veintidós",
        23: "veintitrés",
        24: "veinticuatro",
        25: "veinticinco",
        26: "veintiséis",
        27: "veintisiete",
        28: "veintiocho",
        29: "veintinueve",
        30: "thirty dreißig dreissig trente treinta trenta trinta dertig trzydzieści",
        40: "forty vierzig quarante cuarenta quaranta quarenta veertig czterdzieści",
        50: "fifty fünfzig cinquante cincuenta cinquanta cinquenta vijftig pięćdziesiąt",
        60: "sixty sechzig soixante sesenta sessanta sessenta zestig sześćdziesiąt",
        70: "seventy siebzig septante setenta settanta zeventig siedemdziesiąt",
        80: "eighty achtzig huitante ochenta ottanta oitenta tachtig osiemdziesiąt",
        90: "ninety neunzig nonante noventa novanta negentig dziewięćdziesiąt",
    }.items()
    for word in words.split()
}

_TENS: Final = {
    20: "venti",
    30: "trenta",
    40: "quaranta",
    50: "cinquanta",
    60: "sessanta",
    70: "settanta",
    80: "ottanta",
    90: "novanta",
}
_ONES: Final = {1: "uno", 2: "due", 3: "tre", 4: "quattro", 5: "cinque", 6: "sei", 7: "sette"} | {
    8: "otto",
    9: "nove",
}
# Italian writes 21 to 99 as one word, and leaves a vowel out before another: ventuno, trentadue.
UNITS.update(
    {
        (tens[:-1] if one[0] in "uo" else tens) + one: ten + number
        for ten, tens in _TENS.items()
        for number, one in _ONES.items()
    }
)
UNITS.update({f"{tens}tré": ten + 3 for ten, tens in _TENS.items()})

MULTIPLIERS: Final[dict[str, float]] = {
    word: value
    for value, words in {
        12: "dozen dozens dutzend douzaine douzaines docena docenas dozzina dozzine dúzia dúzias"
        " dozijn tuzin tuzina tuziny tuzinów",
        20: "score",
        100: "hundred hundreds hundert cent cents cien ciento cientos cento cem honderd sto",
        1000: "thousand thousands tausend mille mil mila duizend tysiąc tysiące tysięcy",
        1_000_000: "million millions millionen millones milioni milhões miljoen",
    }.items()
    for word in words.split()
}

CONNECTORS: Final = frozenset(("a", "an", "and", "of", "und", "et", "y", "e", "en", "de"))
"""Words that may stand inside a number: `half a dozen`, `one hundred and five`."""

MONTHS: Final[dict[str, int]] = {
    word: month
    for month, words in {
        1: "january jan januar janvier enero ene gennaio gen janeiro januari",
        2: "february feb februar février fév febrero febbraio fevereiro fev februari",
        3: "march mar märz mär mars marzo março maart mrt",
        4: "april apr avril avr abril abr aprile",
        5: "may mai mayo maggio mag maio mei",
        6: "june jun juni juin junio giugno giu junho",
        7: "july jul juli juillet juil julio luglio lug julho",
        8: "august aug août agosto ago augustus",
        9: "september sep sept septembre septiembre settembre set setembro",
        10: "october oct oktober okt octobre octubre ottobre ott outubro out",
        11: "november nov novembre noviembre novembro",
        12: "december dec dezember dez décembre déc diciembre dic dicembre dezembro",
    }.items()
    for word in words.split()
}
