"""Opens the configured models and closes them again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from redis.asyncio import Redis

from adapters.llm.capabilities import profile_of
from adapters.llm.clients import ModelConfig, gemini_client, openai_client
from adapters.llm.concurrency import AdaptiveLimit
from adapters.llm.hints import StatedLimits
from adapters.llm.on_demand import OnDemandLanguageModel
from adapters.llm.pacing import LocalPacer
from adapters.llm.resilient import ResilientLanguageModel
from adapters.llm.valkey_pacing import SharedPacer, ValkeyPacer
from ports.language_model import LanguageModel, ModelProfile

__all__ = ["ModelConfig", "open_bare_model", "open_language_models", "profile_of"]


@asynccontextmanager
async def open_language_models(
    configs: Sequence[ModelConfig],
    *,
    call_timeout_s: float,
    concurrency: int,
    valkey: Redis | None = None,
) -> AsyncIterator[Mapping[str, LanguageModel]]:
    """The models by name, for as long as the block runs; none is connected before use.

    Args:
        configs: one for each provider that may be asked, or for each way of asking it.
        call_timeout_s: longest wait for one answer, in seconds (> 0).
        concurrency: calls in flight to one provider, at most.
        valkey: where all processes share what providers allow; None keeps it to this process.
    """
    local = LocalPacer()
    pacer = local if valkey is None else SharedPacer(ValkeyPacer(valkey), local)
    async with AsyncExitStack() as stack:
        models: dict[str, ResilientLanguageModel] = {}
        for config in configs:
            stated = StatedLimits()
            models[config.name or config.provider] = ResilientLanguageModel(
                OnDemandLanguageModel(
                    _profile(config),
                    partial(_entered, stack, config, call_timeout_s, concurrency, stated),
                ),
                lane=lane_of(config),
                pacer=pacer,
                limit=AdaptiveLimit(concurrency, alone_first=True),
                stated=stated,
                now=time.monotonic,
            )
        try:
            yield models
        finally:
            for model in models.values():
                await model.aclose()


def open_bare_model(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: StatedLimits
) -> AbstractAsyncContextManager[LanguageModel]:
    """One model that makes one call an answer: unpaced, never tried again."""
    opened = _open_gemini if config.provider == "gemini" else _open_openai_protocol
    return opened(config, call_timeout_s, concurrency, stated)


async def _entered(
    stack: AsyncExitStack,
    config: ModelConfig,
    call_timeout_s: float,
    concurrency: int,
    stated: StatedLimits,
) -> LanguageModel:
    """A bare model that `stack` closes."""
    bare = open_bare_model(config, call_timeout_s, concurrency, stated)
    return await stack.enter_async_context(bare)


def _profile(config: ModelConfig) -> ModelProfile:
    return config.profile or profile_of(config.provider, config.model)


def lane_of(config: ModelConfig) -> str:
    """Provider, model and a digest of where and with which key."""
    place = f"{config.base_url} {config.api_key}".encode()
    return f"{config.provider}:{config.model}:{hashlib.sha256(place).hexdigest()[:12]}"


def provider_of(lane: str) -> tuple[str, str]:
    """The provider and the model that a lane belongs to."""
    provider, _, rest = lane.partition(":")
    return provider, rest.rpartition(":")[0]


@asynccontextmanager
async def _open_openai_protocol(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: StatedLimits
) -> AsyncIterator[LanguageModel]:
    async with openai_client(config, call_timeout_s, concurrency) as client:
        from adapters.llm.openai_protocol import OpenAIProtocolLanguageModel  # noqa: PLC0415

        yield OpenAIProtocolLanguageModel(
            client,
            profile=_profile(config),
            call_timeout_s=call_timeout_s,
            stated=stated,
        )


@asynccontextmanager
async def _open_gemini(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: StatedLimits
) -> AsyncIterator[LanguageModel]:
    async with gemini_client(config, call_timeout_s, concurrency) as client:
        from adapters.llm.gemini import GeminiLanguageModel  # noqa: PLC0415

        yield GeminiLanguageModel(
            client,
            profile=_profile(config),
            call_timeout_s=call_timeout_s,
            stated=stated,
        )
