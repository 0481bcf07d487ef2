"""Texts beyond a model's context: the windows' answers become one record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.answers import ValidatedAnswer, merged
from domain.extraction.calls import (
    Attempt,
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
    PriceTable,
    TokenPrice,
    TokenUsage,
)
from domain.extraction.matching import Span
from domain.extraction.model import (
    Evidence,
    ExtractionResult,
    ExtractionStatus,
    ExtractionWarning,
    WarningKind,
)
from domain.extraction.schema import ORDER_MESSAGE, Field, FieldType, RecordSchema
from domain.extraction.service import ExtractionService
from ports.language_models import Answer, FinishReason, Prompt
from tests.fakes.language_models import QUOTING, Said, ScriptedLanguageModel

FILLER = "We talked about the weather. "
TEXT = "Ann Moor needs 3 mugs."
RECORD: Mapping[str, tuple[str | None, object]] = {
    "customer": ("Ann Moor", "Ann Moor"),
    "product": ("mugs", "mugs"),
    "quantity": ("3 mugs", 3),
}
PRICES = PriceTable(
    prices={("scripted", "*"): TokenPrice(input=Decimal(1), cached=Decimal(1), output=Decimal(1))}
)
TAGS = RecordSchema(
    name="tags",
    version=1,
    description="",
    fields=(
        Field(name="colours", type=FieldType.STRING, description="Colours", many=True),
        Field(name="urgent", type=FieldType.BOOLEAN, description="Whether it is urgent"),
    ),
)


def says(record: Mapping[str, tuple[str | None, object]]) -> str:
    return json.dumps({k: {"quote": quote, "value": value} for k, (quote, value) in record.items()})


def window_of(prompt: Prompt) -> str:
    return prompt.messages[1].content.split(">\n", 1)[1].rsplit("\n</text", 1)[0]


def finds_the_order(prompt: Prompt) -> Said:
    window = window_of(prompt)
    return says(
        {k: (pair if str(pair[0]) in window else (None, None)) for k, pair in RECORD.items()}
    )


def service_over(model: ScriptedLanguageModel) -> ExtractionService:
    return ExtractionService(
        models={"scripted": model},
        chain=("scripted",),
        validator=PydanticRecordValidator(),
        prices=PRICES,
        monotonic=lambda: 0.0,
        new_mark=lambda: "feedc0de",
    )


async def read(
    text: str,
    schema: RecordSchema,
    model: ScriptedLanguageModel,
    given: Mapping[str, Answer | ModelCallFailed] | None = None,
) -> ExtractionResult:
    service = service_over(model)
    chain = service.chain_for(None)
    return await service.extract(text, schema, chain=chain, deadline_s=60, given=given)


def attempt(outcome: FailureKind | None) -> Attempt:
    usage = TokenUsage(input_tokens=7, output_tokens=1)
    return Attempt(provider="scripted", model="scripted-1", outcome=outcome, usage=usage)


def answered(text: str) -> Answer:
    return Answer(text=text, finish=FinishReason.COMPLETE, attempts=(attempt(None),))


def test_a_text_that_fits_is_asked_about_whole() -> None:
    service = service_over(ScriptedLanguageModel())
    prompts = service.first_prompts(TEXT, ORDER_MESSAGE, "scripted")
    assert list(prompts) == [TEXT]
    assert window_of(prompts[TEXT]) == TEXT


def test_each_piece_of_a_long_text_is_asked_about_once_and_must_state_nothing() -> None:
    service = service_over(ScriptedLanguageModel())
    strict = replace(
        ORDER_MESSAGE, fields=tuple(replace(f, nullable=False) for f in ORDER_MESSAGE.fields)
    )
    text = FILLER * 2000 + TEXT
    prompts = service.first_prompts(text, strict, "scripted")
    assert len(prompts) > 1
    for piece, prompt in prompts.items():
        assert piece in text
        assert window_of(prompt) == piece
        shape = prompt.json_schema["properties"]
        assert isinstance(shape, dict)
        assert shape["quantity"]["properties"]["value"]["type"] == ["integer", "null"]


@pytest.mark.parametrize("reasoning", [0, 500])
def test_a_batched_call_is_foreseen_without_hidden_reasoning(reasoning: int) -> None:
    model = ScriptedLanguageModel(profile=replace(QUOTING, reasoning_tokens=reasoning))
    service = service_over(model)
    (prompt,) = service.first_prompts(TEXT, ORDER_MESSAGE, "scripted").values()
    likely = service.likely_call(prompt, "scripted")
    assert (likely.provider, likely.model) == ("scripted", "scripted-1")
    assert likely.outcome is None
    assert likely.batched
    assert likely.usage.output_tokens == (prompt.max_output_tokens - reasoning) // 3
    assert likely.usage.total_tokens == prompt.estimated_tokens


async def test_an_answer_that_was_given_already_is_not_asked_for_again() -> None:
    model = ScriptedLanguageModel()
    result = await read(TEXT, ORDER_MESSAGE, model, {TEXT: answered(says(RECORD))})
    assert result.status is ExtractionStatus.VALID
    assert model.prompts == []
    assert result.attempts == (attempt(None),)


async def test_a_given_failure_that_may_pass_is_asked_again_and_counted() -> None:
    failed = ModelCallFailed(
        ExtractionFailure(kind=FailureKind.OVERLOADED, detail="busy"),
        (attempt(FailureKind.OVERLOADED),),
    )
    model = ScriptedLanguageModel([says(RECORD)])
    result = await read(TEXT, ORDER_MESSAGE, model, {TEXT: failed})
    assert result.status is ExtractionStatus.VALID
    assert [each.outcome for each in result.attempts] == [FailureKind.OVERLOADED, None]


async def test_a_given_failure_that_stays_fails_the_text_without_a_call() -> None:
    failed = ModelCallFailed(
        ExtractionFailure(kind=FailureKind.BAD_REQUEST, detail="wrong"),
        (attempt(FailureKind.BAD_REQUEST),),
    )
    model = ScriptedLanguageModel()
    result = await read(TEXT, ORDER_MESSAGE, model, {TEXT: failed})
    assert result.failure == failed.failure
    assert model.prompts == []
    assert [each.outcome for each in result.attempts] == [FailureKind.BAD_REQUEST]


async def test_one_window_without_a_readable_answer_fails_the_whole_text() -> None:
    def answer(prompt: Prompt) -> Said:
        return "no" if TEXT in prompt.messages[1].content else finds_the_order(prompt)

    model = ScriptedLanguageModel(otherwise=answer, profile=replace(QUOTING, reasks=0))
    result = await read(FILLER * 2000 + TEXT, ORDER_MESSAGE, model)
    assert result.status is ExtractionStatus.FAILED
    assert result.failure is not None
    assert result.failure.kind is FailureKind.INVALID_JSON
    assert len(result.attempts) > 1
    assert result.evidence == ()


async def test_the_items_of_all_windows_are_collected_each_once_with_all_their_places() -> None:
    text = "red and blue. " + FILLER * 2000 + "red and green."

    def answer(prompt: Prompt) -> Said:
        window = window_of(prompt)
        colours = [each for each in ("red", "blue", "green") if f"{each} and" in window]
        colours += [each for each in ("blue.", "green.") if f"and {each}" in window]
        return json.dumps(
            {
                "colours": [{"quote": e, "value": e.rstrip(".")} for e in colours],
                "urgent": {"quote": None, "value": None},
            }
        )

    result = await read(text, TAGS, ScriptedLanguageModel(otherwise=answer))
    assert result.status is ExtractionStatus.VALID
    assert result.fields == {"colours": ["red", "blue", "green"], "urgent": None}
    assert [item.quote for item in result.evidence] == ["red", "blue.", "red", "green."]
    for item in result.evidence:
        assert text[item.start : item.end] == item.quote


async def test_words_in_a_window_that_contradict_are_flagged_where_they_stand() -> None:
    text = FILLER * 2000 + "\nqty: 3\nqty: 5"
    nothing: dict[str, tuple[str | None, object]] = dict.fromkeys(RECORD, (None, None))

    def answer(prompt: Prompt) -> Said:
        found = {"quantity": ("qty: 3", 3)} if "qty: 3" in window_of(prompt) else {}
        return says(nothing | found)

    result = await read(text, ORDER_MESSAGE, ScriptedLanguageModel(otherwise=answer))
    (flag,) = result.warnings
    assert (flag.kind, flag.field) == (WarningKind.CONTRADICTION, "quantity")
    assert text[flag.start : flag.end] == "5"


async def test_a_text_is_cut_no_smaller_than_a_useful_window() -> None:
    model = ScriptedLanguageModel(otherwise=lambda _: FailureKind.TOO_LONG)
    result = await read(FILLER * 40, ORDER_MESSAGE, model)
    assert result.failure is not None
    assert result.failure.kind is FailureKind.TOO_LONG
    lengths = [len(window_of(prompt)) for prompt in model.prompts]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == len(lengths) > 1


def reading(
    values: Mapping[str, bool | list[str | int | float | bool | None] | None],
    *places: tuple[str, int, int],
    faults: Sequence[str] = (),
    unquoted: tuple[str, ...] = (),
) -> ValidatedAnswer:
    return ValidatedAnswer(
        values=values,
        evidence=tuple(Evidence(field=f, quote="?", start=s, end=e) for f, s, e in places),
        invalid=dict.fromkeys(faults, "is wrong"),
        unquoted=unquoted,
    )


def test_a_place_in_the_overlap_of_two_windows_counts_once() -> None:
    one = reading({"colours": ["red"]}, ("colours", 4, 7))
    whole, flags = merged(TAGS, [one, one])
    assert whole.values == {"colours": ["red"]}
    assert whole.evidence == one.evidence
    assert flags == []


def test_a_fault_counts_only_where_no_window_has_a_value() -> None:
    whole, _ = merged(TAGS, [reading({"colours": []}, faults=["urgent"]), reading({"colours": []})])
    assert whole.invalid == {"urgent": "is wrong"}
    assert "urgent" not in whole.values
    whole, _ = merged(TAGS, [reading({}, faults=["urgent"]), reading({"urgent": None})])
    assert whole.invalid == {}
    assert whole.values["urgent"] is None


def test_windows_that_judge_differently_are_flagged_even_without_a_passage() -> None:
    whole, flags = merged(
        TAGS,
        [
            reading({"urgent": True}, unquoted=("urgent",)),
            reading({"urgent": False}, unquoted=("urgent",)),
        ],
    )
    assert whole.values["urgent"] is True
    assert whole.unquoted == ("urgent",)
    (flag,) = flags
    assert (flag.kind, flag.field, flag.start) == (WarningKind.CONTRADICTION, "urgent", None)


def test_a_flag_of_a_window_moves_with_it_unless_it_has_no_place() -> None:
    placed = ExtractionWarning(kind=WarningKind.CONTRADICTION, detail="d", start=2, end=5)
    moved = placed.shifted(100)
    assert Span(start=moved.start or 0, end=moved.end or 0) == Span(start=102, end=105)
    nowhere = ExtractionWarning(kind=WarningKind.UNGROUNDED, detail="d", field="urgent")
    assert nowhere.shifted(100) == nowhere
