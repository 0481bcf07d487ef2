"""`/extraction-schemas`."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import UNSET, Meta, Struct, UnsetType, field

from domain.errors import Conflict, InvalidInput, NotFound, PreconditionFailed, SchemaInUse
from domain.extraction.definition import definition_of, schema_from
from domain.extraction.registry import SchemaRegistry, is_built_in
from domain.extraction.schema import (
    MAX_CHOICES,
    MAX_EXAMPLES,
    MAX_FIELDS,
    MAX_ITEMS,
    MAX_TEXT_LENGTH,
    MAX_VALUES,
    NAME,
    FieldType,
    Schema,
)
from entrypoints.http.protocol.answers import json_response
from entrypoints.http.protocol.bodies import read_json
from entrypoints.http.protocol.openapi import contract
from entrypoints.http.protocol.operations import DATABASE_ERRORS
from entrypoints.http.protocol.preconditions import existence
from ports.extraction_schemas import ExtractionSchemaRepository

Name = Annotated[str, Meta(pattern=f"^{NAME.pattern}$", examples=["complaint"])]
Words = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]
_FIELD: Final = {
    "name": "order_number",
    "type": "string",
    "description": "Number of the order that the complaint is about",
    "pattern": "^[0-9]{4,8}$",
}
_BODY: Final = {"description": "A customer's complaint", "fields": [_FIELD]}
_EXAMPLE: Final = {"name": "complaint", "version": 1, "built_in": False, **_BODY}


# Under names of their own: a member of the definition is called `list`.
Strings = list[str]
Scalars = list[str | int | float | bool]


class FieldBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One member of the record."""

    name: Name
    type: FieldType
    description: Words
    list: bool = False
    nullable: bool = True
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: Annotated[int, Meta(ge=1, le=MAX_TEXT_LENGTH)] = 200
    max_items: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] = 20
    choices: Annotated[Strings, Meta(max_length=MAX_CHOICES)] = field(default_factory=Strings)
    examples: Annotated[Scalars, Meta(max_length=MAX_VALUES)] = field(default_factory=Scalars)


class ExampleBody(Struct, forbid_unknown_fields=True):
    """A text with its record, shown to models that learn from examples."""

    text: Words
    record: dict[str, Any]


class SchemaBody(Struct, forbid_unknown_fields=True):
    """A definition; what GET returned can be put back."""

    # `domain.extraction.definition` reads it, as it reads the files of the command line.

    fields: Annotated[list[FieldBody], Meta(min_length=1, max_length=MAX_FIELDS)]
    description: Annotated[str, Meta(max_length=MAX_TEXT_LENGTH, pattern=r"^[^\x00]*$")] = ""
    examples: Annotated[list[ExampleBody], Meta(max_length=MAX_EXAMPLES)] = field(
        default_factory=list
    )
    name: Name | UnsetType = UNSET
    version: int | UnsetType = UNSET
    built_in: bool | UnsetType = UNSET


class SchemaView(Struct, omit_defaults=True):
    """A definition in its newest version."""

    name: Name
    version: int
    built_in: bool
    description: str
    fields: list[FieldBody]
    examples: list[ExampleBody] = field(default_factory=list)


class SchemaList(Struct):
    """All schemas, by name."""

    items: list[SchemaView]
    next: None


Schemas = NamedDependency[SkipValidation[ExtractionSchemaRepository]]
Registry = NamedDependency[SkipValidation[SchemaRegistry]]


class ExtractionSchemaController(Controller):
    """The named record shapes."""

    path = "/extraction-schemas"

    @get(
        opt=contract(
            summary="List the schemas, each in its newest version",
            tag="extraction",
            returns=SchemaList,
            example={"items": [_EXAMPLE], "next": None},
            errors=DATABASE_ERRORS,
        )
    )
    async def list_extraction_schemas(self, extraction_schemas: Schemas) -> Response[bytes]:
        """All of them."""
        found = await extraction_schemas.list()
        return json_response(SchemaList(items=[schema_view(each) for each in found], next=None))

    @get(
        "/{name:str}",
        opt=contract(
            summary="Fetch a schema in its newest version",
            tag="extraction",
            returns=SchemaView,
            example=_EXAMPLE,
            path={"name": Name},
            errors=(NotFound, *DATABASE_ERRORS),
        ),
    )
    async def get_extraction_schema(
        self, name: FromPath[str], extraction_schemas: Schemas
    ) -> Response[bytes]:
        """One of them."""
        return json_response(schema_view(await extraction_schemas.get(_known(name))))

    @put(
        "/{name:str}",
        opt=contract(
            summary="Define a schema; a changed definition becomes its next version",
            tag="extraction",
            returns=SchemaView,
            example=_EXAMPLE,
            path={"name": Name},
            body=SchemaBody,
            body_example=_BODY,
            errors=(InvalidInput, Conflict, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
            more={201: (SchemaView, "The schema is new")},
        ),
    )
    async def put_extraction_schema(
        self, request: Request[Any, Any, Any], name: FromPath[str], schema_registry: Registry
    ) -> Response[bytes]:
        """Define one."""
        definition = await read_json(request)
        schema = schema_from(name, definition)
        stored, new = await schema_registry.register(schema, **existence(request))
        first = new and stored.version == 1
        return json_response(schema_view(stored), status=201 if first else 200)

    @delete(
        "/{name:str}",
        opt=contract(
            summary="Delete a schema that no result names",
            tag="extraction",
            status=204,
            path={"name": Name},
            errors=(NotFound, SchemaInUse, PreconditionFailed, *DATABASE_ERRORS),
            request_headers=("If-Match", "If-None-Match"),
        ),
    )
    async def delete_extraction_schema(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        schema_registry: Registry,
        extraction_schemas: Schemas,
    ) -> None:
        """Delete one."""
        if existence(request)["only_new"]:
            await extraction_schemas.get(_known(name))
            raise PreconditionFailed(f"The schema {name!r} exists.")
        await schema_registry.remove(_known(name))


def _known(name: str) -> str:
    """A name that can be looked up.

    Raises:
        NotFound: it holds what no stored name holds.
    """
    if not name.isascii() or "\x00" in name:
        raise NotFound("There is no schema with this name.")
    return name


def schema_view(schema: Schema) -> SchemaView:
    """A schema as JSON shows it."""
    built_in = is_built_in(schema.name)
    definition = definition_of(schema)
    return SchemaView(name=schema.name, version=schema.version, built_in=built_in, **definition)
