"""`/extraction-schemas`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from litestar import Controller, Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType, field

from domain.access.model import Scope
from domain.errors import Conflict, InvalidInput, NotFound, SchemaInUse
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.schema import (
    MAX_CHOICE_LENGTH,
    MAX_CHOICES,
    MAX_EXAMPLES,
    MAX_FIELDS,
    MAX_ITEMS,
    MAX_NUMBER,
    MAX_PATTERN_LENGTH,
    MAX_TEXT_LENGTH,
    MAX_VALUES,
    NAME,
    FieldType,
    RecordSchema,
)
from domain.extraction.schema_service import SchemaService, is_built_in
from entrypoints.http.protocol.answers import JsonAnswer, json_response
from entrypoints.http.protocol.bodies import read_json
from entrypoints.http.protocol.operations import delete, get, put
from entrypoints.http.protocol.parameters import (
    DocumentedBody,
    InPath,
    ParameterMetadata,
    WritesExistence,
)
from entrypoints.http.protocol.preconditions import refuse_if_known
from entrypoints.http.protocol.problems import MalformedRequest, UnsupportedMediaType
from ports.extraction import ExtractionSchemaRepository

Name = Annotated[str, Meta(pattern=f"^{NAME.pattern}$", examples=["complaint"])]
Words = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]
Bound = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
_DEFINITION: Final = {
    "description": "A customer's complaint",
    "fields": [
        {
            "name": "order_number",
            "type": "string",
            "description": "Number of the order that the complaint is about",
            "pattern": "^[0-9]{4,8}$",
        }
    ],
}

# Under names of their own: a member of the definition is called `list`.
Choices = list[Annotated[str, Meta(min_length=1, max_length=MAX_CHOICE_LENGTH)]]
Scalars = list[str | int | float | bool]


class FieldDefinitionBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One field of the record."""

    name: Name
    type: FieldType
    description: Annotated[Words, Meta(pattern=r"\S")]
    list: bool = False
    nullable: bool = True
    pattern: Annotated[str, Meta(max_length=MAX_PATTERN_LENGTH)] | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    max_length: Annotated[int, Meta(ge=1, le=MAX_TEXT_LENGTH)] = 200
    max_items: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] = 20
    choices: Annotated[Choices, Meta(max_length=MAX_CHOICES)] = field(default_factory=Choices)
    examples: Annotated[Scalars, Meta(max_length=MAX_VALUES)] = field(default_factory=Scalars)


class ExampleBody(Struct, forbid_unknown_fields=True):
    """A text with its record, shown to models that learn from examples."""

    text: Words
    record: dict[str, Any]


class SchemaBody(Struct, forbid_unknown_fields=True):
    """A definition; what GET returned can be put back."""

    EXAMPLE: ClassVar = _DEFINITION

    # `domain.extraction.definition` reads it, as it reads the files of the command line.

    fields: Annotated[list[FieldDefinitionBody], Meta(min_length=1, max_length=MAX_FIELDS)]
    description: Annotated[str, Meta(max_length=MAX_TEXT_LENGTH, pattern=r"^[^\x00]*$")] = ""
    examples: Annotated[list[ExampleBody], Meta(max_length=MAX_EXAMPLES)] = field(
        default_factory=list
    )
    name: Name | UnsetType = UNSET
    version: int | UnsetType = UNSET
    built_in: bool | UnsetType = UNSET


class SchemaView(Struct, omit_defaults=True):
    """A definition in its newest version."""

    EXAMPLE: ClassVar = {"name": "complaint", "version": 1, "built_in": False, **_DEFINITION}

    name: Name
    version: int
    built_in: bool
    description: str
    fields: list[FieldDefinitionBody]
    examples: list[ExampleBody] = field(default_factory=list)


class SchemaList(Struct):
    """All schemas, by name."""

    EXAMPLE: ClassVar = {"items": [SchemaView.EXAMPLE], "next": None}

    items: list[SchemaView]
    next: None


def _known(name: str) -> str:
    """A name that can be looked up.

    Raises:
        NotFound: it holds what no stored name holds.
    """
    if not name.isascii() or "\x00" in name:
        raise NotFound("There is no schema with this name: GET /extraction-schemas lists all.")
    return name


class _NewName(InPath):
    errors = ()  # of a bad one the definition is wrong


@dataclass(frozen=True, kw_only=True)
class _DefinitionInBody(ParameterMetadata):
    errors = (MalformedRequest, UnsupportedMediaType, InvalidInput)

    async def read(self, request: Request[Any, Any, Any], given: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """What `schema_from` reads."""
        return await read_json(request)

    def body(self) -> DocumentedBody:
        """A definition."""
        return DocumentedBody(kind=SchemaBody)


KnownName: TypeAlias = Annotated[str, InPath(_known, Name)]
NewName: TypeAlias = Annotated[str, _NewName(str, Name)]
Definition: TypeAlias = Annotated[Any, _DefinitionInBody()]
Schemas = NamedDependency[SkipValidation[ExtractionSchemaRepository]]
Registry = NamedDependency[SkipValidation[SchemaService]]


class ExtractionSchemaController(Controller):
    """The named record shapes."""

    path = "/extraction-schemas"
    tags = ("schemas",)

    @get(scope=Scope.EXTRACT)
    async def list_extraction_schemas(self, extraction_schemas: Schemas) -> JsonAnswer[SchemaList]:
        """List the schemas, each in its newest version."""
        found = await extraction_schemas.list()
        return json_response(SchemaList(items=[schema_view(each) for each in found], next=None))

    @get("/{name:str}", scope=Scope.EXTRACT)
    async def get_extraction_schema(
        self, name: KnownName, extraction_schemas: Schemas
    ) -> JsonAnswer[SchemaView]:
        """Fetch a schema in its newest version."""
        return json_response(schema_view(await extraction_schemas.get(name)))

    @put(
        "/{name:str}",
        scope=Scope.EXTRACT,
        errors=[Conflict],
        more={201: (SchemaView, "The schema is new")},
    )
    async def put_extraction_schema(
        self,
        name: NewName,
        definition: Definition,
        conditions: WritesExistence,
        schema_registry: Registry,
    ) -> JsonAnswer[SchemaView]:
        """Define a schema; a changed definition becomes its next version."""
        stored, new = await schema_registry.register(schema_from(name, definition), **conditions)
        first = new and stored.version == 1
        return json_response(schema_view(stored), status=201 if first else 200)

    @delete("/{name:str}", scope=Scope.EXTRACT, errors=[SchemaInUse])
    async def delete_extraction_schema(
        self,
        name: KnownName,
        conditions: WritesExistence,
        schema_registry: Registry,
        extraction_schemas: Schemas,
    ) -> None:
        """Delete a schema that no result names."""
        fetch = partial(extraction_schemas.get, name)
        await refuse_if_known(conditions, f"The schema {name!r}", fetch)
        await schema_registry.remove(name)


def schema_view(schema: RecordSchema) -> SchemaView:
    """A schema as JSON shows it."""
    built_in = is_built_in(schema.name)
    definition = definition_of(schema)
    return SchemaView(name=schema.name, version=schema.version, built_in=built_in, **definition)
