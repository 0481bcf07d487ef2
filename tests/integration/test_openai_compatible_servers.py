"""Servers of OpenAI's protocol over the wire: texts that they cut, and what the doctor sees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from adapters.llm.admission import ReportedRateLimits
from adapters.llm.clients import ModelConfig
from adapters.llm.connections import open_bare_model, open_language_models
from adapters.llm.health import LanguageModelDiagnosticCheck, ServedModels
from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import FailureKind
from domain.extraction.model import ExtractionStatus
from domain.extraction.schema import ORDER_MESSAGE
from domain.extraction.service import ExtractionService
from entrypoints.prices import read_prices
from fake_provider.scenario import Fault, Model, Raw, Scenario
from fake_provider.testing import FakeInThread, running_fake
from ports.health import CheckResult


def config(base_url: str, model: str = "qwen3:8b", key: str | None = None) -> ModelConfig:
    return ModelConfig(provider="openai_compatible", model=model, base_url=base_url, api_key=key)


async def seen(asked: ModelConfig) -> Sequence[CheckResult]:
    opened = open_bare_model(asked, 20, 1, ReportedRateLimits())
    served = ServedModels(asked.base_url, asked.api_key)
    return await LanguageModelDiagnosticCheck(
        asked.provider, opened, base_url=asked.base_url, served=served
    ).results()


async def test_a_text_that_ollama_would_cut_is_read_whole_in_pieces() -> None:
    filler = "It was a long day and nothing else was said about it. " * 400
    text = f"Nine lamps for Omar Reyes, please.\n\n{filler}"
    scenario = Scenario(models={"qwen3:8b": Model(context_tokens=4_096)})
    with running_fake(scenario) as fake:
        asked = [config(fake.ollama_base_url)]
        async with open_language_models(asked, call_timeout_s=20, concurrency=2) as models:
            service = ExtractionService(
                models=models,
                chain=("openai_compatible",),
                validator=PydanticRecordValidator(),
                prices=read_prices(),
                monotonic=asyncio.get_running_loop().time,
                new_mark=lambda: "a1b2c3d4",
            )
            result = await service.extract(
                text, ORDER_MESSAGE, chain=["openai_compatible"], deadline_s=60
            )
    assert result.status is not ExtractionStatus.FAILED, result.failure
    assert (result.fields["customer"], result.fields["quantity"]) == ("Omar Reyes", 9)
    outcomes = [each.outcome for each in result.attempts]
    assert FailureKind.TOO_LONG in outcomes, "the cut was noticed"
    assert outcomes[-1] is None


async def test_the_doctor_warns_of_a_context_shorter_than_the_table_says() -> None:
    scenario = Scenario(models={"qwen3:8b": Model(context_tokens=4_096)})
    with running_fake(scenario) as fake:
        for base_url in (fake.ollama_base_url, fake.vllm_base_url):
            well, warned = await seen(config(base_url))
            assert well.good
            assert (warned.good, warned.warns) == (True, True)
            assert "4096 tokens, and 8192 are assumed" in warned.detail
            assert "`context_tokens: 4096`" in warned.detail


async def test_a_long_context_and_a_listed_model_need_no_words() -> None:
    scenario = Scenario(models={"qwen3:latest": Model(context_tokens=32_768)})
    with running_fake(scenario) as fake:
        served = ServedModels(fake.ollama_base_url, None)
        assert list(await served.all()) == ["qwen3:latest"]
        assert served.names("qwen3"), "Ollama adds the tag by itself"
        assert await served.context_tokens("qwen3") == 32_768
        (well,) = await seen(config(fake.ollama_base_url, "qwen3:latest"))
    assert well == CheckResult(
        subject="provider openai_compatible", good=True, detail="qwen3:latest answered"
    )


async def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    models = {f"model-{n}": Model() for n in range(12)}
    with running_fake(Scenario(models=models)) as fake:
        for base_url in (fake.ollama_base_url, fake.vllm_base_url):
            (result,) = await seen(config(base_url))
            assert not result.good
            assert "OPENAI_COMPATIBLE_MODEL" in result.detail
            listed = ", ".join(f"model-{n}" for n in range(10))
            assert result.detail.endswith(f"It lists {listed} and 2 more.")


async def test_an_address_without_v1_is_told_with_the_right_one() -> None:
    with running_fake() as fake:
        for base_url in (fake.ollama_base_url, fake.vllm_base_url):
            (result,) = await seen(config(base_url.removesuffix("/v1")))
            assert not result.good
            assert result.detail.endswith(
                f"Its API stands at {base_url}: set OPENAI_COMPATIBLE_BASE_URL to that."
            )


async def test_a_wrong_key_is_told_as_such() -> None:
    with running_fake(Scenario(bad_keys=frozenset({"wrong"}))) as fake:
        (result,) = await seen(config(fake.vllm_base_url, key="wrong"))
    assert "OPENAI_COMPATIBLE_API_KEY" in result.detail


async def answering(fake: FakeInThread, listed: str) -> Sequence[CheckResult]:
    """What the doctor sees of a server whose list of models is `listed`."""
    raw = Raw(text=listed, headers=(("content-type", "application/json"),))
    fake.script(Fault(kind="raw", path="/v1/models", times=None, raw=raw))
    return await seen(config(fake.vllm_base_url))


@pytest.mark.parametrize(
    "listed",
    [
        '{"object": "list", "data": null}',
        '{"data": [{"id": 5}, "x", null]}',
        '{"error": "Unexpected endpoint or method. (GET /v1/models). Returning 200 anyway"}',
        "[]",
        "<html>",
        "",
    ],
)
async def test_a_list_that_says_nothing_leads_to_no_words(listed: str) -> None:
    with running_fake() as fake:
        (result,) = await answering(fake, listed)
    assert result.good


@pytest.mark.parametrize(
    "listed",
    [
        '{"models": [{"name": "gemma.gguf"}], "data": [{"id": "gemma.gguf"}]}',  # llama.cpp
        '{"models": [{"name": "gemma.gguf", "model": "gemma.gguf"}]}',
        '[{"id": "gemma.gguf"}]',
    ],
)
async def test_a_server_that_answers_by_any_name_is_warned_of(listed: str) -> None:
    with running_fake() as fake:
        well, warned = await answering(fake, listed)
    assert well.good
    assert warned.warns
    assert "lists gemma.gguf, and not qwen3:8b" in warned.detail


async def test_a_model_that_thinks_without_room_for_it_is_told_as_such() -> None:
    with running_fake(Scenario(models={"qwen3:8b": Model()})) as fake:
        fake.script("truncated")
        result, *_ = await seen(config(fake.vllm_base_url))
    assert not result.good
    assert result.detail.endswith("`reasoning_tokens`")


async def test_a_server_that_reports_no_usage_is_warned_of() -> None:
    message = '{"choices": [{"message": {"content": "{\\"ready\\": true}"}}]}'
    with running_fake(Scenario(models={"qwen3:8b": Model()})) as fake:
        fake.script(Fault(kind="raw", raw=Raw(text=message)))
        well, warned = await seen(config(fake.vllm_base_url))
    assert well.good
    assert "reports no usage" in warned.detail
