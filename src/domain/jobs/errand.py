"""One document on its way from claim to settlement."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass

from domain.jobs.items import ClaimedItem, Halt, ItemState, Settlement
from domain.jobs.model import JobId
from domain.jobs.questions import OpenQuestions
from domain.jobs.reading import DocumentReader, Plan
from domain.jobs.settling import give_back
from domain.jobs.writing import SettlementWriter


@dataclass(slots=True, kw_only=True, eq=False)
class Errand:
    """A document under way.

    Attributes:
        item: which.
        plan: how it is read, or why it cannot be.
        reading: a provider is being asked.
        slotted: it holds one of the slots.
        asking: it holds the question.
        settling: what becomes of it is known, and is being stored.
        returned: it is to go back.
        finding: finds out what becomes of it.
    """

    item: ClaimedItem
    plan: Plan | Halt
    reading: bool = False
    slotted: bool = False
    asking: bool = False
    settling: bool = False
    returned: bool = False
    finding: asyncio.Task[Settlement] | None = None

    def give_back(self) -> None:
        """Abandon it, unless it is done and only has to be stored."""
        if self.settling:
            return
        self.returned = True
        if self.finding is not None:
            self.finding.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Carries errands out.

    An errand holds its slot until its settlement is stored: so a crash repeats at most the calls
    that were under way, and nothing is started between reaching a cap and knowing of it.

    Attributes:
        reader: reads documents.
        questions: what is asked already.
        writer: stores settlements.
        slots: bound what is read at once.
        stopped: jobs of which nothing may be started.
    """

    reader: DocumentReader
    questions: OpenQuestions
    writer: SettlementWriter
    slots: asyncio.Semaphore
    stopped: Container[JobId]

    async def carry_out(self, errand: Errand) -> None:
        """Bring one to its settlement; ends when that is stored."""
        plan = errand.plan
        key = plan.key(errand.item.text) if isinstance(plan, Plan) else None
        try:
            settlement = await self._found(errand, key)
            errand.settling = True
            await self.writer.settle(settlement)
        finally:
            if errand.slotted:
                self.slots.release()
            if key is not None and self._holds(errand, key):
                self.questions.done(key)

    def _holds(self, errand: Errand, key: bytes) -> bool:
        """Whether the question is this errand's: asked, or reserved and not begun."""
        return errand.asking or (errand.returned and self.questions.prepared(key))

    async def _found(self, errand: Errand, key: bytes | None) -> Settlement:
        """What becomes of it, or that it goes back."""
        if isinstance(errand.plan, Halt):
            return give_back(errand.item, halt=errand.plan)
        if not errand.returned:
            errand.finding = asyncio.ensure_future(self._find(errand, errand.plan, key))
            try:
                return await errand.finding
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not errand.returned or (task is not None and task.cancelling()):
                    raise
        mine = key is not None and self._holds(errand, key)
        return give_back(errand.item, question=key if mine else None)

    async def _find(self, errand: Errand, plan: Plan, key: bytes | None) -> Settlement:
        item = errand.item
        if key is not None:
            known = await self.questions.turn(item.text, plan, key)
            errand.asking = True
            if known is not None:
                state = ItemState(known.status.value)
                return Settlement(item=item, state=state, known=known.id, question=key)
        await self.slots.acquire()
        errand.slotted = True
        if item.job_id in self.stopped:
            return give_back(item, question=key)
        errand.reading = True
        return await self.reader.read(item, plan)
