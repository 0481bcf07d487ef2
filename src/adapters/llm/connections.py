"""Opens the configured models and closes them again; no client is made before its first use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, TypeAlias, TypeVar

from redis.asyncio import Redis

from adapters.llm.admission import LocalAdmissionControl, ReportedRateLimits
from adapters.llm.capabilities import profile_of
from adapters.llm.clients import ModelConfig, gemini_client, lane_of, openai_client
from adapters.llm.concurrency import AdaptiveLimit
from adapters.llm.resilient import ResilientLanguageModel
from adapters.llm.valkey_admission import SharedAdmissionControl, ValkeyAdmissionControl
from ports.language_models import (
    Answer,
    BatchLanguageModel,
    LanguageModel,
    ModelProfile,
    Prompt,
    TimeBudget,
)

T = TypeVar("T")


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
    local = LocalAdmissionControl()
    admission = (
        local if valkey is None else SharedAdmissionControl(ValkeyAdmissionControl(valkey), local)
    )
    async with AsyncExitStack() as stack:
        models: dict[str, ResilientLanguageModel] = {}
        for config in configs:
            stated = ReportedRateLimits()
            models[config.name or config.provider] = ResilientLanguageModel(
                LazyLanguageModel(
                    _profile(config),
                    _once(
                        stack,
                        partial(open_bare_model, config, call_timeout_s, concurrency, stated),
                    ),
                ),
                lane=lane_of(config),
                admission=admission,
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
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: ReportedRateLimits
) -> AbstractAsyncContextManager[LanguageModel]:
    """One model that makes one call an answer: unpaced, never tried again."""
    opened = _open_gemini if config.provider == "gemini" else _open_openai_protocol
    return opened(config, call_timeout_s, concurrency, stated)


def _profile(config: ModelConfig) -> ModelProfile:
    return config.profile or profile_of(
        config.provider, config.model, config.adapter, calibration=config.calibration
    )


@asynccontextmanager
async def _open_openai_protocol(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: ReportedRateLimits
) -> AsyncIterator[LanguageModel]:
    async with openai_client(config, call_timeout_s, concurrency) as client:
        from adapters.llm.openai_compatible import OpenAICompatibleLanguageModel  # noqa: PLC0415

        yield OpenAICompatibleLanguageModel(
            client,
            profile=_profile(config),
            call_timeout_s=call_timeout_s,
            stated=stated,
        )


@asynccontextmanager
async def _open_gemini(
    config: ModelConfig, call_timeout_s: float, concurrency: int, stated: ReportedRateLimits
) -> AsyncIterator[LanguageModel]:
    async with gemini_client(config, call_timeout_s, concurrency) as client:
        from adapters.llm.gemini import GeminiLanguageModel  # noqa: PLC0415

        yield GeminiLanguageModel(
            client,
            profile=_profile(config),
            call_timeout_s=call_timeout_s,
            stated=stated,
        )


class LazyLanguageModel(LanguageModel):
    """Opens another model at the first call: each SDK takes a second to import.

    Args:
        profile: what the other model's profile will be.
        opened: makes it, once.
    """

    def __init__(
        self, profile: ModelProfile, opened: Callable[[], Awaitable[LanguageModel]]
    ) -> None:
        self._profile = profile
        self._opened = opened

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._profile

    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        """See the port."""
        return await (await self._opened()).complete(prompt, budget)


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
            config.provider: _once(stack, partial(_OPENED[config.provider], config, call_timeout_s))
            for config in configs
            if config.provider in _OPENED
        }


@asynccontextmanager
async def _open_openai_batches(
    config: ModelConfig, call_timeout_s: float
) -> AsyncIterator[BatchLanguageModel]:
    async with openai_client(config, call_timeout_s, _CONNECTIONS) as client:
        from adapters.llm.openai_batch import OpenAIBatchLanguageModel  # noqa: PLC0415

        yield OpenAIBatchLanguageModel(
            client,
            profile=_profile(config),
            call_timeout_s=call_timeout_s,
        )


@asynccontextmanager
async def _open_gemini_batches(
    config: ModelConfig, call_timeout_s: float
) -> AsyncIterator[BatchLanguageModel]:
    async with gemini_client(config, call_timeout_s, _CONNECTIONS) as client:
        from adapters.llm.gemini_batch import GeminiBatchLanguageModel  # noqa: PLC0415

        yield GeminiBatchLanguageModel(
            client,
            profile=_profile(config),
            call_timeout_s=call_timeout_s,
        )


_OPENED: Final = {"openai": _open_openai_batches, "gemini": _open_gemini_batches}


def _once(
    stack: AsyncExitStack, context: Callable[[], AbstractAsyncContextManager[T]]
) -> Callable[[], Awaitable[T]]:
    """Enters a context at the first call, and again only if that failed; `stack` leaves it."""
    entering = asyncio.Lock()
    entered: list[T] = []

    async def enter() -> T:
        if not entered:
            async with entering:
                if not entered:
                    entered.append(await stack.enter_async_context(context()))
        return entered[0]

    return enter
