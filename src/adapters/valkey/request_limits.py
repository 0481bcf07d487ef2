"""Callers' limits: counted in Valkey for all processes, and in each process while that is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.access.limits import LEASE_PART, Bucket, RateLimit, take
from ports.access import LimitDecision, LimitState, RequestLimiter

_log = logging.getLogger(__name__)

_MICROSECONDS: Final = 1_000_000
_MOST_BUCKETS: Final = 10_000
"""That a process holds, some 5 MB; the one that was not asked for longest goes."""
_PATIENCE_S: Final = 0.05
_AWAY_S: Final = 5.0
_LEASE_S: Final = 1.0
"""How long units that were taken in advance are kept; then they are lost to the caller."""
_OFTEN_S, _SELDOM_S = 0.1, 0.5
"""Valkey is asked for a busy caller between so often and so seldom."""


class LocalRequestLimiter(RequestLimiter):
    """Buckets of this process alone.

    Args:
        now: a clock that never goes back, in seconds.
        most_buckets: that are kept; the one that was not asked for longest is forgotten, and so
            full again.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        most_buckets: int = _MOST_BUCKETS,
    ) -> None:
        self._now = now
        self._most_buckets = most_buckets
        self._arrivals_us: OrderedDict[str, Sequence[int]] = OrderedDict()

    async def take(self, bucket: str, limits: Sequence[RateLimit], cost: int) -> LimitDecision:
        """See the port."""
        arrivals_us = self._arrivals_us.pop(bucket, ())
        if len(arrivals_us) != len(limits):
            arrivals_us = [0] * len(limits)
        now_us = int(self._now() * _MICROSECONDS)
        decision = take(limits, arrivals_us, now_us, cost=cost)
        self._arrivals_us[bucket] = [each.arrival_us for each in decision.buckets]
        if len(self._arrivals_us) > self._most_buckets:
            self._arrivals_us.popitem(last=False)
        return _allowance(limits, decision.buckets, decision.wait_us)

    def is_shared(self) -> bool:
        """See the port."""
        return False


