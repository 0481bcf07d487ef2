"""The providers' own clients over a fake provider, and a prompt for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.llm.admission import ReportedRateLimits
from adapters.llm.clients import ModelConfig
from adapters.llm.connections import open_bare_model
from domain.extraction.prompting import build_prompt
from domain.extraction.schema import ORDER_MESSAGE
from fake_provider.testing import FakeInThread
from ports.language_models import Answer, LanguageModel, Prompt, TimeBudget

TEXT = "Hi, this is Maria Lopez. Could we get 24 oat milk cartons by friday?"
PROVIDERS = ("openai", "gemini", "openai_compatible")
MODELS = {"openai": "gpt-5.4-mini", "gemini": "gemini-3-flash", "openai_compatible": "served-model"}
BUDGET = TimeBudget(timeout_s=20, wait_s=0)


@asynccontextmanager
async def opened(
    fake: FakeInThread,
    provider: str,
    *,
    timeout_s: float = 20,
    stated: ReportedRateLimits | None = None,
    key: str = "a-key",
    model: str | None = None,
) -> AsyncIterator[LanguageModel]:
    urls = {
        "openai": fake.openai_base_url,
        "gemini": fake.gemini_base_url,
        "openai_compatible": fake.vllm_base_url,
    }
    config = ModelConfig(
        provider=provider, model=model or MODELS[provider], base_url=urls[provider], api_key=key
    )
    async with open_bare_model(
        config, timeout_s, 4, stated or ReportedRateLimits()
    ) as language_model:
        yield language_model


def prompt_for(language_model: LanguageModel, text: str = TEXT) -> Prompt:
    return build_prompt(ORDER_MESSAGE, text, language_model.profile, new_mark=lambda: "a1b2c3d4")


async def asked(
    fake: FakeInThread, provider: str, *, timeout_s: float = 20, key: str = "a-key"
) -> Answer:
    async with opened(fake, provider, timeout_s=timeout_s, key=key) as language_model:
        return await language_model.complete(prompt_for(language_model), BUDGET)
