"""The documents of running jobs in PostgreSQL, for the workers that share them; known answers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence, Set
from itertools import groupby
from typing import Any, Final

import msgspec

from adapters.postgres.extraction.jobs import COSTS, job_of, key_of, spec_of
from adapters.postgres.model_spending import budget_used_up
from adapters.postgres.pool import Connection, Database
from adapters.postgres.queries import load_queries
from domain.access.budgets import USED_UP
from domain.extraction.jobs.items import ClaimedItem, ItemSettlement, JobConsequence
from domain.extraction.jobs.model import ExtractionJob, JobId, JobStatus, WorkerId
from domain.extraction.jobs.settlement import next_status
from domain.extraction.jobs.turns import NO_LEADS, Leads
from domain.extraction.model import Extraction, ExtractionId, ExtractionStatus
from ports.extraction_jobs import (
    CachedExtraction,
    CacheKey,
    ExtractionCache,
    ExtractionQueue,
    LeaseLost,
)

_QUERIES: Final = load_queries("extraction_queue")
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class PostgresExtractionQueue(ExtractionQueue):
    """Leases are rows of workers; claims skip what others have locked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enlist(self, worker: WorkerId, *, host: str, lease_s: float) -> None:
        """See the port."""
        query = _QUERIES["enlist"]
        arguments = query.args(worker_id=worker, host=host, lease_s=lease_s)
        await self._database.execute(query.sql, *arguments)

    async def renew(self, worker: WorkerId, *, lease_s: float) -> Mapping[JobId, JobStatus]:
        """See the port."""
        query = _QUERIES["renew"]
        arguments = query.args(worker_id=worker, lease_s=lease_s)
        if await self._database.fetchval(query.sql, *arguments) is None:
            raise _lost()
        jobs = _QUERIES["jobs_of_worker"]
        rows = await self._database.fetch(jobs.sql, *jobs.args(worker_id=worker))
        return {JobId(row["id"]): JobStatus(row["status"]) for row in rows}

    async def claim(
        self, worker: WorkerId, *, limit: int, leads: Leads = NO_LEADS
    ) -> Sequence[ClaimedItem]:
        """See the port."""
        query = _QUERIES["claim"]
        by_key = {str(key_id or 0): lead for key_id, lead in leads.items()}
        arguments = query.args(
            worker_id=worker,
            limit=limit,
            costs=COSTS,
            leads=msgspec.json.encode(by_key).decode(),
        )
        rows = await self._database.fetch(query.sql, *arguments)
        if not rows:
            raise _lost()
        claimed: list[ClaimedItem] = []
        for job_id, of_job in groupby(rows, key=lambda row: row["job_id"]):
            if job_id is None:
                continue
            spec = None
            for row in of_job:
                spec = spec or spec_of(row)
                claimed.append(
                    ClaimedItem(
                        job_id=JobId(job_id),
                        position=row["position"],
                        claim=row["claim"],
                        text=row["text"],
                        attempts=row["attempts"],
                        spec=spec,
                        key_id=key_of(row),
                    )
                )
        return claimed

    async def settle(
        self, worker: WorkerId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        """See the port; a transaction for each job."""
        by_job: dict[JobId, list[ItemSettlement]] = {}
        for settlement in settlements:
            by_job.setdefault(settlement.item.job_id, []).append(settlement)
        statuses: dict[JobId, JobStatus] = {}
        for job_id, of_job in by_job.items():
            statuses |= await self._settle(worker, job_id, of_job)
        return statuses

    async def _settle(
        self, worker: WorkerId, job_id: JobId, settlements: Sequence[ItemSettlement]
    ) -> Mapping[JobId, JobStatus]:
        query = _QUERIES["settle"]
        document = _NUL.sub(
            rb"\1\\ufffd", msgspec.json.encode([_row(each) for each in settlements])
        )
        arguments = query.args(worker_id=worker, job_id=job_id, settlements=document.decode())
        consequences = [each.consequence for each in settlements if each.consequence is not None]
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(query.sql, *arguments)
            assert row is not None  # jobs are not deleted
            job = job_of(row)
            status = await _stop(connection, job, consequences)
            if job.key_id is None:
                return {job_id: status}
            if await budget_used_up(connection, job.key_id) is None:
                return {job_id: status}
            # Other jobs of its key too: they would hear of it at their next settlement only.
            return {job_id: status, **await _pause_used_up(connection)}

    async def release_lapsed(self) -> int:
        """See the port."""
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_QUERIES["alone"].sql):
                return 0
            await connection.execute(_QUERIES["forget_lapsed"].sql)
            return int(await connection.fetchval(_QUERIES["free_orphans"].sql))

    async def hold_to_budgets(self) -> Mapping[JobId, JobStatus]:
        """See the port."""
        async with self._database.transaction() as connection:
            paused = await _pause_used_up(connection)
            resumed = await connection.fetch(_QUERIES["resume_budgeted"].sql)
        return {**paused, **{JobId(row["id"]): JobStatus.RUNNING for row in resumed}}

    async def retire(self, worker: WorkerId) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            for name in ("give_back", "forget"):
                query = _QUERIES[name]
                await connection.execute(query.sql, *query.args(worker_id=worker))


async def _pause_used_up(connection: Connection) -> dict[JobId, JobStatus]:
    pause = _QUERIES["pause_used_up"]
    rows = await connection.fetch(pause.sql, *pause.args(reason=USED_UP))
    return {JobId(row["id"]): JobStatus.PAUSED for row in rows}


async def _stop(
    connection: Connection, job: ExtractionJob, consequences: Sequence[JobConsequence]
) -> JobStatus:
    """What the settlements mean for their job; its row is locked by now."""
    wait_s = max((consequence.wait_s for consequence in consequences), default=0.0)
    if wait_s > 0:
        query = _QUERIES["wait"]
        await connection.execute(query.sql, *query.args(job_id=job.id, wait_s=wait_s))
    status, reason = next_status(job, consequences)
    if status is not job.status:
        query = _QUERIES["stop_job"]
        arguments = query.args(
            job_id=job.id,
            status=status.value,
            reason_code=None if reason is None else reason.code,
            reason=None if reason is None else reason.detail,
        )
        await connection.execute(query.sql, *arguments)
    return status


def _row(settlement: ItemSettlement) -> dict[str, Any]:
    spending, reason = settlement.spending, settlement.reason
    return {
        "position": settlement.item.position,
        "claim": settlement.item.claim,
        "state": settlement.state,
        "charged": settlement.charged,
        "delay_s": settlement.delay_s,
        "reason_code": None if reason is None else reason.code,
        "reason": None if reason is None else reason.detail,
        "known": settlement.cached,
        "extraction": None if settlement.extraction is None else _result(settlement.extraction),
        "calls": spending.calls,
        "input_tokens": spending.usage.input_tokens,
        "cached_tokens": spending.usage.cached_tokens,
        "output_tokens": spending.usage.output_tokens,
        "cost_usd": spending.cost_usd,
        "unpriced_calls": spending.unpriced_calls,
        "key": None if settlement.cache_key is None else settlement.cache_key.hex(),
    }


def _result(extraction: Extraction) -> dict[str, Any]:
    """A row of `extractions`."""
    result = extraction.result
    return {
        "id": extraction.id,
        "created_at": extraction.created_at,
        "text": extraction.text,
        "schema_name": result.schema,
        "schema_version": result.schema_version,
        "status": result.status,
        "fields": result.fields,
        "evidence": result.evidence,
        "warnings": result.warnings,
        "failure": result.failure,
        "provider": result.provider,
        "model": result.model,
        "attempts": result.attempts,
        "fallbacks": result.fallbacks,
        "prompt_hash": result.prompt_hash,
        "latency_s": result.latency_s,
        "cost_usd": result.cost_usd,
        "confidence": result.confidence,
    }


def _lost() -> LeaseLost:
    return LeaseLost("The worker's lease is over; others took what it had.")


_KNOWN: Final = load_queries("known_extractions")


class PostgresExtractionCache(ExtractionCache):
    """The stored results, and a row for each question that is being asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lookup(self, texts: Sequence[str], query: CacheKey) -> Mapping[str, CachedExtraction]:
        """See the port."""
        statement = _KNOWN["lookup"]
        arguments = statement.args(
            texts=list(texts),
            schema_name=query.schema,
            schema_version=query.schema_version,
            providers=[provider for provider, _ in query.prompts],
            prompt_hashes=[prompt_hash for _, prompt_hash in query.prompts],
        )
        return {
            row["text"]: CachedExtraction(
                id=ExtractionId(row["id"]), status=ExtractionStatus(row["status"])
            )
            for row in await self._database.fetch(statement.sql, *arguments)
        }

    async def reserve(self, worker: WorkerId, keys: Collection[bytes]) -> Set[bytes]:
        """See the port."""
        query = _KNOWN["reserve"]
        # In one order everywhere, so that two workers wait for each other in one direction only.
        arguments = query.args(worker_id=worker, keys=sorted(set(keys)))
        rows = await self._database.fetch(query.sql, *arguments)
        if not rows:
            raise _lost()
        return {row["key"] for row in rows if row["key"] is not None}

    async def release(self, worker: WorkerId, keys: Collection[bytes]) -> None:
        """See the port."""
        query = _KNOWN["release"]
        await self._database.execute(query.sql, *query.args(worker_id=worker, keys=list(keys)))
