"""A close look at the queue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from arq.constants import default_queue_name, health_check_key_suffix
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ports.examination import Examination, Finding

_OLDEST: Final = (6, 2)

HEALTH_KEY: Final = default_queue_name + health_check_key_suffix
"""What the keys begin with under which workers report; each has one, and takes it along."""


class QueueExamination(Examination):
    """Valkey or Redis: reached, of a supported version, keeps what it is given, has a worker.

    Args:
        redis: a client of its server.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def findings(self) -> Sequence[Finding]:
        """See the port."""
        try:
            server = await self._redis.info()
            reports = self._redis.scan_iter(match=f"{HEALTH_KEY}*", count=1000)
            workers = [key async for key in reports]
        except (RedisError, OSError) as error:
            why = str(error).rstrip(".")
            detail = f"cannot be reached: {why}. Look at REDIS_URL."
            return [Finding(subject="queue", good=False, detail=detail)]
        product = "Valkey" if "valkey_version" in server else "Redis"
        version = str(server.get("valkey_version", server["redis_version"]))
        compatible = tuple(int(part) for part in re.findall(r"\d+", server["redis_version"])[:2])
        policy = str(server.get("maxmemory_policy", "unknown"))
        keeps = policy in {"noeviction", "unknown"}
        return [
            Finding(
                subject="queue",
                good=compatible >= _OLDEST,
                detail=f"{product} {version}"
                + ("" if compatible >= _OLDEST else ": Valkey, or Redis 6.2 or newer, is needed"),
            ),
            Finding(
                subject="queue memory",
                good=keeps,
                detail=f"policy {policy}"
                + ("" if keeps else " throws jobs away: set maxmemory-policy to noeviction"),
            ),
            Finding(
                subject="worker",
                good=bool(workers),
                detail="has reported lately"
                if workers
                else "none has reported lately: run `storekeeper worker`",
            ),
        ]
