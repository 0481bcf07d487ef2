"""The job queue in Valkey or Redis: wake-ups, jobs as JSON, readiness and health."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from arq.connections import ArqRedis
from arq.constants import default_queue_name, health_check_key_suffix
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ports.extraction_jobs import WorkerWakeup
from ports.health import CheckResult, DiagnosticCheck, ReadinessProbe

_log = logging.getLogger(__name__)

WAKE_JOB: Final = "wake_extraction"
_PATIENCE_S: Final = 2.0


class ArqWorkerWakeup(WorkerWakeup):
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


def encode_job(job: Any) -> bytes:
    """A job, or its result, as JSON; an exception or the like as its `repr`."""
    return msgspec.json.encode(job, enc_hook=repr)


def decode_job(data: bytes) -> Any:
    """What `encode_job` wrote; tuples come back as lists."""
    return msgspec.json.decode(data)


_TIMEOUT_S: Final = 2.0


class QueueReadiness(ReadinessProbe):
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


_OLDEST: Final = (6, 2)

HEALTH_KEY: Final = default_queue_name + health_check_key_suffix
"""What the keys begin with under which workers report; each has one, and takes it along."""


def worker_reports(redis_url: str) -> Callable[[], Awaitable[bool]]:
    """A question that is answered yes once a worker has reported that was not there before.

    To be asked from the start of that worker on, again and again: the first answer is no, and
    whoever has reported by then does not count. Each yes is said once, for the next start.
    """
    known: set[bytes] | None = None

    async def ask() -> bool:
        nonlocal known
        try:
            async with Redis.from_url(redis_url) as redis:
                found = {key async for key in redis.scan_iter(f"{HEALTH_KEY}*", count=1000)}
        except (RedisError, OSError):
            known = known or set()
            return False
        is_new = known is not None and bool(found - known)
        known = found if known is None or is_new else known
        return is_new

    return ask


class QueueDiagnosticCheck(DiagnosticCheck):
    """Valkey or Redis: reached, of a supported version, keeps what it is given, has a worker.

    Args:
        redis: a client of its server.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def results(self) -> Sequence[CheckResult]:
        """See the port."""
        try:
            server = await self._redis.info()
            reports = self._redis.scan_iter(match=f"{HEALTH_KEY}*", count=1000)
            workers = [key async for key in reports]
        except (RedisError, OSError) as error:
            why = str(error).rstrip(".")
            detail = f"cannot be reached: {why}. Look at REDIS_URL."
            return [CheckResult(subject="queue", good=False, detail=detail)]
        product = "Valkey" if "valkey_version" in server else "Redis"
        version = str(server.get("valkey_version", server["redis_version"]))
        compatible = tuple(int(part) for part in re.findall(r"\d+", server["redis_version"])[:2])
        policy = str(server.get("maxmemory_policy", "unknown"))
        keeps = policy in {"noeviction", "unknown"}
        return [
            CheckResult(
                subject="queue",
                good=compatible >= _OLDEST,
                detail=f"{product} {version}"
                + ("" if compatible >= _OLDEST else ": Valkey, or Redis 6.2 or newer, is needed"),
            ),
            CheckResult(
                subject="queue memory",
                good=keeps,
                detail=f"policy {policy}"
                + ("" if keeps else " throws jobs away: set maxmemory-policy to noeviction"),
            ),
            CheckResult(
                subject="worker",
                good=bool(workers),
                detail="has reported lately"
                if workers
                else "none has reported lately: run `storekeeper worker`",
            ),
        ]
