"""Changes of keys, told through Valkey to every process that serves."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.access.model import ApiKeyId
from ports.access import KeyAnnouncements

_log = logging.getLogger(__name__)

CHANNEL: Final = "storekeeper:keys"
"""The pub/sub channel; a message is the id of a key, in decimal."""

_PATIENCE_S: Final = 2.0


class ValkeyKeyAnnouncements(KeyAnnouncements):
    """A message on a channel: who does not listen at that moment is not told."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(self, key_id: ApiKeyId) -> bool:
        """See the port."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._redis.publish(CHANNEL, str(key_id))
        except (RedisError, OSError, TimeoutError) as error:
            why = type(error).__name__
            _log.warning("a change of key %s was told to nobody (%s)", key_id, why)
            return False
        return True
