"""Works through the documents of all running jobs, beside any number of other workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from domain.errors import StatementTimedOut, Unavailable
from domain.extraction.jobs.item_processor import (
    ItemProcessor,
    ItemTask,
    SettlementBatcher,
    SingleFlight,
    until_answered,
)
from domain.extraction.jobs.items import ClaimedItem
from domain.extraction.jobs.model import JobId, JobStatus, WorkerId
from domain.extraction.jobs.reader import DocumentExtractor, ExtractionPlan
from domain.extraction.jobs.turns import FairShares
from ports.extraction_jobs import ExtractionCache, ExtractionQueue, LeaseLost

_log = logging.getLogger(__name__)


class ExtractionWorker:
    """Takes documents, reads them, stores what they become.

    Args:
        queue: where the documents are.
        cache: what was asked before.
        reader: reads one.
        new_id: makes identities of workers.
        host: the machine's name, for people.
        options: how it works.
    """

    def __init__(
        self,
        *,
        queue: ExtractionQueue,
        cache: ExtractionCache,
        reader: DocumentExtractor,
        new_id: Callable[[], UUID],
        host: str,
        options: WorkerOptions,
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._reader = reader
        self._new_id = new_id
        self._host = host
        self._options = options
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
            session = WorkerLoop(
                worker,
                queue=self._queue,
                cache=self._cache,
                reader=self._reader,
                options=self._options,
                woken=self._woken,
            )
            try:
                await session.work(stop)
            except* LeaseLost:
                _log.warning("lost the lease on documents under way; going on under a new one")

    async def _enlist(self, worker: WorkerId) -> None:
        await self._queue.enlist(worker, host=self._host, lease_s=self._options.lease_s)


_LAST_WORDS_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a runner works.

    Attributes:
        concurrency: documents that are read at once (>= 1).
        lease_s: after so long without a sign of life others take over; a third of it is the
            heartbeat.
        poll_s: how often it looks for work that nobody told it of.
        grace_s: how long what is under way may go on when it stops.
    """

    concurrency: int
    lease_s: float = 15.0
    poll_s: float = 2.0
    grace_s: float = 4.0

    @property
    def ahead(self) -> int:
        """Documents that are claimed before there is room to read them."""
        return max(1, self.concurrency // 2)


class WorkerLoop:
    """Keeps documents under way until it is told to stop.

    Args:
        worker: under whose lease; enlisted already.
        queue: where the documents are.
        cache: what was asked before.
        reader: reads one.
        options: how much at once, and how often what.
        woken: set when there is work.
    """

    def __init__(
        self,
        worker: WorkerId,
        *,
        queue: ExtractionQueue,
        cache: ExtractionCache,
        reader: DocumentExtractor,
        options: WorkerOptions,
        woken: asyncio.Event,
    ) -> None:
        self._worker = worker
        self._queue = queue
        self._reader = reader
        self._options = options
        self._woken = woken
        self._writer = SettlementBatcher(queue, worker, self._hear)
        self._in_flight = SingleFlight(cache, worker)
        # Jobs that do not run, with the time (a counter) at which that was heard.
        self._stopped: dict[JobId, int] = {}
        self._time = 0
        self._turns = FairShares()
        self._processor = ItemProcessor(
            reader=reader,
            in_flight=self._in_flight,
            writer=self._writer,
            slots=asyncio.Semaphore(options.concurrency),
            stopped=self._stopped,
        )
        self._under_way: dict[asyncio.Task[None], ItemTask] = {}
        self._room = asyncio.Event()

    async def work(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, and then until everything is stored or given back.

        Raises:
            ExceptionGroup: with `LeaseLost` when others took over.
        """
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._writer.run()),
                group.create_task(self._stay_alive()),
            ]
            feeding = group.create_task(self._feed(group))
            await stop.wait()
            feeding.cancel()
            await asyncio.wait([feeding])
            await self._finish()
            for helper in helpers:
                helper.cancel()
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._queue.retire(self._worker)
        except (Unavailable, StatementTimedOut, TimeoutError) as error:
            _log.warning("cannot give back (%s): others take over when the lease is over", error)

    # --- taking documents

    async def _feed(self, group: asyncio.TaskGroup) -> None:
        capacity = self._options.concurrency + self._options.ahead
        enough = max(1, self._options.ahead // 2)
        while True:
            room = capacity - len(self._under_way)
            if room < enough:
                self._room.clear()
                await self._room.wait()
                continue
            self._woken.clear()
            claimed = await self._claim(room)
            if claimed:
                await self._start(group, claimed)
                continue
            try:
                async with asyncio.timeout(self._options.poll_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _claim(self, room: int) -> Sequence[ClaimedItem]:
        self._time += 1
        asked_at = self._time
        try:
            claimed = await self._queue.claim(self._worker, limit=room, leads=self._turns.leads())
        except (Unavailable, StatementTimedOut) as error:
            _log.warning("%s Looking for work again later.", error)
            return []
        self._turns.note(claimed)
        for job_id in {item.job_id for item in claimed}:
            # It runs again, unless it was stopped after this claim had begun.
            if self._stopped.get(job_id, asked_at) < asked_at:
                del self._stopped[job_id]
        return claimed

    async def _start(self, group: asyncio.TaskGroup, claimed: Sequence[ClaimedItem]) -> None:
        for spec in dict.fromkeys(item.spec for item in claimed):
            items = [item for item in claimed if item.spec == spec]
            plan = await until_answered(partial(self._reader.plan, spec))
            if isinstance(plan, ExtractionPlan):
                await self._in_flight.prepare((item.text for item in items), plan)
            for item in items:
                item_task = ItemTask(item=item, plan=plan)
                running = group.create_task(self._processor.process(item_task))
                self._under_way[running] = item_task
                running.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._room.set()

    # --- staying alive, hearing, stopping

    async def _stay_alive(self) -> None:
        """Renew the lease, hold jobs to budgets, and take over from who did not renew theirs.

        The last only after a whole lease of answered renewals: during an outage of the store
        nobody could renew, and those are not dead.
        """
        pause_s = self._options.lease_s / 3
        steady_s = 0.0
        while True:
            await asyncio.sleep(pause_s)
            try:
                self._hear(await self._queue.renew(self._worker, lease_s=self._options.lease_s))
                self._hear(await self._queue.hold_to_budgets())
                steady_s += pause_s
                if steady_s >= self._options.lease_s:
                    freed = await self._queue.release_lapsed()
                    if freed:
                        _log.warning("took over %s documents of workers that died", freed)
                        self._woken.set()
            except (Unavailable, StatementTimedOut) as error:
                _log.warning("%s The lease could not be renewed.", error)
                steady_s = 0.0

    def _hear(self, statuses: Mapping[JobId, JobStatus]) -> None:
        """Start nothing more of jobs that do not run; abandon what is cancelled."""
        self._time += 1
        for job_id, status in statuses.items():
            if status is not JobStatus.RUNNING:
                self._stopped[job_id] = self._time
            if status is JobStatus.CANCELLED:
                self._give_back(e for e in self._under_way.values() if e.item.job_id == job_id)

    @staticmethod
    def _give_back(tasks: Iterable[ItemTask]) -> None:
        for task in list(tasks):
            task.give_back()

    async def _finish(self) -> None:
        """Let calls under way come to their end for a while; give back the others at once."""
        self._give_back(each for each in self._under_way.values() if not each.reading)
        await self._wait_for_all(self._options.grace_s)
        self._give_back(self._under_way.values())
        await self._wait_for_all(_LAST_WORDS_S)
        for task in list(self._under_way):
            task.cancel()

    async def _wait_for_all(self, timeout_s: float) -> None:
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=timeout_s)
