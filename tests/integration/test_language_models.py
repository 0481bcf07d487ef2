"""Each provider's own SDK over the wire: every row of the error table, told in our own terms."""

from __future__ import annotations

import asyncio
import json

import pytest

from adapters.llm.admission import RateLimits, ReportedRateLimits
from domain.extraction.calls import FailureKind, ModelCallFailed, TokenUsage
from fake_provider.scenario import Fault, Latency, Limit, Model, Scenario
from fake_provider.testing import running_fake
from ports.language_models import FinishReason
from tests.integration.language_models import (
    BUDGET,
    PROVIDERS,
    asked,
    opened,
    prompt_for,
)


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_an_answer_has_the_shape_that_was_asked_and_its_usage(provider: str) -> None:
    with running_fake() as fake:
        answer = await asked(fake, provider)
    record = json.loads(answer.text)
    assert set(record) == {"customer", "product", "quantity"}
    assert set(record["quantity"]) == {"quote", "value"}
    assert answer.finish is FinishReason.COMPLETE
    (attempt,) = answer.attempts
    assert attempt.outcome is None
    assert attempt.provider == provider
    assert attempt.usage.input_tokens > 100
    assert attempt.usage.output_tokens > 5
    assert attempt.latency_s > 0


ERRORS = {
    "bad_key": FailureKind.AUTH,
    "forbidden": FailureKind.AUTH,
    "unknown_model": FailureKind.UNKNOWN_MODEL,
    "rate_limited": FailureKind.RATE_LIMITED,
    "overloaded": FailureKind.OVERLOADED,
    "server_error": FailureKind.SERVER_ERROR,
    "gateway_timeout": FailureKind.TIMEOUT,
    "context_too_long": FailureKind.TOO_LONG,
    "bad_parameter": FailureKind.BAD_REQUEST,
    "bad_schema": FailureKind.BAD_REQUEST,
    "reset": FailureKind.CONNECTION,
    "reset_mid_body": FailureKind.CONNECTION,
    "disconnect": FailureKind.CONNECTION,
    "disconnect_mid_body": FailureKind.CONNECTION,
    "malformed_body": FailureKind.BAD_RESPONSE,
    "html": FailureKind.BAD_RESPONSE,
    "empty_object": FailureKind.BAD_RESPONSE,
}


@pytest.mark.parametrize("fault", sorted(ERRORS))
async def test_a_failure_is_told_by_its_class_after_one_request(provider: str, fault: str) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind=fault))  # type: ignore[arg-type]  # one of the kinds
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, provider)
        assert len(fake.entries) == 1, "the SDK retried by itself"
    assert caught.value.failure.kind is ERRORS[fault]
    (attempt,) = caught.value.attempts
    assert attempt.outcome is ERRORS[fault]
    assert "key" not in str(caught.value) or fault in {"bad_key", "forbidden"}


@pytest.mark.parametrize("name", ["openai", "gemini"])
async def test_an_exhausted_quota_is_not_a_rate_limit(name: str) -> None:
    with running_fake() as fake:
        fake.script("quota_exhausted")
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, name)
    assert caught.value.failure.kind is FailureKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    "code",
    [
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ],
)
async def test_each_of_openais_codes_for_a_used_up_quota_is_known(code: str) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind="quota_exhausted", code=code))
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, "openai")
    assert caught.value.failure.kind is FailureKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("openai", "seconds"),
        ("openai", "milliseconds"),
        ("openai", "date"),
        ("openai_compatible", "seconds"),
        ("gemini", "body"),
        ("gemini", "seconds"),
    ],
)
async def test_the_wait_that_a_rate_limit_names_is_read_wherever_it_stands(
    name: str, hint: str
) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind="rate_limited", retry_after_s=7.0, hint=hint))  # type: ignore[arg-type]
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, name)
    wait_s = caught.value.failure.retry_after_s
    assert wait_s is not None
    assert 5.5 <= wait_s <= 8.5


