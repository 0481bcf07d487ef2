"""Opens the configured models and closes them again."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from redis.asyncio import Redis

from adapters.llm.capabilities import profile_of
from adapters.llm.concurrency import AdaptiveLimit
from adapters.llm.hints import StatedLimits
from adapters.llm.on_demand import OnDemandLanguageModel
from adapters.llm.pacing import LocalPacer
from adapters.llm.resilient import ResilientLanguageModel
from adapters.llm.valkey_pacing import SharedPacer, ValkeyPacer
from ports.language_model import LanguageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Where one provider is and what it is asked with.

    Attributes:
        provider: `openai`, `gemini`, `vllm` or `local`.
        model: the model's name there.
        base_url: of its API.
        api_key: None for a server that asks for none.
    """

    provider: str
    model: str
    base_url: str
    api_key: str | None = None


@asynccontextmanager
async def open_language_models(
    configs: Sequence[ModelConfig],
    *,
    call_timeout_s: float,
    concurrency: int,
    valkey: Redis | None = None,
) -> AsyncIterator[Mapping[str, LanguageModel]]:
    """The models by provider name, for as long as the block runs; none is connected before use.

    Args:
        configs: one for each provider that may be asked.
        call_timeout_s: longest wait for one answer, in seconds (> 0).
        concurrency: calls in flight to one provider, at most.
        valkey: where all processes share what providers allow; None keeps it to this process.
    """
    local = LocalPacer()
    pacer = local if valkey is None else SharedPacer(ValkeyPacer(valkey), local)
    async with AsyncExitStack() as stack:
        models: dict[str, LanguageModel] = {}
        for config in configs:
            stated = StatedLimits()
            bare = open_bare_model(config, call_timeout_s, concurrency, stated)
            models[config.provider] = ResilientLanguageModel(
                OnDemandLanguageModel(
                    profile_of(config.provider, config.model),
                    partial(stack.enter_async_context, bare),
                ),
                lane=_lane(config),
                pacer=pacer,
                limit=AdaptiveLimit(concurrency, alone_first=True),
                stated=stated,
                now=time.monotonic,
            )
        yield models


def open_bare_model(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: StatedLimits
) -> AbstractAsyncContextManager[LanguageModel]:
    """One model that makes one call an answer: unpaced, never tried again."""
    opened = _open_gemini if config.provider == "gemini" else _open_openai_protocol
    return opened(config, call_timeout_s, concurrency, stated)


def _lane(config: ModelConfig) -> str:
    """Provider, model and a digest of where and with which key."""
    place = f"{config.base_url} {config.api_key}".encode()
    return f"{config.provider}:{config.model}:{hashlib.sha256(place).hexdigest()[:12]}"


@asynccontextmanager
async def _open_openai_protocol(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: StatedLimits
) -> AsyncIterator[LanguageModel]:
    # The SDK takes a second to import: only who asks the provider pays, and no other request waits.
    await asyncio.to_thread(import_module, "adapters.llm.openai_protocol")
    import httpx2  # noqa: PLC0415
    import openai  # noqa: PLC0415

    from adapters.llm.openai_protocol import OpenAIProtocolLanguageModel  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with (
        httpx2.AsyncClient(limits=limits, timeout=call_timeout_s) as wire,
        openai.AsyncOpenAI(
            api_key=config.api_key or "none",
            base_url=config.base_url,
            max_retries=0,
            timeout=call_timeout_s,
            http_client=wire,
        ) as client,
    ):
        yield OpenAIProtocolLanguageModel(
            client,
            profile=profile_of(config.provider, config.model),
            call_timeout_s=call_timeout_s,
            stated=stated,
        )


@asynccontextmanager
async def _open_gemini(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: StatedLimits
) -> AsyncIterator[LanguageModel]:
    await asyncio.to_thread(import_module, "adapters.llm.gemini")
    import httpx2  # noqa: PLC0415
    from google import genai  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    from adapters.llm.gemini import GeminiLanguageModel  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(limits=limits, timeout=call_timeout_s) as wire:
        # With its own client, the SDK's errors do not depend on what else is installed.
        client = genai.Client(
            api_key=config.api_key or "none",
            http_options=types.HttpOptions(base_url=config.base_url, httpx_async_client=wire),
        )
        try:
            yield GeminiLanguageModel(
                client,
                profile=profile_of(config.provider, config.model),
                call_timeout_s=call_timeout_s,
                stated=stated,
            )
        finally:
            await client.aio.aclose()
