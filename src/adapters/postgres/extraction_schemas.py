"""Extraction schemas in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import asyncpg

from adapters.postgres.errors import on_constraint
from adapters.postgres.pool import Executor
from adapters.postgres.queries import load_queries
from domain.errors import Conflict, NotFound, PreconditionFailed, SchemaInUse
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.schema import Schema
from ports.extraction_schemas import ExtractionSchemaRepository

_QUERIES: Final = load_queries("extraction")
_TRIES: Final = 5
_REFERENCES: Final = (
    "extractions_schema_fkey",
    "extraction_jobs_schema_fkey",
    "comparisons_schema_fkey",
)


class PostgresExtractionSchemaRepository(ExtractionSchemaRepository):
    """A row a version; the definition is JSON."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def get(self, name: str, version: int | None = None) -> Schema:
        """See the port."""
        query = _QUERIES["newest_schema" if version is None else "schema_version"]
        row = await self._executor.fetchrow(query.sql, *query.args(name=name, version=version))
        if row is None:
            which = "" if version is None else f" in version {version}"
            raise NotFound(f"There is no schema {name!r}{which}.")
        return _schema(row)

    async def list(self) -> Sequence[Schema]:
        """See the port."""
        return [_schema(row) for row in await self._executor.fetch(_QUERIES["newest_schemas"].sql)]

    async def put(
        self, schema: Schema, *, only_new: bool = False, only_known: bool = False
    ) -> tuple[Schema, bool]:
        """See the port."""
        query = _QUERIES["put_schema"]
        arguments = query.args(
            name=schema.name,
            definition=json.dumps(definition_of(schema)),
            only_new=only_new,
            only_known=only_known,
        )
        for _ in range(_TRIES):
            try:
                with on_constraint({"extraction_schemas_pkey": _same_moment}):
                    version = await self._executor.fetchval(query.sql, *arguments)
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
        with on_constraint(in_use):
            gone = await self._executor.fetchval(query.sql, *query.args(name=name))
        if not gone:
            raise NotFound(f"There is no schema {name!r}.")


class _SameMoment(Conflict):
    """Two writers made the same version."""


def _same_moment() -> _SameMoment:
    return _SameMoment("Two writers made the same version.")


def _in_use(name: str) -> SchemaInUse:
    return SchemaInUse(f"Results name the schema {name!r}; it stays as long as they do.")


def _schema(row: asyncpg.Record) -> Schema:
    return schema_from(row["name"], json.loads(row["definition"]), version=row["version"])
