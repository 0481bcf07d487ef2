"""The adapter and a real vLLM server: what is enforced, what is refused, what is given up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import openai
import pytest

from adapters.llm.admission import ReportedRateLimits
from adapters.llm.capabilities import profile_of
from adapters.llm.connections import open_bare_model
from adapters.llm.openai_compatible import OpenAICompatibleLanguageModel
from domain.extraction.calls import FailureKind, ModelCallFailed
from ports.language_models import Answer, FinishReason, LanguageModel, Message, Prompt, TimeBudget
from tests.vllm.server import ANSWER_TIMEOUT_S, CONTEXT_TOKENS, KEY, MODEL, VllmServer, body

pytestmark = pytest.mark.vllm

BUDGET = TimeBudget(timeout_s=ANSWER_TIMEOUT_S, wait_s=0)
REQUIRED = ["channel", "code", "due", "number", "words"]
SHAPE = {
    "type": "object",
    "properties": {
        "channel": {"type": ["string", "null"], "enum": ["fax", "pigeon", None]},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        "due": {"type": ["string", "null"], "format": "date"},
        "number": {"type": ["integer", "null"]},
        "words": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 2},
    },
    "required": REQUIRED,
    "additionalProperties": False,
}
ENDLESS = {
    "type": "object",
    "properties": {"n": {"type": "array", "items": {"type": "integer"}, "minItems": 3000}},
    "required": ["n"],
    "additionalProperties": False,
}


def prompt(
    text: str = "Nina Hall (phone 555-0199) wants 9 oak chairs by 3 May 2026.",
    *,
    shape: Mapping[str, object] = SHAPE,
    tokens: int = 160,
) -> Prompt:
    return Prompt(
        messages=(
            Message(role="system", content="Answer with a JSON object."),
            Message(role="user", content=text),
        ),
        json_schema=shape,
        schema_name="probe",
        max_output_tokens=tokens,
        estimated_tokens=400,
    )


@asynccontextmanager
async def opened(
    vllm: VllmServer, *, model: str = MODEL, key: str = KEY
) -> AsyncIterator[LanguageModel]:
    config = vllm.config(model=model, key=key)
    async with open_bare_model(config, ANSWER_TIMEOUT_S, 4, ReportedRateLimits()) as language_model:
        yield language_model


@asynccontextmanager
async def opened_with(vllm: VllmServer, **parameters: Any) -> AsyncIterator[LanguageModel]:
    """The adapter with sampling parameters of the test's own."""
    profile = replace(profile_of("openai_compatible", MODEL), parameters=parameters)
    async with openai.AsyncOpenAI(base_url=vllm.base_url, api_key=KEY, max_retries=0) as client:
        yield OpenAICompatibleLanguageModel(
            client, profile=profile, call_timeout_s=ANSWER_TIMEOUT_S, stated=ReportedRateLimits()
        )


async def asked(vllm: VllmServer, asking: Prompt, *, model: str = MODEL, key: str = KEY) -> Answer:
    async with opened(vllm, model=model, key=key) as language_model:
        return await language_model.complete(asking, BUDGET)


async def test_enum_pattern_null_date_and_lengths_are_enforced(vllm: VllmServer) -> None:
    async def answered(seed: int) -> Answer:
        async with opened_with(vllm, temperature=1.5, seed=seed) as language_model:
            return await language_model.complete(prompt(), BUDGET)

    answers = await asyncio.gather(*map(answered, range(6)))
    whole = [json.loads(each.text) for each in answers if each.finish is FinishReason.COMPLETE]
    assert whole, "each answer rambled in white space, all that the grammar leaves for it"
    for record in whole:
        assert list(record) == REQUIRED
        assert record["channel"] in {"fax", "pigeon", None}
        assert re.fullmatch(r"[A-Z]{3}-[0-9]{4}", record["code"])
        assert record["due"] is None or re.fullmatch(r"\d{4}-\d{2}-\d{2}", record["due"])
        assert record["number"] is None or type(record["number"]) is int
        assert len(record["words"]) <= 2
        assert all(len(word) <= 5 for word in record["words"])


async def test_without_a_schema_the_same_question_is_answered_in_prose(vllm: VllmServer) -> None:
    """The proof that the grammar, not the model, made the record of the test above."""
    asking = prompt()
    messages = [{"role": each.role, "content": each.content} for each in asking.messages]
    async with vllm.client() as http:
        answer = await http.post("/v1/chat/completions", json=body("", messages=messages))
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.json()["choices"][0]["message"]["content"])


