"""Schemas and results in memory; held to the same contracts as PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.access.audit import acting_key
from domain.errors import NotFound, PreconditionFailed, SchemaInUse
from domain.extraction.jobs.settlement import spending_of
from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.schema import RecordSchema
from ports.extraction import ExtractionRepository, ExtractionSchemaRepository
from tests.fakes.tables import ExtractionTables, SpendingTable, Undo


class MemoryExtractionSchemaRepository(ExtractionSchemaRepository):
    """Schemas in a dict of version lists."""

    def __init__(self, tables: ExtractionTables) -> None:
        self._tables = tables

    async def get(self, name: str, version: int | None = None) -> RecordSchema:
        """See the port."""
        versions = self._tables.schemas.get(name, [])
        if not versions:
            raise NotFound(f"There is no schema {name!r}.")
        if version is None:
            return versions[-1]
        if not 1 <= version <= len(versions):
            raise NotFound(f"There is no schema {name!r} in version {version}.")
        return versions[version - 1]

    async def list(self) -> Sequence[RecordSchema]:
        """See the port."""
        return [versions[-1] for _, versions in sorted(self._tables.schemas.items())]

    async def put(
        self, schema: RecordSchema, *, only_new: bool = False, only_known: bool = False
    ) -> tuple[RecordSchema, bool]:
        """See the port."""
        known = schema.name in self._tables.schemas
        if (only_new and known) or (only_known and not known):
            raise PreconditionFailed(f"The schema {schema.name!r} is not as the request asks.")
        versions = self._tables.schemas.setdefault(schema.name, [])
        new = not versions or not versions[-1].same_definition(schema)
        if new:
            versions.append(replace(schema, version=len(versions) + 1))
        return versions[-1], new

    async def delete(self, name: str) -> None:
        """See the port."""
        if name not in self._tables.schemas:
            raise NotFound(f"There is no schema {name!r}.")
        if any(each.result.schema == name for each in self._tables.extractions.values()):
            raise SchemaInUse(f"Results name the schema {name!r}; it stays as long as they do.")
        del self._tables.schemas[name]


class MemoryExtractionRepository(ExtractionRepository):
    """Results in a dict."""

    def __init__(
        self,
        tables: ExtractionTables,
        undo: Undo | None = None,
        spending: SpendingTable | None = None,
    ) -> None:
        self._spending = spending
        self._tables = tables
        self._undo = [] if undo is None else undo

    async def add(self, extraction: Extraction) -> None:
        """See the port."""
        result = extraction.result
        versions = self._tables.schemas.get(result.schema, [])
        if not 1 <= result.schema_version <= len(versions):
            raise NotFound(
                f"There is no schema {result.schema!r} in version {result.schema_version}."
            )
        self._tables.extractions[extraction.id] = extraction
        self._undo.append(lambda: self._tables.extractions.pop(extraction.id))
        key_id, spent = acting_key(), spending_of(result)
        if self._spending is not None and key_id is not None and spent.calls:
            self._spending.spend(key_id, spent.of_key, self._undo)

    async def get(self, extraction_id: ExtractionId) -> Extraction:
        """See the port."""
        try:
            return self._tables.extractions[extraction_id]
        except KeyError:
            raise NotFound(f"There is no extraction {extraction_id}.") from None
