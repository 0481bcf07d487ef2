"""The baseline reads orders by regular expressions: what a day of work gets without any model.

It knows the labels of forms, the verbs of ordering, common number words and where people sign. A
comparison needs it as the floor: a dataset on which it does well tells nothing about models.
"""

# ruff: noqa: RUF001 - the characters of the texts that are read
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from domain.comparison.contestants import BASELINE
from domain.comparison.model import Contestant, LabelledText
from domain.comparison.results import ContestantAnswer
from domain.comparison.runner import Extractor
from domain.errors import InvalidInput, Violation
from domain.extraction.calls import ExtractionFailure
from domain.extraction.model import Evidence, ExtractionStatus
from domain.extraction.number_words import ENGLISH
from domain.extraction.schema import FieldType, RecordSchema, Value

_ORDER: Final = (FieldType.STRING, FieldType.STRING, FieldType.INTEGER)
_VERSION: Final = "regex-1"
_WORDS: Final[Mapping[str, int]] = {
    word: int(value)
    for word, value in ENGLISH.added.items()
    if value in {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 30, 50}
    and word not in {"couple", "pair", "fourty"}
} | {"dozen": ENGLISH.times["dozen"], "hundred": ENGLISH.times["hundred"], "twenty-five": 25}
_DOZENS: Final[Mapping[str, int]] = {"half a": 6, "a": 12} | {
    word: 12 * value for word, value in _WORDS.items() if 1 < value < 12
}
_NUMBER: Final = (
    r"(?P<number>\d{1,3}(?:[.,\u00a0\u202f]\d{3})+|\d{1,4}(?!\d)"
    r"|(?:half a|a|two|three|four|five|six) dozen"
    rf"|\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b)"
)
_STOP: Final = (
    "please|for|to|in|on|by|at|from|as|and|with|is|are|will|would|this|that|who|came|can|has|have"
    "|says|said|told|asap|thx|thanks|instead|before|after|aside|gift|pls|it|so|suit|do"
)
_THING: Final = (
    rf"(?!(?:{_STOP})\b)(?P<product>[^\W\d_][\w'’-]*"
    rf"(?:[ \u00a0](?!(?:{_STOP})\b)[^\W\d_][\w'’-]*){{0,4}}(?: [A-Z]\d+)?)"
)
_UNITS: Final = (
    r"(?:[ \u00a0]*(?:x|×|pcs\.?|pieces|units|items|Stück|szt\.|pezzi di|unidades de)\b)?"
    r"(?:[ \u00a0]+of)?(?:[ \u00a0]+(?:the|your|those))?[ \u00a0]+"
)
_COUNTED: Final = rf"{_NUMBER}{_UNITS}{_THING}"
_VERBS: Final = (
    r"\b(?:order|orders|need|needs|want|wants|send|ship|buy|like|get|take|takes|reserve|book|deliver"
    r"|dispatch|receive|purchase|bestell\w*|commander|pedir|ordinare|zamawiam)\b"
)
_NAME: Final = (
    r"(?:[^\W\d_a-z][\w'’-]*|von|van|de|di)"
    r"(?:[ \u00a0](?:[^\W\d_a-z][\w'’-]*|&|de|di|of)){0,4}"
)
_LINE: Final = r"(?im)^[ \t>*|-]*(?:{labels})[ \t]*(?:[:：]|[ \t]{{2,}})[ \t]*{value}[ \t]*$"
_INLINE: Final = r"(?i)\b(?:{labels}):[ ]{value}(?=[.;/|,]?(?:\s|$))"
_WHO: Final = (
    "customer|client|buyer|name|full name|ordered by|requested by|besteller|kunde|client"
    "|cliente|氏名|订货人"
)
_WHAT: Final = "product|article|item|goods|wanted|artikel|artículo|articolo|towar|商品"
_HOW_MANY: Final = (
    "quantity|qty|pieces|number of pieces|amount|count|how many|menge|quantité|cantidad|pezzi"
    "|ilość|数量"
)
_REST: Final = r"(?P<value>\S[^\n:：]*?)"
_PHRASE: Final = r"(?P<value>[^\s.;/|,][^.;/|,\n]*)"
_CLOSING: Final = (
    r"(?:regards|wishes|best|cheers|thanks|thank you|sincerely|yours|advance|nice day)[ ,!.]*"
)

