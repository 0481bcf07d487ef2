"""The one place where calls are paced, retried and given up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from adapters.llm.admission import (
    GLANCE_S,
    PROBE_S,
    ProviderAdmissionControl,
    ReportedRateLimits,
    WaitCause,
)
from adapters.llm.concurrency import AdaptiveLimit
from adapters.llm.failures import failure, unforeseen
from domain.extraction.calls import Attempt, ExtractionFailure, FailureKind, ModelCallFailed
from ports.language_models import Answer, LanguageModel, Message, ModelProfile, Prompt, TimeBudget

_log = logging.getLogger(__name__)

_MOST_TRIES: Final = 5
"""Calls that may fail in any mixture of ways before the last failure stands."""
_SHORTEST_WAIT_S: Final = 0.02
_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 20.0
_JITTER: Final = 0.1
_LONGEST_JITTER_S: Final = 2.0
_LOOK_S: Final = 5.0
"""How often who waits looks whether somebody opened the gate by hand."""
_SOONEST_S: Final = 1.0
"""The shortest wait that a caller is told."""
_MARGIN_S: Final = 0.05
"""A call ends so long before its budget, so that it is known how: reported, counted, on record."""
_OBSTACLES: Final = {
    WaitCause.RATE: FailureKind.RATE_LIMITED,
    WaitCause.CIRCUIT: FailureKind.CIRCUIT_OPEN,
    WaitCause.QUOTA: FailureKind.QUOTA_EXHAUSTED,
}

PROBE: Final = Prompt(
    messages=(
        Message(role="system", content="You answer in JSON."),
        Message(role="user", content='Say {"ready": true}.'),
    ),
    json_schema={
        "type": "object",
        "properties": {"ready": {"type": "boolean"}},
        "required": ["ready"],
        "additionalProperties": False,
    },
    schema_name="readiness",
    max_output_tokens=64,
    estimated_tokens=128,
)
"""The smallest real completion: a server may answer everything else and no completion."""


class ResilientLanguageModel(LanguageModel):
    """Another model, called when its lane allows and again when its failure is worth it.

    What follows from a failure is said by `FAILURE_POLICIES`, nowhere else. A rate
    limit charges no try: it waits at the gate that all share, as long as the budget allows.

    Where a budget leaves probes to others, one task asks a broken provider for the smallest
    completion whenever admission control lets a probe out, until one is answered; `aclose` ends it.

    Args:
        inner: makes one call, without retries of its own.
        lane: what the provider limits as one.
        admission: knows when a call may go out.
        limit: how many run at once in this process.
        stated: what the provider last said about its limits.
        now: a clock that never goes back, in seconds.
        sleep: waits so many seconds.
        chance: a number from 0 to 1, for jitter.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        lane: str,
        admission: ProviderAdmissionControl,
        limit: AdaptiveLimit,
        stated: ReportedRateLimits,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._lane = lane
        self._admission = admission
        self._limit = limit
        self._stated = stated
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._probing: asyncio.Task[None] | None = None

    @property
    def profile(self) -> ModelProfile:
        """See the port."""
        return self._inner.profile

    async def complete(self, prompt: Prompt, budget: TimeBudget) -> Answer:
        """See the port."""
        progress = _CallProgress(
            self._now() + budget.timeout_s, budget.wait_s, probes=budget.probes
        )
        try:
            # Above every wait inside: no slot, gate or socket can outlast the budget.
            async with asyncio.timeout(budget.timeout_s):
                while True:
                    answer = await self._once(prompt, progress)
                    if answer is not None:
                        return answer
        except TimeoutError as error:
            late = progress.last or self._failure(FailureKind.TIMEOUT)
            raise ModelCallFailed(late, tuple(progress.attempts)) from error

    async def aclose(self) -> None:
        """End the probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])

    def _probe_meanwhile(self) -> None:
        """Let one task find out when the provider is back, so that no caller has to."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while (state := await self._admission.state(self._lane)).circuit_open:
            due_s = max(state.circuit_s, state.gate_s, _SHORTEST_WAIT_S)
            await self._sleep(min(due_s, _LOOK_S))  # somebody may open it by hand
            try:
                await self.complete(PROBE, TimeBudget(timeout_s=PROBE_S - 1, wait_s=0))
            except ModelCallFailed as error:
                _log.info("probing %s: %s", self._lane, error.failure.kind)
                await self._sleep(GLANCE_S)

    async def _once(self, prompt: Prompt, progress: _CallProgress) -> Answer | None:
        """One call; None when it failed and another try is worth it.

        Raises:
            ModelCallFailed: no other try is worth it.
        """
        asked_at = self._now()
        async with self._limit.slot():
            await self._turn(prompt, progress)
            waited = self._now() - asked_at
            left = progress.deadline - self._now()
            left -= min(_MARGIN_S, left / 10)
            try:
                answer = await self._called(prompt, max(left, 0.001), progress)
            except ModelCallFailed as error:
                progress.note(error, waited)
                await self._learn()
                wait_s = await self._after(error.failure, prompt, progress)
            else:
                self._limit.speed_up()
                await self._learn()
                used = sum(attempt.usage.total_tokens for attempt in answer.attempts)
                unplanned = used - prompt.estimated_tokens if used else 0
                await self._admission.answered(self._lane, unplanned_tokens=unplanned)
                return replace(
                    answer, attempts=(*progress.attempts, *_waited(answer.attempts, waited))
                )
        await self._wait(wait_s, progress, progress.last)
        return None

    async def _called(self, prompt: Prompt, timeout_s: float, progress: _CallProgress) -> Answer:
        """One call, of which nothing is lost that may have been paid.

        Raises:
            ModelCallFailed: whatever was raised, with its attempt.
        """
        started = self._now()
        try:
            return await self._inner.complete(prompt, TimeBudget(timeout_s=timeout_s, wait_s=0))
        except ModelCallFailed:
            raise
        except asyncio.CancelledError:
            # The budget may have ended just before the call's own time: its caller hears of it.
            progress.attempts.append(self._attempt(FailureKind.TIMEOUT, self._now() - started))
            raise
        except Exception as error:
            failed = unforeseen(self.profile.provider, error)
            attempt = self._attempt(failed.kind, self._now() - started)
            raise ModelCallFailed(failed, (attempt,)) from error

    def _attempt(self, outcome: FailureKind, latency_s: float) -> Attempt:
        return Attempt(
            provider=self.profile.provider,
            model=self.profile.model,
            outcome=outcome,
            latency_s=latency_s,
        )

    async def _learn(self) -> None:
        news = self._stated.news()
        if news is not None:
            await self._admission.learn(self._lane, news)

    async def _turn(self, prompt: Prompt, progress: _CallProgress) -> None:
        """Wait until the lane lets this call out.

        Raises:
            ModelCallFailed: that is further away than the budget allows.
        """
        while True:
            turn = await self._admission.acquire(
                self._lane,
                tokens=prompt.estimated_tokens,
                max_wait_s=progress.max_wait_s,
                probes=progress.probes,
            )
            if turn.granted:
                if turn.wait_s <= 0 or await self._until_turn(turn.wait_s, progress):
                    return
                continue  # the gate moved meanwhile: queue again behind it
            if turn.obstacle is WaitCause.CIRCUIT and not progress.probes:
                self._probe_meanwhile()
            wait_s = max(turn.wait_s, _SHORTEST_WAIT_S)
            blocked = self._failure(
                _OBSTACLES[turn.obstacle], retry_after_s=max(wait_s, _SOONEST_S)
            )
            self._check(wait_s, progress, blocked)
            await self._rest(min(wait_s, _LOOK_S), progress)

    async def _until_turn(self, seconds: float, progress: _CallProgress) -> bool:
        """Wait for a reserved turn; False when it does not hold any more.

        Raises:
            ModelCallFailed: the budget does not allow it.
        """
        self._check(seconds, progress, progress.last)
        turn_at = self._now() + self._with_jitter(seconds)
        shut_until = self._now()
        if seconds > _LOOK_S:
            shut_until += await self._admission.closed_s(self._lane)
        while True:
            await self._rest(min(turn_at - self._now(), _LOOK_S), progress, jitter=False)
            closed_s = await self._admission.closed_s(self._lane)
            if turn_at <= self._now():
                return closed_s <= 0  # else somebody was told to wait meanwhile
            if closed_s <= 0 and shut_until - self._now() > _SOONEST_S:
                return False  # somebody opened it by hand

    async def _after(
        self, failed: ExtractionFailure, prompt: Prompt, progress: _CallProgress
    ) -> float:
        """Report a failure; returns the wait before the next try, in seconds.

        Raises:
            ModelCallFailed: there is no next try.
        """
        policy = failed.policy
        if policy.reduces_concurrency:
            self._limit.slow_down()
        if failed.kind is FailureKind.RATE_LIMITED:
            closed_s = await self._admission.limited(self._lane, hint_s=failed.retry_after_s)
            progress.last = replace(failed, retry_after_s=max(closed_s, failed.retry_after_s or 0))
            return 0.0  # the gate knows
        if policy.trips_breaker:
            await self._admission.failed(self._lane)
            if not progress.probes:
                self._probe_meanwhile()
        else:
            await self._admission.answered(self._lane, unplanned_tokens=-prompt.estimated_tokens)
        if failed.kind is FailureKind.QUOTA_EXHAUSTED:
            lasts_s = await self._admission.exhausted(self._lane, hint_s=failed.retry_after_s)
            failed = replace(failed, retry_after_s=lasts_s)
        progress.tries[failed.kind] += 1
        spent = progress.tries.total() >= _MOST_TRIES
        if spent or progress.tries[failed.kind] >= policy.tries:
            raise ModelCallFailed(failed, tuple(progress.attempts))
        backoff = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** (progress.tries.total() - 1))
        if not progress.probes:  # somebody waits for the answer: all tries fit into the patience
            backoff = min(backoff, progress.max_wait_s / 2)
        return max(failed.retry_after_s or 0.0, backoff * self._chance())

    def _check(
        self, seconds: float, progress: _CallProgress, because: ExtractionFailure | None
    ) -> None:
        """See that the budget allows a wait.

        Raises:
            ModelCallFailed: it does not.
        """
        if seconds > progress.max_wait_s or self._now() + seconds > progress.deadline:
            reason = because or self._failure(FailureKind.TIMEOUT)
            raise ModelCallFailed(reason, tuple(progress.attempts))

    async def _wait(
        self, seconds: float, progress: _CallProgress, because: ExtractionFailure | None
    ) -> None:
        """Wait before another try.

        Raises:
            ModelCallFailed: the budget does not allow it.
        """
        if seconds > 0:
            self._check(seconds, progress, because)
            await self._rest(seconds, progress)

    async def _rest(self, seconds: float, progress: _CallProgress, *, jitter: bool = True) -> None:
        before = self._now()
        await self._sleep(self._with_jitter(seconds) if jitter else seconds)
        # Never below 0: the jitter may overdraw it, and a turn that is free now needs no patience.
        progress.max_wait_s = max(0.0, progress.max_wait_s - (self._now() - before))

    def _with_jitter(self, seconds: float) -> float:
        """A little longer: whoever waits for the same should not come at once."""
        return seconds + min(_LONGEST_JITTER_S, seconds * _JITTER) * self._chance()

    def _failure(
        self, kind: FailureKind, *, retry_after_s: float | None = None
    ) -> ExtractionFailure:
        return failure(self._inner.profile.provider, kind, retry_after_s=retry_after_s)


class _CallProgress:
    """What happened to one prompt so far.

    Attributes:
        deadline: on the model's clock, in seconds.
        max_wait_s: what may still be waited, in seconds.
        probes: as in its budget.
        attempts: the calls made.
        tries: failures that count, by kind.
        last: the latest failure.
    """

    def __init__(self, deadline: float, max_wait_s: float, *, probes: bool) -> None:
        self.deadline = deadline
        self.max_wait_s = max_wait_s
        self.probes = probes
        self.attempts: list[Attempt] = []
        self.tries: Counter[FailureKind] = Counter()
        self.last: ExtractionFailure | None = None

    def note(self, error: ModelCallFailed, waited_s: float) -> None:
        """Remember a failed call."""
        self.attempts.extend(_waited(error.attempts, waited_s))
        self.last = error.failure


def _waited(attempts: tuple[Attempt, ...], seconds: float) -> tuple[Attempt, ...]:
    return tuple(replace(attempt, wait_s=attempt.wait_s + seconds) for attempt in attempts)
