"""Whether a request may go on: by what its caller asked for before, or its address tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from domain.access.keys import Address
from domain.access.limits import RateLimit, network_of, own_limit, read_rate_limits
from domain.access.model import Caller, CallerKind, Scope
from domain.errors import LimitReached
from ports.access import LimitDecision, RequestLimiter

GROUPS: Final = ("records", "insights", "extract", "admin")
"""Scopes that share limits: what stands before the colon of a scope."""

FAILURES: Final = "failures"
"""The group of what an address may try and fail to authenticate; each costs one unit."""

DEFAULT_LIMITS: Final = (
    "records=6000/min burst 1000, insights=1200/min burst 200, extract=1200/min burst 200,"
    " admin=600/min burst 100, failures=10/min burst 30"
)


def stated_limits(text: str) -> Mapping[str, Sequence[RateLimit]]:
    """The limits of every group: those that `text` names, and the defaults of the others.

    Raises:
        BadLimit: see `read_rate_limits`.
    """
    groups = (*GROUPS, FAILURES)
    return {**read_rate_limits(DEFAULT_LIMITS, groups), **read_rate_limits(text, groups)}


class CallerLimits:
    """Refuses what is more than a caller or an address may ask for.

    Args:
        limiter: counts.
        limits: of each group; none for a group that has no limit.
    """

    def __init__(self, limiter: RequestLimiter, limits: Mapping[str, Sequence[RateLimit]]) -> None:
        self._limiter = limiter
        self._limits = limits
        self._groups = {scope: scope.value.partition(":")[0] for scope in Scope}

    async def admit(self, caller: Caller, scope: Scope, cost: int) -> LimitDecision | None:
        """Count a request that is about to be worked on; None where its caller has no limit.

        A key with a limit of its own has one bucket for everything; any other caller has one for
        each group. Who calls from this machine without a key has no limit.

        Args:
            caller: who asks.
            scope: that the route needs.
            cost: in units, >= 1.

        Returns:
            The answer, also when it is a refusal: `refusal` makes the error of that.
        """
        if caller.kind is CallerKind.LOCAL or caller.kind is CallerKind.COMMAND:
            return None
        if caller.requests_per_minute is not None:
            own = (own_limit(caller.requests_per_minute),)
            return await self._limiter.take(caller.subject, own, cost)
        group = self._groups[scope]
        limits = self._limits[group]
        if not limits:
            return None
        return await self._limiter.take(f"{caller.subject}:{group}", limits, cost)

    async def expect_failure(self, address: Address | None) -> None:
        """Count an attempt to authenticate that may fail, before anything is looked up.

        `succeeded` takes it back. Counted first, since of many at once each would else be tried.
        What a process knows from before is no such attempt: who shares an address with somebody
        who guesses can go on.

        Raises:
            LimitReached: the address has failed too often: nothing is to be looked up.
        """
        if limits := self._limits[FAILURES]:
            refused = refusal(await self._limiter.take(_tried_by(address), limits, 1))
            if refused is not None:
                raise LimitReached(
                    "Too many attempts with keys or tokens that are not accepted came from this"
                    " address.",
                    retry_after_s=refused.retry_after_s,
                )

    async def succeeded(self, address: Address | None) -> None:
        """Take back what `expect_failure` counted: the attempt was none."""
        if limits := self._limits[FAILURES]:
            await self._limiter.take(_tried_by(address), limits, -1)


def _tried_by(address: Address | None) -> str:
    return f"address:{network_of(address)}"


def refusal(allowance: LimitDecision) -> LimitReached | None:
    """The error for a caller who has to wait; None where none has to."""
    if allowance.wait_s is None:
        return None
    seconds = math.ceil(allowance.wait_s)
    unit = "second" if seconds == 1 else "seconds"
    return LimitReached(
        f"This caller has used up its requests for now: try again in {seconds} {unit}.",
        retry_after_s=allowance.wait_s,
    )
