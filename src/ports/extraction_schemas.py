"""Storage of extraction schemas and their versions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.extraction.schema import Schema


class ExtractionSchemaRepository(Protocol):
    """Named schemas; a stored version never changes. The built-in ones are always there."""

    @abstractmethod
    async def get(self, name: str, version: int | None = None) -> Schema:
        """Load one version, the newest when `version` is None.

        Raises:
            NotFound: no such schema, or no such version.
        """
        ...

    @abstractmethod
    async def list(self) -> Sequence[Schema]:
        """The newest version of each schema, by name."""
        ...

    @abstractmethod
    async def put(
        self, schema: Schema, *, only_new: bool = False, only_known: bool = False
    ) -> tuple[Schema, bool]:
        """Store a definition; returns it with its version, and whether that version is new.

        The version given is ignored: it becomes 1 for a new name, the newest version when that one
        has the same definition, else the next. The conditions are held in the statement that
        writes.

        Raises:
            PreconditionFailed: `only_new`, and there is such a schema; `only_known`, and there is
                none.
        """
        ...

    @abstractmethod
    async def delete(self, name: str) -> None:
        """Remove a schema with all its versions.

        Raises:
            NotFound: no such schema.
            SchemaInUse: results name it.
        """
        ...
