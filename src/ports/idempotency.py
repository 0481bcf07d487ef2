"""The first answers to requests that carry an idempotency key."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

KEPT_HOURS: Final = 24
"""How long an answer is replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """An answer as it was first given.

    Attributes:
        status: the protocol's status code.
        headers: the headers that belong to the answer itself.
        body: as sent.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class IdempotencyStore(Protocol):
    """Lives in a unit of work: what it writes is committed with the work that it stands for."""

    @abstractmethod
    async def claim(self, key: str, fingerprint: bytes) -> StoredResponse | None:
        """The kept answer to replay, or None: the work is the caller's until its unit ends.

        Commit the unit before a kept answer is told: then no failover can lose what it tells of.

        Args:
            key: the caller's name, a blank, and its key of 1..255 characters.
            fingerprint: a digest of the request.

        Raises:
            RequestInProgress: another unit, or a reservation, works on this key.
            IdempotencyKeyReused: the key came first with another fingerprint.
        """
        ...

    @abstractmethod
    async def reserve(self, key: str, fingerprint: bytes, *, hold_s: float) -> None:
        """Keep the key claimed beyond the unit, for work that must not hold a transaction open.

        The reservation lapses after `hold_s`, so that a crash does not block the key for long.
        """
        ...

    @abstractmethod
    async def keep(self, key: str, fingerprint: bytes, answer: StoredResponse) -> None:
        """Keep the answer; ends a reservation."""
        ...

    @abstractmethod
    async def release(self, key: str) -> None:
        """End a reservation without an answer: the work failed and may be tried again."""
        ...

    @abstractmethod
    async def purge(self) -> int:
        """Forget answers older than `KEPT_HOURS`; returns how many."""
        ...
