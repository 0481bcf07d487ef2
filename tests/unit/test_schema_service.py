"""Which schemas are registered: only those that every configured model can serve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.errors import Conflict, InvalidInput, NotFound, SchemaInUse
from domain.extraction.schema import BUILT_IN, ORDER_MESSAGE, Field, FieldType, RecordSchema
from domain.extraction.schema_service import SchemaService, is_built_in
from ports.language_models import ModelProfile
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.language_models import QUOTING, ScriptedLanguageModel
from tests.fakes.tables import ExtractionTables

COMPLAINT = RecordSchema(
    name="complaint",
    version=1,
    description="A message of a customer who complains",
    fields=(Field(name="product", type=FieldType.STRING, description="What is broken"),),
)


def registry_over(
    *profiles: ModelProfile,
) -> tuple[SchemaService, MemoryExtractionSchemaRepository]:
    schemas = MemoryExtractionSchemaRepository(ExtractionTables())
    registry = SchemaService(
        schemas=schemas,
        validator=PydanticRecordValidator(),
        models={each.provider: ScriptedLanguageModel(profile=each) for each in profiles},
    )
    return registry, schemas


async def test_a_good_definition_is_stored_as_version_1_and_keeps_it_while_unchanged() -> None:
    registry, schemas = registry_over(QUOTING)
    assert await registry.register(replace(COMPLAINT, version=9)) == (COMPLAINT, True)
    assert await registry.register(COMPLAINT) == (COMPLAINT, False)
    assert await schemas.get("complaint") == COMPLAINT


async def test_a_changed_definition_is_the_next_version() -> None:
    registry, schemas = registry_over(QUOTING)
    await registry.register(COMPLAINT)
    stored, new = await registry.register(replace(COMPLAINT, description="Another"))
    assert (stored.version, new) == (2, True)
    assert await schemas.get("complaint", 1) == COMPLAINT


@pytest.mark.parametrize("schema", BUILT_IN, ids=lambda schema: schema.name)
async def test_a_built_in_schema_is_neither_redefined_nor_removed(schema: RecordSchema) -> None:
    registry, schemas = registry_over(QUOTING)
    before = await schemas.list()
    with pytest.raises(Conflict, match=f"'{schema.name}' is built in"):
        await registry.register(replace(COMPLAINT, name=schema.name))
    with pytest.raises(SchemaInUse, match=f"'{schema.name}' is built in"):
        await registry.remove(schema.name)
    assert await schemas.list() == before


async def test_a_wrong_definition_is_refused_with_every_place_and_not_stored() -> None:
    registry, schemas = registry_over(QUOTING)
    with pytest.raises(InvalidInput) as caught:
        await registry.register(replace(COMPLAINT, name="Complaint!", fields=()))
    assert [each.pointer for each in caught.value.violations] == ["/name", "/fields"]
    with pytest.raises(NotFound):
        await schemas.get("Complaint!")


async def test_a_pattern_that_the_validator_cannot_compile_is_refused() -> None:
    registry, schemas = registry_over(QUOTING)
    field = replace(COMPLAINT.fields[0], pattern="(?=a)b")
    with pytest.raises(InvalidInput):
        await registry.register(replace(COMPLAINT, fields=(field,)))
    with pytest.raises(NotFound):
        await schemas.get("complaint")


async def test_each_model_that_cannot_serve_a_definition_is_named() -> None:
    short = replace(QUOTING, provider="short", max_output_tokens=50)
    narrow = replace(QUOTING, provider="narrow", context_tokens=700)
    picky = replace(QUOTING, provider="picky", max_choices=1)
    registry, schemas = registry_over(QUOTING, short, narrow, picky)
    kind = Field(
        name="kind", type=FieldType.ENUM, description="Which one", choices=("broken", "late")
    )
    with pytest.raises(InvalidInput) as caught:
        await registry.register(replace(COMPLAINT, fields=(*COMPLAINT.fields, kind)))
    assert {each.pointer for each in caught.value.violations} == {"/fields"}
    reasons = [each.detail for each in caught.value.violations]
    assert [reason.split()[0] for reason in reasons] == ["short", "narrow", "picky"]
    assert "gives 50; use fewer fields" in reasons[0]
    assert "no room for a text in the 700 tokens" in reasons[1]
    assert "takes 1 enum choices in all, these are 2" in reasons[2]
    with pytest.raises(NotFound):
        await schemas.get("complaint")


async def test_a_removed_schema_is_gone() -> None:
    registry, schemas = registry_over(QUOTING)
    await registry.register(COMPLAINT)
    await registry.remove("complaint")
    with pytest.raises(NotFound):
        await schemas.get("complaint")
    with pytest.raises(NotFound):
        await registry.remove("complaint")


def test_only_the_schemas_of_the_program_are_built_in() -> None:
    assert is_built_in(ORDER_MESSAGE.name)
    assert not is_built_in(COMPLAINT.name)
