"""Comparisons in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from adapters.postgres.audit import enter, with_entry
from adapters.postgres.errors import on_constraint
from adapters.postgres.pool import SqlExecutor
from adapters.postgres.queries import load_queries
from domain.comparison.model import (
    Comparison,
    ComparisonId,
    ComparisonJob,
    ComparisonSpec,
    Contestant,
    LabelledText,
)
from domain.errors import NotFound
from domain.extraction.schema import RecordSchema
from ports.comparison import ComparisonRepository

_QUERIES: Final = load_queries("comparisons")
_LAST_ID: Final = 2**31 - 1


class PostgresComparisonRepository(ComparisonRepository):
    """A row a comparison; contestants and texts are JSON."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def add(self, spec: ComparisonSpec, jobs: Sequence[ComparisonJob]) -> Comparison:
        """See the port."""
        query = _QUERIES["add_comparison"]
        with on_constraint({"comparisons_schema_fkey": lambda: _no_schema(spec.schema)}):
            comparison_id = await self._executor.fetchval(
                query.sql,
                *query.args(
                    dataset=spec.dataset,
                    schema_name=spec.schema.name,
                    schema_version=spec.schema.version,
                    repeats=spec.repeats,
                    seed=spec.seed,
                    contestants=_json(spec.contestants),
                    texts=_json(spec.texts),
                    job_contestants=[job.contestant for job in jobs],
                    job_repeats=[job.repeat for job in jobs],
                    job_ids=[job.job_id for job in jobs],
                ),
            )
        await enter(self._executor, "comparison.create", f"/comparisons/{comparison_id}")
        return await self.get(ComparisonId(comparison_id))

    async def get(self, comparison_id: ComparisonId) -> Comparison:
        """See the port."""
        query = _QUERIES["get_comparison"]
        row = await self._executor.fetchrow(query.sql, *query.args(comparison_id=comparison_id))
        if row is None:
            raise _missing(comparison_id)
        return _comparison(row)

    async def page(self, *, limit: int, before: ComparisonId | None = None) -> Sequence[Comparison]:
        """See the port."""
        query = _QUERIES["page_of_comparisons"]
        arguments = query.args(limit=limit, before=_LAST_ID if before is None else before)
        return [_comparison(row) for row in await self._executor.fetch(query.sql, *arguments)]

    async def texts(self, comparison_id: ComparisonId) -> Sequence[LabelledText]:
        """See the port."""
        query = _QUERIES["texts"]
        found = await self._executor.fetchval(query.sql, *query.args(comparison_id=comparison_id))
        if found is None:
            raise _missing(comparison_id)
        return msgspec.json.decode(found, type=list[LabelledText])

    async def remove(self, comparison_id: ComparisonId) -> None:
        """See the port."""
        query = _QUERIES["remove"]
        arguments = query.args(comparison_id=comparison_id)
        sql, args = with_entry(query.sql, arguments, "comparison.delete", "'/comparisons/' || id")
        if not await self._executor.fetchval(sql, *args):
            raise _missing(comparison_id)


def _comparison(row: asyncpg.Record) -> Comparison:
    return Comparison(
        id=ComparisonId(row["id"]),
        dataset=row["dataset"],
        schema=row["schema_name"],
        schema_version=row["schema_version"],
        texts=row["texts"],
        contestants=msgspec.json.decode(row["contestants"], type=tuple[Contestant, ...]),
        repeats=row["repeats"],
        seed=row["seed"],
        jobs=msgspec.convert(json.loads(row["jobs"]), tuple[ComparisonJob, ...]),
        created_at=row["created_at"],
    )


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()


def _missing(comparison_id: ComparisonId) -> NotFound:
    return NotFound(f"There is no comparison {comparison_id}.")


def _no_schema(schema: RecordSchema) -> NotFound:
    return NotFound(f"There is no schema {schema.name!r} in version {schema.version}.")
