"""Who may come in, by which keys and tokens, and how often.

Raises (each method that reads or writes keys):
    DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, DatabaseUnfit, StatementTimedOut: see
        `domain.errors`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from domain.access.audit import AuditEntry, AuditEntryId, AuditFilter, AuditOutcome
from domain.access.keys import ApiKey, ApiKeyDraft
from domain.access.limits import RateLimit
from domain.access.model import ApiKeyId, BudgetChanges, Caller, KeySpending, Session


class ApiKeyLookup(Protocol):
    """What is asked at each request."""

    @abstractmethod
    async def find(self, digest: bytes) -> ApiKey | None:
        """The key of this SHA-256, revoked and expired ones included; None when there is none."""
        ...

    @abstractmethod
    async def is_empty(self) -> bool:
        """Whether no key was ever made; one that was revoked or has expired counts."""
        ...

    @abstractmethod
    async def touch(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        """Write down when keys were last used (aware UTC); never puts such a time back."""
        ...


class ApiKeyRepository(Protocol):
    """Keys as they are managed; each method is atomic."""

    @abstractmethod
    async def add(self, draft: ApiKeyDraft, *, digest: bytes, hint: str) -> ApiKey:
        """Store a new key under its SHA-256."""
        ...

    @abstractmethod
    async def get(self, key_id: ApiKeyId) -> ApiKey:
        """Load one.

        Raises:
            NotFound: no such key.
        """
        ...

    @abstractmethod
    async def page(self, *, limit: int, before: ApiKeyId | None = None) -> Sequence[ApiKey]:
        """Up to `limit` keys, newest first, older than `before`."""
        ...

    @abstractmethod
    async def revoke(self, key_id: ApiKeyId, at: datetime) -> ApiKey:
        """Refuse a key from now on; one that was revoked before keeps its time.

        Raises:
            NotFound: no such key.
        """
        ...

    @abstractmethod
    async def change_budget(self, key_id: ApiKeyId, changes: BudgetChanges) -> Sequence[ApiKey]:
        """Change the budget of a key, and so of all that were made in its place or it in theirs.

        Returns:
            All of them, this one first.

        Raises:
            NotFound: no such key.
        """
        ...

    @abstractmethod
    async def replace(
        self, key_id: ApiKeyId, draft: ApiKeyDraft, *, digest: bytes, hint: str, until: datetime
    ) -> ApiKey:
        """Store a new key in the place of one that lives on until `until`, or its own expiry.

        Of several that replace the same key at once, one does.

        Raises:
            NotFound: no such key.
            Conflict: it is revoked or expired, or was replaced before.
        """
        ...


class KeyChangePublisher(Protocol):
    """Tells every process that serves, so that a change of a key holds there at once."""

    @abstractmethod
    async def announce(self, key_id: ApiKeyId) -> bool:
        """Say that a key was made or changed, after that is committed.

        Returns:
            Whether it could be said. It never raises: who is not told asks again within 30 s.
        """
        ...


class KeyChangeSubscriber(Protocol):
    """Hears what `KeyChangePublisher` tells."""

    @abstractmethod
    async def follow(self, changed: Callable[[ApiKeyId | None], None]) -> NoReturn:
        """Call `changed` for each announcement, until cancelled.

        It gets None where it is not known which keys changed, as after an outage.
        """
        ...


class AuditLog(Protocol):
    """Who did what. Entries are written with the writes that they stand for."""

    @abstractmethod
    async def page(
        self, filtered: AuditFilter, *, limit: int, before: AuditEntryId | None = None
    ) -> Sequence[AuditEntry]:
        """Up to `limit` entries that pass `filtered`, newest first, older than `before`."""
        ...

    @abstractmethod
    async def note(
        self,
        action: str,
        resource: str,
        *,
        changed: Sequence[str] = (),
        outcome: AuditOutcome = AuditOutcome.DONE,
    ) -> None:
        """Enter what no single transaction does, such as a restore; nothing if nobody acts."""
        ...

    @abstractmethod
    async def prune(self, keep_days: int) -> int:
        """Delete entries that are older than `keep_days` (>= 30); returns how many."""
        ...


class SessionStore(Protocol):
    """Sessions by the SHA-256 of their secrets; shared by all processes.

    Raises (each method):
        QueueUnavailable: it cannot be reached.
    """

    @abstractmethod
    async def begin(self, digest: bytes, session: Session, *, lifetime: timedelta) -> None:
        """Keep a session for `lifetime` (> 0)."""
        ...

    @abstractmethod
    async def find(self, digest: bytes) -> Session | None:
        """The session; None when there is none, or no longer."""
        ...

    @abstractmethod
    async def end(self, digest: bytes) -> None:
        """Forget a session, if it is there."""
        ...


class TokenVerifier(Protocol):
    """Tokens of an identity provider (JWT, RFC 7519)."""

    @abstractmethod
    async def verify(self, token: str) -> Caller:
        """Who calls with `token`, as it came in the request; any text may come.

        Raises:
            NotAuthenticated: it is not one that is accepted; `reason` says why, for the log alone.
            JwksUnavailable: the provider's keys were never had, or not for a day.
        """
        ...


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
class LimitDecision:
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
    async def take(self, bucket: str, limits: Sequence[RateLimit], cost: int) -> LimitDecision:
        """Take `cost` out of all `limits` of a bucket, or out of none where one has too little.

        It neither fails nor waits long: where the count is shared and cannot be reached, each
        process counts by itself.

        Args:
            bucket: whose, such as `key:12:records`.
            limits: at least one, of different names; the same at each call for a bucket.
            cost: in units; below zero they are put back.
        """
        ...

    @abstractmethod
    def is_shared(self) -> bool:
        """Whether all processes count together, as far as is known: not while each does alone."""
        ...


class ModelSpendingReader(Protocol):
    """What keys spent on language models; written with the results that it was spent for."""

    @abstractmethod
    async def today(self, key_id: ApiKeyId) -> KeySpending:
        """What a key spent on this day of UTC, as far as it is stored.

        Those that it was made in the place of, and those that were made in its place, are included.
        """
        ...
