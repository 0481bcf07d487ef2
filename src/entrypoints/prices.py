"""The price table as a YAML file that its reader can correct."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from domain.errors import InvalidInput, Violation
from domain.extraction.calls import PriceTable, TokenPrice, current_name
from entrypoints.strict_yaml import read_yaml

SHIPPED: Final = Path(__file__).with_name("prices.yaml")
_PARTS: Final = ("input", "cached", "output")
_MOST: Final = 1_000_000
"""US dollars for a token: beyond it, a sum need not fit the database."""


def read_prices(path: Path | None = None) -> PriceTable:
    """The table in `path`; the shipped one when it is None.

    Raises:
        InvalidInput: not YAML (see `read_yaml`), a price that is no number 0..1,000,000, or a model
            under two names of its provider; names each place.
    """
    file = path or SHIPPED
    try:
        document = read_yaml(file.read_bytes())
    except (OSError, InvalidInput) as error:
        raise InvalidInput(f"The price table {file} cannot be read: {error}") from error
    table = document.get("prices") if isinstance(document, dict) else None
    if not isinstance(table, dict):
        raise InvalidInput(
            f"The price table {file} has no mapping `prices`: copy that of {SHIPPED}."
        )
    found: list[Violation] = []
    prices: dict[tuple[str, str], TokenPrice] = {}
    for provider, models in table.items():
        if not isinstance(models, dict):
            found.append(Violation(pointer=f"/prices/{provider}", detail="must be a mapping"))
            continue
        name = current_name(provider)
        for model, row in models.items():
            pointer = f"/prices/{provider}/{model}"
            if (name, model) in prices:
                detail = f"is there twice: {name} and its former name are one provider"
                found.append(Violation(pointer=pointer, detail=detail))
            price = _price(row, pointer, found)
            if price is not None:
                prices[name, model] = price
    parts = document.get("batch", {})
    if not isinstance(parts, dict):
        found.append(Violation(pointer="/batch", detail="must be a mapping"))
        parts = {}
    batch = {
        provider: _amount(part, f"/batch/{provider}", found) for provider, part in parts.items()
    }
    if found:
        places = "; ".join(f"{each.pointer} {each.detail}" for each in found)
        raise InvalidInput(f"The price table {file} is wrong: {places}.", violations=found)
    return PriceTable(prices=prices, batch=batch)


def _price(row: Any, pointer: str, found: list[Violation]) -> TokenPrice | None:
    if not isinstance(row, Mapping) or set(row) != set(_PARTS):
        found.append(Violation(pointer=pointer, detail="must have input, cached and output"))
        return None
    amounts = [_amount(row[part], f"{pointer}/{part}", found) for part in _PARTS]
    return TokenPrice(input=amounts[0], cached=amounts[1], output=amounts[2])


def _amount(value: Any, pointer: str, found: list[Violation]) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        found.append(Violation(pointer=pointer, detail=f"must be a number, 0..{_MOST}"))
        return Decimal(0)
    return Decimal(str(value))
