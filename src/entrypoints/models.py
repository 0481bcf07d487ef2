"""Which language models the settings name, how long one text may take, and what they cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from adapters.llm.clients import ModelConfig, load_sdk
from adapters.llm.simulation import is_simulation
from domain.errors import InvalidInput, Violation
from domain.extraction.prices import Price, PriceTable
from entrypoints.settings import ModelSettings, Provider
from entrypoints.strict_yaml import read_yaml

_SHIPPED_PRICES: Final = Path(__file__).with_name("prices.yaml")
_PRICE_PARTS: Final = ("input", "cached", "output")
_MOST_USD: Final = 1_000_000
"""US dollars for a token: beyond it, a sum need not fit the database."""


def document_deadline_s(llm_timeout_s: float) -> float:
    """How long one document of a job may take: several calls, and waits for rate limits."""
    return 5 * llm_timeout_s


def stand_in_probe(settings: ModelSettings) -> Callable[[str], Awaitable[bool]]:
    """Tells whether the fake provider answers in place of a configured one."""
    places = {config.provider: config.base_url for config in model_configs(settings)}

    async def probe(provider: str) -> bool:
        return await is_simulation(places[provider])

    return probe


async def warm_up(settings: ModelSettings) -> None:
    """Load what asking the chain takes: who asks first waits for the answer, not for that."""
    for provider in settings.llm_provider:
        await load_sdk(provider)


def model_configs(settings: ModelSettings) -> list[ModelConfig]:
    """The providers that can be asked: those of the chain, and those whose key or URL is set."""

    def secret(value: SecretStr | None) -> str | None:
        return None if value is None else value.get_secret_value()

    known = (
        (Provider.OPENAI, "openai", settings.openai_api_key is not None),
        (Provider.GEMINI, "gemini", settings.gemini_api_key is not None),
        (Provider.VLLM, "vllm", "vllm_base_url" in settings.model_fields_set),
        (Provider.LOCAL, "local_llm", "local_llm_base_url" in settings.model_fields_set),
    )
    return [
        ModelConfig(
            provider=provider.value,
            model=getattr(settings, f"{prefix}_model"),
            base_url=getattr(settings, f"{prefix}_base_url"),
            api_key=secret(getattr(settings, f"{prefix}_api_key")),
        )
        for provider, prefix, given in known
        if given or provider in settings.llm_provider
    ]


def read_prices(path: Path | None = None) -> PriceTable:
    """The table in `path`; the shipped one when it is None.

    Raises:
        InvalidInput: not YAML (see `read_yaml`), or a price that is no number 0..1,000,000; names
            each place.
    """
    file = path or _SHIPPED_PRICES
    try:
        document = read_yaml(file.read_bytes())
    except (OSError, InvalidInput) as error:
        raise InvalidInput(f"The price table {file} cannot be read: {error}") from error
    table = document.get("prices") if isinstance(document, dict) else None
    if not isinstance(table, dict):
        raise InvalidInput(f"The price table {file} has no mapping `prices`.")
    found: list[Violation] = []
    prices: dict[tuple[str, str], Price] = {}
    for provider, models in table.items():
        if not isinstance(models, dict):
            found.append(Violation(pointer=f"/prices/{provider}", detail="must be a mapping"))
            continue
        for model, row in models.items():
            price = _price(row, f"/prices/{provider}/{model}", found)
            if price is not None:
                prices[provider, model] = price
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


def _price(row: Any, pointer: str, found: list[Violation]) -> Price | None:
    if not isinstance(row, Mapping) or set(row) != set(_PRICE_PARTS):
        found.append(Violation(pointer=pointer, detail="must have input, cached and output"))
        return None
    amounts = [_amount(row[part], f"{pointer}/{part}", found) for part in _PRICE_PARTS]
    return Price(input=amounts[0], cached=amounts[1], output=amounts[2])


def _amount(value: Any, pointer: str, found: list[Violation]) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_USD:
        found.append(Violation(pointer=pointer, detail=f"must be a number, 0..{_MOST_USD}"))
        return Decimal(0)
    return Decimal(str(value))
