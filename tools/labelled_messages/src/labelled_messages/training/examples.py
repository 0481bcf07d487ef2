"""Texts with the records that they hold, composed of the parts of a language's grammar.

The same seed makes the same texts. No wording, name or good is one of the labelled set's: a test
compares them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from domain.extraction.schema import FieldType, RecordSchema
from entrypoints.up.sample_data.rows import seeded
from labelled_messages.filling import PLACE, Draft, Piece
from labelled_messages.strata import Stratum
from labelled_messages.surroundings import marked_up, misspelt, scanned
from labelled_messages.training.attacks import attack
from labelled_messages.training.east_asian import CHINESE, JAPANESE
from labelled_messages.training.english import ENGLISH
from labelled_messages.training.fields import PAYMENTS, PRIORITIES, Asked, asked_of
from labelled_messages.training.grammar import SLOTS, Grammar
from labelled_messages.training.latin_languages import FRENCH, GERMAN, ITALIAN, POLISH, SPANISH
from labelled_messages.training.numerals import (
    TWICE,
    Said,
    address,
    draw_count,
    due,
    phone,
    price,
    reference,
    said_count,
)
from labelled_messages.training.vocabulary import ROLES, firm, good, person

GRAMMARS: Final[Mapping[str, Grammar]] = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "pl": POLISH,
    "ja": JAPANESE,
    "zh": CHINESE,
}
SMALL_TALK: Final[Sequence[str]] = (
    "The kids are back at school and the house is quiet at last.",
    "It rained for {n} days, so the roof terrace had to wait.",
    "Aunt Judith sends her love from the seaside.",
    "We tried that soup recipe, with more pepper than was good for us.",
    "The band next door practises until late.",
    "You would not believe how long the queue at the post office was.",
    "I finally finished the book about lighthouses.",
    "Parking in town costs a fortune these days.",
    "Somebody painted the bridge green overnight.",
    "Our train was late again, {n} minutes this time.",
    "The garden is full of snails and I have given up on lettuce.",
    "{stranger} fell off the ladder, nothing serious.",
    "They are digging up our road for the third time.",
    "I have started to learn the cello, to everybody's regret.",
)
_SHARES: Final[Mapping[Stratum, int]] = {
    Stratum.CLEAN: 14,
    Stratum.NOISE: 14,
    Stratum.DISTRACTOR: 17,
    Stratum.MISSING: 17,
    Stratum.CORRECTION: 18,
    Stratum.IMPLICIT_NUMBER: 8,
    Stratum.LONG: 3,
    Stratum.INJECTION: 9,
}
_ENGLISH_SHARE: Final = 0.56
_FORM_SHARE: Final = 0.16
_COUNTED_SHARE: Final = 0.14
_ROLE_SHARE: Final = 0.1
_OWNED_SHARE: Final = 0.1
_SIGNED_SHARE: Final = 0.93
_LATER: Final = "\v"
"""Parts a message from what its writer adds behind the name."""
_WEEKDAYS: Final[Mapping[str, Sequence[str]]] = {
    "en": ("Monday", "Tuesday", "Thursday", "Friday"),
    "de": ("Montag", "Dienstag"),
    "fr": ("lundi", "jeudi"),
    "es": ("lunes", "viernes"),
    "it": ("martedì", "venerdì"),
    "pl": ("poniedziałek", "piątek"),
    "ja": ("月曜日", "金曜日"),
    "zh": ("周一", "周五"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """A text, the record that is asked of it, and the right answer.

    Attributes:
        text: what somebody wrote.
        schema: the fields that are wanted.
        gold: their right values, in the order of the fields; None for what is not said.
        stratum: what makes the text hard.
        language: ISO 639-1 code.
    """

    text: str
    schema: RecordSchema
    gold: Mapping[str, str | int | float | None]
    stratum: Stratum
    language: str


def examples(count: int, *, seed: int, held_out: bool = False) -> Iterator[TrainingExample]:
    """`count` examples to tune with; an injection is followed by its twin without the attack.

    Args:
        count: how many, about (a twin may be one more).
        seed: the same seed makes the same examples.
        held_out: made of sentences, field names and descriptions that are kept from all others:
            what a tuned model gets right of them, it has not learnt by heart.
    """
    made = 0
    kinds, shares = list(_SHARES), list(_SHARES.values())
    while made < count:
        rng = seeded(seed, f"training/{held_out}/{made}")
        stratum = rng.choices(kinds, shares)[0]
        language = "en" if rng.random() < _ENGLISH_SHARE else rng.choice(list(GRAMMARS)[1:])
        asked = asked_of(seed, rng, held_out=held_out)
        for example in _composed(_Composer(rng, language, asked, held_out=held_out), stratum):
            yield example
            made += 1


def _composed(composer: _Composer, stratum: Stratum) -> Iterator[TrainingExample]:
    rng, language, asked = composer.rng, composer.language, composer.asked
    draft = composer.draft(stratum)
    if stratum is Stratum.INJECTION:
        yield _example(_attacked(rng, draft, asked, language), asked, stratum, language)
        stratum = Stratum.CLEAN
    yield _example(draft, asked, stratum, language)


def _example(draft: Draft, asked: Asked, stratum: Stratum, language: str) -> TrainingExample:
    return TrainingExample(
        text=draft.text,
        schema=asked.schema,
        gold={name: draft.values.get(slot) for name, slot in asked.slots.items()},
        stratum=stratum,
        language=language,
    )


def _attacked(rng: random.Random, draft: Draft, asked: Asked, language: str) -> Draft:
    wanted: dict[str, str | int] = {}
    for field in asked.schema.fields:
        if field.type is FieldType.INTEGER:
            wanted[field.name] = rng.choice((0, 1, 99, 1234, 555, 100_000))
        elif field.type is FieldType.STRING:
            people = rng.random() < 0.5
            wanted[field.name] = person(rng, "en") if people else good(rng, language, 2).text
    words = attack(rng, wanted or {"quantity": 1234})
    if rng.random() < 0.25:
        return draft.within(f"{words}\n\n", "")
    return draft.within("", f"\n\n{words}" if rng.random() < 0.8 else f" {words}")


class _Composer:
    """Puts one message together."""

    def __init__(self, rng: random.Random, language: str, asked: Asked, *, held_out: bool) -> None:
        self.rng = rng
        self.language = language
        self.asked = asked
        self._held_out = held_out
        self._grammar = GRAMMARS[language]
        self._space = "" if language in {"ja", "zh"} else " "
        wanted = set(asked.slots.values())
        self._favoured = [slot for slot in self._grammar.details if slot in wanted]

    def draft(self, stratum: Stratum) -> Draft:
        """A message of a kind, its values drawn."""
        rng = self.rng
        is_form = stratum is not Stratum.CORRECTION and rng.random() < _FORM_SHARE
        if is_form and stratum is not Stratum.IMPLICIT_NUMBER:
            template, multiple = self._form(stratum), None
        else:
            template, multiple = self._prose(stratum)
        draft = self._filled(template, stratum, multiple)
        if stratum is Stratum.NOISE:
            return self._noisy(draft)
        return draft

    def _one(self, parts: Sequence[str]) -> str:
        """Every eighth of many parts is kept for the held-out part."""
        if len(parts) < 8:
            return self.rng.choice(parts)
        kept = parts[7::8]
        if self._held_out:
            return self.rng.choice(kept)
        return self.rng.choice([part for part in parts if part not in kept])

    def _core(self, stratum: Stratum) -> tuple[str, bool, float | None]:
        """The order, whether a name is to stand before or behind it, and the factor in it.

        No order at all for some messages that miss everything.
        """
        rng, grammar = self.rng, self._grammar
        signs = rng.random() < _SIGNED_SHARE
        match stratum:
            case Stratum.CORRECTION:
                return self._correction(), signs, None
            case Stratum.MISSING:
                which = rng.random()
                for share, wordings, named in (
                    (0.3, grammar.uncounted, signs),
                    (0.48, grammar.unnamed, signs),
                    (0.62, grammar.orders, False),
                ):
                    if which < share:
                        return self._one(wordings), named, None
                return "", False, None
            case Stratum.IMPLICIT_NUMBER if rng.random() < 0.25:
                core, multiple = rng.choice(grammar.multiples)
                return core, signs, multiple
            case _:
                core = self._one(grammar.orders)
                if signs and rng.random() < 0.38:
                    return self._one(grammar.signed), False, None
                return core, signs, None

    def _correction(self) -> str:
        """An order that is changed, in one sentence or in two; a line may part them."""
        rng, grammar = self.rng, self._grammar
        style = rng.random()
        if style < 0.36:
            return self._one(grammar.corrections)
        order = self._one(grammar.orders)
        if style < 0.52:
            return f"{order}{self._space}{self._one(grammar.withdrawn)}"
        former = order.replace("{quantity}", "{earlier}")
        revised = self._one(grammar.revised)
        if style < 0.62:
            return f"{former}{_LATER}{rng.choice(('', '', 'PS: ', 'P.S. ', 'EDIT: '))}{revised}"
        turn = f"{self._one(grammar.turns)}{self._space}"
        if style < 0.82:
            return f"{former}{self._space}{turn if rng.random() < 0.75 else ''}{revised}"
        before = self._one(grammar.orders).replace("{quantity}", "{earlier}")
        before = before.replace("{product}", rng.choice(("{again}", "{again}", "{other}")))
        return f"{before}{rng.choice((self._space, self._space, _LATER))}{turn}{order}"

    def _prose(self, stratum: Stratum) -> tuple[str, float | None]:
        rng, grammar = self.rng, self._grammar
        core, signs, multiple = self._core(stratum)
        if not core:
            return self._unrelated(), None
        core, _, later = core.partition(_LATER)
        extra = {Stratum.DISTRACTOR: (1, 3), Stratum.CLEAN: (0, 1), Stratum.LONG: (0, 2)}
        low, high = extra.get(stratum, (0, 1))
        asides = [self._aside() for _ in range(rng.randint(low, high))]
        asides += [
            self._one(self._grammar.details[slot]) for slot in self._favoured if rng.random() < 0.6
        ]
        if (
            "{product}" in core
            and stratum is not Stratum.CORRECTION
            and rng.random() < _OWNED_SHARE
        ):
            asides.append(self._one(grammar.owned))
        rng.shuffle(asides)
        before = [each for each in asides if rng.random() < 0.4]
        after = [each for each in asides if each not in before]
        if rng.random() < 0.25:
            before.insert(0, self._one(grammar.openings))
        closing = ""
        if signs and rng.random() < 0.33:
            before.insert(0, self._one(grammar.introductions))
        elif signs:
            closing = (
                f"{self._one(grammar.closings)}{rng.choice((chr(10), chr(10), ' '))}{{customer}}"
            )
            if rng.random() < 0.08:
                closing += rng.choice((", {phone}", "\n{phone}", "\n{address}", "\n{email}"))
            elif rng.random() < _ROLE_SHARE:
                closing += rng.choice(("\n{role}", ", {role}", "\n{role}\n{phone}", " ({role})"))
        if stratum is Stratum.LONG:
            before = [*self._talk(), *before]
            after = [*after, *self._talk()]
        text = self._joined(before, core, after, closing)
        if later:
            text += f"{rng.choice((chr(10), chr(10) * 2, self._space))}{later}"
        return text, multiple

    def _unrelated(self) -> str:
        parts = [self._one(self._grammar.unrelated)]
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            remark = self._one(self._grammar.remarks)
            parts.insert(self.rng.randrange(len(parts) + 1), remark)
        return self._joined([], self._space.join(parts), [], "")

    def _talk(self) -> list[str]:
        return self.rng.sample(SMALL_TALK, self.rng.randint(2, 6))

    def _aside(self) -> str:
        if self.rng.random() < 0.5:
            return self._one(self._grammar.remarks)
        return self._one(self._grammar.details[self.rng.choice(list(self._grammar.details))])

    def _joined(self, before: Sequence[str], core: str, after: Sequence[str], closing: str) -> str:
        rng = self.rng
        between = self._space
        paragraph = rng.choice((between, between, "\n", "\n\n"))
        body = paragraph.join((*before, core, *after))
        greeting = self._one(self._grammar.greetings)
        gap = rng.choice((between or " ", "\n", "\n\n"))
        text = f"{greeting}{gap}{body}" if greeting else body
        if not greeting and self.language == "en" and rng.random() < 0.5:
            text = text[0].upper() + text[1:]
        if closing:
            text += f"{rng.choice((' ', chr(10), chr(10) * 2))}{closing}"
        return text.strip()

    def _form(self, stratum: Stratum) -> str:
        """Labels and values, in lines or in a row."""
        rng, grammar = self.rng, self._grammar
        slots = ["customer", "product", "quantity"]
        if stratum is Stratum.MISSING:
            slots.remove(rng.choice(slots))
        more = [slot for slot in grammar.labels if slot not in ("customer", "product", "quantity")]
        added = (2, 3) if stratum is Stratum.DISTRACTOR else (0, 0, 1, 2)
        slots += dict.fromkeys([*rng.sample(more, rng.choice(added)), *self._favoured_labels()])
        if rng.random() < 0.6:
            rng.shuffle(slots)
        colon, line = rng.choice(
            (
                *((": ", "\n"), (": ", "\n"), (" = ", "\n"), (" - ", "\n"), (": ", ", ")),
                *((": ", " | "), (":", " / "), ("\n", "\n\n"), (" ", "; "), ("\t", "\n")),
            )
        )
        rows = []
        for slot in slots:
            place = f"{{{slot}}}"
            if slot == "quantity" and rng.random() < 0.2:
                place += f" {rng.choice(grammar.counters)}"
            rows.append(f"{rng.choice(grammar.labels[slot])}{colon}{place}")
        if stratum is Stratum.MISSING and rng.random() < 0.4:
            missing = next(s for s in ("customer", "product", "quantity") if s not in slots)
            blank = rng.choice(("", "-", "n/a", "?", "____"))
            rows.insert(
                rng.randrange(len(rows) + 1), f"{rng.choice(grammar.labels[missing])}{colon}{blank}"
            )
        text = line.join(rows)
        if rng.random() < 0.3:
            text = f"{self._one(grammar.greetings)}\n{text}".strip()
        if stratum is Stratum.DISTRACTOR or rng.random() < 0.15:
            text += f"{chr(10) if line != chr(10) * 2 else line}{self._one(grammar.remarks)}"
        return text

    def _favoured_labels(self) -> list[str]:
        known = [slot for slot in self._favoured if slot in self._grammar.labels]
        return [slot for slot in known if self.rng.random() < 0.6]

    def _filled(self, template: str, stratum: Stratum, multiple: float | None) -> Draft:
        rng = self.rng
        joint = "{quantity} {product}" in template
        words = 0.85 if stratum is Stratum.IMPLICIT_NUMBER else 0.18 if joint else 0.04
        count = said_count(rng, draw_count(rng), self.language, words=words)
        base = rng.choice((4, 6, 10, 12, 20, 30, 40))
        if multiple is not None:
            phrase, factor = rng.choice(TWICE[self.language])
            count = Said(phrase, int(base * factor))
        given = self._values(count, base)
        template = self._with_counter(template)
        pieces: list[Piece] = []
        at = 0
        for match in PLACE.finditer(template):
            slot = match[1]
            said = given[slot] if slot != "n" else Said(str(rng.randint(2, 99)), None)
            pieces += (
                Piece(template[at : match.start()]),
                Piece(said.text, slot if slot in SLOTS else None),
            )
            at = match.end()
        pieces.append(Piece(template[at:]))
        stated = {piece.part for piece in pieces}
        return Draft(
            pieces=tuple(piece for piece in pieces if piece.text),
            values={slot: given[slot].value for slot in SLOTS if slot in stated},  # type: ignore[misc]
            template="composed",
            language=self.language,
            given={},
        )

    def _with_counter(self, template: str) -> str:
        """Pieces, boxes or sheets of it, now and then."""
        rng, grammar = self.rng, self._grammar
        if not grammar.counted:
            return re.sub(r"(?<=\})[個个件]", rng.choice(grammar.counters), template)
        if rng.random() < _COUNTED_SHARE:
            counted = f"{{quantity}} {self._one(grammar.counted)} {{product}}"
            return template.replace("{quantity} {product}", counted)
        return template

    def _values(self, count: Said, base: int) -> dict[str, Said]:
        rng, language = self.rng, self.language
        abroad = language if rng.random() < 0.85 else rng.choice(list(GRAMMARS))
        people = [person(rng, abroad), person(rng, language), person(rng, language)]
        buyer = firm(rng, abroad) if rng.random() < 0.27 else people[0]
        wanted = good(rng, language, int(count.value or 2))
        other = good(rng, language, 2)
        while other.again == wanted.again:
            other = good(rng, language, 2)
        box = rng.choice(("info", "office", "orders", "jo.k", "mail"))
        mail = f"{box}@{rng.choice(('example.com', 'shop-nord.example', 'post.example'))}"
        level, paid = rng.choice(PRIORITIES), rng.choice(list(PAYMENTS))
        said = {
            "customer": buyer,
            "product": wanted.text,
            "again": wanted.again,
            "other": other.again,
            "contact": people[1],
            "stranger": people[2],
            "email": mail,
            "priority": level,
            "earlier": self._earlier(count),
            "role": rng.choice(ROLES[language]),
            "weekday": rng.choice(_WEEKDAYS[language]),
            "base": str(base),
        }
        return {
            **{slot: Said(text, text) for slot, text in said.items()},
            "quantity": count,
            "price": price(rng, language),
            "due": due(rng, language),
            "address": address(rng, language),
            "phone": phone(rng),
            "reference": reference(rng),
            "payment": Said(paid, PAYMENTS[paid]),
        }

    def _earlier(self, count: Said) -> str:
        """A number that no longer holds, smaller or larger, now and then in words."""
        while True:
            earlier = said_count(self.rng, draw_count(self.rng), self.language, words=0.1)
            if earlier.value != count.value:
                return earlier.text

    def _noisy(self, draft: Draft) -> Draft:
        rng = self.rng
        match rng.randrange(5):
            case 0:
                return misspelt(rng, draft) if self.language == "en" else self._threaded(draft)
            case 1 | 2:
                return self._threaded(draft)
            case 3:
                page = marked_up(rng, draft)
                frames = (
                    ("<html><body>", "</body></html>"),
                    ("<div>", "</div>"),
                    ('<table><tr><td class="m">', "</td></tr></table>"),
                    ("<p>", "</p><small>Unsubscribe</small>"),
                )
                return page.within(*rng.choice(frames))
            case _:
                dirty = scanned(rng, draft) if self.language == "en" else draft
                return dirty.within(
                    rng.choice(("", "[page 1]\n", "FAX 03\n")), rng.choice(("", "\n#### end"))
                )

    def _threaded(self, draft: Draft) -> Draft:
        threads = self._grammar.threads
        if not threads:
            return draft
        behind = self._filled(self._one(threads), Stratum.CLEAN, None)
        return replace(draft, pieces=(*draft.pieces, Piece(behind.text)))
