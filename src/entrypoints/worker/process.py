"""The worker process: queued jobs, documents, webhooks and insights, side by side."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Final

from arq.worker import Worker
from redis.exceptions import RedisError

from domain.access.audit import acting_as
from domain.insights.refresher import InsightRefresher
from domain.insights.run_history import RunOutcome
from entrypoints.container.services import Container
from entrypoints.settings import WorkerSettings
from entrypoints.worker.jobs import GRACE_S, build_worker

_log = logging.getLogger(__name__)

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0


async def run_worker(container: Container) -> None:
    """Run until SIGINT or SIGTERM; jobs under way have a few seconds to end, or go to others.

    A queue that is away is waited for. Neither the documents of extraction jobs nor webhooks nor
    the insights need it: what is to be done stands in the database, and each process looks for it
    by itself.
    """
    settings = container.settings()
    assert isinstance(settings, WorkerSettings), "a worker's container has a worker's settings"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    # Nobody's act: who made a job is in the audit log already.
    with acting_as(None):
        await _work(container, settings, stop)


async def _work(container: Container, settings: WorkerSettings, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(container.extraction_worker().run(stop))
        group.create_task(container.batch_worker().run(stop))
        group.create_task(container.webhook_worker().run(stop))
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


_LONGEST_PAUSE_S: Final = 300.0


async def watch_insights(
    refresher: InsightRefresher,
    stop: asyncio.Event,
    *,
    every_s: float,
    grace_s: float,
    first_wait_s: float = 1.0,
) -> None:
    """Look for days left undone at once, and then every `every_s`, until `stop` is set.

    When something was left undone, because the store is away or a day failed, it looks again
    sooner: after `first_wait_s`, then ever later up to 5 minutes. A run under way at the stop has
    `grace_s` to end; the day that it is at is then undone, and found again.
    """
    stopping = asyncio.ensure_future(stop.wait())
    wait_s = first_wait_s
    try:
        while not stop.is_set():
            looking = asyncio.ensure_future(_look(refresher))
            try:
                await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({looking}, timeout=grace_s)
            finally:
                looking.cancel()  # which changes nothing if it is done
            if not looking.done():
                with suppress(asyncio.CancelledError):
                    await looking
                return
            if looking.result():
                wait_s, pause_s = first_wait_s, every_s
            else:
                pause_s, wait_s = min(wait_s, every_s), min(2 * wait_s, _LONGEST_PAUSE_S)
            await asyncio.wait({stopping}, timeout=pause_s)
    finally:
        stopping.cancel()


async def _look(refresher: InsightRefresher) -> bool:
    """Whether nothing is left undone."""
    try:
        report = await refresher.catch_up()
    except Exception:  # noqa: BLE001 (a defect here must not stop the rest of the worker)
        _log.exception("looking for insights left undone failed")
        return False
    return report.run.outcome is RunOutcome.DONE and report.outage is None
