"""What a provider may send instead of its protocol, over the wire and through its SDK."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.llm.admission import RateLimits, ReportedRateLimits
from domain.extraction.calls import FailureKind, ModelCallFailed, TokenUsage
from fake_provider.scenario import Fault, Raw
from fake_provider.testing import FakeInThread, running_fake
from ports.language_models import Answer, FinishReason, LanguageModel
from tests.integration.language_models import BUDGET, opened, prompt_for

OPENAI: Any = {
    "choices": [{"index": 0, "message": {"content": "words"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 3},
    },
}
GEMINI: Any = {
    "candidates": [{"content": {"parts": [{"text": "words"}]}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 11,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 3,
    },
}
GOOD = {"openai": OPENAI, "gemini": GEMINI}
USED = TokenUsage(input_tokens=11, cached_tokens=3, output_tokens=7)
MISSING = object()


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    with running_fake() as running:
        yield running


async def asked(
    fake: FakeInThread, dialect: str, raw: Raw, stated: ReportedRateLimits | None = None
) -> Answer | ModelCallFailed:
    async with opened(fake, dialect, stated=stated) as model:
        return await answered(fake, model, raw)


async def answered(fake: FakeInThread, model: LanguageModel, raw: Raw) -> Answer | ModelCallFailed:
    fake.script(Fault(kind="raw", raw=raw))
    try:
        return await model.complete(prompt_for(model), BUDGET)
    except ModelCallFailed as failed:
        return failed


def changed(dialect: str, path: str, value: Any) -> Raw:
    """The good response of `dialect` with `value` at `path`, or without what stands there."""
    document = copy.deepcopy(GOOD[dialect])
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place = document
    for step in way:
        place = place[step]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return Raw(text=json.dumps(document))


CONTENT = "choices/0/message/content"
PARTS = "candidates/0/content/parts"


@pytest.mark.parametrize(
    ("dialect", "path", "value", "text"),
    [
        (
            "openai",
            CONTENT,
            [{"type": "text", "text": "wo"}, {"type": "text", "text": "rds"}],
            "words",
        ),
        (
            "openai",
            CONTENT,
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "a draft"}]},
                {"type": "reasoning", "text": "a draft"},
                {"type": "output_text", "text": "words"},
            ],
            "words",
        ),
        ("openai", CONTENT, ["wo", "rds"], "words"),
        ("openai", CONTENT, [], ""),
        ("openai", CONTENT, None, ""),
        ("openai", CONTENT, "cut \ud83d", "cut \ufffd"),
        ("openai", CONTENT, [{"text": "pair \ud83d"}, {"text": "\ude00"}], "pair \U0001f600"),
        ("openai", "choices/0/finish_reason", 17, "words"),
        ("openai", "choices/0/finish_reason", "other", "words"),
        ("openai", "choices/0/finish_reason", {"a": []}, "words"),
        ("openai", "choices/0/message/refusal", {"a": 1}, "words"),
        ("gemini", PARTS, [{"text": "a draft", "thought": True}, {"text": "words"}], "words"),
        ("gemini", PARTS, [{"functionCall": {"name": "f"}}, {"text": "words"}], "words"),
        ("gemini", PARTS, [{"inlineData": {"data": "AAAA"}}, {"text": "words"}], "words"),
        ("gemini", PARTS, [{"text": None}, {"text": "words"}], "words"),
        ("gemini", PARTS, [{"text": "cut \ud83d"}], "cut \ufffd"),
        ("gemini", PARTS, MISSING, ""),
        ("gemini", "candidates/0/content", MISSING, ""),
        ("gemini", "candidates/0/finishReason", 2, "words"),
        ("gemini", "candidates/0/finishReason", "NEW_REASON", "words"),
        ("gemini", "candidates/0/finishReason", [], "words"),
        ("gemini", "promptFeedback", "fine", "words"),
        ("gemini", "promptFeedback", {"blockReason": 4}, "words"),
        ("gemini", "modelVersion", {"a": 1}, "words"),
    ],
)
async def test_what_is_odd_and_not_needed_costs_no_answer(
    fake: FakeInThread, dialect: str, path: str, value: Any, text: str
) -> None:
    answer = await asked(fake, dialect, changed(dialect, path, value))
    assert isinstance(answer, Answer)
    assert answer.text == text
    assert answer.finish is FinishReason.COMPLETE
    assert answer.attempts[0].usage == USED


@pytest.mark.parametrize(
    ("dialect", "path", "value", "usage"),
    [
        ("openai", "usage", "many", TokenUsage()),
        ("openai", "usage", None, TokenUsage()),
        ("openai", "usage", [1], TokenUsage()),
        ("openai", "usage/prompt_tokens", "11", TokenUsage(output_tokens=7)),
        ("openai", "usage/prompt_tokens", -11, TokenUsage(output_tokens=7)),
        ("openai", "usage/prompt_tokens", 10**30, TokenUsage(output_tokens=7)),
        ("openai", "usage/prompt_tokens", True, TokenUsage(output_tokens=7)),
        ("openai", "usage/prompt_tokens", 11.0, USED),
        ("openai", "usage/completion_tokens", 7.5, TokenUsage(input_tokens=11, cached_tokens=3)),
        (
            "openai",
            "usage/prompt_tokens_details",
            "none",
            TokenUsage(input_tokens=11, output_tokens=7),
        ),
        (
            "openai",
            "usage/prompt_tokens_details/cached_tokens",
            12,
            TokenUsage(input_tokens=11, output_tokens=7),
        ),
        ("gemini", "usageMetadata", "many", TokenUsage()),
        ("gemini", "usageMetadata/promptTokenCount", "11", TokenUsage(output_tokens=7)),
        (
            "gemini",
            "usageMetadata/thoughtsTokenCount",
            -2,
            TokenUsage(input_tokens=11, cached_tokens=3, output_tokens=5),
        ),
    ],
)
async def test_a_count_of_tokens_that_can_be_none_is_ignored(
    fake: FakeInThread, dialect: str, path: str, value: Any, usage: TokenUsage
) -> None:
    answer = await asked(fake, dialect, changed(dialect, path, value))
    assert isinstance(answer, Answer)
    assert answer.attempts[0].usage == usage


GZIP = (("content-encoding", "gzip"),)
TOO_MANY_DIGITS = '{"choices": [], "candidates": [], "n": ' + "7" * 6000 + "}"
NOT_UTF8 = json.dumps(OPENAI).replace("words", "caf").encode().replace(b"caf", b"caf\xe9")


@pytest.mark.parametrize(
    "raw",
    [
        Raw(text=""),
        Raw(text="null"),
        Raw(text="[]"),
        Raw(text='"words"'),
        Raw(text="{}"),
        Raw(text="<html>", headers=(("content-type", "text/html"),)),
        Raw(text="data: {}\n\n", headers=(("content-type", "text/event-stream"),)),
        Raw(text="[" * 200_000),
        Raw(text='{"choices":' * 20_000),
        Raw(text=TOO_MANY_DIGITS),
        Raw(text='{"choices": NaN}'),
        Raw(base64=NOT_UTF8),
        Raw(base64=b"\xff\xfe\x00"),
        Raw(text="no gzip at all", headers=GZIP),
        Raw(status=204),
        Raw(status=302, headers=(("location", "/v1/elsewhere"),)),
        Raw(status=304),
        Raw(status=300, text="{}"),
    ],
    ids=lambda raw: f"{raw.status} {(raw.base64 or raw.text)[:20]!r}",
)
@pytest.mark.parametrize("dialect", ["openai", "gemini"])
async def test_a_response_that_is_not_the_protocol_is_a_bad_response(
    fake: FakeInThread, dialect: str, raw: Raw
) -> None:
    failed = await asked(fake, dialect, raw)
    assert isinstance(failed, ModelCallFailed)
    assert failed.failure.kind is FailureKind.BAD_RESPONSE
    (attempt,) = failed.attempts
    assert attempt.outcome is FailureKind.BAD_RESPONSE
    assert attempt.latency_s > 0


NEEDED: list[tuple[str, str, list[Any]]] = [
    ("openai", "choices", [{"0": 1}, [], None, MISSING, "x", 5, [7]]),
    ("openai", "choices/0/message", [MISSING, None, "words", []]),
    ("openai", CONTENT, [{"text": "words"}, 5, True, [{"type": "text", "text": 5}]]),
    ("gemini", "candidates", [{"0": 1}, [], None, MISSING, "x", [7]]),
    ("gemini", "candidates/0/content", ["words", 5, []]),
    ("gemini", PARTS, [{"text": "words"}, "words", ["words"], [{"text": 5}]]),
]


@pytest.mark.parametrize(
    ("dialect", "path", "value"),
    [(dialect, path, value) for dialect, path, values in NEEDED for value in values],
)
async def test_without_what_is_needed_it_is_a_bad_response_whose_tokens_count(
    fake: FakeInThread, dialect: str, path: str, value: Any
) -> None:
    failed = await asked(fake, dialect, changed(dialect, path, value))
    assert isinstance(failed, ModelCallFailed)
    assert failed.failure.kind is FailureKind.BAD_RESPONSE
    assert failed.attempts[0].usage == USED


ODD_ERRORS: list[Any] = [
    {"error": {"code": {"a": 1}, "type": ["x"], "message": {"b": 2}, "param": {}}},
    {"error": {"code": 17, "type": 18, "message": 19}},
    {"error": "words"},
    {"error": ["words"]},
    {"error": None},
    {"error": {"details": "words"}},
    {"error": {"details": ["words", {"violations": "x"}, {"violations": ["y", {"quotaId": 1}]}]}},
    {"error": {"details": [{"retryDelay": {"seconds": 5}, "reason": []}, {"retryDelay": 5}]}},
    {"error": {"details": [{"retryDelay": "abc"}, {"retryDelay": "1e999s"}]}},
    [{"error": {"message": "words"}}],
    ["words"],
    "words",
    None,
]
STATUSES = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.AUTH,
    404: FailureKind.UNKNOWN_MODEL,
    429: FailureKind.RATE_LIMITED,
    500: FailureKind.SERVER_ERROR,
    503: FailureKind.OVERLOADED,
}


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
@pytest.mark.parametrize("status", STATUSES)
async def test_an_odd_refusal_is_told_by_its_status(
    fake: FakeInThread, dialect: str, status: int
) -> None:
    bodies = [
        *(Raw(status=status, text=json.dumps(error)) for error in ODD_ERRORS),
        Raw(status=status),
        Raw(status=status, text="<html>", headers=(("content-type", "text/html"),)),
        Raw(status=status, base64=b"\xff\xfe\x00"),
        Raw(status=status, text="[" * 200_000),
        Raw(status=status, text='{"error": {"code": ' + "7" * 6000 + "}}"),
        Raw(status=status, text="no gzip at all", headers=GZIP),
        Raw(status=status, text="cut in the middle", cut="mid_body"),
    ]
    kinds = []
    async with opened(fake, dialect) as model:
        for raw in bodies:
            failed = await answered(fake, model, raw)
            assert isinstance(failed, ModelCallFailed)
            assert failed.failure.retry_after_s is None
            kinds.append(failed.failure.kind)
    assert kinds == [STATUSES[status]] * len(bodies)


HEADERS = ("5" * 5000, "nan", "inf", "1e999", "-5", "٦", "²", "", "0", "1_000", "6e2", "6, 6")


@pytest.mark.parametrize("value", HEADERS, ids=lambda value: repr(value[:10]))
async def test_a_rate_limit_header_that_states_no_number_is_ignored(
    fake: FakeInThread, value: str
) -> None:
    stated = ReportedRateLimits()
    written = value.encode().decode("latin-1")  # as bytes on the wire
    odd = (
        ("x-ratelimit-limit-requests", written),
        ("x-ratelimit-limit-tokens", "90000"),
    )
    answer = await asked(fake, "openai", Raw(text=json.dumps(OPENAI), headers=odd), stated)
    assert isinstance(answer, Answer)
    assert stated.news() == RateLimits(requests_per_minute=None, tokens_per_minute=90_000)


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "nan",
        "inf",
        "1e999",
        "5" * 5000,
        "\u0665",
        "1_0",
        "5, 5",
        "Wed, 99 Nov 2026 99:99:99 GMT",
        "Wed, 21 Oct 99999 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +999999",
        "Wed, 21 Oct 2026 07:28:00 -" + "9" * 400,
        "Wed, " + "9" * 5000 + " Oct 2026 07:28:00 GMT",
        "Wed,,,;;;",
    ],
    ids=lambda value: value[:40],
)
@pytest.mark.parametrize("dialect", ["openai", "gemini"])
async def test_a_wait_that_cannot_be_read_is_none(
    fake: FakeInThread, dialect: str, value: str
) -> None:
    written = value.encode().decode("latin-1")
    headers = (("retry-after", written), ("retry-after-ms", written))
    failed = await asked(fake, dialect, Raw(status=429, text="{}", headers=headers))
    assert isinstance(failed, ModelCallFailed)
    assert failed.failure.kind is FailureKind.RATE_LIMITED
    assert failed.failure.retry_after_s is None


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
async def test_a_chunked_body_that_ends_in_the_middle_is_a_failed_connection(
    fake: FakeInThread, dialect: str
) -> None:
    raw = Raw(
        text=json.dumps(GOOD[dialect]), headers=(("transfer-encoding", "chunked"),), cut="mid_body"
    )
    failed = await asked(fake, dialect, raw)
    assert isinstance(failed, ModelCallFailed)
    assert failed.failure.kind is FailureKind.CONNECTION


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
async def test_the_content_type_does_not_matter(fake: FakeInThread, dialect: str) -> None:
    raw = Raw(text=json.dumps(GOOD[dialect]), headers=(("content-type", "text/html"),))
    answer = await asked(fake, dialect, raw)
    assert isinstance(answer, Answer)
    assert answer.text == "words"
