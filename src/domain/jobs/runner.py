"""Works through the documents of all running jobs, beside any number of others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from uuid import UUID

from domain.jobs.model import WorkerId
from domain.jobs.reading import DocumentReader
from domain.jobs.shift import Pace, Shift
from domain.jobs.writing import until_answered
from ports.extraction_queue import ExtractionQueue, LeaseLost
from ports.known_extractions import KnownExtractions

_log = logging.getLogger(__name__)


class ExtractionRunner:
    """Takes documents, reads them, stores what they become.

    Args:
        queue: where the documents are.
        known: what was asked before.
        reader: reads one.
        new_id: makes identities of workers.
        host: the machine's name, for people.
        pace: how it works.
    """

    def __init__(
        self,
        *,
        queue: ExtractionQueue,
        known: KnownExtractions,
        reader: DocumentReader,
        new_id: Callable[[], UUID],
        host: str,
        pace: Pace,
    ) -> None:
        self._queue = queue
        self._known = known
        self._reader = reader
        self._new_id = new_id
        self._host = host
        self._pace = pace
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is work: look now, not at the next poll."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what is not done by then goes back for others.

        An outage of the store is waited out. When a lease was lost, what was under way is
        abandoned, because others do it, and work goes on under a new lease.
        """
        while not stop.is_set():
            worker = WorkerId(self._new_id())
            enlisting = asyncio.ensure_future(until_answered(partial(self._enlist, worker)))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait({enlisting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not enlisting.done():
                enlisting.cancel()
                return
            enlisting.result()
            shift = Shift(
                worker,
                queue=self._queue,
                known=self._known,
                reader=self._reader,
                pace=self._pace,
                woken=self._woken,
            )
            try:
                await shift.work(stop)
            except* LeaseLost:
                _log.warning("lost the lease on documents under way; going on under a new one")

    async def _enlist(self, worker: WorkerId) -> None:
        await self._queue.enlist(worker, host=self._host, lease_s=self._pace.lease_s)
