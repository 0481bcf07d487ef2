"""Which language models the settings name, and how long one text may take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from adapters.llm.clients import ModelConfig, load_sdk
from adapters.llm.health import is_simulation
from entrypoints.settings import ModelSettings, Provider


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
