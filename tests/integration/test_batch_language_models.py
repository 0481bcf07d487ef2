"""Each provider's batch API through its own SDK: lines, ends, limits and failures."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from adapters.llm import batch_files
from adapters.llm.batch_files import fitting, outcomes_of
from adapters.llm.capabilities import profile_of
from adapters.llm.clients import ModelConfig, openai_client
from adapters.llm.connections import open_batch_models
from adapters.llm.openai_batch import OpenAIBatchLanguageModel
from adapters.llm.replies import ModelCall, ParsedResponse
from domain.extraction.calls import FailureKind, ModelCallFailed, TokenUsage
from domain.extraction.prompting import build_prompt
from domain.extraction.schema import ORDER_MESSAGE
from fake_provider.scenario import Batches, Fault, Raw, Scenario
from fake_provider.testing import FakeInThread, running_fake
from ports.language_models import Answer, BatchId, BatchLanguageModel, BatchRequest, FinishReason
from tests.contracts.batch_language_model import (
    BatchLanguageModelContract,
    BatchWorld,
    Ending,
    text_of,
)

PROVIDERS = {"openai": "gpt-5.4-mini", "gemini": "gemini-3-flash"}


class FakeWorld(BatchWorld):
    def __init__(self, fake: FakeInThread, provider: str, model: BatchLanguageModel) -> None:
        self._fake = fake
        self.model = model
        self.profile = profile_of(provider, PROVIDERS[provider])

    def arrange(
        self,
        *,
        ending: Ending = "completed",
        endless: bool = False,
        server_error: str | None = None,
        refusal: str | None = None,
    ) -> None:
        # Gemini refuses by a blocked prompt; OpenAI's models say it in a member of their own.
        refused = "refusal" if self.profile.provider == "openai" else "prompt_blocked"
        faults = [
            *([Fault(kind="server_error", text=server_error)] if server_error else []),
            *([Fault(kind=refused, text=refusal)] if refusal else []),  # type: ignore[arg-type]
        ]
        batches = Batches(outcome=ending, in_progress_s=600 if endless else 0)
        self._fake.provider.apply(Scenario(batches=batches, script=tuple(faults)))

    def forget(self) -> None:
        httpx2.put(f"{self._fake.url}/_control/scenario", content=b"{}").raise_for_status()


@pytest.fixture
def fake() -> Iterator[FakeInThread]:
    with running_fake() as running:
        yield running


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def opened(
    fake: FakeInThread, provider: str, *, key: str = "a-key", timeout_s: float = 10
) -> AsyncIterator[BatchLanguageModel]:
    url = fake.openai_base_url if provider == "openai" else fake.gemini_base_url
    config = ModelConfig(provider=provider, model=PROVIDERS[provider], base_url=url, api_key=key)
    async with open_batch_models([config], call_timeout_s=timeout_s) as models:
        yield await models[provider]()


@pytest.fixture
async def model(fake: FakeInThread, provider: str) -> AsyncIterator[BatchLanguageModel]:
    async with opened(fake, provider) as model:
        yield model


def request_for(provider: str, text: str, custom_id: str = "1-0") -> BatchRequest:
    profile = profile_of(provider, PROVIDERS[provider])
    prompt = build_prompt(ORDER_MESSAGE, text, profile, new_mark=lambda: "a1b2c3d4")
    return BatchRequest(custom_id=custom_id, prompt=prompt)


class TestBatchApis(BatchLanguageModelContract):
    @pytest.fixture
    def world(self, fake: FakeInThread, provider: str, model: BatchLanguageModel) -> BatchWorld:
        return FakeWorld(fake, provider, model)


async def test_the_openers_give_the_same_model_each_time_and_none_without_batches() -> None:
    configs = [
        ModelConfig(provider=name, model="m", base_url="http://127.0.0.1:9/v1")
        for name in ("openai", "openai_compatible", "local")
    ]
    async with open_batch_models(configs, call_timeout_s=1) as models:
        assert set(models) == {"openai"}
        assert await models["openai"]() is await models["openai"]()


ERRORS = {
    "forbidden": FailureKind.AUTH,
    "unknown_model": FailureKind.UNKNOWN_MODEL,
    "bad_parameter": FailureKind.BAD_REQUEST,
    "context_too_long": FailureKind.TOO_LONG,
    "rate_limited": FailureKind.RATE_LIMITED,
    "overloaded": FailureKind.OVERLOADED,
    "server_error": FailureKind.SERVER_ERROR,
    "gateway_timeout": FailureKind.TIMEOUT,
    "reset": FailureKind.SERVER_ERROR,
}


@pytest.mark.parametrize("fault", sorted(ERRORS))
async def test_a_failed_line_is_told_by_its_class(
    fake: FakeInThread, provider: str, model: BatchLanguageModel, fault: Any
) -> None:
    fake.script(Fault(kind=fault))
    batch_id = await model.submit("token", [request_for(provider, text_of(3))])
    while not (await model.status(batch_id)).ended:
        pass
    (outcome,) = [each async for each in model.outcomes(batch_id)]
    assert isinstance(outcome.result, ModelCallFailed)
    assert outcome.result.failure.kind is ERRORS[fault]


async def test_a_cut_line_says_so(
    fake: FakeInThread, provider: str, model: BatchLanguageModel
) -> None:
    fake.script("truncated")
    batch_id = await model.submit("token", [request_for(provider, text_of(3))])
    while not (await model.status(batch_id)).ended:
        pass
    (outcome,) = [each async for each in model.outcomes(batch_id)]
    assert isinstance(outcome.result, Answer)
    assert outcome.result.finish is FinishReason.TRUNCATED


async def test_a_prompt_that_openai_blocks_is_refused_and_not_a_fault_of_ours(
    fake: FakeInThread,
) -> None:
    async with opened(fake, "openai") as model:
        fake.script("prompt_blocked")
        batch_id = await model.submit("token", [request_for("openai", text_of(3))])
        while not (await model.status(batch_id)).ended:
            pass
        (outcome,) = [each async for each in model.outcomes(batch_id)]
    assert isinstance(outcome.result, ModelCallFailed)
    assert outcome.result.failure.kind is FailureKind.REFUSED


async def test_openai_without_room_for_a_batch_is_a_rate_limit_with_a_wait(
    fake: FakeInThread,
) -> None:
    fake.provider.apply(Scenario(batches=Batches(outcome="failed")))
    async with opened(fake, "openai") as model:
        batch_id = await model.submit("token", [request_for("openai", text_of(3))])
        while not (status := await model.status(batch_id)).ended:
            pass
    assert status.failure is not None
    assert status.failure.kind is FailureKind.RATE_LIMITED
    assert status.failure.retry_after_s is not None
    assert status.failure.retry_after_s > 60


async def test_lines_that_openai_refuses_before_it_begins_are_a_bad_request(
    fake: FakeInThread,
) -> None:
    twice = [request_for("openai", text_of(3), "same"), request_for("openai", text_of(4), "same")]
    async with opened(fake, "openai") as model:
        batch_id = await model.submit("token", twice)
        while not (status := await model.status(batch_id)).ended:
            pass
    assert status.failure is not None
    assert status.failure.kind is FailureKind.BAD_REQUEST


async def test_a_provider_that_is_not_there_is_a_failed_connection(provider: str) -> None:
    with running_fake() as gone:
        pass
    async with opened(gone, provider) as model:
        with pytest.raises(ModelCallFailed) as submitting:
            await model.submit("token", [request_for(provider, text_of(3))])
        with pytest.raises(ModelCallFailed) as finding:
            await model.find("token")
    assert submitting.value.failure.kind is FailureKind.CONNECTION
    assert finding.value.failure.kind is FailureKind.CONNECTION


async def test_a_batch_is_found_behind_a_hundred_others(fake: FakeInThread, provider: str) -> None:
    async with opened(fake, provider) as model:
        request = request_for(provider, text_of(3))
        wanted = await model.submit("wanted", [request])
        for number in range(105):
            await model.submit(f"other-{number}", [request])
        assert await model.find("wanted") == wanted


async def test_texts_of_every_script_come_through_unharmed(
    fake: FakeInThread, provider: str
) -> None:
    text = "Hi, this is Zoë Müller-李. Please send 7 lamps \u2028 to 東京 \U0001f6d2 \x85 thanks."
    async with opened(fake, provider) as model:
        batch_id = await model.submit("token", [request_for(provider, text)])
        while not (await model.status(batch_id)).ended:
            pass
        (outcome,) = [each async for each in model.outcomes(batch_id)]
    assert isinstance(outcome.result, Answer)
    assert json.loads(outcome.result.text)["quantity"]["value"] == 7


def test_a_batch_holds_no_more_lines_than_openai_takes() -> None:
    assert fitting(b"x" for _ in range(50_001)) == 50_000
    assert fitting(b"x" for _ in range(49_999)) == 49_999


def test_a_batch_is_no_larger_than_openai_takes() -> None:
    line = b"x" * (batch_files.MOST_BYTES // 10 - 1)  # and its line feed
    assert fitting([line] * 20) == 10
    assert fitting([line + b"x"] * 20) == 9


def test_one_line_always_fits() -> None:
    assert fitting([b"x" * (batch_files.MOST_BYTES + 1)]) == 1


def test_a_line_that_cannot_be_read_fails_the_prompt_that_it_names() -> None:
    def read(call: ModelCall, row: Mapping[str, Any]) -> Answer | None:
        if row["said"] is None:
            return None
        return call.answer(ParsedResponse(usage=TokenUsage(), text=row["said"] + ""))

    content = b"""{"name": "1-0", "said": "\xe2\x80\xa8"}

