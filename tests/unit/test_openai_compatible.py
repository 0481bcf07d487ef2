"""Servers that speak OpenAI's protocol in their own ways: what is sent, and what answers mean.

The bodies are those of the servers' sources and of reports about them; the page
`docs/how-to/openai-compatible-servers.md` says which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import openai
import pytest

from adapters.llm.admission import ReportedRateLimits
from adapters.llm.capabilities import profile_of
from adapters.llm.openai_compatible import (
    OpenAICompatibleLanguageModel,
    least_tokens,
    request_body,
)
from adapters.llm.replies import HOOKS
from domain.extraction.calls import FailureKind, ModelCallFailed
from ports.language_models import (
    Answer,
    FinishReason,
    Message,
    ModelProfile,
    Prompt,
    ResponseFormat,
    TimeBudget,
)

PROFILE = profile_of("openai_compatible", "qwen3:8b")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def prompt(text: str = "two lamps", *more: Message) -> Prompt:
    messages = (Message(role="system", content="Fill it."), Message(role="user", content=text))
    return Prompt(
        messages=(*messages, *more),
        json_schema=SCHEMA,
        schema_name="order",
        max_output_tokens=50,
        estimated_tokens=60,
    )


def completion(content: Any = '{"n": 2}', **changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **changes.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | changes.pop("choice", {})
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    return {"id": "chatcmpl-1", "choices": [choice], "usage": usage} | changes


class Server:
    """Gives the same response to each request, and keeps the requests."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._status = status
        self.requests: list[Any] = []

    async def asked(
        self, asking: Prompt, *, profile: ModelProfile = PROFILE, times: int = 1
    ) -> Answer:
        def respond(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(json.loads(request.content))
            return httpx2.Response(self._status, content=self._content)

        async with httpx2.AsyncClient(
            transport=httpx2.MockTransport(respond), event_hooks=HOOKS
        ) as wire:
            model = OpenAICompatibleLanguageModel(
                openai.AsyncOpenAI(
                    api_key="none", base_url="http://server/v1", max_retries=0, http_client=wire
                ),
                profile=profile,
                call_timeout_s=20,
                stated=ReportedRateLimits(),
            )
            for _ in range(times):
                answer = await model.complete(asking, TimeBudget(timeout_s=20, wait_s=0))
        return answer


def test_what_all_servers_take_is_sent_and_nothing_else() -> None:
    assert request_body(prompt(), PROFILE) == {
        "model": "qwen3:8b",
        "messages": [
            {"role": "system", "content": "Fill it."},
            {"role": "user", "content": "two lamps"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "order", "strict": True, "schema": SCHEMA},
        },
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 50,
    }


@pytest.mark.parametrize(
    ("response_format", "sent"),
    [
        (ResponseFormat.JSON_OBJECT, {"type": "json_object", "schema": SCHEMA}),
        (ResponseFormat.TEXT, None),
    ],
)
def test_a_server_without_schemas_is_asked_by_what_it_knows(
    response_format: ResponseFormat, sent: Mapping[str, Any] | None
) -> None:
    profile = replace(PROFILE, response_format=response_format)
    assert request_body(prompt(), profile).get("response_format") == sent


def test_a_template_without_system_messages_gets_the_rules_from_the_user() -> None:
    more = (Message(role="assistant", content="{}"), Message(role="user", content="Again."))
    body = request_body(prompt("two lamps", *more), replace(PROFILE, system_role=False))
    assert body["messages"] == [
        {"role": "user", "content": "Fill it.\n\ntwo lamps"},
        {"role": "assistant", "content": "{}"},
        {"role": "user", "content": "Again."},
    ]


@pytest.mark.parametrize(
    ("marks", "sent"),
    [
        ({"system_fingerprint": "vllm-0.32.0-0fa4e0fa"}, True),
        ({"kv_transfer_params": None}, True),
        ({"system_fingerprint": "fp_ollama"}, False),
        ({"system_fingerprint": "b11549-1234"}, False),
        ({}, False),
    ],
)
async def test_what_vllm_alone_takes_is_sent_once_it_is_known_for_vllm(
    marks: Mapping[str, Any], sent: bool
) -> None:
    server = Server(completion(**marks))
    await server.asked(prompt(), times=2)
    assert ["repetition_detection" in each for each in server.requests] == [False, sent]


LONG = "one more lamp " * 1_200
"""At least 3,600 tokens."""


def test_no_tokenizer_joins_words_so_a_prompt_has_as_many_tokens() -> None:
    assert least_tokens(prompt("24 Kartons Öl, für Zoë_2 (bitte)")) == 2 + 7
    assert least_tokens(prompt("-- ... \n\t")) == 2


@pytest.mark.parametrize(("read", "whole"), [(2_050, False), (1_027, False), (3_602, True)])
async def test_a_server_that_read_a_part_of_the_prompt_is_not_believed(
    read: int, whole: bool
) -> None:
    server = Server(completion(usage={"prompt_tokens": read, "completion_tokens": 5}))
    if whole:
        assert (await server.asked(prompt(LONG))).finish is FinishReason.COMPLETE
        return
    with pytest.raises(ModelCallFailed, match="OLLAMA_CONTEXT_LENGTH") as caught:
        await server.asked(prompt(LONG))
    assert caught.value.failure.kind is FailureKind.TOO_LONG, "smaller windows are asked next"
    assert "`context_tokens`" in str(caught.value)
    assert caught.value.attempts[0].usage.input_tokens == read, "it was paid for"


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": 700}, "odd"])
async def test_a_count_that_says_nothing_of_a_cut_is_let_pass(usage: Any) -> None:
    answer = await Server(completion(usage=usage)).asked(prompt(LONG))
    assert answer.text == '{"n": 2}'


@pytest.mark.parametrize(
    ("body", "finish", "text"),
    [
        (completion(choice={"finish_reason": None}), FinishReason.COMPLETE, '{"n": 2}'),
        (completion(choice={"finish_reason": "eos_token"}), FinishReason.COMPLETE, '{"n": 2}'),
        (completion(choice={"finish_reason": "MAX_TOKENS"}), FinishReason.TRUNCATED, '{"n": 2}'),
        (completion(choice={"finish_reason": "model_length"}), FinishReason.TRUNCATED, '{"n": 2}'),
        (completion(choice={"finish_reason": "SAFETY"}), FinishReason.REFUSED, ""),
        (completion(error=None), FinishReason.COMPLETE, '{"n": 2}'),
        # LM Studio 0.4.7 and vLLM with a reasoning parser: the answer is taken for the thinking.
        (
            completion("", message={"reasoning_content": '{"n": 2}'}),
            FinishReason.COMPLETE,
            '{"n": 2}',
        ),
        (completion(None, message={"reasoning": '{"n": 2}'}), FinishReason.COMPLETE, '{"n": 2}'),
        (
            completion('{"n": 3}', message={"reasoning_content": '{"n": 2}'}),
            FinishReason.COMPLETE,
            '{"n": 3}',
        ),
        (
            completion(
                "",
                message={"reasoning_content": 'Perhaps {"n": 2}'},
                choice={"finish_reason": "length"},
            ),
            FinishReason.TRUNCATED,
            "",
        ),
        (completion("", message={"reasoning_content": 5}), FinishReason.COMPLETE, ""),
    ],
)
async def test_each_way_to_finish_is_understood(
    body: dict[str, Any], finish: FinishReason, text: str
) -> None:
    answer = await Server(body).asked(prompt())
    assert (answer.finish, answer.text) == (finish, text)


OLLAMA_TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the"
    " prompt, adjust the context length in settings, or use a model with a longer context length"
)
REFUSALS: Mapping[str, tuple[int, Any, FailureKind, str]] = {
    "ollama, context": (
        400,
        {"error": {"message": OLLAMA_TOO_LONG, "type": "invalid_request_error", "code": None}},
        FailureKind.TOO_LONG,
        "too long",
    ),
    "ollama, model": (
        404,
        {"error": {"message": "model 'qwen3:8b' not found", "type": "not_found_error"}},
        FailureKind.UNKNOWN_MODEL,
        "OPENAI_COMPATIBLE_MODEL",
    ),
    "ollama, no /v1": (
        404,
        b"404 page not found",
        FailureKind.UNKNOWN_MODEL,
        "OPENAI_COMPATIBLE_BASE_URL",
    ),
    "ollama, busy": (
        503,
        {"error": {"message": "server busy, please try again.  maximum pending requests exceeded"}},
        FailureKind.OVERLOADED,
        "overloaded",
    ),
    "lm studio, context": (
        400,
        {"error": "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)"},
        FailureKind.TOO_LONG,
        "too long",
    ),
    "lm studio, older, context": (
        400,
        {
            "error": "Trying to keep the first 111490 tokens when context the overflows. However,"
            " the model is loaded with context length of only 32768 tokens, which is not enough."
        },
        FailureKind.TOO_LONG,
        "too long",
    ),
    "lm studio, no /v1": (
        200,
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        FailureKind.BAD_REQUEST,
        "OPENAI_COMPATIBLE_BASE_URL",
    ),
    "lm studio, no model": (
        404,
        {
            "error": {
                "message": "No models loaded. Please load a model in the developer page or use"
                " the `lms load` command.",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        },
        FailureKind.UNKNOWN_MODEL,
        "OPENAI_COMPATIBLE_MODEL",
    ),
    "lm studio, format": (
        400,
        {"error": "'response_format.type' must be 'json_schema' or 'text'"},
        FailureKind.BAD_REQUEST,
        "`response_format: json_object`, or `text`",
    ),
    "llama.cpp, loading": (
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        FailureKind.OVERLOADED,
        "still loading the model",
    ),
    "llama.cpp, context": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 14429,
                "n_ctx": 8192,
            }
        },
        FailureKind.TOO_LONG,
        "too long",
    ),
    "llama.cpp behind textgen, context": (
        200,
        {"error": {"code": 400, "message": "", "type": "exceed_context_size_error"}},
        FailureKind.TOO_LONG,
        "too long",
    ),
    "llama.cpp, route": (
        404,
        {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}},
        FailureKind.UNKNOWN_MODEL,
        "ends in /v1",
    ),
    "llama.cpp, grammar": (
        400,
        {
            "error": {
                "code": 400,
                "message": "Failed to initialize samplers: failed to parse grammar",
                "type": "invalid_request_error",
            }
        },
        FailureKind.BAD_REQUEST,
        "`bounded: false`",
    ),
    "llama.cpp, template": (
        500,
        {
            "error": {
                "code": 500,
                "message": "Conversation roles must alternate user/assistant/user/assistant/...",
                "type": "server_error",
            }
        },
        FailureKind.BAD_REQUEST,
        "`system_role: false`",
    ),
    "vllm, template": (
        400,
        {"object": "error", "message": "System role not supported", "type": "BadRequestError"},
        FailureKind.BAD_REQUEST,
        "`system_role: false`",
    ),
    "vllm, key": (401, {"error": "Unauthorized"}, FailureKind.AUTH, "OPENAI_COMPATIBLE_API_KEY"),
    "vllm, route": (404, {"detail": "Not Found"}, FailureKind.UNKNOWN_MODEL, "ends in /v1"),
    "a page": (405, b"<html>Method Not Allowed</html>", FailureKind.BAD_REQUEST, "ends in /v1"),
    "sglang, context": (
        400,
        {
            "object": "error",
            "message": "The input (9000 tokens) is longer than the model's context length"
            " (8192 tokens).",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        FailureKind.TOO_LONG,
        "too long",
    ),
    "sglang, aborted": (
        200,
        completion('{"n', choice={"finish_reason": "abort"}),
        FailureKind.SERVER_ERROR,
        "failed",
    ),
    "llama-cpp-python, format": (
        500,
        {
            "error": {
                "message": "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'),"
                " 'msg': \"Input should be 'text' or 'json_object'\", 'input': 'json_schema'}]",
                "type": "internal_server_error",
                "param": None,
                "code": None,
            }
        },
        FailureKind.BAD_REQUEST,
        "`response_format: json_object`",
    ),
    "a server on FastAPI, format": (
        422,
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "response_format", "type"],
                    "msg": "Input should be 'text' or 'json_object'",
                    "input": "json_schema",
                }
            ]
        },
        FailureKind.BAD_REQUEST,
        "`response_format: json_object`",
    ),
    "a server on FastAPI, another member": (
        422,
        {"detail": [{"loc": ["body", "n"], "msg": "Field required", "input": {"seed": 7}}, 5]},
        FailureKind.BAD_REQUEST,
        "refuses the shape of the request",
    ),
    "litellm, model": (
        400,
        {
            "error": {
                "message": "/chat/completions: Invalid model name passed in model=qwen3:8b. Call"
                " `/v1/models` to view available models for your key.",
                "type": "invalid_request_error",
                "code": "400",
            }
        },
        FailureKind.UNKNOWN_MODEL,
        "OPENAI_COMPATIBLE_MODEL",
    ),
    "litellm, seed": (
        400,
        {
            "error": {
                "message": "litellm.UnsupportedParamsError: anthropic does not support parameters:"
                " ['seed'], for model=claude.",
                "type": "None",
                "code": "400",
            }
        },
        FailureKind.BAD_REQUEST,
        "`seed: null`",
    ),
    "litellm, context": (
        400,
        {"error": {"message": "litellm.ContextWindowExceededError: too many", "code": "400"}},
        FailureKind.TOO_LONG,
        "too long",
    ),
    "openrouter, model": (
        400,
        {"error": {"message": "qwen3:8b is not a valid model ID", "code": 400}},
        FailureKind.UNKNOWN_MODEL,
        "OPENAI_COMPATIBLE_MODEL",
    ),
    "openrouter, nobody serves it": (
        404,
        {"error": {"message": "No endpoints found for a/b.", "code": 404}},
        FailureKind.UNKNOWN_MODEL,
        "OPENAI_COMPATIBLE_MODEL",
    ),
    "openrouter, credit": (
        402,
        {"error": {"message": "Insufficient credits", "code": 402}},
        FailureKind.QUOTA_EXHAUSTED,
        "used up",
    ),
    "openrouter, upstream limit": (
        200,
        {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "x"}}},
        FailureKind.RATE_LIMITED,
        "fewer requests",
    ),
    "openrouter, upstream down": (
        200,
        completion(
            "", choice={"finish_reason": "error", "error": {"code": 502, "message": "down"}}
        ),
        FailureKind.SERVER_ERROR,
        "failed",
    ),
    "openrouter, moderation": (
        403,
        {"error": {"message": "flagged", "code": 403, "metadata": {"reasons": ["violence"]}}},
        FailureKind.REFUSED,
        "declines",
    ),
    "an error of no known shape": (200, {"error": ["?"]}, FailureKind.SERVER_ERROR, "failed"),
    "no completion": (200, {"choices": None}, FailureKind.BAD_RESPONSE, "not its protocol"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_is_told_by_what_is_wrong_and_what_to_do(name: str) -> None:
    status, body, kind, says = REFUSALS[name]
    with pytest.raises(ModelCallFailed) as caught:
        await Server(body, status).asked(prompt())
    assert caught.value.failure.kind is kind
    assert says in caught.value.failure.detail
    assert [each.outcome for each in caught.value.attempts] == [kind]


async def test_a_refusal_is_logged_by_its_names_and_not_by_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = {"message": "bad: Maria Lopez", "type": "invalid_request_error", "param": "messages"}
    with caplog.at_level("INFO"), pytest.raises(ModelCallFailed):
        await Server({"error": error}, 400).asked(prompt())
    assert "invalid_request_error messages" in caplog.text
    assert "Maria" not in caplog.text
