"""One document on its way from claim to stored settlement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from domain.errors import StatementTimedOut, Unavailable
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, ItemState, JobConsequence
from domain.extraction.jobs.model import JobId, JobStatus, StatusReason, WorkerId
from domain.extraction.jobs.reader import DocumentExtractor, ExtractionPlan
from domain.extraction.jobs.settlement import give_back
from ports.extraction_jobs import CachedExtraction, ExtractionCache, ExtractionQueue, LeaseLost


@dataclass(slots=True, kw_only=True, eq=False)
class ItemTask:
    """A document under way.

    Attributes:
        item: which.
        plan: how it is read, or why it cannot be.
        reading: a provider is being asked.
        slotted: it holds one of the slots.
        asking: its cache key is reserved for it.
        settling: what becomes of it is known, and is being stored.
        returned: it is to go back.
        finding: finds out what becomes of it.
    """

    item: ClaimedItem
    plan: ExtractionPlan | JobConsequence
    reading: bool = False
    slotted: bool = False
    asking: bool = False
    settling: bool = False
    returned: bool = False
    finding: asyncio.Task[ItemSettlement] | None = None

    def give_back(self) -> None:
        """Abandon it, unless it is done and only has to be stored."""
        if self.settling:
            return
        self.returned = True
        if self.finding is not None:
            self.finding.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProcessor:
    """Carries item tasks out.

    A task holds its slot until its settlement is stored: so a crash repeats at most the calls
    that were under way, and nothing is started between reaching a cap and knowing of it.

    Attributes:
        reader: reads documents.
        in_flight: what is asked already.
        writer: stores settlements.
        slots: bound what is read at once.
        stopped: jobs of which nothing may be started.
    """

    reader: DocumentExtractor
    in_flight: SingleFlight
    writer: SettlementBatcher
    slots: asyncio.Semaphore
    stopped: Container[JobId]

    async def process(self, task: ItemTask) -> None:
        """Bring one to its settlement; ends when that is stored."""
        plan = task.plan
        key = plan.key(task.item.text) if isinstance(plan, ExtractionPlan) else None
        try:
            settlement = await self._found(task, key)
            task.settling = True
            await self.writer.settle(settlement)
        finally:
            if task.slotted:
                self.slots.release()
            if key is not None and self._holds(task, key):
                self.in_flight.release(key)

    def _holds(self, task: ItemTask, key: bytes) -> bool:
        """Whether the reservation is this task's: asked, or reserved and not begun."""
        return task.asking or (task.returned and self.in_flight.prepared(key))

    async def _found(self, task: ItemTask, key: bytes | None) -> ItemSettlement:
        """What becomes of it, or that it goes back."""
        if isinstance(task.plan, JobConsequence):
            return give_back(task.item, consequence=task.plan)
        if not task.returned:
            task.finding = asyncio.ensure_future(self._find(task, task.plan, key))
            try:
                return await task.finding
            except asyncio.CancelledError:
                current = asyncio.current_task()
                if not task.returned or (current is not None and current.cancelling()):
                    raise
        mine = key is not None and self._holds(task, key)
        return give_back(task.item, cache_key=key if mine else None)

    async def _find(
        self, task: ItemTask, plan: ExtractionPlan, key: bytes | None
    ) -> ItemSettlement:
        item = task.item
        if key is not None:
            known = await self.in_flight.acquire(item.text, plan, key)
            task.asking = True
            if known is not None:
                state = ItemState(known.status.value)
                return ItemSettlement(item=item, state=state, cached=known.id, cache_key=key)
        await self.slots.acquire()
        task.slotted = True
        if item.job_id in self.stopped:
            return give_back(item, cache_key=key)
        task.reading = True
        return await self.reader.read(item, plan)


_ELSEWHERE_S: Final = 0.5


