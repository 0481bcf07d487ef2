"""Extraction schemas and results in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import asyncpg

from adapters.postgres.audit import with_entry
from adapters.postgres.errors import on_constraint
from adapters.postgres.model_spending import with_spending
from adapters.postgres.pool import SqlExecutor
from adapters.postgres.queries import load_queries
from domain.access.audit import acting_key
from domain.errors import Conflict, NotFound, PreconditionFailed, SchemaInUse
from domain.extraction.calls import Attempt, ExtractionFailure, FailureKind, TokenUsage
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.jobs.settlement import spending_of
from domain.extraction.model import (
    Evidence,
    Extraction,
    ExtractionId,
    ExtractionResult,
    ExtractionStatus,
    ExtractionWarning,
    WarningKind,
)
from domain.extraction.schema import RecordSchema
from ports.extraction import ExtractionRepository, ExtractionSchemaRepository

_QUERIES: Final = load_queries("extraction")
_TRIES: Final = 5
_SCHEMA_PATH: Final = "'/extraction-schemas/' || name"
_REFERENCES: Final = (
    "extractions_schema_fkey",
    "extraction_jobs_schema_fkey",
    "comparisons_schema_fkey",
)


class PostgresExtractionSchemaRepository(ExtractionSchemaRepository):
    """A row a version; the definition is JSON."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def get(self, name: str, version: int | None = None) -> RecordSchema:
        """See the port."""
        query = _QUERIES["newest_schema" if version is None else "schema_version"]
        row = await self._executor.fetchrow(query.sql, *query.args(name=name, version=version))
        if row is None:
            which = "" if version is None else f" in version {version}"
            raise NotFound(f"There is no schema {name!r}{which}.")
        return _schema(row)

    async def list(self) -> Sequence[RecordSchema]:
        """See the port."""
        return [_schema(row) for row in await self._executor.fetch(_QUERIES["newest_schemas"].sql)]

    async def put(
        self, schema: RecordSchema, *, only_new: bool = False, only_known: bool = False
    ) -> tuple[RecordSchema, bool]:
        """See the port."""
        query = _QUERIES["put_schema"]
        arguments = query.args(
            name=schema.name,
            definition=json.dumps(definition_of(schema)),
            only_new=only_new,
            only_known=only_known,
        )
        sql, args = with_entry(
            query.sql, arguments, "extraction_schema.define", _SCHEMA_PATH, ("definition",)
        )
        for _ in range(_TRIES):
            try:
                with on_constraint({"extraction_schemas_pkey": _same_moment}):
                    version = await self._executor.fetchval(sql, *args)
            except _SameMoment:
                continue  # another writer took this version; ours is the next, or theirs
            if version is None and (only_new or only_known):
                await self._hold(schema.name, only_new=only_new)
            return await self.get(schema.name, version), version is not None
        raise Conflict(f"The schema {schema.name!r} is being changed by others; try again.")

    async def _hold(self, name: str, *, only_new: bool) -> None:
        """Say why a conditional definition was not stored, unless it was there already."""
        try:
            newest = await self.get(name)
        except NotFound as error:
            raise PreconditionFailed(str(error)) from None
        if only_new:
            raise PreconditionFailed(f"The schema {name!r} exists, in version {newest.version}.")

    async def delete(self, name: str) -> None:
        """See the port."""
        query = _QUERIES["delete_schema"]
        in_use = dict.fromkeys(_REFERENCES, lambda: _in_use(name))
        sql, args = with_entry(
            query.sql, query.args(name=name), "extraction_schema.delete", _SCHEMA_PATH
        )
        with on_constraint(in_use):
            gone = await self._executor.fetch(sql, *args)
        if not gone:
            raise NotFound(f"There is no schema {name!r}.")


class _SameMoment(Conflict):
    """Two writers made the same version."""


def _same_moment() -> _SameMoment:
    return _SameMoment("Two writers made the same version.")


def _in_use(name: str) -> SchemaInUse:
    return SchemaInUse(f"Results name the schema {name!r}; it stays as long as they do.")


def _schema(row: asyncpg.Record) -> RecordSchema:
    return schema_from(row["name"], json.loads(row["definition"]), version=row["version"])


class PostgresExtractionRepository(ExtractionRepository):
    """A row a result; what has no fixed shape is JSON."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def add(self, extraction: Extraction) -> None:
        """See the port."""
        query, result = _QUERIES["add_extraction"], extraction.result
        arguments = query.args(
            id=extraction.id,
            created_at=extraction.created_at,
            text=extraction.text,
            schema_name=result.schema,
            schema_version=result.schema_version,
            status=result.status.value,
            fields=json.dumps(dict(result.fields)),
            evidence=json.dumps([asdict(each) for each in result.evidence]),
            warnings=json.dumps([asdict(each) for each in result.warnings]),
            failure=None if result.failure is None else json.dumps(asdict(result.failure)),
            provider=result.provider,
            model=result.model,
            attempts=json.dumps([asdict(each) for each in result.attempts]),
            fallbacks=json.dumps(result.fallbacks),
            prompt_hash=result.prompt_hash,
            latency_s=result.latency_s,
            cost_usd=result.cost_usd,
            confidence=json.dumps(dict(result.confidence)),
        )
        sql, args = with_entry(query.sql, arguments, "extraction.create", "'/extractions/' || id")
        sql, args = with_spending(sql, args, acting_key(), spending_of(result))
        with on_constraint({"extractions_schema_fkey": lambda: _no_schema(result)}):
            await self._executor.execute(sql, *args)

    async def get(self, extraction_id: ExtractionId) -> Extraction:
        """See the port."""
        query = _QUERIES["get_extraction"]
        row = await self._executor.fetchrow(query.sql, *query.args(id=extraction_id))
        if row is None:
            raise NotFound(f"There is no extraction {extraction_id}.")
        return Extraction(
            id=ExtractionId(row["id"]),
            text=row["text"],
            result=result_of(row),
            created_at=row["created_at"],
        )


def _no_schema(result: ExtractionResult) -> NotFound:
    return NotFound(f"There is no schema {result.schema!r} in version {result.schema_version}.")


def result_of(row: asyncpg.Record) -> ExtractionResult:
    """The result in a row of `extractions`."""
    return ExtractionResult(
        status=ExtractionStatus(row["status"]),
        schema=row["schema_name"],
        schema_version=row["schema_version"],
        fields=json.loads(row["fields"]),
        evidence=tuple(Evidence(**each) for each in json.loads(row["evidence"])),
        warnings=tuple(_flag(each) for each in json.loads(row["warnings"])),
        failure=None if row["failure"] is None else _failure(json.loads(row["failure"])),
        provider=row["provider"],
        model=row["model"],
        attempts=tuple(_attempt(each) for each in json.loads(row["attempts"])),
        fallbacks=tuple((name, FailureKind(kind)) for name, kind in json.loads(row["fallbacks"])),
        prompt_hash=row["prompt_hash"],
        latency_s=row["latency_s"],
        cost_usd=row["cost_usd"],
        confidence=json.loads(row["confidence"]),
    )


def _flag(document: dict[str, Any]) -> ExtractionWarning:
    return ExtractionWarning(**{**document, "kind": WarningKind(document["kind"])})


def _failure(document: dict[str, Any]) -> ExtractionFailure:
    return ExtractionFailure(**{**document, "kind": FailureKind(document["kind"])})


def _attempt(document: dict[str, Any]) -> Attempt:
    outcome = document["outcome"]
    return Attempt(
        **{
            **document,
            "outcome": None if outcome is None else FailureKind(outcome),
            "usage": TokenUsage(**document["usage"]),
        }
    )