def _allowance(
    limits: Sequence[RateLimit], buckets: Sequence[Bucket], wait_us: int
) -> LimitDecision:
    return LimitDecision(
        wait_s=wait_us / _MICROSECONDS or None,
        states=[
            LimitState(limit=limit, left=bucket.left, full_s=bucket.full_us / _MICROSECONDS)
            for limit, bucket in zip(limits, buckets, strict=True)
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedUnits:
    """What Valkey gave.

    Attributes:
        units: as asked for or more; 0 when refused.
        allowance: what to tell the caller.
    """

    units: int
    allowance: LimitDecision


class ValkeyRequestLimiter(RequestLimiter):
    """One script call an operation; time is the server's, and keys go when their bucket is full.

    Args:
        client: of the server.
        prefix: of the keys.
    """

    def __init__(self, client: Redis, *, prefix: str = "storekeeper:limits:") -> None:
        script = Path(__file__).with_name("take.lua").read_text(encoding="utf-8")
        self._run = client.register_script(script)
        self._prefix = prefix

    async def take(self, bucket: str, limits: Sequence[RateLimit], cost: int) -> LimitDecision:
        """See the port; here it may fail.

        Raises:
            RedisError, OSError: the server cannot be reached.
        """
        return (await self.lease(bucket, limits, cost, wanted=0)).allowance

    def is_shared(self) -> bool:
        """See the port."""
        return True

    async def lease(
        self, bucket: str, limits: Sequence[RateLimit], cost: int, *, wanted: int
    ) -> GrantedUnits:
        """Take `cost`, or up to `wanted` units of a bucket that is well filled.

        Raises:
            RedisError, OSError: the server cannot be reached.
        """
        shapes = [each for limit in limits for each in (limit.interval_us, limit.burst)]
        refused, granted, wait_us, *stand = await self._run(
            keys=[f"{self._prefix}{{{bucket}}}:{limit.name}" for limit in limits],
            args=[cost, wanted, LEASE_PART, *shapes],
        )
        buckets = [
            Bucket(arrival_us=0, left=left, full_us=full_us)
            for left, full_us in zip(stand[::2], stand[1::2], strict=True)
        ]
        return GrantedUnits(
            units=0 if refused else granted, allowance=_allowance(limits, buckets, wait_us)
        )


@dataclass(slots=True, kw_only=True)
class _Lease:
    """What a process holds of one bucket.

    Attributes:
        answer: Valkey's last.
        units: taken in advance, until `ends`.
        times: how many charges are taken at once.
        asked: when Valkey was asked last.
        refused, refused_until: a charge that was refused, and until when that is sure to be again,
            as are larger ones.
        turn: held by whom Valkey is asked for; the others of the bucket wait for that answer.
    """

    answer: LimitDecision = field(default_factory=lambda: LimitDecision(wait_s=None, states=()))
    units: int = 0
    ends: float = 0.0
    times: int = 1
    asked: float = float("-inf")
    refused: int = 0
    refused_until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class SharedRequestLimiter(RequestLimiter):
    """The count in Valkey, without a round trip for each request; the process's own without Valkey.

    For a caller who asks often, a process takes units in advance: as many as it needed in about the
    last quarter of a second, and at most a tenth of what is left. It uses them up, or they are lost
    after a second: so nobody gets more than their limit, and one who is close to it may get less by
    what the processes hold. A refusal is remembered for as long as it is sure to be repeated: a
    flood of one caller does not reach Valkey.

    Valkey that does not answer in 50 ms counts as away for five seconds, then one request tries it.
    Meanwhile each process has buckets of the same size, which are full at first.

    Args:
        shared: of all processes.
        local: of this process.
        now: a clock that never goes back, in seconds.
        patience_s: how long Valkey may take; None for 50 ms.
    """

    def __init__(
        self,
        shared: ValkeyRequestLimiter,
        local: LocalRequestLimiter,
        *,
        now: Callable[[], float] = time.monotonic,
        patience_s: float | None = None,
    ) -> None:
        self._shared = shared
        self._local = local
        self._now = now
        self._patience_s = _PATIENCE_S if patience_s is None else patience_s
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._away = False
        self._away_until = 0.0

    async def take(self, bucket: str, limits: Sequence[RateLimit], cost: int) -> LimitDecision:
        """See the port."""
        lease = self._leases.get(bucket)
        if lease is None:
            lease = self._leases[bucket] = _Lease()
            if len(self._leases) > _MOST_BUCKETS:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(bucket)
        known = self._known(lease, cost)
        if known is not None:
            return known
        async with lease.turn:
            return self._known(lease, cost) or await self._ask(lease, bucket, limits, cost)

    def is_shared(self) -> bool:
        """See the port."""
        return not self._away

    def _known(self, lease: _Lease, cost: int) -> LimitDecision | None:
        """The answer where Valkey need not be asked for it."""
        now = self._now()
        if 0 < cost <= lease.units and now < lease.ends:
            lease.units -= cost
            return LimitDecision(wait_s=None, states=lease.answer.states, held=lease.units)
        if cost >= lease.refused and now < lease.refused_until:
            return LimitDecision(wait_s=lease.refused_until - now, states=lease.answer.states)
        return None

    async def _ask(
        self, lease: _Lease, bucket: str, limits: Sequence[RateLimit], cost: int
    ) -> LimitDecision:
        now = self._now()
        if now < self._away_until:
            return await self._local.take(bucket, limits, cost)
        if self._away:  # one request tries
            self._away_until = now + _AWAY_S
        units = lease.units if now < lease.ends else 0
        need = cost - units if cost > 0 else cost
        times = _paced(lease, now)
        try:
            async with asyncio.timeout(self._patience_s):
                grant = await self._shared.lease(bucket, limits, need, wanted=times * cost)
        except (RedisError, OSError, TimeoutError) as error:
            self._gone(error)
            return await self._local.take(bucket, limits, cost)
        self._back()
        lease.asked, lease.times, lease.answer = now, times, grant.allowance
        wait_s = grant.allowance.wait_s
        if wait_s is not None:
            lease.refused, lease.refused_until = cost, now + wait_s
            return grant.allowance
        lease.units, lease.ends = units + grant.units - cost, now + _LEASE_S
        if cost < 0:
            lease.refused_until = 0.0
        return replace(grant.allowance, held=lease.units)

    def _gone(self, error: Exception) -> None:
        if not self._away:  # all requests under way find it out, and one line says it
            _log.warning(
                "Valkey does not answer (%s): each process counts requests by itself until it does",
                type(error).__name__,
            )
        self._away, self._away_until = True, self._now() + _AWAY_S

    def _back(self) -> None:
        if self._away:
            _log.info("Valkey answers again: requests are counted for all processes together")
        self._away, self._away_until = False, 0.0


def _paced(lease: _Lease, now: float) -> int:
    """How many charges to take at once, so that Valkey is asked a few times a second."""
    since_s = now - lease.asked
    if since_s < _OFTEN_S:
        return min(2 * lease.times, 1 << 16)
    return lease.times if since_s < _SELDOM_S else 1