[1]
not json
{"name": "2-0", "said": "\xff"}
{"name": "3-0", "said": 5}
{"name": "4-0", "said": null}
{"said": "words"}
"""
    outcomes = list(outcomes_of(content, profile_of("openai", "m"), name="name", read=read))
    assert [each.custom_id for each in outcomes] == ["1-0", "2-0", "3-0"]
    (first, *others) = [each.result for each in outcomes]
    assert isinstance(first, Answer)
    assert first.text == "\u2028"
    for failed in others:
        assert isinstance(failed, ModelCallFailed)
        assert failed.failure.kind is FailureKind.BAD_RESPONSE
        assert [each.batched for each in failed.attempts] == [True]


async def test_a_client_that_retries_is_not_taken(fake: FakeInThread) -> None:
    config = ModelConfig(provider="openai", model="m", base_url=fake.openai_base_url)
    async with openai_client(config, 1, 1) as client:
        with pytest.raises(ValueError, match="max_retries=0"):
            OpenAIBatchLanguageModel(
                client.with_options(max_retries=2),
                profile=profile_of("openai", "m"),
                call_timeout_s=1,
            )


BODIES: list[Any] = [None, [], "html", {}, {"choices": []}, {"candidates": []}, {"candidates": 1}]
CONTENT = {"openai": "/content", "gemini": ":download"}


async def ended_batch(fake: FakeInThread, provider: str, model: BatchLanguageModel) -> BatchId:
    batch_id = await model.submit("token", [request_for(provider, text_of(3))])
    while not (await model.status(batch_id)).ended:
        pass
    return batch_id


async def test_a_line_that_is_not_of_the_protocol_fails_alone_and_is_counted(
    fake: FakeInThread, provider: str, model: BatchLanguageModel
) -> None:
    batch_id = await ended_batch(fake, provider, model)
    lines: list[Any] = ["no json", "", '{"n": ' + "7" * 6000 + "}", "[" * 200_000, "[]", "null"]
    for number, body in enumerate(BODIES):
        answer = {"response": {"status_code": 200, "body": body}, "custom_id": f"{number}"}
        lines.append(json.dumps(answer))
        lines.append(json.dumps({"response": body, "key": f"{number}"}))
    fake.script(Fault(kind="raw", raw=Raw(text="\n".join(lines)), path=CONTENT[provider]))
    outcomes = {each.custom_id: each.result async for each in model.outcomes(batch_id)}
    for number in range(len(BODIES)):
        result = outcomes[f"{number}"]
        assert isinstance(result, ModelCallFailed)
        assert result.failure.kind is FailureKind.BAD_RESPONSE
        assert [each.batched for each in result.attempts] == [True]


@pytest.mark.parametrize(
    "row",
    [
        {"error": {"code": {"a": 1}, "message": []}},
        {"error": {"code": "words"}, "response": 5},
        {"error": "words"},
        {"error": [], "response": {"status_code": "200", "body": {"error": "words"}}},
        {"response": {"status_code": None, "body": {"error": {"code": [], "type": {}}}}},
    ],
    ids=repr,
)
async def test_an_odd_error_of_a_line_fails_that_line(
    fake: FakeInThread, provider: str, model: BatchLanguageModel, row: Any
) -> None:
    batch_id = await ended_batch(fake, provider, model)
    line = json.dumps({**row, "custom_id": "3-0", "key": "3-0"})
    fake.script(Fault(kind="raw", raw=Raw(text=line), path=CONTENT[provider]))
    (outcome,) = [each async for each in model.outcomes(batch_id)]
    assert isinstance(outcome.result, ModelCallFailed)
    assert outcome.result.failure.kind in {FailureKind.SERVER_ERROR, FailureKind.BAD_RESPONSE}


NAMELESS = [
    Raw(text=""),
    Raw(text="null"),
    Raw(text="[]"),
    Raw(text="[" * 200_000),
    Raw(text='{"id": 5, "name": 5, "status": "completed"}'),
    Raw(text='{"id": "a\\u0000", "name": "b\\ud83d", "status": "completed"}'),
    Raw(base64=b"\xff"),
    Raw(status=302),
]
STATELESS = [
    Raw(text='{"id": "a", "name": "b", "status": {}, "metadata": {"state": []}}'),
    Raw(text='{"id": "a", "name": "b", "metadata": 5}'),
]


def always(raw: Raw) -> Fault:
    return Fault(kind="raw", raw=raw, path="atch", times=None)


@pytest.mark.parametrize("raw", NAMELESS, ids=lambda raw: (raw.base64 or raw.text)[:40])
async def test_a_new_batch_without_a_name_is_a_bad_response(
    fake: FakeInThread, provider: str, model: BatchLanguageModel, raw: Raw
) -> None:
    fake.script(always(raw))
    with pytest.raises(ModelCallFailed) as caught:
        await model.submit("token", [request_for(provider, text_of(3))])
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


@pytest.mark.parametrize("raw", NAMELESS + STATELESS, ids=lambda raw: (raw.base64 or raw.text)[:40])
async def test_a_batch_without_a_state_is_a_bad_response(
    fake: FakeInThread, provider: str, model: BatchLanguageModel, raw: Raw
) -> None:
    batch_id = await ended_batch(fake, provider, model)
    fake.script(always(raw))
    with pytest.raises(ModelCallFailed) as caught:
        await model.status(batch_id)
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


@pytest.mark.parametrize(
    "page",
    [
        {"data": "words", "operations": "words"},
        {"data": [], "has_more": "words", "operations": [], "nextPageToken": 5},
        [],
    ],
    ids=repr,
)
async def test_a_list_of_batches_that_is_none_is_never_taken_for_one_without_the_batch(
    fake: FakeInThread, model: BatchLanguageModel, page: Any
) -> None:
    fake.script(always(Raw(text=json.dumps(page))))
    with pytest.raises(ModelCallFailed) as caught:
        await model.find("token")
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


async def test_a_list_of_batches_without_an_end_is_a_bad_response(
    fake: FakeInThread, model: BatchLanguageModel
) -> None:
    page = {"data": [{"id": "same"}], "has_more": True, "operations": [5], "nextPageToken": "same"}
    fake.script(always(Raw(text=json.dumps(page))))
    with pytest.raises(ModelCallFailed) as caught:
        await model.find("token")
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


@pytest.mark.parametrize("errors", ["words", [], {"data": "x"}, {"data": [5, {"code": []}]}])
async def test_odd_reasons_of_a_refused_batch_are_a_bad_request(
    fake: FakeInThread, errors: Any
) -> None:
    body = json.dumps({"id": "a", "status": "failed", "errors": errors, "request_counts": "x"})
    async with opened(fake, "openai") as model:
        fake.script(Fault(kind="raw", raw=Raw(text=body), path="/batches/"))
        status = await model.status(BatchId("a"))
    assert status.ended
    assert status.failure is not None
    assert status.failure.kind is FailureKind.BAD_REQUEST


@pytest.mark.parametrize("file", [{}, {"id": 5, "file": 5}, {"file": {"name": []}}, []])
async def test_an_uploaded_file_without_a_name_is_a_bad_response(
    fake: FakeInThread, provider: str, model: BatchLanguageModel, file: Any
) -> None:
    headers = (("x-goog-upload-status", "final"), ("x-goog-upload-url", f"{fake.url}/upload/x"))
    raw = Raw(text=json.dumps(file), headers=headers)
    fake.script(Fault(kind="raw", raw=raw, path="/", times=None))
    with pytest.raises(ModelCallFailed) as caught:
        await model.submit("token", [request_for(provider, text_of(3))])
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE
