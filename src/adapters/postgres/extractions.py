"""Extraction results in PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import asyncpg

from adapters.postgres.errors import on_constraint
from adapters.postgres.pool import Executor
from adapters.postgres.queries import load_queries
from domain.errors import NotFound
from domain.extraction.calls import Attempt, Failure, FailureKind, Usage
from domain.extraction.model import (
    Evidence,
    Extraction,
    ExtractionId,
    ExtractionResult,
    Flag,
    FlagKind,
    Status,
)
from ports.extractions import ExtractionRepository

_QUERIES: Final = load_queries("extraction")


class PostgresExtractionRepository(ExtractionRepository):
    """A row a result; what has no fixed shape is JSON."""

    def __init__(self, executor: Executor) -> None:
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
        )
        with on_constraint({"extractions_schema_fkey": lambda: _no_schema(result)}):
            await self._executor.execute(query.sql, *arguments)

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
        status=Status(row["status"]),
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
    )


def _flag(document: dict[str, Any]) -> Flag:
    return Flag(**{**document, "kind": FlagKind(document["kind"])})


def _failure(document: dict[str, Any]) -> Failure:
    return Failure(**{**document, "kind": FailureKind(document["kind"])})


def _attempt(document: dict[str, Any]) -> Attempt:
    outcome = document["outcome"]
    return Attempt(
        **{
            **document,
            "outcome": None if outcome is None else FailureKind(outcome),
            "usage": Usage(**document["usage"]),
        }
    )
