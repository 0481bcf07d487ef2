"""Who may come in: keys as the door asks for them and as they are managed, tokens, announcements.

Raises (each method that reads or writes keys):
    DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, DatabaseUnfit, StatementTimedOut: see
        `domain.errors`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.access.keys import ApiKey, ApiKeyDraft
from domain.access.model import ApiKeyId, Caller


class ApiKeyDirectory(Protocol):
    """What the door asks."""

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
    async def replace(
        self, key_id: ApiKeyId, draft: ApiKeyDraft, *, digest: bytes, hint: str, until: datetime
    ) -> ApiKey:
        """Store a new key in the place of one that lives on until `until`, or its own expiry.

        Raises:
            NotFound: no such key.
            Conflict: it is revoked, or was replaced before.
        """
        ...


class KeyAnnouncements(Protocol):
    """Tells every process that serves, so that a change of a key holds there at once."""

    @abstractmethod
    async def announce(self, key_id: ApiKeyId) -> None:
        """Say that a key was made or changed, after that is committed.

        Never raises: who is not told asks again within 30 s.
        """
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
