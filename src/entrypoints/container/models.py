"""Which language models the settings name, and how long one text may take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from adapters.embedded.model_server import read_calibration
from adapters.llm.clients import ModelConfig, load_sdk
from adapters.llm.health import is_simulation
from domain.extraction.prompting import TUNED_PROMPT
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


async def warm_up(settings: ModelCommandSettings) -> None:
    """Load what asking the chain takes: who asks first waits for the answer, not for that."""
    for provider in settings.llm_provider:
        await load_sdk(provider)


def model_configs(settings: ModelCommandSettings) -> list[ModelConfig]:
    """The providers that can be asked: those of the chain, and those whose key or URL is set."""

    def secret(value: SecretStr | None) -> str | None:
        return None if value is None else value.get_secret_value()

    tuned = settings.local_llm_adapter is LocalModelAdapter.FIELDS
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
            "vllm_base_url" in settings.model_fields_set,
            ModelConfig(
                provider=Provider.VLLM.value,
                model=settings.vllm_model,
                base_url=settings.vllm_base_url,
                api_key=secret(settings.vllm_api_key),
            ),
        ),
        (
            "local_llm_base_url" in settings.model_fields_set,
            ModelConfig(
                provider=Provider.LOCAL.value,
                model=settings.local_llm_model,
                base_url=settings.local_llm_base_url,
                api_key=secret(settings.local_llm_api_key),
                adapter=TUNED_PROMPT if tuned else None,
                calibration=read_calibration() if tuned else None,
            ),
        ),
    )
    return [config for given, config in known if given or config.provider in settings.llm_provider]
