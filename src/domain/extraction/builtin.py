"""The schemas that are there from the start."""

from __future__ import annotations

from typing import Final

from domain.extraction.schema import Example, Field, FieldType, Schema

_CUSTOMER: Final = "Name of the person or company that places the order"
_PRODUCT: Final = "What is ordered, in the words of the text, without the number"
_QUANTITY: Final = "How many are ordered, as a whole number"

_MESSAGES: Final[tuple[tuple[str, str | None, str | None, int | None], ...]] = (
    (
        "Hello, we need 9 oak chairs please. Kind regards, Nina Hall",
        "Nina Hall",
        "oak chairs",
        9,
    ),
    ("URGENT - Baxter Ltd wants twenty rolls of tape!!", "Baxter Ltd", "rolls of tape", 20),
    ("hi its omar, send 1 coffee grinder thx", "omar", "coffee grinder", 1),
    (
        "Subject: order\nclient: Pine Clinic\nitem: latex gloves box\nqty: 45",
        "Pine Clinic",
        "latex gloves box",
        45,
    ),
    (
        "Good day, Sara Vogel from Vogel Interiors here - could you send us 14 linen curtains?",
        "Sara Vogel",
        "linen curtains",
        14,
    ),
    (
        "FWD: request from Ben Ortiz >> half a dozen garden hoses, leave at the shed",
        "Ben Ortiz",
        "garden hoses",
        6,
    ),
    ("please ship 120 envelopes asap\n--\nLena Fox\nFox & Co", "Lena Fox", "envelopes", 120),
    (
        "Offer 310 accepted. Deliver 3 heat pumps to Alpine Hotel.",
        "Alpine Hotel",
        "heat pumps",
        3,
    ),
)


def _order_schema(name: str, customer: str, product: str, quantity: str) -> Schema:
    return Schema(
        name=name,
        version=1,
        description="A message of a customer who orders something from a shop",
        fields=(
            Field(name=customer, type=FieldType.STRING, description=_CUSTOMER, max_length=120),
            Field(name=product, type=FieldType.STRING, description=_PRODUCT, max_length=200),
            Field(
                name=quantity,
                type=FieldType.INTEGER,
                description=_QUANTITY,
                minimum=1,
                maximum=1_000_000,
            ),
        ),
        examples=tuple(
            Example(text=text, record=((customer, who), (product, what), (quantity, many)))
            for text, who, what, many in _MESSAGES
        ),
    )


DEFAULT: Final = _order_schema("default", "field_1", "field_2", "field_3")
ORDER_MESSAGE: Final = _order_schema("order_message", "customer", "product", "quantity")
BUILT_IN: Final = (DEFAULT, ORDER_MESSAGE)
