"""Whatever a server makes of its protocol, a call ends as an answer or as a known failure."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import openai
import pytest
from google import genai
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.llm.admission import ReportedRateLimits
from adapters.llm.capabilities import profile_of
from adapters.llm.gemini import GeminiLanguageModel
from adapters.llm.openai_compatible import OpenAICompatibleLanguageModel
from adapters.llm.replies import HOOKS, encodable
from domain.extraction.calls import FailureKind, ModelCallFailed
from ports.language_models import Answer, LanguageModel, Message, Prompt, TimeBudget

PROMPT = Prompt(
    messages=(Message(role="system", content="s"), Message(role="user", content="u")),
    json_schema={"type": "object"},
    schema_name="s",
    max_output_tokens=10,
    estimated_tokens=100,
)
ANSWERS: Mapping[str, Any] = {
    "openai": {
        "id": "chatcmpl-1",
        "choices": [
            {"message": {"content": [{"type": "text", "text": "x"}]}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1}},
    },
    "gemini": {
        "promptFeedback": {"safetyRatings": []},
        "candidates": [
            {"content": {"parts": [{"text": "x", "thought": False}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"promptTokenCount": 5, "thoughtsTokenCount": 1},
    },
}
REFUSALS: Mapping[str, Any] = {
    "openai": {"error": {"message": "m", "type": "t", "param": None, "code": "c"}},
    "gemini": {
        "error": {
            "code": 429,
            "message": "m",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"reason": "API_KEY_INVALID"},
                {"violations": [{"quotaId": "RequestsPerMinute", "quotaValue": "60"}]},
                {"retryDelay": "5s"},
            ],
        }
    },
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**45),
    st.floats(),
    st.text(),
    st.sampled_from(
        ["\ud83d", "\x00", "MAX_TOKENS", "SAFETY", "length", "1e999s", "9" * 500 + "s"]
    ),
    st.lists(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.none())), max_size=3),
    st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.integers()), max_size=2),
)
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 404, 418, 429, 500, 503, 599])
HEADERS = st.sampled_from(
    [
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-limit-requests",
        "content-type",
        "content-length",
    ]
)


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    if isinstance(node, dict):
        for name, child in node.items():
            yield from places(child, (*way, name))
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from places(child, (*way, index))


def replaced(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    changed = copy.deepcopy(document)
    node = changed
    for step in way[:-1]:
        node = node[step]
    node[way[-1]] = value
    return changed


class Stub:
    """A dialect's model whose server gives the next response."""

    response: httpx2.Response

    def __init__(self, dialect: str) -> None:
        transport = httpx2.MockTransport(lambda _: self.response)
        self._model = _model(dialect, httpx2.AsyncClient(transport=transport, event_hooks=HOOKS))

    def say(self, status: int, content: bytes, **headers: str) -> Answer | ModelCallFailed:
        """What the SDK and our reading make of a response."""
        self.response = httpx2.Response(status, content=content, headers=headers)
        return asyncio.run(self._asked())

    async def _asked(self) -> Answer | ModelCallFailed:
        try:
            return await self._model.complete(PROMPT, TimeBudget(timeout_s=20, wait_s=0))
        except ModelCallFailed as failed:
            return failed


@pytest.fixture(scope="module")
def stubs() -> Mapping[str, Stub]:
    return {dialect: Stub(dialect) for dialect in ANSWERS}


def _model(dialect: str, wire: httpx2.AsyncClient) -> LanguageModel:
    profile, stated = profile_of(dialect, "m"), ReportedRateLimits()
    if dialect == "gemini":
        options = types.HttpOptions(base_url="http://localhost", httpx_async_client=wire)
        client = genai.Client(api_key="k", http_options=options)
        return GeminiLanguageModel(client, profile=profile, call_timeout_s=20, stated=stated)
    return OpenAICompatibleLanguageModel(
        openai.AsyncOpenAI(
            api_key="k", base_url="http://localhost", max_retries=0, http_client=wire
        ),
        profile=profile,
        call_timeout_s=20,
        stated=stated,
    )


@pytest.mark.parametrize("dialect", sorted(ANSWERS))
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_odd_values_anywhere_end_as_an_answer_or_as_a_failure(
    stubs: Mapping[str, Stub], dialect: str, data: st.DataObject
) -> None:
    status = data.draw(STATUSES)
    document = (ANSWERS if status < 400 else REFUSALS)[dialect]
    for _ in range(data.draw(st.integers(1, 2))):
        way = data.draw(st.sampled_from(list(places(document))))
        document = replaced(document, way, data.draw(ODD))
    headers = {data.draw(HEADERS): data.draw(st.text(st.characters(codec="ascii"), max_size=12))}
    result = stubs[dialect].say(status, json.dumps(document).encode(), **headers)
    (attempt,) = result.attempts
    assert min(attempt.usage.input_tokens, attempt.usage.output_tokens) >= 0
    assert 0 <= attempt.usage.cached_tokens <= attempt.usage.input_tokens
    if isinstance(result, Answer):
        assert status < 300
        result.text.encode()
    else:
        assert attempt.outcome is result.failure.kind


@pytest.mark.parametrize("dialect", sorted(ANSWERS))
@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=40), status=STATUSES)
def test_bytes_of_any_kind_end_as_a_failure(
    stubs: Mapping[str, Stub], dialect: str, body: bytes, status: int
) -> None:
    result = stubs[dialect].say(status, body)
    assert isinstance(result, ModelCallFailed)
    assert len(result.attempts) == 1


@pytest.mark.parametrize("dialect", sorted(ANSWERS))
async def test_what_an_sdk_raises_before_it_sends_is_a_failure_with_its_attempt(
    dialect: str,
) -> None:
    async def refuse(_: httpx2.Request) -> None:
        raise ZeroDivisionError

    hooks = {**HOOKS, "request": [*HOOKS["request"], refuse]}
    async with httpx2.AsyncClient(event_hooks=hooks) as wire:
        with pytest.raises(ModelCallFailed, match="the log has the details") as caught:
            await _model(dialect, wire).complete(PROMPT, TimeBudget(timeout_s=20, wait_s=0))
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE
    assert [each.outcome for each in caught.value.attempts] == [FailureKind.BAD_RESPONSE]


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("plain \U0001f600", "plain \U0001f600"),
        ("\ud83d\ude00", "\U0001f600"),
        ("cut \ud83d", "cut \ufffd"),
        ("\ude00 first", "\ufffd first"),
        ("a\ud83db", "a\ufffdb"),
    ],
)
def test_halves_of_characters_are_joined_or_replaced(text: str, readable: str) -> None:
    assert encodable(text) == readable
