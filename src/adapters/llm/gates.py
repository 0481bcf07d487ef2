"""The gates of providers in Valkey, as an operator sees and opens them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.llm.clients import ModelConfig
from adapters.llm.opening import lane_of, provider_of
from adapters.llm.valkey_pacing import ValkeyPacer
from domain.errors import QueueUnavailable
from ports.provider_gates import ProviderGate, ProviderGates

T = TypeVar("T")


class ValkeyProviderGates(ProviderGates):
    """The lanes that `SharedPacer` shares.

    Args:
        configs: the providers that are configured here; running processes may know others.
        valkey: where the lanes are.
    """

    def __init__(self, configs: Sequence[ModelConfig], valkey: Redis) -> None:
        self._here = [lane_of(config) for config in configs]
        self._pacer = ValkeyPacer(valkey)

    async def all(self) -> Sequence[ProviderGate]:
        """See the port."""
        return [await self._gate(lane) for lane in await self._lanes()]

    async def reopen(self, name: str) -> None:
        """See the port."""
        for lane in await self._lanes():
            if provider_of(lane)[0] == name:
                await _reached(self._pacer.reopen(lane))

    async def _lanes(self) -> Sequence[str]:
        return list(dict.fromkeys([*self._here, *await _reached(self._pacer.lanes())]))

    async def _gate(self, lane: str) -> ProviderGate:
        name, model = provider_of(lane)
        return ProviderGate(name=name, model=model, state=await _reached(self._pacer.state(lane)))


async def _reached(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(
            "the server of REDIS_URL does not answer. Until it does, each process has gates of its"
            " own: restart the process whose gates are to be opened.",
            retry_after_s=5,
        ) from error
