"""What a message of one language is composed of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SLOTS: Final = (
    *("customer", "product", "quantity", "price", "due", "address", "phone", "email"),
    *("reference", "contact", "priority", "payment"),
)
"""What a message may state; all but the first three stand in sentences of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The parts of messages in one language; a place in braces states the slot of that name.

    Other places: `{again}` (the product said a second time), `{other}` (another product),
    `{earlier}` (a number that no longer holds), `{stranger}` (somebody who orders nothing),
    `{n}` (a number of other things), `{weekday}`.

    Attributes:
        greetings: in front; may be empty.
        openings: sentences before the order that state nothing.
        orders: sentences with product and quantity.
        signed: sentences that state the customer too.
        introductions: sentences that state the customer alone.
        closings: what stands before the name at the end.
        corrections: sentences that replace `{earlier}` or `{other}`.
        turns: what announces that something said before no longer holds.
        revised: the number that holds after all, without the product.
        withdrawn: sentences that take back `{earlier}` after the number that holds.
        uncounted: orders without a number.
        unnamed: orders without a product.
        unrelated: messages that order nothing.
        multiples: orders whose number is `{base}` twice, three times or a half, with the factor.
        remarks: sentences with numbers and names that are not wanted.
        owned: sentences with a number of the same product that is not ordered.
        details: for each other slot, sentences that state it.
        labels: for each slot, what stands before it in a form.
        counters: what may stand behind the number in a form, such as `pcs`; those of Japanese and
            Chinese in sentences too.
        counted: what may stand between number and product in a sentence.
        threads: older mail, quoted behind the message.
    """

    greetings: Sequence[str]
    openings: Sequence[str]
    orders: Sequence[str]
    signed: Sequence[str]
    introductions: Sequence[str]
    closings: Sequence[str]
    corrections: Sequence[str]
    turns: Sequence[str]
    revised: Sequence[str]
    withdrawn: Sequence[str]
    uncounted: Sequence[str]
    unnamed: Sequence[str]
    unrelated: Sequence[str]
    multiples: Sequence[tuple[str, float]]
    remarks: Sequence[str]
    owned: Sequence[str]
    details: Mapping[str, Sequence[str]]
    labels: Mapping[str, Sequence[str]]
    counters: Sequence[str]
    counted: Sequence[str]
    threads: Sequence[str] = ()

    def parts(self) -> list[str]:
        """All sentences, once each, labels left out."""
        return [
            *self.greetings,
            *self.openings,
            *self.orders,
            *self.signed,
            *self.introductions,
            *self.closings,
            *self.corrections,
            *self.turns,
            *self.revised,
            *self.withdrawn,
            *self.uncounted,
            *self.unnamed,
            *self.unrelated,
            *(sentence for sentence, _ in self.multiples),
            *self.remarks,
            *self.owned,
            *self.counted,
            *(sentence for sentences in self.details.values() for sentence in sentences),
            *self.threads,
        ]
