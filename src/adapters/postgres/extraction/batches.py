"""Batches at providers in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import asyncpg

from adapters.postgres.extraction.jobs import COSTS, job_of, key_of, spec_of
from adapters.postgres.pool import Database, SqlExecutor
from adapters.postgres.queries import load_queries
from domain.access.model import KeySpending, ModelBudget
from domain.extraction.jobs.items import ClaimedItem
from domain.extraction.jobs.model import JobId, WorkerId
from ports.extraction_jobs import ClaimedBatch, ProviderBatches
from ports.language_models import BatchId

_QUERIES: Final = load_queries("provider_batches")


class PostgresProviderBatches(ProviderBatches):
    """A row for each batch, and one among the workers for as long as it has documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, batch_id: WorkerId, *, limit: int, lease_s: float) -> ClaimedBatch | None:
        """See the port; all of it in one transaction."""
        enlist, fill = _QUERIES["enlist"], _QUERIES["fill"]
        async with self._database.transaction() as connection:
            if not await connection.fetchval(_QUERIES["alone"].sql):
                return None
            filled = await connection.fetchval(
                fill.sql,
                *fill.args(batch_id=batch_id, limit=limit, lease_s=lease_s, costs=COSTS),
            )
            if filled is None:
                return None
            await connection.execute(enlist.sql, *enlist.args(batch_id=batch_id))
            [batch] = await _batches(connection, [batch_id])
            return batch

    async def take(self, *, limit: int, lease_s: float) -> Sequence[ClaimedBatch]:
        """See the port."""
        query = _QUERIES["take"]
        async with self._database.transaction() as connection:
            rows = await connection.fetch(query.sql, *query.args(limit=limit, lease_s=lease_s))
            return await _batches(connection, [WorkerId(row["id"]) for row in rows])

    async def items(self, batch_id: WorkerId) -> Sequence[ClaimedItem]:
        """See the port."""
        found = await _batches(self._database, [batch_id])
        query = _QUERIES["items"]
        return [
            ClaimedItem(
                job_id=JobId(row["job_id"]),
                position=row["position"],
                claim=row["claim"],
                text=row["text"],
                attempts=row["attempts"],
                spec=found[0].spec,
                key_id=key_of(row),
            )
            for row in await self._database.fetch(query.sql, *query.args(batch_id=batch_id))
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
        query = _QUERIES["note"]
        arguments = query.args(
            batch_id=batch.id,
            turn=batch.turn,
            prompt_hash=prompt_hash,
            provider_id=provider_id,
            unsure=unsure,
        )
        return await self._database.fetchval(query.sql, *arguments) is not None

    async def put_off(self, batch: ClaimedBatch, *, seconds: float) -> bool:
        """See the port."""
        query = _QUERIES["put_off"]
        arguments = query.args(batch_id=batch.id, turn=batch.turn, seconds=seconds)
        return await self._database.fetchval(query.sql, *arguments) is not None

    async def close(self, batch_id: WorkerId) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            for name in ("give_back", "forget", "close"):
                query = _QUERIES[name]
                await connection.execute(query.sql, *query.args(batch_id=batch_id))


async def _batches(executor: SqlExecutor, ids: Sequence[WorkerId]) -> list[ClaimedBatch]:
    query = _QUERIES["columns"]
    return [_batch(row) for row in await executor.fetch(query.sql, *query.args(batch_ids=ids))]


def _batch(row: asyncpg.Record) -> ClaimedBatch:
    job = job_of(row)
    return ClaimedBatch(
        id=WorkerId(row["batch_id"]),
        job_id=job.id,
        job_status=job.status,
        spec=spec_of(row),
        caps=job.caps,
        spending=job.spending,
        budget=ModelBudget(usd=row["budget_usd"], tokens=row["budget_tokens"]),
        spent_today=KeySpending(
            usd=row["spent_usd"] or Decimal(0),
            tokens=row["spent_tokens"] or 0,
            unpriced_calls=row["spent_unpriced"] or 0,
        ),
        turn=row["turn"],
        age_s=row["age_s"],
        provider_id=None if row["provider_id"] is None else BatchId(row["provider_id"]),
        prompt_hash=row["prompt_hash"],
        unsure_s=row["unsure_s"],
    )
