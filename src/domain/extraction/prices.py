"""What calls cost by a price list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from domain.extraction.calls import Attempt, Usage

_MILLION: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: tokens sent.
        cached: tokens sent that the provider had cached.
        output: tokens made.
    """

    input: Decimal
    cached: Decimal
    output: Decimal

    def of(self, usage: Usage) -> Decimal:
        """The price of `usage`, in US dollars."""
        fresh = usage.input_tokens - usage.cached_tokens
        total = (
            self.input * fresh
            + self.cached * usage.cached_tokens
            + self.output * usage.output_tokens
        )
        return total / _MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """List prices by provider and model.

    Attributes:
        prices: `(provider, model)` to price. A model that ends in `*` stands for all names that
            begin so; the longest that fits counts.
        batch: by provider, what part of the price counts in a batch.
    """

    prices: Mapping[tuple[str, str], Price]
    batch: Mapping[str, Decimal] = field(default_factory=dict)

    def price(self, provider: str, model: str) -> Price | None:
        """The price of a model; None when the table does not name it."""
        exact = self.prices.get((provider, model))
        if exact is not None:
            return exact
        fitting = [
            name
            for owner, name in self.prices
            if owner == provider and name.endswith("*") and model.startswith(name[:-1])
        ]
        return self.prices[provider, max(fitting, key=len)] if fitting else None

    def cost(self, attempts: Iterable[Attempt]) -> Decimal | None:
        """The price of all `attempts`, in US dollars; None when one has no known price."""
        total = Decimal(0)
        for attempt in attempts:
            if not attempt.usage.total_tokens:
                continue
            price = self.price(attempt.provider, attempt.model)
            part = self.batch.get(attempt.provider) if attempt.batched else Decimal(1)
            if price is None or part is None:
                return None
            total += price.of(attempt.usage) * part
        return total
