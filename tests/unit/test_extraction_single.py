"""One text now: what is wrong is named at once, else the result comes with identity and time."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.errors import InvalidInput
from domain.extraction.calls import PriceTable
from domain.extraction.model import ExtractionStatus
from domain.extraction.service import (
    MAX_TEXT_CHARACTERS,
    ExtractionService,
    SingleExtraction,
    check_text,
)
from tests.fakes.extraction import MemoryExtractionSchemaRepository
from tests.fakes.language_models import ScriptedLanguageModel
from tests.fakes.system import StandingClock
from tests.fakes.tables import ExtractionTables

TEXT = "Ann Moor needs 3 mugs"
ANSWER = json.dumps(
    {
        "customer": {"quote": "Ann Moor", "value": "Ann Moor"},
        "product": {"quote": "mugs", "value": "mugs"},
        "quantity": {"quote": "3 mugs", "value": 3},
    }
)
IDENTITY = UUID("0197c0de-0000-7000-8000-000000000001")


def single_over(model: ScriptedLanguageModel) -> SingleExtraction:
    schemas = MemoryExtractionSchemaRepository(ExtractionTables())
    service = ExtractionService(
        models={"scripted": model},
        chain=("scripted",),
        validator=PydanticRecordValidator(),
        prices=PriceTable(prices={}),
        monotonic=lambda: 0.0,
        new_mark=lambda: "feedc0de",
    )
    return SingleExtraction(
        service=service,
        schemas=schemas,
        clock=StandingClock(),
        new_id=lambda: IDENTITY,
        deadline_s=30,
    )


@pytest.mark.parametrize("provider", [None, "scripted"])
async def test_a_text_is_read_by_the_named_schema_before_the_deadline(
    provider: str | None,
) -> None:
    model = ScriptedLanguageModel([ANSWER])
    single = single_over(model)
    extraction = await single.read(TEXT, schema="order_message", provider=provider)
    assert extraction.id == IDENTITY
    assert extraction.text == TEXT
    assert extraction.created_at == StandingClock().now()
    assert extraction.result.status is ExtractionStatus.VALID
    assert extraction.result.fields == {"customer": "Ann Moor", "product": "mugs", "quantity": 3}
    assert model.budgets[0].timeout_s == 30
    assert model.budgets[0].wait_s < 1, "what is known to be down is told, not waited for"
    assert not model.budgets[0].probes


async def test_everything_that_is_wrong_is_named_at_once_and_no_model_is_asked() -> None:
    model = ScriptedLanguageModel()
    single = single_over(model)
    with pytest.raises(InvalidInput) as caught:
        await single.read(" \n", schema="nothing", provider="nobody")
    assert [each.pointer for each in caught.value.violations] == ["/text", "/provider", "/schema"]
    assert model.prompts == []


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("\t \n", "must not be blank"),
        ("a" * (MAX_TEXT_CHARACTERS + 1), "at most 200000 characters, has 200001"),
        ("3 mugs\x00", "NUL or lone surrogates"),
        ("3 mugs\ud83d", "NUL or lone surrogates"),
    ],
    ids=["blank", "too long", "NUL", "lone surrogate"],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(text: str, detail: str) -> None:
    (violation,) = check_text(text, "/items/4")
    assert violation.pointer == "/items/4"
    assert detail in violation.detail


@pytest.mark.parametrize("text", ["a" * MAX_TEXT_CHARACTERS, "3 mugs \U0001f600"])
def test_a_text_at_the_limits_is_read(text: str) -> None:
    assert check_text(text) == []
