"""Admission control that all processes share, in Valkey; and what happens while it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from string import Template
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.llm import admission
from adapters.llm.admission import (
    BLIND_QUOTA_S,
    LONGEST_QUOTA_HINT_S,
    LocalAdmissionControl,
    Permit,
    ProviderAdmissionControl,
    RateLimits,
    WaitCause,
    bounded_hint_s,
)
from adapters.llm.clients import ModelConfig, lane_of, provider_of
from domain.errors import QueueUnavailable
from ports.language_models import GateState, ProviderGates, ProviderStatus

_log = logging.getLogger(__name__)
T = TypeVar("T")

_CONSTANTS: Final = (
    "SAFETY",
    "BURST_S",
    "FAILURES_TO_OPEN",
    "OPEN_S",
    "PROBE_S",
    "POLL_S",
    "GLANCE_S",
    "BLIND_WAIT_S",
    "CUT",
    "CUT_EVERY_S",
    "RAISE",
    "RAISE_EVERY_S",
    "OBSERVED_S",
)
_AWAY_S: Final = 5.0
_PATIENCE_S: Final = 1.0
_OBSTACLES: Final = (WaitCause.RATE, WaitCause.CIRCUIT, WaitCause.QUOTA)


def _script() -> str:
    def written(value: object) -> str:
        return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    text = Path(__file__).with_name("admission.lua").read_text(encoding="utf-8")
    return Template(text).substitute(
        {name: written(getattr(admission, name)) for name in _CONSTANTS}
    )


class ValkeyAdmissionControl(ProviderAdmissionControl):
    """One script call an operation; time is the server's.

    Args:
        client: answers within a second, or counts as away.
        prefix: of the keys.
    """

    def __init__(self, client: Redis, *, prefix: str = "storekeeper:llm:") -> None:
        self._client = client
        self._run = client.register_script(_script())
        self._prefix = prefix

    async def lanes(self) -> Sequence[str]:
        """The lanes that any process used of late, sorted."""
        found = self._client.scan_iter(match=f"{self._prefix}*", count=1000)
        async with asyncio.timeout(_PATIENCE_S):
            return sorted([key.decode().removeprefix(self._prefix) async for key in found])

    async def _call(self, lane: str, *arguments: object) -> list[float]:
        async with asyncio.timeout(_PATIENCE_S):
            found = await self._run(keys=[self._prefix + lane], args=[str(a) for a in arguments])
        return [float(each) for each in found]

    async def acquire(
        self, lane: str, *, tokens: int, max_wait_s: float, probes: bool = True
    ) -> Permit:
        """See the protocol."""
        wait, granted, obstacle = await self._call(lane, "acquire", tokens, max_wait_s, int(probes))
        return Permit(wait_s=wait, granted=bool(granted), obstacle=_OBSTACLES[int(obstacle)])

    async def closed_s(self, lane: str) -> float:
        """See the protocol."""
        return (await self._call(lane, "closed"))[0]

    async def answered(self, lane: str, *, unplanned_tokens: int) -> None:
        """See the protocol."""
        await self._call(lane, "answered", unplanned_tokens)

    async def limited(self, lane: str, *, hint_s: float | None) -> float:
        """See the protocol."""
        wait_s = bounded_hint_s(hint_s)
        return (await self._call(lane, "limited", -1 if wait_s is None else wait_s))[0]

    async def exhausted(self, lane: str, *, hint_s: float | None) -> float:
        """See the protocol."""
        wait_s = bounded_hint_s(hint_s, most_s=LONGEST_QUOTA_HINT_S) or BLIND_QUOTA_S
        return (await self._call(lane, "exhausted", wait_s))[0]

    async def failed(self, lane: str) -> None:
        """See the protocol."""
        await self._call(lane, "failed")

    async def learn(self, lane: str, limits: RateLimits) -> None:
        """See the protocol."""
        requests, tokens = limits.requests_per_minute or 0, limits.tokens_per_minute or 0
        await self._call(lane, "learn", requests, tokens)

    async def state(self, lane: str) -> GateState:
        """See the protocol."""
        said = await self._call(lane, "state")
        gate_s, hinted, refusals, circuit_open, circuit_s, failures, quota_s, probes = said
        return GateState(
            gate_s=gate_s,
            hinted=bool(hinted),
            refusals=int(refusals),
            circuit_open=bool(circuit_open),
            circuit_s=circuit_s,
            failures=int(failures),
            quota_s=quota_s,
            probes=int(probes),
        )

    async def reopen(self, lane: str) -> None:
        """See the protocol."""
        await self._call(lane, "reopen")


class SharedAdmissionControl(ProviderAdmissionControl):
    """The shared lanes while they can be reached, else the process's own.

    Without Valkey no text is lost and no call stops: each process then paces itself by what it
    learned, which may be too fast by the number of processes until Valkey is back. Every report
    goes to the local lanes as well, so that they are warm.

    Args:
        shared: lanes of all processes.
        local: lanes of this process.
        now: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        shared: ProviderAdmissionControl,
        local: LocalAdmissionControl,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = local
        self._now = now
        self._away_until = 0.0

    async def acquire(
        self, lane: str, *, tokens: int, max_wait_s: float, probes: bool = True
    ) -> Permit:
        """See the protocol."""
        return await self._either(
            lambda each: each.acquire(lane, tokens=tokens, max_wait_s=max_wait_s, probes=probes)
        )

    async def closed_s(self, lane: str) -> float:
        """See the protocol."""
        return await self._either(lambda each: each.closed_s(lane))

    async def answered(self, lane: str, *, unplanned_tokens: int) -> None:
        """See the protocol."""
        await self._both(lambda each: each.answered(lane, unplanned_tokens=unplanned_tokens))

    async def limited(self, lane: str, *, hint_s: float | None) -> float:
        """See the protocol."""
        return await self._both(lambda each: each.limited(lane, hint_s=hint_s))

    async def exhausted(self, lane: str, *, hint_s: float | None) -> float:
        """See the protocol."""
        return await self._both(lambda each: each.exhausted(lane, hint_s=hint_s))

    async def failed(self, lane: str) -> None:
        """See the protocol."""
        await self._both(lambda each: each.failed(lane))

    async def learn(self, lane: str, limits: RateLimits) -> None:
        """See the protocol."""
        await self._both(lambda each: each.learn(lane, limits))

    async def state(self, lane: str) -> GateState:
        """See the protocol."""
        return await self._either(lambda each: each.state(lane))

    async def reopen(self, lane: str) -> None:
        """See the protocol."""
        await self._both(lambda each: each.reopen(lane))

    async def _either(self, ask: Callable[[ProviderAdmissionControl], Awaitable[T]]) -> T:
        if self._now() >= self._away_until:
            try:
                return await ask(self._shared)
            except (RedisError, OSError, TimeoutError) as error:
                self._gone(error)
        return await ask(self._local)

    async def _both(self, report: Callable[[ProviderAdmissionControl], Awaitable[T]]) -> T:
        mine = await report(self._local)

        async def kept(control: ProviderAdmissionControl) -> T:
            return mine if control is self._local else await report(control)

        return await self._either(kept)

    def _gone(self, error: Exception) -> None:
        now = self._now()
        if now >= self._away_until:  # all calls under way find it out, and one line says it
            _log.warning(
                "Valkey does not answer (%s): rate limits are kept per process for %.0f s",
                type(error).__name__,
                _AWAY_S,
            )
        self._away_until = now + _AWAY_S


class ValkeyProviderGates(ProviderGates):
    """The lanes that `SharedAdmissionControl` shares.

    Args:
        configs: the providers that are configured here; running processes may know others.
        valkey: where the lanes are.
    """

    def __init__(self, configs: Sequence[ModelConfig], valkey: Redis) -> None:
        self._here = [lane_of(config) for config in configs]
        self._admission = ValkeyAdmissionControl(valkey)

    async def all(self) -> Sequence[ProviderStatus]:
        """See the port."""
        return [await self._gate(lane) for lane in await self._lanes()]

    async def reopen(self, name: str) -> None:
        """See the port."""
        for lane in await self._lanes():
            if provider_of(lane)[0] == name:
                await _reached(self._admission.reopen(lane))

    async def _lanes(self) -> Sequence[str]:
        return list(dict.fromkeys([*self._here, *await _reached(self._admission.lanes())]))

    async def _gate(self, lane: str) -> ProviderStatus:
        name, model = provider_of(lane)
        return ProviderStatus(
            name=name, model=model, state=await _reached(self._admission.state(lane))
        )


async def _reached(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(
            "the server of REDIS_URL does not answer. Until it does, each process has gates of its"
            " own: restart the process whose gates are to be opened.",
            retry_after_s=5,
        ) from error
