"""The texts: order messages, each with the record that it holds, by number."""

from __future__ import annotations

import random
from dataclasses import dataclass

_NAMES = ("Nina", "Omar", "Lena", "Ravi", "Sara", "Tom", "Aiko", "Marta", "Paul", "Ines")
_FAMILIES = ("Hall", "Baxter", "Vogel", "Ortiz", "Fox", "Weber", "Sato", "Kowal", "Silva", "Lind")
_PRODUCTS = (
    "oak chairs",
    "linen curtains",
    "coffee grinders",
    "garden hoses",
    "heat pumps",
    "latex gloves",
    "desk lamps",
    "water kettles",
    "wool blankets",
    "steel shelves",
)
_OPENINGS = ("Hello,", "Good morning,", "Dear shop team,", "Hi there,")
_TALES = (
    "the last delivery came in good order and the colleagues were very happy with it, many thanks.",
    "as I said on the phone, we are moving into the building across the street this month.",
    "your catalogue came with the post yesterday, and it looks very nice this year.",
    "we have been customers of yours for a long time and were never let down.",
)
_WISHES = (
    "Please deliver to the back entrance, the front one is closed because of the works.",
    "The invoice goes to the usual address, and the driver should ring before the delivery.",
    "If that takes longer than usual, a short word by mail would be very kind.",
    "The boxes may stay with the porter, who will sign for them.",
)


@dataclass(frozen=True, slots=True)
class Message:
    """One text and what is in it."""

    text: str
    customer: str
    product: str
    quantity: int


def message(number: int) -> Message:
    """The message with that number: always the same, and unlike every other."""
    draw = random.Random(number)
    customer = f"{draw.choice(_NAMES)} {draw.choice(_FAMILIES)}"
    product = draw.choice(_PRODUCTS)
    quantity = draw.randint(2, 900)
    text = (
        f"{draw.choice(_OPENINGS)}\n\n"
        f"{draw.choice(_TALES)} We need {quantity} {product} for it. {draw.choice(_WISHES)}\n\n"
        f"Our reference is #{number:08}.\n\n"
        f"Kind regards,\n{customer}\n"
    )
    return Message(text=text, customer=customer, product=product, quantity=quantity)
