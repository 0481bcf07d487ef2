"""The providers' own clients: without retries, imported when they are first opened."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from domain.extraction.confidence import Calibration
from ports.language_models import ModelProfile

if TYPE_CHECKING:
    from google import genai
    from openai import AsyncOpenAI


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Where one provider is and what it is asked with.

    Attributes:
        provider: `openai`, `gemini`, `openai_compatible` or `local`.
        model: the model's name there.
        base_url: of its API.
        api_key: None for a server that asks for none.
        name: by which callers ask for it; None for the provider's.
        profile: how it is asked; None for what the table of models says.
        adapter: the prompt to which the adapter was tuned that its server holds; None for none.
        calibration: for the confidence of answers to that prompt; None for none.
    """

    provider: str
    model: str
    base_url: str
    api_key: str | None = None
    name: str | None = None
    profile: ModelProfile | None = None
    adapter: str | None = None
    calibration: Calibration | None = None


def lane_of(config: ModelConfig) -> str:
    """Provider, model and a digest of where and with which key."""
    place = f"{config.base_url} {config.api_key}".encode()
    return f"{config.provider}:{config.model}:{hashlib.sha256(place).hexdigest()[:12]}"


def provider_of(lane: str) -> tuple[str, str]:
    """The provider and the model that a lane belongs to."""
    provider, _, rest = lane.partition(":")
    return provider, rest.rpartition(":")[0]


_ONE_IMPORT: Final = threading.Lock()


async def load_sdk(provider: str) -> None:
    """Import what asking `provider` takes, a second of work that its first call would wait for."""
    module = "google.genai" if provider == "gemini" else "openai"
    await asyncio.to_thread(_import, module)


def _import(module: str) -> None:
    # Both import what the other does too: side by side, one may see it half done.
    with _ONE_IMPORT:
        import_module(module)


@asynccontextmanager
async def openai_client(
    config: ModelConfig, call_timeout_s: float, concurrency: int
) -> AsyncIterator[AsyncOpenAI]:
    """A client of a server that speaks OpenAI's protocol."""
    # The SDK takes a second to import: only who asks the provider pays, and no other request waits.
    await load_sdk(config.provider)
    import httpx2  # noqa: PLC0415
    import openai  # noqa: PLC0415

    from adapters.llm.replies import HOOKS  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with (
        httpx2.AsyncClient(limits=limits, timeout=call_timeout_s, event_hooks=HOOKS) as wire,
        openai.AsyncOpenAI(
            api_key=config.api_key or "none",
            base_url=config.base_url,
            max_retries=0,
            timeout=call_timeout_s,
            http_client=wire,
        ) as client,
    ):
        yield client


@asynccontextmanager
async def gemini_client(
    config: ModelConfig, call_timeout_s: float, concurrency: int
) -> AsyncIterator[genai.Client]:
    """A client of Gemini."""
    await load_sdk(config.provider)
    import httpx2  # noqa: PLC0415
    from google import genai  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    from adapters.llm.replies import HOOKS  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(limits=limits, timeout=call_timeout_s, event_hooks=HOOKS) as wire:
        # With its own client, the SDK's errors do not depend on what else is installed.
        client = genai.Client(
            api_key=config.api_key or "none",
            http_options=types.HttpOptions(base_url=config.base_url, httpx_async_client=wire),
        )
        try:
            yield client
        finally:
            await client.aio.aclose()
