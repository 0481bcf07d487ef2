"""Extraction jobs in PostgreSQL, for those who make and command them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from itertools import count
from typing import Any, Final

import asyncpg
import msgspec

from adapters.postgres.audit import enter, with_entry
from adapters.postgres.errors import on_constraint
from adapters.postgres.extraction.results import result_of
from adapters.postgres.inserts import insert_texts
from adapters.postgres.model_spending import budget_used_up
from adapters.postgres.pool import Connection, SqlExecutor
from adapters.postgres.queries import load_queries
from domain.access.model import ApiKeyId
from domain.errors import NotFound
from domain.extraction.calls import TokenUsage, names_of
from domain.extraction.jobs.items import Document, ItemResult, ItemState
from domain.extraction.jobs.model import (
    PRIORITY_COSTS,
    ExtractionJob,
    ItemCounts,
    JobCaps,
    JobCommand,
    JobId,
    JobPriority,
    JobSpec,
    JobSpending,
    JobStatus,
    NewJob,
    ProviderMode,
    StatusReason,
    reason_of,
    transition,
)
from domain.extraction.model import Extraction, ExtractionId
from ports.extraction_jobs import ExtractionJobCreator, ExtractionJobRepository

COSTS: Final = msgspec.json.encode(PRIORITY_COSTS).decode()
"""The costs of priorities, as statements take them."""
_QUERIES: Final = load_queries("extraction_jobs")
_ADD_TIMEOUT_S: Final = 3600.0
_LAST_ID: Final = 2**31 - 1
_PATH: Final = "'/extraction-jobs/' || id"


class PostgresExtractionJobCreator(ExtractionJobCreator):
    """Adds the documents of new jobs, inside the transaction of its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, draft: NewJob, documents: AsyncIterable[Document]) -> ExtractionJob:
        """See the port."""
        spec, query = draft.spec, _QUERIES["add_job"]
        # It takes as long as there are documents; the next transaction has its timeout again.
        await self._connection.execute("SET LOCAL statement_timeout = 0")
        with on_constraint({"extraction_jobs_schema_fkey": lambda: _no_schema(spec)}):
            job_id = await self._connection.fetchval(
                query.sql,
                *query.args(
                    schema_name=spec.schema,
                    schema_version=spec.schema_version,
                    providers=list(spec.providers),
                    reuse=spec.reuse,
                    mode=spec.mode.value,
                    priority=spec.priority.value,
                    key_id=draft.key_id,
                    max_cost_usd=draft.caps.max_cost_usd,
                    max_tokens=draft.caps.max_tokens,
                ),
            )
        places = count(1)

        async def rows() -> AsyncIterator[tuple[Any, ...]]:
            async for document in documents:
                yield job_id, next(places), document.id, document.text

        await insert_texts(
            self._connection,
            "extraction_job_items",
            ("job_id", "position", "document_id", "text"),
            rows(),
            timeout=_ADD_TIMEOUT_S,
        )
        total = next(places) - 1
        assert total, "a job has a document"
        counted = _QUERIES["count_documents"]
        await self._connection.execute(counted.sql, *counted.args(job_id=job_id, total=total))
        await enter(self._connection, "extraction_job.create", f"/extraction-jobs/{job_id}")
        return await PostgresExtractionJobRepository(self._connection).get(job_id)


class PostgresExtractionJobRepository(ExtractionJobRepository):
    """One statement a call."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def get(self, job_id: JobId) -> ExtractionJob:
        """See the port."""
        query = _QUERIES["get_job"]
        row = await self._executor.fetchrow(query.sql, *query.args(job_id=job_id))
        if row is None:
            raise _missing(job_id)
        return job_of(row)

    async def page(self, *, limit: int, before: JobId | None = None) -> Sequence[ExtractionJob]:
        """See the port."""
        query = _QUERIES["page_of_jobs"]
        arguments = query.args(limit=limit, before=_LAST_ID if before is None else before)
        return [job_of(row) for row in await self._executor.fetch(query.sql, *arguments)]

    async def apply(
        self, job_id: JobId, command: JobCommand, caps: JobCaps | None = None
    ) -> ExtractionJob:
        """See the port."""
        query, (status, only_from) = _QUERIES["apply"], transition(command)
        reason = reason_of(command)
        arguments = query.args(
            job_id=job_id,
            status=status.value,
            only_from=[each.value for each in only_from],
            reason_code=None if reason is None else reason.code,
            reason=None if reason is None else reason.detail,
            max_cost_usd=None if caps is None else caps.max_cost_usd,
            max_tokens=None if caps is None else caps.max_tokens,
        )
        sql, args = with_entry(
            query.sql,
            arguments,
            f"extraction_job.{command.value}",
            _PATH,
            () if caps is None else ("max_cost_usd", "max_tokens"),
        )
        done = await self._executor.fetchval(sql, *args)
        job = await self.get(job_id)
        if done is None and (job.status is not status or caps is not None):
            used_up = None
            if job.key_id is not None:
                used_up = await budget_used_up(self._executor, job.key_id)
            raise job.refusal(command, caps, used_up=used_up)
        return job

    async def results(
        self, job_id: JobId, *, state: ItemState | None = None, limit: int, after: int = 0
    ) -> Sequence[ItemResult]:
        """See the port."""
        query = _QUERIES["results"]
        wanted = None if state is None else state.value
        arguments = query.args(job_id=job_id, state=wanted, limit=limit, after=after)
        rows = await self._executor.fetch(query.sql, *arguments)
        if not rows:
            await self.get(job_id)
        return [_item(row) for row in rows]

    async def stop_waiting(self, provider: str) -> int:
        """See the port."""
        query = _QUERIES["stop_waiting"]
        sql, args = with_entry(
            query.sql,
            query.args(providers=list(names_of(provider))),
            "extraction_job.stop_waiting",
            _PATH,
        )
        return len(await self._executor.fetch(sql, *args))

    async def workers(self) -> int:
        """See the port."""
        return int(await self._executor.fetchval(_QUERIES["workers"].sql))


def job_of(row: asyncpg.Record) -> ExtractionJob:
    """A row of `extraction_jobs`, with or without what only `job_columns` counts."""
    status = JobStatus(row["status"])
    done = row["valid"] + row["partial"] + row["refused"] + row["failed"]
    running = row.get("running", 0)
    left = row["total"] - done - running
    cancelled = status is JobStatus.CANCELLED
    rate = row.get("rate_per_s")
    return ExtractionJob(
        id=JobId(row["id"]),
        status=status,
        reason=_reason(row),
        spec=spec_of(row),
        caps=JobCaps(max_cost_usd=row["max_cost_usd"], max_tokens=row["max_tokens"]),
        counts=ItemCounts(
            total=row["total"],
            pending=0 if cancelled else left,
            running=running,
            valid=row["valid"],
            partial=row["partial"],
            refused=row["refused"],
            failed=row["failed"],
            cancelled=left if cancelled else 0,
        ),
        reused=row["reused"],
        spending=JobSpending(
            calls=row["calls"],
            usage=TokenUsage(
                input_tokens=row["input_tokens"],
                cached_tokens=row["cached_tokens"],
                output_tokens=row["output_tokens"],
            ),
            cost_usd=row["cost_usd"],
            unpriced_calls=row["unpriced_calls"],
        ),
        rate_per_s=float(rate) if rate else None,
        waits_until=row["waits_until"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        key_id=key_of(row),
    )


def key_of(row: asyncpg.Record) -> ApiKeyId | None:
    """The key with which the job of a row was made."""
    return None if row["key_id"] is None else ApiKeyId(row["key_id"])


def spec_of(row: asyncpg.Record) -> JobSpec:
    """What a row of `extraction_jobs` says of each document."""
    return JobSpec(
        schema=row["schema_name"],
        schema_version=row["schema_version"],
        providers=tuple(row["providers"]),
        reuse=row["reuse"],
        mode=ProviderMode(row["mode"]),
        priority=JobPriority(row["priority"]),
    )


def _item(row: asyncpg.Record) -> ItemResult:
    extraction = None
    if row["id"] is not None:
        extraction = Extraction(
            id=ExtractionId(row["id"]),
            text=row["text"],
            result=result_of(row),
            created_at=row["created_at"],
        )
    state = ItemState(row["state"])
    return ItemResult(
        position=row["position"],
        document_id=row["document_id"],
        state=state,
        attempts=row["charged"],
        reused=row["reused"],
        reason=reason_of(JobCommand.CANCEL) if state is ItemState.CANCELLED else _reason(row),
        extraction=extraction,
        finished_at=row["finished_at"],
    )


def _reason(row: asyncpg.Record) -> StatusReason | None:
    if row["reason_code"] is None:
        return None
    return StatusReason(code=row["reason_code"], detail=row["reason"])


def _missing(job_id: JobId) -> NotFound:
    return NotFound(f"There is no extraction job {job_id}.")


def _no_schema(spec: JobSpec) -> NotFound:
    return NotFound(f"There is no schema {spec.schema!r} in version {spec.schema_version}.")
