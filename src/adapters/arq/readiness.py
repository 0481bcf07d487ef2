"""Whether the job queue's server can do its work."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ports.readiness import Check

_log = logging.getLogger(__name__)
_TIMEOUT_S: Final = 2.0


class QueueCheck(Check):
    """Valkey or Redis answers a PING."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def problem(self) -> str | None:
        """See the port."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("queue is not ready: %s", error)
            return "does not answer"
        return None
