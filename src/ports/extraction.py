"""Schemas, the records that they make of texts, and the check between the two."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from domain.extraction.model import Extraction, ExtractionId
from domain.extraction.schema import RecordSchema, Value


class ExtractionSchemaRepository(Protocol):
    """Named schemas; a stored version never changes. The built-in ones are always there."""

    @abstractmethod
    async def get(self, name: str, version: int | None = None) -> RecordSchema:
        """Load one version, the newest when `version` is None.

        Raises:
            NotFound: no such schema, or no such version.
        """
        ...

    @abstractmethod
    async def list(self) -> Sequence[RecordSchema]:
        """The newest version of each schema, by name."""
        ...

    @abstractmethod
    async def put(
        self, schema: RecordSchema, *, only_new: bool = False, only_known: bool = False
    ) -> tuple[RecordSchema, bool]:
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


MISSING: Final = "is missing; give each field, as null where the text does not state it"
"""The fault of a field that a record leaves out, in words for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """What became of a record.

    Attributes:
        values: the fields that hold, in canonical form (numbers as numbers, dates as
            `YYYY-MM-DD`).
        faults: for each other field, what is wrong with it, in words for the model.
    """

    values: Mapping[str, Value]
    faults: Mapping[str, str]


class RecordValidator(Protocol):
    """Turns what a model said into typed values."""

    @abstractmethod
    def check(self, schema: RecordSchema) -> None:
        """Refuse a schema whose rules cannot be compiled.

        Raises:
            InvalidInput: a pattern that the engine of the patterns refuses, with its reason; an
                example that breaks the rules.
        """
        ...

    @abstractmethod
    def validate(self, schema: RecordSchema, record: Mapping[str, Any]) -> ValidationResult:
        """Every field of `schema` ends either in `values` or in `faults`.

        Null says that the text is silent; a field that `record` leaves out is a fault.

        Args:
            schema: a schema that `check` accepted.
            record: any JSON object; members that the schema does not name are left out.
        """
        ...


class ExtractionRepository(Protocol):
    """What was extracted, kept for later reading."""

    @abstractmethod
    async def add(self, extraction: Extraction) -> None:
        """Store a new extraction.

        Raises:
            NotFound: its schema version is not registered.
        """
        ...

    @abstractmethod
    async def get(self, extraction_id: ExtractionId) -> Extraction:
        """Load one extraction.

        Raises:
            NotFound: no such extraction.
        """
        ...
