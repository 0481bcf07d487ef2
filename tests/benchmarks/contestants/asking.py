"""What the contestants without our prompt builder ask: the same words."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import BaseModel, ConfigDict

from tests.benchmarks.contestants.run import Record


class Text(BaseModel):
    """A quoted string."""

    model_config = ConfigDict(extra="forbid")

    quote: str | None
    value: str | None


class Count(BaseModel):
    """A quoted number."""

    model_config = ConfigDict(extra="forbid")

    quote: str | None
    value: int | None


class Order(BaseModel):
    """An order message."""

    model_config = ConfigDict(extra="forbid")

    customer: Text
    product: Text
    quantity: Count

    def record(self) -> Record:
        """The bare values."""
        return self.customer.value, self.product.value, self.quantity.value


def user_message(text: str) -> str:
    """The text as data, as ours fences it."""
    mark = secrets.token_hex(4)
    return (
        f"<text-{mark}>\n{text}\n</text-{mark}>\n\n"
        "Fill the record from the text between the tags only. Answer with the JSON object."
    )


def messages(system: str, text: str) -> list[Any]:
    """The whole conversation."""
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": user_message(text)},
    ]
