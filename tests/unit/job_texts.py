"""Texts of extraction jobs, what a scripted model answers to them, and what that costs."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from domain.extraction.calls import (
    PriceTable,
    TokenPrice,
)
from ports.language_models import (
    Prompt,
)

PRICES = PriceTable(
    prices={("scripted", "*"): TokenPrice(input=Decimal(1), cached=Decimal(1), output=Decimal(1))},
    batch={"scripted": Decimal("0.5")},
)


TOKENS_A_CALL = 110  # as the scripted models count


def a_text(number: int) -> str:
    return f"Ann{number} wants {number + 2} lamps"


def text_in(prompt: Prompt) -> str:
    found = re.search(r"Ann\d+ wants \d+ lamps", prompt.messages[1].content)
    assert found is not None
    return found[0]


def answer(prompt: Prompt) -> str:
    customer, _, quantity, _ = text_in(prompt).split()
    record = {
        "customer": {"quote": customer, "value": customer},
        "product": {"quote": "lamps", "value": "lamps"},
        "quantity": {"quote": f"{quantity} lamps", "value": int(quantity)},
    }
    return json.dumps(record)
