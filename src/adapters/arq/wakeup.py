"""Wakes a worker through arq's queue."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from ports.job_wakeup import JobWakeup

_log = logging.getLogger(__name__)

WAKE_JOB: Final = "wake_extraction"
_PATIENCE_S: Final = 2.0


class ArqJobWakeup(JobWakeup):
    """At most one such job waits in the queue."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def wake(self) -> None:
        """See the port."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._redis.enqueue_job(WAKE_JOB, _job_id=WAKE_JOB)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("nobody was woken (%s); workers look by themselves", type(error).__name__)
