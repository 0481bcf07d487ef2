"""Which language models the settings name, and how long one text may take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from pydantic import SecretStr

from adapters.embedded.model_server import read_calibration
from adapters.llm.capabilities import profile_of
from adapters.llm.clients import ModelConfig, load_sdk
from adapters.llm.health import is_simulation
from domain.extraction.calls import PriceTable
from entrypoints.addresses import is_inside
from entrypoints.container.model_files import local_model, profile_here
from entrypoints.container.model_rows import read_model_rows
from entrypoints.prices import read_prices
from entrypoints.settings import LocalModelAdapter, ModelCommandSettings, Provider


def document_deadline_s(llm_timeout_s: float) -> float:
    """How long one document of a job may take: several calls, and waits for rate limits."""
    return 5 * llm_timeout_s


def stand_in_probe(settings: ModelCommandSettings) -> Callable[[str], Awaitable[bool]]:
    """Tells whether the fake provider answers in place of a configured one."""
    places = {config.provider: config.base_url for config in model_configs(settings)}

    async def probe(provider: str) -> bool:
        return await is_simulation(places[provider])

    return probe


def price_table(settings: ModelCommandSettings) -> PriceTable:
    """What calls cost: the table of LLM_PRICES_FILE, else the shipped one.

    By that, a server of OpenAI's protocol is free on a machine of one's own. What another's sends a
    bill for is not known.

    Raises:
        InvalidInput: as `read_prices`.
    """
    table = read_prices(settings.llm_prices_file)
    host = urlsplit(settings.vllm_base_url or settings.openai_compatible_base_url).hostname
    if settings.llm_prices_file is not None or is_inside(host or ""):
        return table
    known = {
        key: price for key, price in table.prices.items() if key[0] != Provider.OPENAI_COMPATIBLE
    }
    return replace(table, prices=known)


async def warm_up(settings: ModelCommandSettings) -> None:
    """Load what asking the chain takes: who asks first waits for the answer, not for that."""
    for provider in settings.llm_provider:
        await load_sdk(provider)


def model_configs(settings: ModelCommandSettings) -> list[ModelConfig]:
    """The providers that can be asked: those of the chain, and those whose key or URL is set.

    Raises:
        InvalidInput: LLM_MODELS_FILE cannot be read; names each place.
        Unavailable: the file of the local model, or of its adapter, cannot be used.
    """

    def secret(value: SecretStr | None) -> str | None:
        return None if value is None else value.get_secret_value()

    known = (
        (
            settings.openai_api_key is not None,
            ModelConfig(
                provider=Provider.OPENAI.value,
                model=settings.openai_model,
                base_url=settings.openai_base_url,
                api_key=secret(settings.openai_api_key),
            ),
        ),
        (
            settings.gemini_api_key is not None,
            ModelConfig(
                provider=Provider.GEMINI.value,
                model=settings.gemini_model,
                base_url=settings.gemini_base_url,
                api_key=secret(settings.gemini_api_key),
            ),
        ),
        (
            bool({"openai_compatible_base_url", "vllm_base_url"} & settings.model_fields_set),
            # By its former names too; where both are set, the settings see that they agree.
            ModelConfig(
                provider=Provider.OPENAI_COMPATIBLE.value,
                model=settings.vllm_model or settings.openai_compatible_model,
                base_url=settings.vllm_base_url or settings.openai_compatible_base_url,
                api_key=secret(settings.vllm_api_key or settings.openai_compatible_api_key),
            ),
        ),
    )
    own = read_model_rows(settings.llm_models_file)
    found = [config for given, config in known if given or config.provider in settings.llm_provider]
    if "local_llm_base_url" in settings.model_fields_set or Provider.LOCAL in settings.llm_provider:
        local = local_model(settings)
        found.append(
            ModelConfig(
                provider=Provider.LOCAL.value,
                model=local.name,
                base_url=settings.local_llm_base_url,
                api_key=secret(settings.local_llm_api_key),
                adapter=local.tuned_to,
                calibration=read_calibration()
                if settings.local_llm_adapter is LocalModelAdapter.FIELDS
                else None,
                profile=profile_here(local, settings, own),
            )
        )
    return [
        replace(
            config,
            profile=config.profile
            or profile_of(
                config.provider,
                config.model,
                config.adapter,
                own=own,
                calibration=config.calibration,
            ),
        )
        for config in found
    ]
