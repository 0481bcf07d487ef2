"""Number words and month names of the languages that customers of a shop write in.

Plain data: English, German, French, Spanish, Italian, Portuguese, Dutch. A word that means another
thing elsewhere (French `six` is English `six`; Spanish `once` is English `once`) is listed only
where the collision does no harm.
"""

from __future__ import annotations

from typing import Final

UNITS: Final[dict[str, float]] = {
    word: value
    for value, words in {
        0: "zero null nul",
        0.5: "half halbe halber halbes demi demie medio media mezzo mezza meia meio halve",
        1: "one ein eine einen einem einer eins un une uno una um uma een één",
        2: "two zwei deux dos due dois duas twee couple pair paar paire",
        3: "three drei trois tres tre três drie",
        4: "four vier quatre cuatro quattro quatro",
        5: "five fünf cinq cinco cinque vijf",
        6: "six sechs seis sei zes",
        7: "seven sieben sept siete sette sete zeven",
        8: "eight acht huit ocho otto oito",
        9: "nine neun neuf nueve nove negen",
        10: "ten zehn dix diez dieci dez tien",
        11: "eleven elf onze undici",
        12: "twelve zwölf douze doce dodici doze twaalf",
        13: "thirteen dreizehn treize trece tredici treze dertien",
        14: "fourteen vierzehn quatorze catorce quattordici catorze veertien",
        15: "fifteen fünfzehn quinze quince quindici vijftien",
        16: "sixteen sechzehn seize dieciséis sedici dezesseis zestien",
        17: "seventeen siebzehn diecisiete diciassette dezessete zeventien",
        18: "eighteen achtzehn dieciocho diciotto dezoito achttien",
        19: "nineteen neunzehn diecinueve diciannove dezenove negentien",
        20: "twenty zwanzig vingt veinte venti vinte twintig",
        25: "veinticinco venticinque",
        30: "thirty dreißig dreissig trente treinta trenta trinta dertig",
        40: "forty vierzig quarante cuarenta quaranta quarenta veertig",
        50: "fifty fünfzig cinquante cincuenta cinquanta cinquenta vijftig",
        60: "sixty sechzig soixante sesenta sessanta sessenta zestig",
        70: "seventy siebzig septante setenta settanta zeventig",
        80: "eighty achtzig huitante ochenta ottanta oitenta tachtig",
        90: "ninety neunzig nonante noventa novanta negentig",
    }.items()
    for word in words.split()
}

MULTIPLIERS: Final[dict[str, float]] = {
    word: value
    for value, words in {
        12: "dozen dozens dutzend douzaine douzaines docena docenas dozzina dozzine dúzia dúzias"
        " dozijn",
        100: "hundred hundreds hundert cent cents cien ciento cientos cento cem honderd",
        1000: "thousand thousands tausend mille mil mila duizend",
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
