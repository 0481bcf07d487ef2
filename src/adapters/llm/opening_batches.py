"""Opens the models that take batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeAlias

from adapters.llm.capabilities import profile_of
from adapters.llm.clients import ModelConfig, gemini_client, openai_client
from ports.batch_language_model import BatchLanguageModel

OpenBatchModel: TypeAlias = Callable[[], Awaitable[BatchLanguageModel]]

_CONNECTIONS: Final = 4


@asynccontextmanager
async def open_batch_models(
    configs: Sequence[ModelConfig], *, call_timeout_s: float
) -> AsyncIterator[Mapping[str, OpenBatchModel]]:
    """Openers by provider name, for those providers that take batches; each opens once.

    Args:
        configs: one for each provider that may be asked.
        call_timeout_s: longest wait for one answer about a batch, in seconds (> 0).
    """
    async with AsyncExitStack() as stack:
        yield {
            config.provider: _once(stack, config, call_timeout_s)
            for config in configs
            if config.provider in _OPENED
        }


@asynccontextmanager
async def _open_openai(
    config: ModelConfig, call_timeout_s: float
) -> AsyncIterator[BatchLanguageModel]:
    async with openai_client(config, call_timeout_s, _CONNECTIONS) as client:
        from adapters.llm.openai_batch import OpenAIBatchLanguageModel  # noqa: PLC0415

        yield OpenAIBatchLanguageModel(
            client,
            profile=profile_of(config.provider, config.model),
            call_timeout_s=call_timeout_s,
        )


@asynccontextmanager
async def _open_gemini(
    config: ModelConfig, call_timeout_s: float
) -> AsyncIterator[BatchLanguageModel]:
    async with gemini_client(config, call_timeout_s, _CONNECTIONS) as client:
        from adapters.llm.gemini_batch import GeminiBatchLanguageModel  # noqa: PLC0415

        yield GeminiBatchLanguageModel(
            client,
            profile=profile_of(config.provider, config.model),
            call_timeout_s=call_timeout_s,
        )


_OPENED: Final = {"openai": _open_openai, "gemini": _open_gemini}


def _once(stack: AsyncExitStack, config: ModelConfig, call_timeout_s: float) -> OpenBatchModel:
    opening = asyncio.Lock()
    opened: list[BatchLanguageModel] = []

    async def open_() -> BatchLanguageModel:
        async with opening:
            if not opened:
                context = _OPENED[config.provider](config, call_timeout_s)
                opened.append(await stack.enter_async_context(context))
        return opened[0]

    return open_
