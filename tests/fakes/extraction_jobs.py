"""Extraction jobs and the queue of their documents in memory; held to PostgreSQL's contracts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice

from domain.access.budgets import USED_UP
from domain.access.model import ApiKeyId
from domain.errors import NotFound
from domain.extraction.activity import CallFigures, ExtractionActivity
from domain.extraction.calls import FailureKind, names_of
from domain.extraction.jobs.items import (
    ClaimedItem,
    Document,
    ItemResult,
    ItemSettlement,
    ItemState,
)
from domain.extraction.jobs.model import (
    ExtractionJob,
    JobCaps,
    JobCommand,
    JobId,
    JobStatus,
    NewJob,
    ProviderMode,
    ReasonCode,
    StatusReason,
    WorkerId,
    reason_of,
    transition,
)
from domain.extraction.jobs.settlement import next_status
from domain.extraction.jobs.turns import NO_LEADS, Leads
from domain.extraction.model import ExtractionStatus
from ports.extraction_jobs import (
    CachedExtraction,
    CacheKey,
    ExtractionActivityReader,
    ExtractionCache,
    ExtractionJobCreator,
    ExtractionJobRepository,
    ExtractionQueue,
    LeaseLost,
)
from tests.fakes.tables import ItemRow, JobRow, RecordTables, Undo


class MemoryExtractionJobCreator(ExtractionJobCreator):
    """New jobs into a dict."""

    def __init__(self, tables: RecordTables, undo: Undo) -> None:
        self._tables = tables
        self._undo = undo

    async def add(self, draft: NewJob, documents: AsyncIterable[Document]) -> ExtractionJob:
        """See the port."""
        spec, tables = draft.spec, self._tables
        versions = tables.extraction.schemas.get(spec.schema, [])
        if not 1 <= spec.schema_version <= len(versions):
            raise NotFound(f"There is no schema {spec.schema!r} in version {spec.schema_version}.")
        found = [document async for document in documents]
        assert found, "a job has a document"
        row = JobRow(
            id=JobId(max(tables.jobs, default=0) + 1),
            spec=spec,
            caps=draft.caps,
            items={place: ItemRow(document=each) for place, each in enumerate(found, start=1)},
            created_at=tables.clock.now(),
            key_id=draft.key_id,
        )
        tables.jobs[row.id] = row
        self._undo.append(lambda: tables.jobs.pop(row.id))
        return row.view(tables.clock.now())


class MemoryExtractionJobRepository(ExtractionJobRepository):
    """Jobs in a dict."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    async def get(self, job_id: JobId) -> ExtractionJob:
        """See the port."""
        return job_in(self._tables, job_id).view(self._tables.clock.now())

    async def page(self, *, limit: int, before: JobId | None = None) -> Sequence[ExtractionJob]:
        """See the port."""
        now = self._tables.clock.now()
        newest = sorted(self._tables.jobs.values(), key=lambda job: -job.id)
        found = (job.view(now) for job in newest if before is None or job.id < before)
        return list(islice(found, limit))

    async def apply(
        self, job_id: JobId, command: JobCommand, caps: JobCaps | None = None
    ) -> ExtractionJob:
        """See the port."""
        row, now = job_in(self._tables, job_id), self._tables.clock.now()
        status, only_from = transition(command)
        new, used_up = row.caps.replaced_by(caps), self._tables.spending.used_up(row.key_id)
        allowed = row.status in only_from and (
            command is not JobCommand.RESUME
            or (row.spending.reached(new) is None and used_up is None)
        )
        if allowed:
            row.status, row.caps, row.reason = status, new, reason_of(command)
            row.waits_until = None if command is JobCommand.RESUME else row.waits_until
            row.finished_at = now if command is JobCommand.CANCEL else None
        elif row.status is not status or caps is not None:
            raise row.view(now).refusal(command, caps, used_up=used_up)
        return row.view(now)

    async def results(
        self, job_id: JobId, *, state: ItemState | None = None, limit: int, after: int = 0
    ) -> Sequence[ItemResult]:
        """See the port."""
        row = job_in(self._tables, job_id)
        views = (
            self._view(row, position, item)
            for position, item in row.items.items()
            if position > after
        )
        return list(islice((view for view in views if state in {None, view.state}), limit))

    async def stop_waiting(self, provider: str) -> int:
        """See the port."""
        now = self._tables.clock.now()
        waiting = [
            job
            for job in self._tables.jobs.values()
            if job.status is JobStatus.RUNNING
            and set(names_of(provider)) & set(job.spec.providers)
            and job.waits_until is not None
            and job.waits_until > now
        ]
        for job in waiting:
            job.waits_until = None
        return len(waiting)

    async def workers(self) -> int:
        """See the port."""
        now = self._tables.clock.now()
        alive = {worker for worker, until in self._tables.leases.items() if until > now}
        return len(alive - set(self._tables.batches))

    def _view(self, row: JobRow, position: int, item: ItemRow) -> ItemResult:
        view = ItemResult(
            position=position,
            document_id=item.document.id,
            state=item.state,
            attempts=item.attempts,
            reused=item.reused,
            reason=item.reason,
            extraction=None
            if item.extraction_id is None
            else self._tables.extraction.extractions[item.extraction_id],
            finished_at=item.finished_at,
        )
        if row.status is JobStatus.CANCELLED and item.state is ItemState.PENDING:
            return replace(view, state=ItemState.CANCELLED, reason=reason_of(JobCommand.CANCEL))
        return view