class SingleFlight:
    """Keeps a worker from asking the same twice at once, and looks into the cache first.

    A key is reserved first and looked up then: whoever asked before has stored the answer by the
    time that the reservation is free.

    Args:
        cache: what was asked before, and what others ask.
        worker: who asks.
    """

    def __init__(self, cache: ExtractionCache, worker: WorkerId) -> None:
        self._cache = cache
        self._worker = worker
        self._asked: dict[bytes, asyncio.Event] = {}
        self._ready: dict[bytes, CachedExtraction | None] = {}

    async def prepare(self, texts: Iterable[str], plan: ExtractionPlan) -> None:
        """Reserve and look up many at once; `acquire` then finds most of them ready."""
        query = plan.cache_query
        if query is None:
            return
        by_key = {plan.key(text): text for text in texts}
        fresh = {key: text for key, text in by_key.items() if key and key not in self._asked}
        if not fresh:
            return
        self._asked |= {key: asyncio.Event() for key in fresh}
        granted: set[bytes] = set()
        try:
            granted |= await until_answered(lambda: self._cache.reserve(self._worker, list(fresh)))
            mine = [fresh[key] for key in granted]
            if mine:
                found = await until_answered(lambda: self._cache.lookup(mine, query))
                self._ready |= {key: found.get(fresh[key]) for key in granted}
        finally:
            for key in fresh:
                if key not in self._ready:
                    self.release(key)

    async def acquire(self, text: str, plan: ExtractionPlan, key: bytes) -> CachedExtraction | None:
        """Wait while others ask the same; returns what is known, or None: ask now.

        After either, `release` has to be called once the settlement is stored.
        """
        query = plan.cache_query
        assert query is not None
        while True:
            if key in self._ready:
                return self._ready.pop(key)
            if (asked_here := self._asked.get(key)) is not None:
                await asked_here.wait()
                continue
            self._asked[key] = asyncio.Event()
            granted = False
            try:
                granted = bool(
                    await until_answered(lambda: self._cache.reserve(self._worker, [key]))
                )
            finally:
                if not granted:
                    self.release(key)
            if granted:
                found = await until_answered(lambda: self._cache.lookup([text], query))
                return found.get(text)
            await asyncio.sleep(_ELSEWHERE_S)

    def prepared(self, key: bytes) -> bool:
        """Whether `prepare` made it ready and nobody acquired it yet."""
        return key in self._ready

    def release(self, key: bytes) -> None:
        """It is not asked any more; those that wait for it look again."""
        self._ready.pop(key, None)
        if (asked := self._asked.pop(key, None)) is not None:
            asked.set()


_log = logging.getLogger(__name__)
T = TypeVar("T")

_TOGETHER: Final = 200
_PAUSE_S: Final = 0.5
_UNSTORABLE: Final = StatusReason(
    code="internal", detail="The result of this text cannot be stored."
)


async def until_answered(operation: Callable[[], Awaitable[T]]) -> T:
    """Repeat what may be repeated for as long as the store is away."""
    logged = False
    while True:
        try:
            return await operation()
        except (Unavailable, StatementTimedOut) as error:
            if not logged:
                _log.warning("%s Trying again until it answers.", error)
                logged = True
            await asyncio.sleep(_PAUSE_S)


class SettlementBatcher:
    """One statement at a time is under way; what comes meanwhile goes with the next.

    Args:
        queue: where it goes.
        worker: who settles.
        heard: told how the jobs stand after each write.
    """

    def __init__(
        self,
        queue: ExtractionQueue,
        worker: WorkerId,
        heard: Callable[[Mapping[JobId, JobStatus]], None],
    ) -> None:
        self._queue = queue
        self._worker = worker
        self._heard = heard
        self._waiting: list[tuple[ItemSettlement, asyncio.Future[None]]] = []
        self._nudge = asyncio.Event()

    async def settle(self, settlement: ItemSettlement) -> None:
        """Returns when it is stored, however long the store is away."""
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((settlement, stored))
        self._nudge.set()
        await stored

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            await self._nudge.wait()
            self._nudge.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                await self._store([settlement for settlement, _ in batch])
                for _, stored in batch:
                    if not stored.done():
                        stored.set_result(None)

    async def _store(self, settlements: Sequence[ItemSettlement]) -> None:
        """One result that the store does not take must not take others along."""
        if await self._stored(settlements):
            return
        for each in settlements:
            await asyncio.sleep(_PAUSE_S)  # a defect of the moment may be over by then
            if await self._stored([each]) or await self._stored([without_result(each)]):
                continue
            raise ResultNotStorable(f"document {each.item.position} of job {each.item.job_id}")

    async def _stored(self, settlements: Sequence[ItemSettlement]) -> bool:
        """Whether the store took them.

        Raises:
            LeaseLost: what the worker had went to others.
        """
        try:
            statuses = await until_answered(lambda: self._queue.settle(self._worker, settlements))
        except LeaseLost:
            raise
        except Exception:  # noqa: BLE001 (whatever the store says of one, the others go on)
            _log.exception("what became of %s documents cannot be stored", len(settlements))
            return False
        self._heard(statuses)
        return True


class ResultNotStorable(RuntimeError):
    """The store takes nothing at all about a document: a defect, and the end of the process."""


def without_result(settlement: ItemSettlement) -> ItemSettlement:
    """The same document as a failure: its result is one that the store does not take."""
    return replace(
        settlement,
        state=ItemState.FAILED,
        extraction=None,
        cached=None,
        reason=_UNSTORABLE,
    )
