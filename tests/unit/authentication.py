"""An authenticator as tests of what stands on it need one."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.valkey.request_limits import LocalRequestLimiter
from domain.access.authentication import Authenticator
from domain.access.caller_limits import CallerLimits, stated_limits
from domain.access.key_cache import KeyCache, KeyUsage
from domain.access.keys import ApiKeyDraft, KeyEnvironment, key_digest, key_hint, new_key
from domain.access.model import Scope
from ports.access import TokenVerifier
from tests.fakes.access import MemoryApiKeyRepository
from tests.fakes.system import StandingClock

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Scene:
    """An authenticator over keys in memory, at `NOW`."""

    def __init__(self, tokens: TokenVerifier | None = None) -> None:
        self.clock = StandingClock(NOW)
        self.keys = MemoryApiKeyRepository(self.clock)
        self.uses = KeyUsage(self.keys)
        self.cache = KeyCache(self.keys, monotonic=lambda: 0.0)
        self.authenticator = Authenticator(
            keys=self.cache,
            uses=self.uses,
            tokens=tokens,
            clock=self.clock,
            limits=CallerLimits(LocalRequestLimiter(now=lambda: 0.0), stated_limits("")),
        )

    async def make(self, *, expires_at: datetime | None = NOW + timedelta(days=90)) -> str:
        """A new key."""
        secret = new_key(KeyEnvironment.LIVE, secrets.randbelow)
        draft = ApiKeyDraft(
            name="till",
            environment=KeyEnvironment.LIVE,
            scopes=frozenset({Scope.EXTRACT}),
            expires_at=expires_at,
            created_by="local",
        )
        await self.keys.add(draft, digest=key_digest(secret), hint=key_hint(secret))
        return secret