class MemoryExtractionActivityReader(ExtractionActivityReader):
    """Adds up what the tables hold."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    async def activity(self, back: timedelta) -> ExtractionActivity:
        """See the port."""
        tables = self._tables
        now = tables.clock.now()
        recent = [
            each.result
            for each in tables.extraction.extractions.values()
            if each.created_at > now - back
        ]
        calls: defaultdict[tuple[str, str, FailureKind | None], list[float]] = defaultdict(list)
        costs: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for result in recent:
            for attempt in result.attempts:
                kind = (attempt.provider, attempt.model, attempt.outcome)
                calls[kind].append(attempt.latency_s)
            if result.cost_usd is not None:
                costs[result.provider, result.model] += result.cost_usd
        running = [job for job in tables.jobs.values() if job.status is JobStatus.RUNNING]
        counts = [job.counts() for job in running]
        waiting = [
            job.created_at for job, held in zip(running, counts, strict=True) if held.pending
        ]
        return ExtractionActivity(
            calls=[
                CallFigures(
                    provider=provider,
                    model=model,
                    outcome=outcome,
                    calls=len(latencies),
                    latency_s=sum(latencies),
                )
                for (provider, model, outcome), latencies in calls.items()
            ],
            cost_usd=costs,
            jobs=Counter(job.status for job in tables.jobs.values()),
            open_texts=sum(held.pending + held.running for held in counts),
            oldest_waiting_s=(now - min(waiting)).total_seconds() if waiting else None,
            workers=await MemoryExtractionJobRepository(tables).workers(),
        )


def job_in(tables: RecordTables, job_id: JobId) -> JobRow:
    """One job.

    Raises:
        NotFound: no such job.
    """
    try:
        return tables.jobs[job_id]
    except KeyError:
        raise NotFound(f"There is no extraction job {job_id}.") from None


class MemoryExtractionQueue(ExtractionQueue):
    """Leases in a dict."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        """See the port."""
        self._tables.leases[worker] = self._tables.clock.now() + timedelta(seconds=lease_s)

    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        """See the port."""
        if worker not in self._tables.leases:
            raise _lost()
        self._tables.leases[worker] = self._tables.clock.now() + timedelta(seconds=lease_s)
        return {
            job.id: job.status
            for job in self._tables.jobs.values()
            if any(item.worker == worker for item in job.items.values())
        }

    async def claim(
        self, worker: WorkerId, *, limit: int, leads: Leads = NO_LEADS
    ) -> Sequence[ClaimedItem]:
        """See the port."""
        now = self._tables.clock.now()
        lease = self._tables.leases.get(worker)
        if lease is None or lease <= now:
            raise _lost()
        claimed = []
        for job, position, item in islice(self._by_turns(leads), limit):
            item.state, item.worker, item.due_at = ItemState.RUNNING, worker, None
            item.claim += 1
            claimed.append(
                ClaimedItem(
                    job_id=job.id,
                    position=position,
                    claim=item.claim,
                    text=item.document.text,
                    attempts=item.attempts,
                    spec=job.spec,
                    key_id=job.key_id,
                )
            )
        return claimed

    def _by_turns(self, leads: Leads) -> Iterator[tuple[JobRow, int, ItemRow]]:
        """What is due, in the order in which it is taken."""
        waiting: dict[ApiKeyId | None, list[tuple[int, int, JobRow, int, ItemRow]]] = {}
        for job in self._tables.jobs.values():
            if job.spec.mode is ProviderMode.DIRECT and not self._used_up(job):
                for place, due in enumerate(job.due(self._tables.clock.now())):
                    entry = (job.spec.priority.cost, place, job, *due)
                    waiting.setdefault(job.key_id, []).append(entry)
        begins = {caller: leads.get(caller, 0) for caller in waiting}
        for entries in waiting.values():
            entries.sort(key=lambda entry: entry[:2], reverse=True)
        while waiting:
            caller = min(waiting, key=begins.__getitem__)
            cost, _, job, position, item = waiting[caller].pop()
            begins[caller] += cost
            if not waiting[caller]:
                del waiting[caller]
            yield job, position, item

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        """See the port."""
        now = self._tables.clock.now()
        for settlement in settlements:
            if self._tables.reservations.get(settlement.cache_key or b"") == worker:
                del self._tables.reservations[settlement.cache_key or b""]
            self._settle(worker, settlement)
        statuses = {}
        for job_id in dict.fromkeys(each.item.job_id for each in settlements):
            job = job_in(self._tables, job_id)
            consequences = [
                each.consequence
                for each in settlements
                if each.item.job_id == job_id and each.consequence is not None
            ]
            wait_s = max((consequence.wait_s for consequence in consequences), default=0.0)
            if wait_s > 0:
                until = now + timedelta(seconds=wait_s)
                job.waits_until = max(job.waits_until or until, until)
            status, reason = next_status(job.view(now), consequences)
            if status is not job.status:
                job.status, job.reason = status, reason
                job.finished_at = now if status is JobStatus.COMPLETED else None
            statuses[job_id] = job.status
            if self._used_up(job):
                statuses |= self._pause_used_up()
        return statuses

    def _used_up(self, job: JobRow) -> bool:
        return self._tables.spending.used_up(job.key_id) is not None

    def _pause_used_up(self) -> dict[JobId, JobStatus]:
        running = [job for job in self._tables.jobs.values() if job.status is JobStatus.RUNNING]
        paused = [job for job in running if self._used_up(job)]
        for job in paused:
            job.status = JobStatus.PAUSED
            job.reason = StatusReason(code=ReasonCode.MODEL_BUDGET, detail=USED_UP)
        return {job.id: job.status for job in paused}

    async def hold_to_budgets(self) -> Mapping[JobId, JobStatus]:
        """See the port."""
        paused = self._pause_used_up()
        resumed = [
            job
            for job in self._tables.jobs.values()
            if job.status is JobStatus.PAUSED
            and job.reason is not None
            and job.reason.code == ReasonCode.MODEL_BUDGET
            and job.key_id not in self._tables.spending.revoked
            and not self._used_up(job)
        ]
        for job in resumed:
            job.status, job.reason = JobStatus.RUNNING, None
        return {**paused, **{job.id: job.status for job in resumed}}

    def _settle(self, worker: WorkerId, settlement: ItemSettlement) -> None:
        now, job = self._tables.clock.now(), job_in(self._tables, settlement.item.job_id)
        item = job.items[settlement.item.position]
        if item.claim != settlement.item.claim or item.worker != worker:
            return
        item.state, item.worker = settlement.state, None
        item.attempts += settlement.charged
        item.reason = settlement.reason
        item.reused = settlement.cached is not None
        item.extraction_id = settlement.cached
        if settlement.extraction is not None:
            item.extraction_id = settlement.extraction.id
            self._tables.extraction.extractions[settlement.extraction.id] = settlement.extraction
        if settlement.delay_s > 0:
            item.due_at = now + timedelta(seconds=settlement.delay_s)
        item.finished_at = None if settlement.state is ItemState.PENDING else now
        job.spending += settlement.spending
        if job.key_id is not None and settlement.spending.calls:
            self._tables.spending.spend(job.key_id, settlement.spending.of_key, [])

    async def release_lapsed(self) -> int:
        """See the port."""
        now = self._tables.clock.now()
        lapsed = [worker for worker, until in self._tables.leases.items() if until <= now]
        return sum(self._forget(worker) for worker in lapsed)

    async def retire(self, worker: WorkerId) -> None:
        """See the port."""
        self._forget(worker)

    def _forget(self, worker: WorkerId) -> int:
        freed = 0
        for job in self._tables.jobs.values():
            for item in job.items.values():
                if item.worker == worker:
                    item.state, item.worker = ItemState.PENDING, None
                    freed += 1
        self._tables.leases.pop(worker, None)
        mine = [key for key, owner in self._tables.reservations.items() if owner == worker]
        for key in mine:
            del self._tables.reservations[key]
        return freed


class MemoryExtractionCache(ExtractionCache):
    """Looks through all results."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    async def lookup(self, texts: Sequence[str], query: CacheKey) -> Mapping[str, CachedExtraction]:
        """See the port."""
        found: dict[str, CachedExtraction] = {}
        for provider, prompt_hash in reversed(query.prompts):
            for each in sorted(
                self._tables.extraction.extractions.values(), key=lambda each: each.created_at
            ):
                result = each.result
                same = (result.schema, result.schema_version, result.provider, result.prompt_hash)
                wanted = (query.schema, query.schema_version, provider, prompt_hash)
                usable = result.status in {ExtractionStatus.VALID, ExtractionStatus.PARTIAL}
                if usable and same == wanted and each.text in texts:
                    found[each.text] = CachedExtraction(id=each.id, status=result.status)
        return found

    async def reserve(self, worker: WorkerId, keys: Collection[bytes]) -> Set[bytes]:
        """See the port."""
        if worker not in self._tables.leases:
            raise _lost()
        held = self._tables.reservations
        free = {key for key in keys if held.get(key, worker) == worker}
        self._tables.reservations |= dict.fromkeys(free, worker)
        return free

    async def release(self, worker: WorkerId, keys: Collection[bytes]) -> None:
        """See the port."""
        for key in keys:
            if self._tables.reservations.get(key) == worker:
                del self._tables.reservations[key]


def _lost() -> LeaseLost:
    return LeaseLost("The worker's lease is over; others took what it had.")
