"""Which schemas there are: registered only when every configured model can serve them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from domain.errors import Conflict, InvalidInput, SchemaInUse, Violation
from domain.extraction.prompting import unservable
from domain.extraction.schema import BUILT_IN, RecordSchema
from ports.extraction import ExtractionSchemaRepository, RecordValidator
from ports.language_models import LanguageModel


class SchemaService:
    """Use cases of schemas.

    Args:
        schemas: where they are kept.
        validator: knows which rules can be compiled.
        models: the configured models by provider name.
    """

    def __init__(
        self,
        *,
        schemas: ExtractionSchemaRepository,
        validator: RecordValidator,
        models: Mapping[str, LanguageModel],
    ) -> None:
        self._schemas = schemas
        self._validator = validator
        self._models = models

    async def register(
        self, schema: RecordSchema, *, only_new: bool = False, only_known: bool = False
    ) -> tuple[RecordSchema, bool]:
        """Store a definition; returns it with its version, and whether that version is new.

        An unchanged definition keeps its version.

        Raises:
            InvalidInput: the definition is wrong, or a configured provider cannot serve it.
            Conflict: the name belongs to a built-in schema.
            PreconditionFailed: see `ExtractionSchemaRepository.put`.
        """
        if schema.name in _BUILT_IN_NAMES:
            raise Conflict(
                f"The schema {schema.name!r} is built in and does not change; take another name."
            )
        if violations := schema.violations():
            raise InvalidInput.of(violations)
        self._validator.check(schema)
        reasons = [
            Violation(pointer="/fields", detail=f"{name} cannot serve this: {reason}")
            for name, model in self._models.items()
            if (reason := unservable(schema, model.profile)) is not None
        ]
        if reasons:
            raise InvalidInput.of(reasons)
        return await self._schemas.put(schema, only_new=only_new, only_known=only_known)

    async def remove(self, name: str) -> None:
        """Remove a schema with all its versions.

        Raises:
            NotFound: no such schema.
            SchemaInUse: it is built in, or results name it.
        """
        if name in _BUILT_IN_NAMES:
            raise SchemaInUse(f"The schema {name!r} is built in and stays.")
        await self._schemas.delete(name)


_BUILT_IN_NAMES: Collection[str] = frozenset(schema.name for schema in BUILT_IN)


def is_built_in(name: str) -> bool:
    """Whether the schema came with the program."""
    return name in _BUILT_IN_NAMES