async def test_a_rate_limit_without_a_hint_names_no_wait(provider: str) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind="rate_limited", hint="none"))
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, provider)
    assert caught.value.failure.retry_after_s is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("openai", Fault(kind="refusal")),
        ("openai", Fault(kind="content_filter")),
        ("gemini", Fault(kind="prompt_blocked", reason="SAFETY")),
        ("gemini", Fault(kind="content_filter", reason="SAFETY")),
        ("gemini", Fault(kind="content_filter", reason="RECITATION")),
        ("gemini", Fault(kind="content_filter", reason="PROHIBITED_CONTENT")),
    ],
)
async def test_a_refusal_is_an_answer_that_says_so(name: str, fault: Fault) -> None:
    with running_fake() as fake:
        fake.script(fault)
        answer = await asked(fake, name)
    assert answer.finish is FinishReason.REFUSED
    assert answer.text == ""
    assert answer.attempts[0].usage.input_tokens > 0, "a refused text is paid for"


@pytest.mark.parametrize("fault", ["truncated", "whitespace_loop"])
async def test_a_cut_answer_says_so(provider: str, fault: str) -> None:
    with running_fake() as fake:
        fake.script(Fault(kind=fault))  # type: ignore[arg-type]  # one of the kinds
        answer = await asked(fake, provider)
    assert answer.finish is FinishReason.TRUNCATED


async def test_the_timeout_ends_a_call_that_hangs_and_its_connection(provider: str) -> None:
    with running_fake(Scenario(hang_s=30)) as fake:
        fake.script("timeout")
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, provider, timeout_s=0.3)
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert caught.value.attempts[0].latency_s < 5


async def test_a_server_that_is_not_there_is_a_failed_connection(provider: str) -> None:
    with running_fake() as fake:
        pass
    with pytest.raises(ModelCallFailed) as caught:
        await asked(fake, provider)
    assert caught.value.failure.kind is FailureKind.CONNECTION


async def test_a_cancelled_call_leaves_the_connection_usable(provider: str) -> None:
    with running_fake(Scenario(latency=Latency(mean_s=0.3))) as fake:
        async with opened(fake, provider) as language_model:
            prompt = prompt_for(language_model)
            for _ in range(8):  # twice the connections that there are
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await language_model.complete(prompt, BUDGET)
            answer = await language_model.complete(prompt, BUDGET)
    assert answer.finish is FinishReason.COMPLETE


async def test_a_text_beyond_the_context_is_too_long(provider: str) -> None:
    scenario = Scenario(default_model=Model(context_tokens=50))
    with running_fake(scenario) as fake, pytest.raises(ModelCallFailed) as caught:
        await asked(fake, provider)
    assert caught.value.failure.kind is FailureKind.TOO_LONG


async def test_limits_in_headers_are_learned_from_answers_and_refusals_alike() -> None:
    stated = ReportedRateLimits()
    scenario = Scenario(limits=(Limit(rpm=600, tpm=90_000, burst_s=60),))
    with running_fake(scenario) as fake:
        async with opened(fake, "openai", stated=stated) as language_model:
            await language_model.complete(prompt_for(language_model), BUDGET)
            assert stated.news() == RateLimits(requests_per_minute=600, tokens_per_minute=90_000)
            assert stated.news() is None, "old news"


async def test_a_model_that_takes_no_temperature_is_sent_none() -> None:
    models = {"gpt-5.4-mini": Model(fixed_temperature=True)}
    with running_fake(Scenario(models=models)) as fake:
        answer = await asked(fake, "openai")
    assert answer.finish is FinishReason.COMPLETE


async def test_a_wrong_key_is_refused_by_each_server_in_its_own_way(provider: str) -> None:
    scenario = Scenario(bad_keys=frozenset({"wrong"}))
    with running_fake(scenario) as fake, pytest.raises(ModelCallFailed) as caught:
        await asked(fake, provider, key="wrong")
    assert caught.value.failure.kind is FailureKind.AUTH
    assert f"{provider.upper()}_API_KEY" in str(caught.value)
    assert "wrong" not in str(caught.value)


async def test_usage_of_a_failed_call_is_nothing_where_the_provider_reports_none() -> None:
    with running_fake() as fake:
        fake.script("server_error")
        with pytest.raises(ModelCallFailed) as caught:
            await asked(fake, "openai")
    assert caught.value.attempts[0].usage == TokenUsage()
