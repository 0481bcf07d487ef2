"""Who a credential belongs to."""

from __future__ import annotations

from domain.access.key_cache import KeyCache, KeyUses
from domain.access.keys import KEY_START, Address, key_digest
from domain.access.model import Caller
from domain.errors import NotAuthenticated
from ports.access import TokenVerifier
from ports.clock import Clock


class Authenticator:
    """Knows keys by their form, and takes all else for a token.

    Args:
        keys: those that were made.
        uses: where a key's use is noted.
        tokens: None where no identity provider is configured.
        clock: against which expiry is held at each use.
    """

    def __init__(
        self, *, keys: KeyCache, uses: KeyUses, tokens: TokenVerifier | None, clock: Clock
    ) -> None:
        self._keys = keys
        self._uses = uses
        self._tokens = tokens
        self._clock = clock

    async def authenticate(self, credential: str, address: Address | None) -> Caller:
        """Who calls with a key or token.

        Args:
            credential: what the caller sent.
            address: where it comes from; None when that is unknown.

        Raises:
            NotAuthenticated: it is not accepted.
            DependencyError: it cannot be looked up now.
        """
        if credential.startswith(KEY_START):
            return await self.holder(key_digest(credential), address)
        if self._tokens is None:
            raise NotAuthenticated(
                f"This is not a key: keys begin with {KEY_START}, and tokens are not accepted"
                " here.",
                reason="not_a_key",
            )
        return await self._tokens.verify(credential)

    async def holder(self, digest: bytes, address: Address | None) -> Caller:
        """Who calls with the key of this SHA-256.

        Raises:
            NotAuthenticated: there is none, or it does not let in now or from there.
            DependencyError: it cannot be looked up now.
        """
        key = await self._keys.find(digest)
        if key is None:
            raise NotAuthenticated("There is no such key.", reason="unknown_key")
        now = self._clock.now()
        caller = key.caller(now=now, address=address)
        self._uses.note(key, now)
        return caller

    async def knows_nobody(self) -> bool:
        """Whether no key was ever made, and no identity provider is configured.

        Raises:
            DependencyError: it cannot be looked up now.
        """
        return self._tokens is None and await self._keys.is_empty()
