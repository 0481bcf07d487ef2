"""Stores what becomes of documents: as it comes, and together what comes together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from domain.errors import StatementTimedOut, Unavailable
from domain.jobs.items import ItemState, Settlement
from domain.jobs.model import JobId, JobStatus, Reason, WorkerId
from ports.extraction_queue import ExtractionQueue, LeaseLost

_log = logging.getLogger(__name__)
T = TypeVar("T")

_TOGETHER: Final = 200
_PAUSE_S: Final = 0.5
_UNSTORABLE: Final = Reason(code="internal", detail="The result of this text cannot be stored.")


async def until_answered(operation: Callable[[], Awaitable[T]]) -> T:
    """Repeat what may be repeated for as long as the store is away."""
    told = False
    while True:
        try:
            return await operation()
        except (Unavailable, StatementTimedOut) as error:
            if not told:
                _log.warning("%s Trying again until it answers.", error)
                told = True
            await asyncio.sleep(_PAUSE_S)


class SettlementWriter:
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
        self._waiting: list[tuple[Settlement, asyncio.Future[None]]] = []
        self._nudge = asyncio.Event()

    async def settle(self, settlement: Settlement) -> None:
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

    async def _store(self, settlements: Sequence[Settlement]) -> None:
        """One result that the store does not take must not take others along."""
        if await self._stored(settlements):
            return
        for each in settlements:
            await asyncio.sleep(_PAUSE_S)  # a defect of the moment may be over by then
            if await self._stored([each]) or await self._stored([without_result(each)]):
                continue
            raise Unstorable(f"document {each.item.position} of job {each.item.job_id}")

    async def _stored(self, settlements: Sequence[Settlement]) -> bool:
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


class Unstorable(RuntimeError):
    """The store takes nothing at all about a document: a defect, and the end of the process."""


def without_result(settlement: Settlement) -> Settlement:
    """The same document as a failure: its result is one that the store does not take."""
    return replace(
        settlement,
        state=ItemState.FAILED,
        extraction=None,
        known=None,
        reason=_UNSTORABLE,
    )
