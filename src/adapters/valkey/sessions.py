"""Sessions in Valkey, which forgets each when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.access.model import Session
from domain.errors import QueueUnavailable
from ports.access import SessionStore

_PATIENCE_S: Final = 2.0
_RETRY_S: Final = 5.0


class ValkeySessionStore(SessionStore):
    """A key for each session, named by the digest of its secret.

    Args:
        redis: of the server that all processes use.
        prefix: of the keys.
    """

    def __init__(self, redis: Redis, *, prefix: str = "storekeeper:session:") -> None:
        self._redis = redis
        self._prefix = prefix

    async def begin(self, digest: bytes, session: Session, *, lifetime: timedelta) -> None:
        """See the port."""
        milliseconds = max(1, int(lifetime.total_seconds() * 1000))
        async with _reached():
            await self._redis.set(self._name(digest), msgspec.json.encode(session), px=milliseconds)

    async def find(self, digest: bytes) -> Session | None:
        """See the port."""
        async with _reached():
            found: bytes | None = await self._redis.get(self._name(digest))
        return None if found is None else msgspec.json.decode(found, type=Session)

    async def end(self, digest: bytes) -> None:
        """See the port."""
        async with _reached():
            await self._redis.delete(self._name(digest))

    def _name(self, digest: bytes) -> str:
        return self._prefix + digest.hex()


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(
            "Sessions cannot be looked up now; a key can be used without one.",
            retry_after_s=_RETRY_S,
        ) from error
