"""Calls are paced, retried and given up in one place, by one table."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from adapters.llm.admission import (
    FAILURES_TO_OPEN,
    OPEN_S,
    LocalAdmissionControl,
    RateLimits,
    ReportedRateLimits,
)
from adapters.llm.concurrency import AdaptiveLimit
from adapters.llm.resilient import ResilientLanguageModel
from domain.extraction.calls import (
    FAILURE_POLICIES,
    ExtractionFailure,
    FailureKind,
    ModelCallFailed,
)
from ports.language_models import Answer, Message, Prompt, TimeBudget
from tests.fakes.language_models import Said, ScriptedLanguageModel

PROMPT = Prompt(
    messages=(Message(role="user", content="x"),),
    json_schema={},
    schema_name="s",
    max_output_tokens=10,
    estimated_tokens=100,
)
PATIENT = TimeBudget(timeout_s=1000, wait_s=1000)
SOMEBODY_WAITS = TimeBudget(timeout_s=30, wait_s=0.75, probes=False)
TRANSIENT = [kind for kind, policy in FAILURE_POLICIES.items() if policy.tries > 1]
FINAL = [
    kind
    for kind, policy in FAILURE_POLICIES.items()
    if policy.tries == 1 and kind is not FailureKind.RATE_LIMITED
]


class Bench:
    """A model under test, on a clock that only sleeping moves."""

    def __init__(self, script: Sequence[Said], *, most: int = 8, latency_s: float = 0.0) -> None:
        self.time = 5000.0
        self.slept: list[float] = []
        self.inner = ScriptedLanguageModel(script, latency_s=latency_s)
        self.admission = LocalAdmissionControl(now=lambda: self.time)
        self.limit = AdaptiveLimit(most, now=lambda: self.time)
        self.stated = ReportedRateLimits()
        self.model = self.over(self.inner)

    def over(self, inner: ScriptedLanguageModel) -> ResilientLanguageModel:
        return ResilientLanguageModel(
            inner,
            lane="lane",
            admission=self.admission,
            limit=self.limit,
            stated=self.stated,
            now=lambda: self.time,
            sleep=self.sleep,
            chance=lambda: 0.5,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


async def test_an_answer_at_once_is_one_call_without_a_wait() -> None:
    bench = Bench(["hello"])
    answer = await bench.model.complete(PROMPT, PATIENT)
    assert answer.text == "hello"
    assert bench.slept == []


@pytest.mark.parametrize("kind", TRANSIENT)
async def test_a_passing_failure_is_tried_again_and_stays_on_record(kind: FailureKind) -> None:
    bench = Bench([kind, "hello"])
    answer = await bench.model.complete(PROMPT, PATIENT)
    assert [attempt.outcome for attempt in answer.attempts] == [kind, None]
    assert len(bench.slept) == 1


@pytest.mark.parametrize("kind", TRANSIENT)
async def test_a_lasting_failure_is_given_up_after_its_tries(kind: FailureKind) -> None:
    tries = FAILURE_POLICIES[kind].tries
    bench = Bench([kind] * tries)
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, PATIENT)
    assert caught.value.failure.kind is kind
    assert [attempt.outcome for attempt in caught.value.attempts] == [kind] * tries
    assert bench.slept == sorted(bench.slept), "waits grow"


@pytest.mark.parametrize("kind", FINAL)
async def test_a_failure_that_no_retry_helps_is_not_tried_again(kind: FailureKind) -> None:
    bench = Bench([kind])
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, PATIENT)
    assert caught.value.failure.kind is kind
    assert len(bench.inner.prompts) == 1


async def test_failures_of_many_kinds_share_one_budget() -> None:
    mixture = [
        FailureKind.SERVER_ERROR,
        FailureKind.CONNECTION,
        FailureKind.OVERLOADED,
        FailureKind.TIMEOUT,
        FailureKind.CONNECTION,
    ]
    bench = Bench([*mixture, "never heard"])
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, PATIENT)
    assert [attempt.outcome for attempt in caught.value.attempts] == mixture


async def test_a_rate_limit_waits_what_it_was_told_and_charges_no_try() -> None:
    told = ExtractionFailure(kind=FailureKind.RATE_LIMITED, detail="wait", retry_after_s=30)
    bench = Bench([told] * 6 + ["hello"])
    answer = await bench.model.complete(PROMPT, PATIENT)
    assert len(answer.attempts) == 7
    assert sum(bench.slept) >= 6 * 30
    assert answer.attempts[-1].wait_s >= 30


async def test_a_wait_beyond_the_budget_is_told_instead_of_waited() -> None:
    told = ExtractionFailure(kind=FailureKind.RATE_LIMITED, detail="wait", retry_after_s=30)
    bench = Bench([told])
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, TimeBudget(timeout_s=1000, wait_s=5))
    assert caught.value.failure.kind is FailureKind.RATE_LIMITED
    assert caught.value.failure.retry_after_s == pytest.approx(30)
    assert bench.slept == []


async def test_another_caller_of_the_lane_meets_the_same_gate() -> None:
    told = ExtractionFailure(kind=FailureKind.RATE_LIMITED, detail="wait", retry_after_s=30)
    bench = Bench([told])
    for _ in range(2):
        with pytest.raises(ModelCallFailed) as caught:
            await bench.model.complete(PROMPT, TimeBudget(timeout_s=1000, wait_s=5))
        assert caught.value.failure.kind is FailureKind.RATE_LIMITED
    assert len(bench.inner.prompts) == 1, "the second caller did not even ask"


async def test_an_overloaded_provider_that_names_a_wait_is_obeyed() -> None:
    busy = ExtractionFailure(kind=FailureKind.OVERLOADED, detail="busy", retry_after_s=12)
    bench = Bench([busy, "hello"])
    await bench.model.complete(PROMPT, PATIENT)
    assert bench.slept[0] >= 12


async def test_a_dead_provider_is_left_alone_but_for_probes() -> None:
    bench = Bench([FailureKind.CONNECTION] * 100)
    calls = 0
    for _ in range(40):
        with pytest.raises(ModelCallFailed):
            await bench.model.complete(PROMPT, TimeBudget(timeout_s=1000, wait_s=0.5))
        calls = len(bench.inner.prompts)
    assert calls <= FAILURES_TO_OPEN + 4
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, TimeBudget(timeout_s=1000, wait_s=0))
    assert caught.value.failure.kind is FailureKind.CIRCUIT_OPEN
    assert caught.value.failure.retry_after_s is not None


async def test_a_provider_that_comes_back_is_used_again() -> None:
    bench = Bench([FailureKind.CONNECTION] * FAILURES_TO_OPEN + ["hello"] * 3)
    while len(bench.inner.prompts) < FAILURES_TO_OPEN:
        with pytest.raises(ModelCallFailed):
            await bench.model.complete(PROMPT, PATIENT)
    for _ in range(3):
        assert (await bench.model.complete(PROMPT, PATIENT)).text == "hello"


async def test_a_wait_that_the_jitter_overdrew_still_takes_a_permit_that_is_free() -> None:
    bench = Bench(["hello"])
    for _ in range(FAILURES_TO_OPEN):
        await bench.admission.failed("lane")
    answer = await bench.model.complete(PROMPT, TimeBudget(timeout_s=1000, wait_s=OPEN_S[0]))
    assert answer.text == "hello"
    assert bench.slept[0] > OPEN_S[0]


async def test_the_deadline_ends_every_wait_inside() -> None:
    bench = Bench(["late"], latency_s=30)
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, TimeBudget(timeout_s=0.05, wait_s=0))
    assert caught.value.failure.kind is FailureKind.TIMEOUT


async def test_a_call_that_the_deadline_cut_off_stays_on_record() -> None:
    bench = Bench(["late"], latency_s=30)
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, TimeBudget(timeout_s=0.05, wait_s=0))
    assert [each.outcome for each in caught.value.attempts] == [FailureKind.TIMEOUT]


async def test_whatever_a_model_raises_is_a_failure_that_is_counted_and_tried_again() -> None:
    bench = Bench([])

    def broken(_: Prompt) -> Said:
        raise RecursionError("deep inside")

    bench.inner = ScriptedLanguageModel(otherwise=broken)
    bench.model = bench.over(bench.inner)
    with pytest.raises(ModelCallFailed, match="the log has the details") as caught:
        await bench.model.complete(PROMPT, PATIENT)
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE
    tries = FAILURE_POLICIES[FailureKind.BAD_RESPONSE].tries
    assert [each.outcome for each in caught.value.attempts] == [FailureKind.BAD_RESPONSE] * tries


async def test_the_time_that_is_left_reaches_the_call() -> None:
    bench = Bench([FailureKind.SERVER_ERROR, "hello"])
    await bench.model.complete(PROMPT, TimeBudget(timeout_s=100, wait_s=100))
    first, second = bench.inner.budgets
    assert first.timeout_s == pytest.approx(100, abs=0.1)
    assert second.timeout_s == pytest.approx(100 - sum(bench.slept), abs=0.1)


async def test_stated_limits_reach_the_pacer() -> None:
    bench = Bench(["a", "b", "c"])
    bench.stated.note(RateLimits(requests_per_minute=6, tokens_per_minute=None))
    for _ in range(3):
        await bench.model.complete(PROMPT, PATIENT)
    # The first call taught the limit, the second took the burst, and only the third waited.
    assert 5 < sum(bench.slept) < 12


async def test_no_more_calls_run_at_once_than_the_limit_says() -> None:
    most = 3
    peak = 0

    class Watched(ScriptedLanguageModel):
        async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
            nonlocal peak
            peak = max(peak, bench.limit.running)
            return await super().complete(prompt, budget)

    bench = Bench([], most=most)
    bench.model._inner = Watched(["x"] * 20, latency_s=0.001)
    await asyncio.gather(*(bench.model.complete(PROMPT, PATIENT) for _ in range(20)))
    assert peak == most


async def test_a_cancelled_caller_gives_its_slot_back() -> None:
    bench = Bench(["x"] * 10, most=1, latency_s=5)
    tasks = [asyncio.create_task(bench.model.complete(PROMPT, PATIENT)) for _ in range(4)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert bench.limit.running == 0


async def test_the_first_call_comes_back_before_others_go() -> None:
    limit = AdaptiveLimit(10, alone_first=True)
    others = []

    async def other() -> None:
        async with limit.slot():
            others.append(limit.running)

    async with limit.slot():
        waiting = [asyncio.create_task(other()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert others == []
    await asyncio.gather(*waiting)
    assert (len(others), limit.limit, limit.running) == (3, 8, 0)


async def test_a_provider_that_nothing_is_known_of_is_met_with_a_few_calls_first() -> None:
    limit = AdaptiveLimit(32)
    assert limit.limit == 8
    for _ in range(8):
        limit.speed_up()
    assert limit.limit == 32


async def test_pressure_cuts_the_concurrency_once_and_answers_raise_it() -> None:
    now = 0.0
    limit = AdaptiveLimit(10, now=lambda: now)
    for _ in range(2):
        limit.speed_up()
    assert limit.limit == 10
    for _ in range(5):
        limit.slow_down()
    assert limit.limit == 7
    now += 10
    limit.slow_down()
    assert limit.limit == 4
    for _ in range(20):
        limit.speed_up()
    assert limit.limit == 8, "slowly, after pressure"
    for _ in range(200):
        limit.speed_up()
    assert limit.limit == 10
    for _ in range(50):
        now += 10
        limit.slow_down()
    assert limit.limit == 1


@pytest.mark.parametrize("hint_s", [0, -5, 0.001, None])
async def test_what_refuses_everything_is_asked_ever_more_rarely(hint_s: float | None) -> None:
    told = ExtractionFailure(kind=FailureKind.RATE_LIMITED, detail="wait", retry_after_s=hint_s)
    bench = Bench([], most=64)
    bench.model._inner = inner = ScriptedLanguageModel(otherwise=lambda _: told)
    budget = TimeBudget(timeout_s=1000, wait_s=120)
    with pytest.raises(ModelCallFailed):
        await bench.model.complete(PROMPT, budget)
    assert len(inner.prompts) <= 10


async def test_who_waits_is_told_of_an_open_circuit_and_one_task_finds_out_when_it_may_close() -> (
    None
):
    bench = Bench([FailureKind.OVERLOADED] * (FAILURES_TO_OPEN + 2) + ["ready", "hello"])
    for _ in range(FAILURES_TO_OPEN // 4):
        with pytest.raises(ModelCallFailed):
            await bench.model.complete(PROMPT, SOMEBODY_WAITS)
    assert sum(bench.slept) <= 2 * 0.75
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, SOMEBODY_WAITS)
    assert caught.value.failure.kind is FailureKind.CIRCUIT_OPEN
    assert caught.value.failure.retry_after_s == pytest.approx(OPEN_S[0], abs=0.5)
    assert caught.value.attempts == ()
    while (await bench.admission.state("lane")).circuit_open:
        await asyncio.sleep(0)
    asked = [prompt is PROMPT for prompt in bench.inner.prompts]
    assert asked == [True] * FAILURES_TO_OPEN + [False] * 3
    assert (await bench.model.complete(PROMPT, SOMEBODY_WAITS)).text == "hello"
    assert (await bench.admission.state("lane")).probes == 3
    await bench.model.aclose()


async def test_a_defect_does_not_end_the_probing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adapters.llm.resilient")
    bench = Bench([FailureKind.OVERLOADED] * FAILURES_TO_OPEN)
    for _ in range(FAILURES_TO_OPEN // 4):
        with pytest.raises(ModelCallFailed):
            await bench.model.complete(PROMPT, SOMEBODY_WAITS)
    async with asyncio.timeout(120):
        while "probing lane: bad_response" not in caplog.text:  # the script is at its end
            await asyncio.sleep(0)
    bench.model._inner = ScriptedLanguageModel(["ready"])
    while (await bench.admission.state("lane")).circuit_open:
        await asyncio.sleep(0)
    await bench.model.aclose()


async def test_a_provider_that_comes_back_while_somebody_waits_answers_at_once() -> None:
    bench = Bench(["ready", "hello"])
    for _ in range(FAILURES_TO_OPEN):
        await bench.admission.failed("lane")
    bench.time += OPEN_S[0]

    async def sleep_a_while(seconds: float) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        await Bench.sleep(bench, seconds)

    bench.model._sleep = sleep_a_while
    assert (await bench.model.complete(PROMPT, SOMEBODY_WAITS)).text == "hello"
    await bench.model.aclose()


async def test_a_quota_that_is_used_up_is_told_without_a_call_until_it_is_worth_one() -> None:
    used_up = ExtractionFailure(
        kind=FailureKind.QUOTA_EXHAUSTED, detail="paid out", retry_after_s=1e12
    )
    bench = Bench([used_up, "hello", used_up, "hello"])
    for _ in range(3):
        with pytest.raises(ModelCallFailed) as caught:
            await bench.model.complete(PROMPT, SOMEBODY_WAITS)
        assert caught.value.failure.kind is FailureKind.QUOTA_EXHAUSTED
        assert caught.value.failure.retry_after_s == 86_400 - bench.time + 5000
    assert len(bench.inner.prompts) == 1
    # A document of a job still goes out: whoever resumed the job may have paid.
    assert (await bench.model.complete(PROMPT, PATIENT)).text == "hello"
    with pytest.raises(ModelCallFailed):
        await bench.model.complete(PROMPT, SOMEBODY_WAITS)
    bench.time += 86_400
    assert (await bench.model.complete(PROMPT, SOMEBODY_WAITS)).text == "hello"


async def test_who_waits_at_a_gate_that_somebody_opens_goes_on_within_seconds() -> None:
    told = ExtractionFailure(kind=FailureKind.RATE_LIMITED, detail="wait", retry_after_s=600)
    bench = Bench([told, "hello"])

    async def sleep_until_opened(seconds: float) -> None:
        await Bench.sleep(bench, seconds)
        if sum(bench.slept) >= 20:
            await bench.admission.reopen("lane")

    bench.model._sleep = sleep_until_opened
    assert (await bench.model.complete(PROMPT, PATIENT)).text == "hello"
    assert sum(bench.slept) < 30


async def test_who_waits_for_a_permit_far_behind_an_open_gate_keeps_the_permit() -> None:
    bench = Bench(["a", "b", "c", "d"])
    await bench.admission.learn("lane", RateLimits(requests_per_minute=2, tokens_per_minute=None))
    await bench.admission.limited("lane", hint_s=10)
    started = bench.time
    for _ in range(3):
        await bench.model.complete(PROMPT, PATIENT)
    assert bench.time - started == pytest.approx(10 + 2 * 60 / (2 * 0.98), abs=6)


async def test_a_call_that_takes_all_the_time_there_is_stays_on_record_and_counts() -> None:
    class Hanging(ScriptedLanguageModel):
        async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
            await asyncio.sleep(budget.timeout_s)
            raise ModelCallFailed(
                ExtractionFailure(kind=FailureKind.TIMEOUT, detail="late"),
                (self._attempt(FailureKind.TIMEOUT),),
            )

    bench = Bench([])
    bench.model._inner = Hanging()
    with pytest.raises(ModelCallFailed) as caught:
        await bench.model.complete(PROMPT, TimeBudget(timeout_s=0.3, wait_s=0))
    assert [attempt.outcome for attempt in caught.value.attempts] == [FailureKind.TIMEOUT]
    assert (await bench.admission.state("lane")).failures == 1
