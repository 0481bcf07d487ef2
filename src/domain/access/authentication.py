"""Who a credential belongs to."""

from __future__ import annotations

import asyncio

from domain.access.caller_limits import CallerLimits
from domain.access.key_cache import KeyCache, KeyUsage
from domain.access.keys import KEY_START, Address, ApiKey, key_digest, text_digest
from domain.access.model import Caller
from domain.errors import DependencyError, NotAuthenticated
from ports.access import TokenVerifier
from ports.clock import Clock


class Authenticator:
    """Knows keys by their form, and takes all else for a token.

    Args:
        keys: those that were made.
        uses: where a key's use is noted.
        tokens: None where no identity provider is configured.
        clock: against which expiry is held at each use.
        limits: count the failures of each address.
    """

    def __init__(
        self,
        *,
        keys: KeyCache,
        uses: KeyUsage,
        tokens: TokenVerifier | None,
        clock: Clock,
        limits: CallerLimits,
    ) -> None:
        self._keys = keys
        self._uses = uses
        self._tokens = tokens
        self._clock = clock
        self._limits = limits
        self._attempts: dict[tuple[bytes, Address | None], asyncio.Task[Caller]] = {}

    async def authenticate(self, credential: str, address: Address | None) -> Caller:
        """Who calls with a key or token.

        Args:
            credential: what the caller sent.
            address: where it comes from; None when that is unknown.

        Raises:
            NotAuthenticated: it is not accepted.
            LimitReached: too many that are not accepted came from this address.
            DependencyError: it cannot be looked up now.
        """
        try:
            if not credential.startswith(KEY_START):
                return await self._holder_of_token(credential)
            # Nearly every request ends here: the form was right when the key was looked up.
            if (key := self._keys.recall(text_digest(credential))) is not None:
                return self._admit(key, address)
            digest = key_digest(credential)
        except NotAuthenticated:
            await self._limits.expect_failure(address)
            raise
        return await self.holder(digest, address)

    async def _holder_of_token(self, token: str) -> Caller:
        if self._tokens is None:
            raise NotAuthenticated(
                f"This is not a key: keys begin with {KEY_START}, and tokens are not accepted"
                " here.",
                reason="not_a_key",
            )
        return await self._tokens.verify(token)

    async def holder(self, digest: bytes, address: Address | None) -> Caller:
        """Who calls with the key of this SHA-256.

        Raises:
            NotAuthenticated: there is none, or it does not let in now or from there.
            LimitReached: it is not remembered, and too many that are not accepted came from this
                address: it is not looked up.
            DependencyError: it cannot be looked up now.
        """
        if self._keys.remembers(digest):
            return await self._caller(digest, address)
        # Requests of one caller at the same moment are one attempt, or they would shut it out.
        attempt = self._attempts.get((digest, address))
        if attempt is None:
            attempt = asyncio.create_task(self._attempt(digest, address))
            self._attempts[digest, address] = attempt
            attempt.add_done_callback(lambda _: self._attempts.pop((digest, address)))
        return await asyncio.shield(attempt)

    async def _attempt(self, digest: bytes, address: Address | None) -> Caller:
        await self._limits.expect_failure(address)
        try:
            caller = await self._caller(digest, address)
        except DependencyError:
            await self._limits.succeeded(address)  # it did not fail: nobody knows
            raise
        await self._limits.succeeded(address)
        return caller

    async def _caller(self, digest: bytes, address: Address | None) -> Caller:
        key = await self._keys.find(digest)
        if key is None:
            raise NotAuthenticated(
                "There is no such key: it was made for another service, or is not copied whole.",
                reason="unknown_key",
            )
        return self._admit(key, address)

    def _admit(self, key: ApiKey, address: Address | None) -> Caller:
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
