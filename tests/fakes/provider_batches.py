"""Batches at providers in memory, for tests; held to the same contract as PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

from domain.access.model import NO_BUDGET, KeySpending
from domain.extraction.jobs.items import ClaimedItem, ItemState
from domain.extraction.jobs.model import JobCaps, ProviderMode, WorkerId
from ports.extraction_jobs import ClaimedBatch, ProviderBatches
from ports.language_models import BatchId
from tests.fakes.tables import BatchRow, RecordTables

_NEVER = timedelta(days=36_500)


class MemoryProviderBatches(ProviderBatches):
    """Batches in a dict."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    async def open(self, batch_id: WorkerId, *, limit: int, lease_s: float) -> ClaimedBatch | None:
        """See the port."""
        now = self._tables.clock.now()
        busy = {each.job_id for each in self._tables.batches.values() if not each.closed}
        spending, jobs = self._tables.spending, self._tables.jobs
        held = {
            key_id
            for key_id in (jobs[job_id].key_id for job_id in busy)
            if key_id is not None and spending.budgets[key_id] != NO_BUDGET
        }
        last = {
            self._tables.jobs[each.job_id].key_id: turn
            for turn, each in enumerate(self._tables.batches.values(), start=1)
        }
        for job in sorted(
            jobs.values(),
            key=lambda job: (last.get(job.key_id, 0), job.spec.priority.cost),
        ):
            if job.spec.mode is not ProviderMode.BATCH or (
                job.caps != JobCaps() and job.id in busy
            ):
                continue
            if job.key_id in held or spending.used_up(job.key_id) is not None:
                continue
            due = list(islice(job.due(now), limit))
            if not due:
                continue
            for _, item in due:
                item.state, item.worker, item.due_at = ItemState.RUNNING, batch_id, None
                item.claim += 1
            self._tables.leases[batch_id] = now + _NEVER
            self._tables.batches[batch_id] = BatchRow(
                job_id=job.id, opened_at=now, due_at=now + timedelta(seconds=lease_s)
            )
            return self._view(batch_id)
        return None

    async def take(self, *, limit: int, lease_s: float) -> Sequence[ClaimedBatch]:
        """See the port."""
        now = self._tables.clock.now()
        due = [
            (id_, row)
            for id_, row in self._tables.batches.items()
            if not row.closed and row.due_at <= now
        ]
        taken = []
        for id_, row in due[:limit]:
            row.turn += 1
            row.due_at = now + timedelta(seconds=lease_s)
            taken.append(self._view(id_))
        return taken

    async def items(self, batch_id: WorkerId) -> Sequence[ClaimedItem]:
        """See the port."""
        job = self._tables.jobs[self._tables.batches[batch_id].job_id]
        return [
            ClaimedItem(
                job_id=job.id,
                position=position,
                claim=item.claim,
                text=item.document.text,
                attempts=item.attempts,
                spec=job.spec,
                key_id=job.key_id,
            )
            for position, item in job.items.items()
            if item.worker == batch_id
        ]

    async def note(
        self,
        batch: ClaimedBatch,
        *,
        prompt_hash: str | None = None,
        provider_id: BatchId | None = None,
        unsure: bool = False,
    ) -> bool:
        """See the port."""
        row = self._tables.batches[batch.id]
        if row.closed or row.turn != batch.turn:
            return False
        row.prompt_hash = prompt_hash or row.prompt_hash
        row.provider_id = provider_id or row.provider_id
        row.unsure_since = self._tables.clock.now() if unsure else None
        return True

    async def put_off(self, batch: ClaimedBatch, *, seconds: float) -> bool:
        """See the port."""
        row = self._tables.batches[batch.id]
        if row.closed or row.turn != batch.turn:
            return False
        row.due_at = self._tables.clock.now() + timedelta(seconds=seconds)
        return True

    async def close(self, batch_id: WorkerId) -> None:
        """See the port."""
        row = self._tables.batches[batch_id]
        for item in self._tables.jobs[row.job_id].items.values():
            if item.worker == batch_id:
                item.state, item.worker = ItemState.PENDING, None
        self._tables.leases.pop(batch_id, None)
        row.closed = True

    def _view(self, batch_id: WorkerId) -> ClaimedBatch:
        now, row = self._tables.clock.now(), self._tables.batches[batch_id]
        job = self._tables.jobs[row.job_id]
        unsure, key_id, spending = row.unsure_since, job.key_id, self._tables.spending
        return ClaimedBatch(
            id=batch_id,
            job_id=job.id,
            job_status=job.status,
            spec=job.spec,
            caps=job.caps,
            spending=job.spending,
            budget=NO_BUDGET if key_id is None else spending.budgets[key_id],
            spent_today=KeySpending() if key_id is None else spending.today(key_id),
            turn=row.turn,
            age_s=(now - row.opened_at).total_seconds(),
            provider_id=row.provider_id,
            prompt_hash=row.prompt_hash,
            unsure_s=None if unsure is None else (now - unsure).total_seconds(),
        )
