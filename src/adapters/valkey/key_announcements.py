"""Changes of keys, told through Valkey to every process that serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NoReturn

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.access.model import ApiKeyId
from ports.access import KeyChangePublisher, KeyChangeSubscriber

_log = logging.getLogger(__name__)

CHANNEL: Final = "storekeeper:keys"
"""The pub/sub channel; a message is the id of a key, in decimal."""

_PATIENCE_S: Final = 2.0
_SILENCE_S: Final = 10.0  # then the server is asked whether it is still there
_PAUSE_S: Final = 1.0


class ValkeyKeyChangePublisher(KeyChangePublisher):
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


class ValkeyKeyChangeSubscriber(KeyChangeSubscriber):
    """Subscribes, and again whenever the connection is lost."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._deaf = False

    async def follow(self, changed: Callable[[ApiKeyId | None], None]) -> NoReturn:
        """See the port."""
        while True:
            try:
                await self._listen(changed)
            except (RedisError, OSError, TimeoutError) as error:
                if not self._deaf:
                    _log.warning(
                        "changes of keys are not heard of (%s); each holds within 30 s",
                        type(error).__name__,
                    )
                self._deaf = True
            await asyncio.sleep(_PAUSE_S)

    async def _listen(self, changed: Callable[[ApiKeyId | None], None]) -> NoReturn:
        """Until the connection ends, or the server is silent."""
        async with self._redis.pubsub() as subscription:
            async with asyncio.timeout(_PATIENCE_S):
                await subscription.subscribe(CHANNEL)
            asked = False
            while True:
                message = await subscription.get_message(timeout=_SILENCE_S)
                if message is None and asked:
                    raise TimeoutError
                if message is None:
                    await subscription.ping()
                asked = message is None
                if message is None:
                    continue
                if message["type"] == "subscribe":  # after each lost connection, too
                    self._deaf = False
                    changed(None)  # what was said meanwhile is not known
                elif message["type"] == "message":
                    data: bytes = message["data"]
                    changed(ApiKeyId(int(data)) if data.isdigit() else None)
