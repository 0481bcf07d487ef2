"""The gates of providers in Valkey, as an operator sees and opens them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.llm.clients import ModelConfig
from adapters.llm.opening import lane_of
from adapters.llm.valkey_pacing import ValkeyPacer
from domain.errors import QueueUnavailable
from ports.provider_gates import ProviderGate, ProviderGates

T = TypeVar("T")


class ValkeyProviderGates(ProviderGates):
    """The lanes that `SharedPacer` shares.

    Args:
        configs: the configured providers.
        valkey: where the lanes are.
    """

    def __init__(self, configs: Sequence[ModelConfig], valkey: Redis) -> None:
        self._configs = {config.provider: config for config in configs}
        self._pacer = ValkeyPacer(valkey)

    async def all(self) -> Sequence[ProviderGate]:
        """See the port."""
        return [
            ProviderGate(
                name=name,
                model=config.model,
                state=await _reached(self._pacer.state(lane_of(config))),
            )
            for name, config in self._configs.items()
        ]

    async def reopen(self, name: str) -> None:
        """See the port."""
        await _reached(self._pacer.reopen(lane_of(self._configs[name])))


async def _reached(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(
            "the server of REDIS_URL does not answer. Until it does, each process has gates of its"
            " own: restart the process whose gates are to be opened.",
            retry_after_s=5,
        ) from error