async def line_feeds(vllm: VllmServer) -> dict[str, int]:
    """A bias that makes the model say nothing but line feeds wherever the grammar lets it."""
    async with vllm.client() as http:
        request = {"model": MODEL, "prompt": "\n", "add_special_tokens": False}
        (token,) = (await http.post("/tokenize", json=request)).json()["tokens"]
    return {str(token): 100}


async def test_a_white_space_loop_is_stopped_long_before_the_token_limit(vllm: VllmServer) -> None:
    bias = await line_feeds(vllm)
    async with opened_with(vllm, temperature=0, logit_bias=bias) as language_model:
        await language_model.complete(prompt(tokens=1), BUDGET)  # it tells that it is vLLM
        answer = await language_model.complete(prompt(tokens=2000), BUDGET)
    assert answer.finish is FinishReason.TRUNCATED
    assert not answer.text.strip("{\n")
    assert answer.attempts[0].usage.output_tokens < 100


async def test_a_requests_own_word_against_white_space_is_taken_and_ignored(
    vllm: VllmServer,
) -> None:
    """Why the adapter does not send `disable_any_whitespace`: fails when a version obeys it."""
    schema = {"type": "json_schema", "json_schema": {"name": "probe", "schema": SHAPE}}
    request = body(
        "Nina Hall wants 9 oak chairs.",
        max_tokens=48,
        logit_bias=await line_feeds(vllm),
        response_format=schema,
        structured_outputs={"json": SHAPE, "disable_any_whitespace": True},
    )
    async with vllm.client() as http:
        answer = await http.post("/v1/chat/completions", json=request)
    assert answer.status_code == 200, answer.text
    (choice,) = answer.json()["choices"]
    assert choice["finish_reason"] == "length"
    assert not choice["message"]["content"].strip("{\n")


async def test_a_cut_answer_says_so(vllm: VllmServer) -> None:
    answer = await asked(vllm, prompt(shape=ENDLESS, tokens=12))
    assert answer.finish is FinishReason.TRUNCATED
    assert answer.attempts[0].usage.output_tokens == 12


@pytest.mark.parametrize(
    ("asking", "model", "key", "kind"),
    [
        (prompt("word " * 2 * CONTEXT_TOKENS), MODEL, KEY, FailureKind.TOO_LONG),
        (prompt(), "nobody", KEY, FailureKind.UNKNOWN_MODEL),
        (prompt(), MODEL, "a-wrong-key", FailureKind.AUTH),
        (prompt(shape={"type": "nonsense"}), MODEL, KEY, FailureKind.BAD_REQUEST),
        (prompt(tokens=10 * CONTEXT_TOKENS), MODEL, KEY, FailureKind.BAD_REQUEST),
    ],
    ids=["too-long", "unknown-model", "bad-key", "bad-schema", "too-many-output-tokens"],
)
async def test_a_refusal_is_told_by_its_class(
    vllm: VllmServer, asking: Prompt, model: str, key: str, kind: FailureKind
) -> None:
    with pytest.raises(ModelCallFailed) as caught:
        await asked(vllm, asking, model=model, key=key)
    assert caught.value.failure.kind is kind
    (attempt,) = caught.value.attempts
    assert attempt.outcome is kind
    assert "wrong-key" not in str(caught.value)


async def test_a_cancelled_call_ends_the_servers_work(vllm: VllmServer) -> None:
    ended = await vllm.metric("vllm:request_success_total")
    async with opened(vllm) as language_model:
        call = asyncio.create_task(
            language_model.complete(prompt(shape=ENDLESS, tokens=3000), BUDGET)
        )
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while not await vllm.metric("vllm:num_requests_running"):
                assert not call.done(), "answered before it was seen"
                await asyncio.sleep(0.02)
            call.cancel()
            while await vllm.metric("vllm:num_requests_running"):
                await asyncio.sleep(0.1)
        with pytest.raises(asyncio.CancelledError):
            await call
        # The counter knows requests that came to their end; one that was given up is none.
        assert await vllm.metric("vllm:request_success_total") == ended
        answer = await language_model.complete(prompt(tokens=1), BUDGET)
    assert answer.attempts[0].outcome is None, "the next call is served"
