"""What the access rules need of the outside."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.access.limits import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """How one limit of a caller stands.

    Attributes:
        limit: that it is about.
        left: units that may be taken now, >= 0.
        full_s: until all of its burst may be, in seconds, >= 0.
    """

    limit: RateLimit
    left: int
    full_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether a request may go on.

    Attributes:
        wait_s: None when it may; else how long the caller should wait, in seconds, > 0.
        states: one for each limit, in the order in which they were given.
        held: units that are kept for the caller beyond those `left`, since they were taken in
            advance.
    """

    wait_s: float | None
    states: Sequence[LimitState]
    held: int = 0


class RequestLimiter(Protocol):
    """Counts what callers ask for, in cost units."""

    @abstractmethod
    async def take(self, bucket: str, limits: Sequence[RateLimit], cost: int) -> Admission:
        """Take `cost` out of all `limits` of a bucket, or out of none where one has too little.

        It neither fails nor waits long: where the count is shared and cannot be reached, each
        process counts by itself.

        Args:
            bucket: whose, such as `key:12:records`.
            limits: at least one, of different names; the same at each call for a bucket.
            cost: in units; below zero they are put back.
        """
