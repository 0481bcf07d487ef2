"""The fake provider's vLLM dialect says what a real server says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from fake_provider.scenario import Model, Scenario
from fake_provider.testing import FakeInThread, running_fake
from tests.vllm.server import CONTEXT_TOKENS, KEY, MODEL, VllmServer, body

pytestmark = pytest.mark.vllm

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeInThread]:
    scenario = Scenario(
        models={MODEL: Model(context_tokens=CONTEXT_TOKENS)}, bad_keys=frozenset({"wrong"})
    )
    with running_fake(scenario) as provider:
        yield provider


def schema(**properties: object) -> dict[str, Any]:
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "probe", "schema": {"type": "object", **properties}},
        }
    }


def items(**rules: object) -> dict[str, Any]:
    array = {"type": "array", "items": {"type": "string"}, **rules}
    return schema(properties={"a": array}, required=["a"])


async def both(
    vllm: VllmServer, fake: FakeInThread, method: str, path: str, content: Any, key: str = KEY
) -> tuple[httpx2.Response, httpx2.Response]:
    """What the real server and the fake answer."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    async with vllm.client() as http:
        sent = None if content is None else raw
        real = await http.request(method, path, content=sent, headers=headers)
        url = f"{fake.url}/vllm{path}"
        return real, await http.request(method, url, content=sent, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "content", "key"),
    [
        pytest.param("POST", CHAT, body("hi"), "wrong", id="bad-key"),
        pytest.param("GET", "/v1/nothing", None, "wrong", id="bad-key-elsewhere"),
        pytest.param("POST", CHAT, body("hi", model="nobody"), KEY, id="unknown-model"),
        pytest.param("POST", CHAT, body("word " * 9000), KEY, id="too-long"),
        pytest.param("POST", CHAT, body("hi", **items(uniqueItems=True)), KEY, id="unique"),
        pytest.param(
            "POST",
            CHAT,
            body("hi", **items(contains={"type": "string"})),
            KEY,
            id="contains",
        ),
        pytest.param("POST", CHAT, b"", KEY, id="nothing"),
        pytest.param("POST", CHAT, b'{"model":', KEY, id="half-a-body"),
        pytest.param("POST", CHAT, [], KEY, id="an-array"),
        pytest.param("POST", CHAT, {"model": MODEL}, KEY, id="no-messages"),
        pytest.param("POST", CHAT, body("hi", messages="hi"), KEY, id="messages-as-text"),
        pytest.param("POST", CHAT, body("hi", messages=[]), KEY, id="no-message"),
        pytest.param(
            "POST", CHAT, body("hi", response_format={"type": "json_schema"}), KEY, id="no-format"
        ),
        pytest.param(
            "POST",
            CHAT,
            body("hi", response_format={"type": "json_schema", "json_schema": {"name": "x"}}),
            KEY,
            id="no-schema",
        ),
        pytest.param("GET", CHAT, None, KEY, id="wrong-method"),
        pytest.param("GET", "/v1/nothing", None, KEY, id="unknown-path"),
    ],
)
async def test_the_body_is_the_same_to_the_letter(
    vllm: VllmServer, fake: FakeInThread, method: str, path: str, content: Any, key: str
) -> None:
    real, faked = await both(vllm, fake, method, path, content, key)
    assert (faked.status_code, faked.text) == (real.status_code, real.text)
    for header in ("content-type", "allow", "x-request-id", "retry-after"):
        assert faked.headers.get(header) == real.headers.get(header), header


async def test_a_temperature_out_of_range_is_worded_alike(
    vllm: VllmServer, fake: FakeInThread
) -> None:
    fake.script("bad_parameter")
    real, faked = await both(vllm, fake, "POST", CHAT, body("hi", temperature=-1.0))
    assert (faked.status_code, faked.text) == (real.status_code, real.text)


def shape(value: Any) -> Any:
    """Members and types, in order."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    return type(value).__name__


@pytest.mark.parametrize("key", ["patternProperties", "propertyNames"])
async def test_what_the_real_server_compiles_is_served(
    vllm: VllmServer, fake: FakeInThread, key: str
) -> None:
    rules: dict[str, object] = {
        "patternProperties": {"^x": {"type": "integer"}},
        "propertyNames": {"pattern": "^x"},
    }
    request = body("hi", max_tokens=1, **schema(**{key: rules[key]}))
    real, faked = await both(vllm, fake, "POST", CHAT, request)
    assert (faked.status_code, real.status_code) == (200, 200)


async def test_an_answer_has_the_same_members(vllm: VllmServer, fake: FakeInThread) -> None:
    real, faked = await both(vllm, fake, "POST", CHAT, body("hi"))
    theirs, ours = real.json(), faked.json()
    assert shape(ours) == shape(theirs)
    assert list(ours) == list(theirs)
    assert list(ours["choices"][0]["message"]) == list(theirs["choices"][0]["message"])
    pattern = r"vllm-0\.32\.0-[0-9a-f]{8}"
    assert re.fullmatch(pattern, theirs["system_fingerprint"])
    assert re.fullmatch(pattern, ours["system_fingerprint"])


async def test_a_loop_that_was_noticed_is_told_alike(vllm: VllmServer, fake: FakeInThread) -> None:
    async with vllm.client() as http:
        asked = {"model": MODEL, "prompt": "\n", "add_special_tokens": False}
        (token,) = (await http.post("/tokenize", json=asked)).json()["tokens"]
    request = body(
        "Nina wants 9 chairs.",
        max_tokens=200,
        logit_bias={str(token): 100},
        repetition_detection={"max_pattern_size": 4, "min_count": 32},
        **schema(properties={"a": {"type": "string"}}, required=["a"]),
    )
    fake.script("whitespace_loop")
    real, faked = await both(vllm, fake, "POST", CHAT, request)
    (theirs,), (ours,) = real.json()["choices"], faked.json()["choices"]
    assert shape(ours) == shape(theirs)
    for member in ("finish_reason", "stop_reason"):
        assert ours[member] == theirs[member]
