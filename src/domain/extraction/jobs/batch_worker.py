"""Opens batches and looks after them, beside any number of other processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from domain.errors import StatementTimedOut, Unavailable
from domain.extraction.jobs.batch_processor import BatchOptions, BatchProcessor, LostBatch
from domain.extraction.jobs.model import WorkerId
from ports.extraction_jobs import ClaimedBatch, ProviderBatches

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 4
_LOOK_S: Final = 2.0
_GRACE_S: Final = 4.0


class BatchWorker:
    """Looks after batches until it is told to stop; a batch outlives any process.

    Args:
        batches: where they are kept.
        processor: brings one a step further.
        new_id: makes identities of batches.
        options: how much at once, and how often what.
    """

    def __init__(
        self,
        *,
        batches: ProviderBatches,
        processor: BatchProcessor,
        new_id: Callable[[], UUID],
        options: BatchOptions,
    ) -> None:
        self._batches = batches
        self._processor = processor
        self._new_id = new_id
        self._options = options
        self._woken = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There is work: look now, not at the next poll."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what is not done then waits for the next process."""
        looking = asyncio.ensure_future(self._keep_looking())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if looking.done():
            looking.result()  # it ends by an error only
        looking.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_GRACE_S)
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(looking, *self._under_way, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            self._woken.clear()
            try:
                found = await self._find()
            except (Unavailable, StatementTimedOut) as error:
                _log.warning("%s Looking for batches again later.", error)
                found = []
            for batch in found:
                task = asyncio.ensure_future(self._look_after(batch))
                self._under_way.add(task)
                task.add_done_callback(self._ended)
            if found and len(self._under_way) < _AT_ONCE:
                continue
            try:
                async with asyncio.timeout(min(_LOOK_S, self._options.poll_s)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _find(self) -> Sequence[ClaimedBatch]:
        room = _AT_ONCE - len(self._under_way)
        if room <= 0:
            return []
        lease_s = self._options.lease_s
        due = await self._batches.take(limit=room, lease_s=lease_s)
        if due:
            return due
        opened = await self._batches.open(
            WorkerId(self._new_id()), limit=self._options.documents, lease_s=lease_s
        )
        return [] if opened is None else [opened]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a batch cannot be looked after now", exc_info=error)

    async def _look_after(self, batch: ClaimedBatch) -> None:
        step = asyncio.ensure_future(self._processor.advance(batch))
        staying = asyncio.ensure_future(self._stay(batch))
        try:
            await asyncio.wait({step, staying}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                _log.warning("another process looks after batch %s", batch.id)
                return
            wait_s = step.result()
            if wait_s is not None:
                await self._batches.put_off(batch, seconds=wait_s)
        except LostBatch:
            _log.warning("another process looks after batch %s", batch.id)
        except (Unavailable, StatementTimedOut) as error:
            _log.warning("%s Batch %s waits.", error, batch.id)
        finally:
            step.cancel()
            staying.cancel()
            await asyncio.gather(step, staying, return_exceptions=True)

    async def _stay(self, batch: ClaimedBatch) -> None:
        """Renew the lease; ends when it is lost."""
        renew = partial(self._batches.put_off, batch, seconds=self._options.lease_s)
        while True:
            await asyncio.sleep(self._options.lease_s / 3)
            try:
                if not await renew():
                    return
            except (Unavailable, StatementTimedOut) as error:
                _log.warning("%s The lease of a batch could not be renewed.", error)