_I_AM: Final = (
    r"\b(?:[Mm]y name is|[Tt]his is|[Tt]hat is|I am|I'm|I,|[Ii]t's|[Oo]rdered by|[Ii]ci|[Ss]oy"
    r"|[Ss]ono|[Tt]u)"
)
_CUSTOMERS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        _LINE.format(labels=_WHO, value=_REST),
        rf"{_I_AM} (?P<value>{_NAME})",
        rf"(?m)(?:^|[.!?,] )(?P<value>{_NAME}) (?:here\b|speaking|writing|orders|would like|takes)",
        _INLINE.format(labels=_WHO, value=_PHRASE),
        rf"\b(?:billed to|[Ii]nvoice to|on account of|account of|[Oo]rder for) (?P<value>{_NAME})",
        rf"(?im){_CLOSING}\n+(?P<value>[^\n\d:]{{2,40}})$",
        rf"(?i:{_CLOSING})(?P<value>{_NAME})\s*$",
        rf"[.!?\n]\s*(?P<value>{_NAME})\s*$",
    )
)
_ORDERED: Final = (
    rf"(?i){_VERBS}[^.!?\n]{{0,40}}?(?<![\w.,]){_COUNTED}",
    rf"(?i)(?<![\w.,/-]){_COUNTED}",
)
_QUANTITIES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        _LINE.format(labels=_HOW_MANY, value=r"(?P<number>\d[\d.,]*)"),
        _INLINE.format(labels=_HOW_MANY, value=r"(?P<number>\d+)"),
        r"(?i)\b(?:make it|say|take|want|change my order from \d+ to) (?P<number>\d+)(?=[.,!]|$)",
        *_ORDERED,
        r"(?<![\w.,/+-])(?P<number>\d{1,4})(?![\w.,/-]\w)",
    )
)
_PRODUCTS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        _LINE.format(labels=_WHAT, value=_REST),
        _INLINE.format(labels=_WHAT, value=_PHRASE),
        *_ORDERED,
        r"(?i)\b(?:some|a few|several|the|of) (?:of )?(?:your )?(?P<value>[a-z]{3,} [a-z]{3,}s)\b",
    )
)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z]+|!--)[^>]*>")
_MOST_DIGITS: Final = 15
_ENTITY: Final = re.compile(r"&nbsp;")


class RegexExtractor(Extractor):
    """Reads orders by regular expressions; makes no call and costs nothing.

    Args:
        schema: customer, product and quantity, in this order.
        name: of the contestant.
        now: a clock that never goes back, in seconds.

    Raises:
        InvalidInput: the schema is another one, at `providers`.
    """

    def __init__(self, schema: RecordSchema, *, name: str, now: Callable[[], float]) -> None:
        if tuple(field.type for field in schema.fields) != _ORDER:
            detail = (
                f"{BASELINE} reads orders alone: a schema of customer, product and quantity,"
                f" such as order_message; not {schema.name}"
            )
            raise InvalidInput.of([Violation(pointer="providers", detail=detail)])
        self.contestant = Contestant(
            name=name, provider=BASELINE, model="regular expressions", prompt_hash=_VERSION
        )
        self._names = [field.name for field in schema.fields]
        self._now = now

    async def extract(
        self, text: LabelledText, repeat: int
    ) -> tuple[ContestantAnswer, ExtractionFailure | None]:
        """See the protocol."""
        started = self._now()
        fields, evidence = read_order(text.text, self._names)
        latency_s = self._now() - started
        answer = ContestantAnswer(
            contestant=self.contestant.name,
            text_id=text.id,
            repeat=repeat,
            status=ExtractionStatus.VALID,
            fields=fields,
            evidence=evidence,
            attempts=0,
            latency_s=latency_s,
            provider_s=latency_s,
            cost_usd=Decimal(0),
        )
        return answer, None


def read_order(text: str, names: Sequence[str]) -> tuple[Mapping[str, Value], tuple[Evidence, ...]]:
    """What the expressions find, the first that matches for each field.

    Args:
        text: a customer's message.
        names: of the fields for the customer, the product and the quantity.

    Returns:
        Every field, None for what is not found, and where the others stand in `text`.
    """
    plain = _plain(text)
    fields: dict[str, Value] = dict.fromkeys(names)
    evidence: list[Evidence] = []
    readers = (
        (names[0], _CUSTOMERS, "value"),
        (names[1], _PRODUCTS, "value"),
        (names[2], _QUANTITIES, "number"),
    )
    for name, patterns, group in readers:
        for match in _matches(patterns, plain):
            part = "product" if group == "value" and "product" in match.groupdict() else group
            start, end = match.span(part)
            # A tag within the match is blank here and not in the text.
            stated = plain[start:end].rstrip(" .,;!")
            start += len(stated) - len(stated.lstrip())
            stated = text[start : match.start(part) + len(stated)]
            value = _number(stated) if stated and group == "number" else stated
            if value is None or value == "":
                continue
            fields[name] = value
            evidence.append(
                Evidence(field=name, quote=stated, start=start, end=start + len(stated))
            )
            break
    return fields, tuple(evidence)


def _matches(patterns: Sequence[re.Pattern[str]], text: str) -> Iterator[re.Match[str]]:
    for pattern in patterns:
        if match := pattern.search(text):
            yield match


def _plain(text: str) -> str:
    """The text with tags and entities blanked, every character in its place."""

    def blank(match: re.Match[str]) -> str:
        breaks = match[2].lower() in {"p", "br", "div", "tr"}
        return ("\n" if breaks else " ") + " " * (len(match[0]) - 1)

    return _ENTITY.sub("      ", _TAG.sub(blank, text))


def _number(stated: str) -> int | None:
    """None where the digits are too many for a quantity."""
    digits = re.sub(r"[.,\u00a0\u202f]", "", stated)
    if digits.isdecimal():
        return int(digits) if len(digits) <= _MOST_DIGITS else None
    times, _, dozen = stated.lower().rpartition(" ")
    if dozen == "dozen" and times:
        return _DOZENS[times]
    return _WORDS[stated.lower()]
