"""The worker process: the queue's jobs and the documents of extraction jobs, side by side."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Final

from arq.worker import Worker
from redis.exceptions import RedisError

from entrypoints.container.services import Container
from entrypoints.settings import WorkerSettings
from entrypoints.worker.settings import GRACE_S, build_worker
from entrypoints.worker.watching import watch_insights

_log = logging.getLogger(__name__)

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0


async def run_worker(container: Container) -> None:
    """Run until SIGINT or SIGTERM; jobs under way have a few seconds to end, or go to others.

    A queue that is away is waited for. Neither the documents of extraction jobs nor the insights
    need it: what is to be done stands in the database, and each process looks for it by itself.
    """
    settings = container.settings()
    assert isinstance(settings, WorkerSettings), "a worker's container has a worker's settings"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(container.extraction_runner().run(stop))
        group.create_task(container.batch_runner().run(stop))
        group.create_task(
            watch_insights(
                container.insight_refresher(),
                stop,
                every_s=settings.insights_scan_s,
                grace_s=GRACE_S,
            )
        )
        group.create_task(_serve_queue(container, stop))


async def _serve_queue(container: Container, stop: asyncio.Event) -> None:
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        worker = build_worker(container, handle_signals=False)
        serving = asyncio.create_task(worker.async_run())
        stopping = asyncio.create_task(stop.wait())
        started = asyncio.get_running_loop().time()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        try:
            if serving.done():
                serving.result()  # it ends by itself only by an error
            await _finish(worker)
        except (RedisError, OSError) as error:
            _log.warning("the queue of REDIS_URL is away: %s", error)
        finally:
            serving.cancel()
            with suppress(RedisError, OSError, asyncio.CancelledError):
                await worker.close()
        if asyncio.get_running_loop().time() - started > _LONGEST_WAIT_S:
            wait_s = _FIRST_WAIT_S
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stop.wait()
        wait_s = min(_LONGEST_WAIT_S, wait_s * 2)


async def _finish(worker: Worker) -> None:
    """Take no new job, and wait a little for those under way."""
    worker.allow_pick_jobs = False
    if worker.tasks:
        await asyncio.wait(list(worker.tasks.values()), timeout=GRACE_S)
