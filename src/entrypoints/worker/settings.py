"""The worker: which jobs there are, and when the clock runs which.

arq does not make up for a run that it missed, gives a job that its worker took along into death
up to `timeout` + 10 s before another worker may have it, and runs a cron job once only, failed or
not. So nothing relies on a run: each finds what was left undone, and there is one at every start.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC
from typing import Final

from arq.cron import cron
from arq.worker import Worker

from entrypoints.container import Container
from entrypoints.worker.jobs import MAX_TRIES, refresh_insights

_JOB_TIMEOUT_S: Final = 600
_GRACE_S: Final = 5  # for jobs under way when the worker stops


def build_worker(container: Container, *, handle_signals: bool = True) -> Worker:
    """A worker over the container's queue; needs a running event loop.

    With `handle_signals`, SIGINT and SIGTERM end it: it takes no new job, and leaves a job that
    does not finish within 5 s to the next worker.
    """
    redis = container.redis()
    return Worker(
        cron_jobs=[
            cron(
                refresh_insights,  # type: ignore[arg-type]  # arq types ctx by its own alias
                hour=0,
                minute=20,
                run_at_startup=True,
                unique=True,  # one of the workers runs it
                max_tries=MAX_TRIES,
                timeout=_JOB_TIMEOUT_S,
            )
        ],
        redis_pool=redis,
        job_serializer=redis.job_serializer,
        job_deserializer=redis.job_deserializer,
        ctx={"insight_service": container.insight_service()},
        timezone=UTC,
        max_tries=MAX_TRIES,
        job_timeout=_JOB_TIMEOUT_S,
        job_completion_wait=_GRACE_S,
        health_check_interval=30,
        handle_signals=handle_signals,
    )


async def run_worker(container: Container) -> None:
    """Run until a signal comes.

    Raises:
        redis.exceptions.RedisError, OSError: the queue was lost; a new start may find it again.
    """
    worker = build_worker(container)
    try:
        with suppress(asyncio.CancelledError):  # how arq ends on a signal
            await worker.async_run()
    finally:
        await worker.close()
