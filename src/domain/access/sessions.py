"""Sessions: who signed in on a browser need not send a key with each request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.access.authentication import Authenticator
from domain.access.keys import KEY_START, Address, key_digest
from domain.access.model import Caller, Session
from domain.errors import NotAuthenticated
from ports.access import SessionStore
from ports.clock import Clock

LIFETIME: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionService:
    """Begins sessions, knows whose they are, and ends them.

    Attributes:
        new_secret: 256 random bits or more as text, fit for a cookie.
    """

    sessions: SessionStore
    authenticator: Authenticator
    clock: Clock
    new_secret: Callable[[], str]

    async def sign_in(self, credential: str, address: Address | None) -> tuple[str, datetime]:
        """Begin a session; returns its secret, which is kept nowhere, and when it ends.

        Args:
            credential: a key or token.
            address: where it comes from; None when that is unknown.

        Raises:
            NotAuthenticated: the key or token is not accepted.
            DependencyError: it cannot be looked up, or the session not be kept, now.
        """
        caller = await self.authenticator.authenticate(credential, address)
        now = self.clock.now()
        expires_at = now + LIFETIME
        if caller.expires_at is not None:
            expires_at = min(expires_at, caller.expires_at)
        if expires_at <= now:  # clocks may differ by a little, but a session has one clock
            raise NotAuthenticated("The token has expired.", reason="expired_token")
        is_key = credential.startswith(KEY_START)
        session = Session(
            key_digest=key_digest(credential) if is_key else None,
            caller=None if is_key else caller,
            expires_at=expires_at,
        )
        secret = self.new_secret()
        await self.sessions.begin(_digest(secret), session, lifetime=expires_at - now)
        return secret, expires_at

    async def caller(self, secret: str, address: Address | None) -> Caller:
        """Who calls in the session of this secret.

        Raises:
            NotAuthenticated: it has ended, or its key does not let in any more.
            DependencyError: it cannot be looked up now.
        """
        session = await self.sessions.find(_digest(secret))
        if session is None or session.expires_at <= self.clock.now():
            raise NotAuthenticated("The session has ended: sign in again.", reason="ended_session")
        if session.key_digest is not None:
            return await self.authenticator.holder(session.key_digest, address)
        assert session.caller is not None  # one of the two is
        return session.caller

    async def sign_out(self, secret: str) -> None:
        """End a session; one that has ended stays so.

        Raises:
            DependencyError: it cannot be ended now.
        """
        await self.sessions.end(_digest(secret))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
