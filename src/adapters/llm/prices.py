"""The price table as a YAML file that its reader can correct."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import yaml

from domain.errors import InvalidInput, Violation
from domain.extraction.prices import Price, PriceTable

SHIPPED: Final = Path(__file__).with_name("prices.yaml")
_PARTS: Final = ("input", "cached", "output")


def read_prices(path: Path | None = None) -> PriceTable:
    """The table in `path`; the shipped one when it is None.

    Raises:
        InvalidInput: not YAML, or a price that is no number >= 0; names each place.
    """
    file = path or SHIPPED
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"The price table {file} cannot be read: {error}") from error
    table = document.get("prices") if isinstance(document, dict) else None
    if not isinstance(table, dict):
        raise InvalidInput(f"The price table {file} has no mapping `prices`.")
    found: list[Violation] = []
    prices: dict[tuple[str, str], Price] = {}
    for provider, models in table.items():
        for model, row in (models if isinstance(models, dict) else {}).items():
            price = _price(row, f"/prices/{provider}/{model}", found)
            if price is not None:
                prices[str(provider), str(model)] = price
    parts = document.get("batch", {})
    if not isinstance(parts, dict):
        found.append(Violation(pointer="/batch", detail="must be a mapping"))
        parts = {}
    batch = {
        str(provider): _amount(part, f"/batch/{provider}", found)
        for provider, part in parts.items()
    }
    if found:
        places = "; ".join(f"{each.pointer} {each.detail}" for each in found)
        raise InvalidInput(f"The price table {file} is wrong: {places}.", violations=found)
    return PriceTable(prices=prices, batch=batch)


def _price(row: Any, pointer: str, found: list[Violation]) -> Price | None:
    if not isinstance(row, Mapping) or set(row) != set(_PARTS):
        found.append(Violation(pointer=pointer, detail="must have input, cached and output"))
        return None
    amounts = [_amount(row[part], f"{pointer}/{part}", found) for part in _PARTS]
    return Price(input=amounts[0], cached=amounts[1], output=amounts[2])


def _amount(value: Any, pointer: str, found: list[Violation]) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        found.append(Violation(pointer=pointer, detail="must be a number >= 0"))
    return amount
