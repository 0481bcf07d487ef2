"""The key set of an identity provider, fetched when it is due and kept while it cannot be."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

import httpx2

from adapters.tokens.keys import BadKeySet, KeySet, SigningKey, read_key_set
from domain.errors import JwksUnavailable

LARGEST_SET: Final = 262_144
"""Bytes of a JWK Set."""
FETCH_TIMEOUT_S: Final = 5.0
"""Longest wait for all of it."""
DUE_S: Final = 45.0
"""A set of this age is fetched anew beside the work that goes on."""
OLDEST_S: Final = 60.0
"""A set of this age is fetched anew before it is used: how long a removed key holds."""
PAUSE_S: Final = 10.0
"""Between two fetches for keys that are unknown, and after a fetch that failed."""
KEPT_S: Final = 86_400.0
"""How long a set is used while none can be fetched."""

_log = logging.getLogger(__name__)


class JwksUnusable(Exception):
    """A fetch brought no key set; the message says why, as the end of a sentence about the URL."""


def open_client() -> httpx2.AsyncClient:
    """A client that follows nothing and waits for nothing long."""
    return httpx2.AsyncClient(
        follow_redirects=False,
        timeout=FETCH_TIMEOUT_S,
        # Nothing is unpacked: a few bytes could become very many.
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1),
    )


async def fetch_key_set(client: httpx2.AsyncClient, url: str) -> KeySet:
    """The key set at `url`.

    Raises:
        JwksUnusable: there is none within 5 s, or it is none.
    """
    try:
        async with asyncio.timeout(FETCH_TIMEOUT_S), client.stream("GET", url) as response:
            if response.is_redirect:
                raise JwksUnusable("redirects, and redirects are not followed: name where it leads")
            if response.status_code != httpx2.codes.OK:
                raise JwksUnusable(f"answers {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise JwksUnusable("answers compressed, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LARGEST_SET:
                    raise JwksUnusable(f"answers more than {LARGEST_SET:,} bytes")
        return read_key_set(bytes(body))
    except BadKeySet as error:
        raise JwksUnusable(str(error)) from None
    except TimeoutError:
        raise JwksUnusable(f"gave no whole answer within {FETCH_TIMEOUT_S:.0f} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
        raise JwksUnusable(f"cannot be reached ({type(error).__name__})") from error


class JwksCache:
    """The keys of an identity provider, as young as they have to be.

    Args:
        url: of the JWK Set.
        client: asks for it.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, url: str, client: httpx2.AsyncClient, now: Callable[[], float]) -> None:
        self._url = url
        self._client = client
        self._now = now
        self._set: KeySet | None = None
        self._set_at = -math.inf
        self._failed = False
        self._not_before = -math.inf
        self._looked_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str, algorithm: str, *, look: bool) -> SigningKey | None:
        """The key of that name for that algorithm; None when the set has none.

        Args:
            key_id: as the token names it.
            algorithm: likewise.
            look: whether an unknown key is worth a fetch, of which there is one in 10 s.

        Raises:
            JwksUnavailable: no set was ever had, or the last one is a day old.
        """
        known = await self._current()
        found = known.keys.get((key_id, algorithm))
        if found is None and look and await self._looked_again():
            found = (await self._current()).keys.get((key_id, algorithm))
        return found

    async def aclose(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _current(self) -> KeySet:
        """The set, fetched before if it is too old, or anew beside if it soon will be.

        Once a fetch has failed, nobody waits for the next: the last set is used meanwhile.
        """
        age = self._now() - self._set_at
        if age >= DUE_S:
            fetching = self._fetch()
            if age >= KEPT_S or (age >= OLDEST_S and not self._failed):
                await self._finish(fetching)
        if self._set is None or self._now() - self._set_at >= KEPT_S:
            raise JwksUnavailable(
                "The keys that tokens are checked with cannot be had: try again, or use a key.",
                retry_after_s=max(1.0, self._not_before - self._now()),
            )
        return self._set

    async def _looked_again(self) -> bool:
        """Whether the set may have changed: it is fetched, or has been while this waited."""
        fetching = self._fetching
        if fetching is None and self._now() >= self._looked_at + PAUSE_S:
            fetching = self._fetch()
            self._looked_at = self._looked_at if fetching is None else self._now()
        await self._finish(fetching)
        return fetching is not None

    def _fetch(self) -> asyncio.Task[None] | None:
        """The fetch under way, begun if there is none; None in the pause after a failure."""
        if self._fetching is None and self._now() >= self._not_before:
            self._fetching = asyncio.create_task(self._refresh())
        return self._fetching

    @staticmethod
    async def _finish(fetching: asyncio.Task[None] | None) -> None:
        """Wait for a fetch that others may wait for too, and that outlives whoever gives up."""
        if fetching is not None:
            await asyncio.shield(fetching)

    async def _refresh(self) -> None:
        """Fetch the set; a failure leaves the last one as it is."""
        begun = self._now()
        try:
            fetched = await fetch_key_set(self._client, self._url)
        except JwksUnusable as error:
            if not self._failed:
                kept = "no token can be checked" if self._set is None else "the last keys are kept"
                _log.warning("JWT_JWKS_URL %s; %s", error, kept)
            self._failed = True
            self._not_before = self._now() + PAUSE_S
        else:
            if self._failed:
                _log.warning("JWT_JWKS_URL answers again")
            if self._set is None or fetched.unused != self._set.unused:
                for key in fetched.unused:
                    level = logging.WARNING if key.exposed else logging.INFO
                    _log.log(level, "a key of JWT_JWKS_URL is not used, %s", key)
            self._set, self._set_at = fetched, begun
            self._failed = False
        finally:
            self._fetching = None
