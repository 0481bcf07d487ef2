"""Rows of the table of models that come from a file of the user's own."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from adapters.llm.capabilities import ModelCapabilities, profile_of
from domain.errors import InvalidInput
from entrypoints.container.model_rows import read_model_rows
from entrypoints.container.models import model_configs
from entrypoints.settings import ModelCommandSettings, Provider
from entrypoints.strict_yaml import read_yaml
from ports.language_models import AnswerShape, ResponseFormat
from tests.reference_pages import ROOT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.yaml"


def test_without_a_file_there_are_no_rows() -> None:
    assert read_model_rows(None) == {}


def test_a_row_changes_what_it_names_and_leaves_the_rest_to_the_table(file: Path) -> None:
    file.write_text(
        "models:\n"
        "  openai_compatible:\n"
        "    qwen3*: {context_tokens: 32768, reasoning_tokens: 4000, seed: null}\n"
        "    gemma2:2b: {style: values, shots: 4, system_role: false, response_format: text,"
        " temperature: 1}\n"
    )
    rows = read_model_rows(file)
    shipped = profile_of("openai_compatible", "qwen3:8b")
    profile = profile_of("openai_compatible", "qwen3:8b", own=rows)
    assert (profile.context_tokens, profile.reasoning_tokens) == (32_768, 4_000)
    assert profile.parameters == {"temperature": 0.0}
    assert (profile.bounded, profile.style) == (shipped.bounded, shipped.style)
    small = profile_of("openai_compatible", "gemma2:2b", own=rows)
    assert (small.style, small.shots, small.system_role) == (AnswerShape.VALUES, 4, False)
    assert small.response_format is ResponseFormat.TEXT
    assert small.parameters == {"temperature": 1.0, "seed": 7}
    assert profile_of("openai_compatible", "other", own=rows) == profile_of(
        "openai_compatible", "other"
    )
    assert profile_of("local", "qwen3:8b", own=rows) == profile_of("local", "qwen3:8b")


def test_the_longest_name_that_fits_counts_and_a_whole_one_before_it(file: Path) -> None:
    file.write_text(
        "models: {local: {'q*': {shots: 1}, 'qwen*': {shots: 2}, qwen3: {shots: 3},"
        " '*': {shots: 4}}}"
    )
    rows = read_model_rows(file)
    shots = [profile_of("local", name, own=rows).shots for name in ("q1", "qwen9", "qwen3", "x")]
    assert shots == [1, 2, 3, 4]


def test_a_provider_may_be_named_by_its_former_name(file: Path) -> None:
    file.write_text("models: {vllm: {m: {context_tokens: 4096}}}")
    configs = model_configs(
        ModelCommandSettings(
            llm_provider=(Provider.OPENAI_COMPATIBLE,),
            openai_compatible_model="m",
            llm_models_file=file,
        )
    )
    assert [each.profile.context_tokens for each in configs if each.profile] == [4_096]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- a", "has no mapping `models`"),
        ("", "has no mapping `models`"),
        ("models: [", "cannot be read"),
        ("models: {}\nprices: {}", "/prices is not known"),
        ("models: {}\nmodels: {}", "line 2 has the field 'models' twice"),
        ("models: {local: {m: {shots: 1},\n m: {shots: 2}}}", "line 2 has the field 'm' twice"),
        (
            "models: {vllm: {m: {shots: 1}}, openai_compatible: {m: {shots: 1}}}",
            "/models/openai_compatible/m is there twice",
        ),
        ("models: {ollama: {}}", "/models/ollama is no provider; there are local, openai"),
        ("models: {local: 5}", "/models/local must be a mapping of models"),
        ("models: {local: {m: 5}}", "/models/local/m must be a mapping of members"),
        ("models: {local: {m: {}}}", "/models/local/m must be a mapping of members"),
        (
            "models: {local: {m: {contxt_tokens: 4096}}}",
            "/models/local/m/contxt_tokens is not known; did you mean context_tokens?",
        ),
        ("models: {local: {m: {provider: x}}}", "/models/local/m/provider is not known; "),
        ("models: {local: {m: {style: quote}}}", "/m/style must be one of quoted, values"),
        (
            "models: {local: {m: {response_format: json}}}",
            "/m/response_format must be one of json_schema, json_object, text",
        ),
        ("models: {local: {m: {style: 1}}}", "/m/style must be one of"),
        ("models: {local: {m: {style: [quoted]}}}", "/m/style must be one of"),
        ("models: {local: {m: {bounded: 1}}}", "/m/bounded must be true or false"),
        ("models: {local: {m: {system_role: 'no'}}}", "/m/system_role must be true or false"),
        ("models: {local: {m: {shots: true}}}", "/m/shots must be an integer, 0..100"),
        ("models: {local: {m: {shots: 1.5}}}", "/m/shots must be an integer, 0..100"),
        ("models: {local: {m: {shots: -1}}}", "/m/shots must be an integer, 0..100"),
        ("models: {local: {m: {shots: null}}}", "/m/shots must be an integer, 0..100"),
        (
            "models: {local: {m: {context_tokens: 8}}}",
            "/m/context_tokens must be an integer, 256..",
        ),
        ("models: {local: {m: {seed: 1e9999}}}", "line 1"),
        ("models: {local: {m: {temperature: .nan}}}", "line 1 has .nan"),
        ("models: {local: {m: {temperature: 2.5}}}", "must be a number, 0..2 or null"),
        ("models: {local: {m: {temperature: '0'}}}", "must be a number, 0..2 or null"),
        ("models: {local: {m: &a {shots: 1}, n: *a}}", "line 1 has the alias"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(file: Path, text: str, place: str) -> None:
    file.write_text(text)
    with pytest.raises(InvalidInput, match=re.escape(place)):
        read_model_rows(file)


def test_every_fault_is_named_at_once(file: Path) -> None:
    file.write_text("models: {local: {m: {shots: x, bounded: x}}, ollama: {}}")
    with pytest.raises(InvalidInput) as refused:
        read_model_rows(file)
    assert [each.pointer for each in refused.value.violations] == [
        "/models/local/m/shots",
        "/models/local/m/bounded",
        "/models/ollama",
    ]


def test_the_example_of_the_docs_can_be_read_and_the_page_names_every_member(file: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "openai-compatible-servers.md").read_text("utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        file.write_text(example)
        assert len(read_model_rows(file)) == sum(
            len(rows) for rows in read_yaml(example.encode())["models"].values()
        )
    for member in fields(ModelCapabilities):
        assert f"| `{member.name}` |" in page
