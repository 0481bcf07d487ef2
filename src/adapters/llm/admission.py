"""When the next call to a provider may go out: rate limits, waits that it asked for, its outages.

A lane is what a provider limits as one: provider, model and key. Its state is a few numbers, and
two adapters hold the same rules over them: `LocalAdmissionControl` for one process,
`ValkeyAdmissionControl` for all processes that share a Valkey. A contract suite runs over both.

The rules: requests and tokens a minute are spaced by the generic cell rate algorithm, which needs
one number each and lets callers reserve their turn. A wait that the provider asks for shuts a gate
for everybody. Where it refuses and names no wait worth the name, the gate is shut for ever longer,
and behind it one call at a time tries until one is answered. Failures in a row open a circuit; a
single probe at a time tests whether it may close. A quota that is used up is remembered. Where a
provider states no limit, the rate at which it let calls pass before it complained is taken for its
limit, and then raised little by little.
"""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from ports.language_models import GateState

SHORTEST_HINT_S: Final = 0.5
"""A shorter wait that a provider names (0, one in the past) says nothing: who obeyed it would send
hundreds of calls a second into the same refusal."""
LONGEST_HINT_S: Final = 3_600.0
"""A longer wait is taken for this one: a slip of the provider's must not shut it for a year."""
LONGEST_QUOTA_HINT_S: Final = 86_400.0
"""The same for a quota, which may be one of a day."""


def bounded_hint_s(hint_s: float | None, *, most_s: float = LONGEST_HINT_S) -> float | None:
    """The wait that a hint stands for, in seconds; None when it stands for none."""
    if hint_s is None or not hint_s >= SHORTEST_HINT_S:  # not so for NaN either
        return None
    return min(hint_s, most_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What a provider allows.

    Attributes:
        requests_per_minute: calls; None when it does not say.
        tokens_per_minute: input and output together; None when it does not say.
    """

    requests_per_minute: int | None
    tokens_per_minute: int | None


class ReportedRateLimits:
    """What a provider last said, and whether anybody has heard it."""

    def __init__(self) -> None:
        self._latest: RateLimits | None = None
        self._heard: RateLimits | None = None

    def note(self, limits: RateLimits | None) -> None:
        """The provider said this; None when it said nothing."""
        if limits is not None:
            self._latest = limits

    def news(self) -> RateLimits | None:
        """What was said since the last call of this; None when nothing new."""
        if self._latest == self._heard:
            return None
        self._heard = self._latest
        return self._latest


def limits_from_headers(headers: Mapping[str, str]) -> RateLimits | None:
    """OpenAI's `x-ratelimit-limit-*` headers; None when there are none that can be read."""
    requests = whole(headers.get("x-ratelimit-limit-requests", ""))
    tokens = whole(headers.get("x-ratelimit-limit-tokens", ""))
    if requests is None and tokens is None:
        return None
    return RateLimits(requests_per_minute=requests, tokens_per_minute=tokens)


def whole(written: str) -> int | None:
    """A number of 1..999,999,999,999 in plain digits; None for anything else."""
    return (int(written) or None) if re.fullmatch("[0-9]{1,12}", written) else None


SAFETY: Final = 0.98
"""Share of a limit that is used: clocks and network delays differ."""
BURST_S: Final = 0.5
"""How much of the rate may go out at once."""
FAILURES_TO_OPEN: Final = 8
"""Failures in a row that open the circuit."""
OPEN_S: Final = (2.0, 4.0, 8.0, 16.0, 30.0)
"""How long it stays open, each time it has to open again."""
PROBE_S: Final = 15.0
"""A probe that has not come back by then (its caller may be gone) lets another one out."""
POLL_S: Final = 1.0
"""How long others wait for the outcome of a probe before they ask again."""
GLANCE_S: Final = 0.25
"""The same where the outcome may be there in no time."""
BLIND_WAIT_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""How long the gate is shut for a rate limit without a hint, growing while they follow another."""
BLIND_QUOTA_S: Final = 60.0
"""How long a quota counts as used up when the provider does not say."""
CUT: Final = 0.9
CUT_EVERY_S: Final = 1.0
RAISE: Final = 0.01
RAISE_EVERY_S: Final = 1.0
OBSERVED_S: Final = 10.0
"""An inferred limit is cut to this share of the rate seen in the latest seconds, at most once a
second, and grows by this share each second."""


class WaitCause(StrEnum):
    """Why a call has to wait."""

    RATE = "rate"
    CIRCUIT = "circuit"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """When a call may go out.

    Attributes:
        wait_s: seconds until then.
        granted: the turn is reserved; else ask again after the wait.
        obstacle: why there is a wait.
    """

    wait_s: float
    granted: bool
    obstacle: WaitCause = WaitCause.RATE


class ProviderAdmissionControl(Protocol):
    """Decides when a call may go out: holds rates, gates, quotas and circuits of lanes."""

    @abstractmethod
    async def acquire(
        self, lane: str, *, tokens: int, max_wait_s: float, probes: bool = True
    ) -> Permit:
        """Ask for a turn.

        Args:
            lane: which.
            tokens: what the call may use.
            max_wait_s: a turn further away is not reserved.
            probes: the call may find out whether a circuit can be closed, and goes out whatever is
                known of the quota.
        """
        ...

    @abstractmethod
    async def closed_s(self, lane: str) -> float:
        """How long the gate is still shut: a reserved turn gives way to it."""
        ...

    @abstractmethod
    async def answered(self, lane: str, *, unplanned_tokens: int) -> None:
        """An answer came; it took `unplanned_tokens` more (or, below 0, less) than was asked.

        A refusal that says nothing about the provider's health is an answer too.
        """
        ...

    @abstractmethod
    async def limited(self, lane: str, *, hint_s: float | None) -> float:
        """The provider asks to wait; returns for how long the gate is shut.

        A hint below half a second counts as none, and one beyond an hour as an hour.
        """
        ...

    @abstractmethod
    async def exhausted(self, lane: str, *, hint_s: float | None) -> float:
        """The quota is used up; returns for how long that is taken to last, at most a day."""
        ...

    @abstractmethod
    async def failed(self, lane: str) -> None:
        """The provider failed in a way that counts against it."""
        ...

    @abstractmethod
    async def learn(self, lane: str, limits: RateLimits) -> None:
        """The provider states its limits."""
        ...

    @abstractmethod
    async def state(self, lane: str) -> GateState:
        """How it stands."""
        ...

    @abstractmethod
    async def reopen(self, lane: str) -> None:
        """Forget everything that holds calls back but the limits that the provider stated."""
        ...


@dataclass(slots=True)
class _Lane:
    """Times are in seconds of the clock of admission control; rates a minute, 0 when not known."""

    gate: float = 0.0
    rpm: float = 0.0
    tpm: float = 0.0
    stated: bool = False
    requests_at: float = 0.0
    tokens_at: float = 0.0
    limited_in_a_row: int = 0
    cut_at: float = float("-inf")
    raised_at: float = 0.0
    window_at: float = 0.0
    window_passed: int = 0
    failures: int = 0
    opened: int = 0
    open_until: float = 0.0
    probe_until: float = 0.0
    on_trial: bool = False
    quota_until: float = 0.0
    probes: int = 0

    def probe_s(self, now: float) -> float:
        """How long others wait for a probe that is out."""
        return min(POLL_S, max(0.0, self.probe_until - now))

    def circuit_s(self, now: float) -> float:
        """How long until an open circuit lets a probe out."""
        return max(self.open_until - now, self.probe_s(now)) if self.open_until else 0.0

    def obstacle(self, now: float, *, probes: bool) -> Permit | None:
        """What is in the way besides gate and rates; None when nothing is."""
        if self.quota_until and not probes:
            wait = max(self.quota_until - now, self.probe_s(now))
            if wait > 0:
                return Permit(wait_s=wait, granted=False, obstacle=WaitCause.QUOTA)
        if self.open_until:
            wait = self.open_until - now
            if wait <= 0:
                wait = self.probe_s(now) if probes else GLANCE_S
            if wait > 0:
                return Permit(wait_s=wait, granted=False, obstacle=WaitCause.CIRCUIT)
        if self.on_trial and self.probe_until > now:
            wait = max(self.gate - now, min(GLANCE_S, self.probe_until - now))
            return Permit(wait_s=wait, granted=False)
        return None

    def heal(self) -> None:
        """It answered: not broken, and no probe is out."""
        self.failures = self.opened = 0
        self.open_until = self.probe_until = 0.0


@dataclass(slots=True)
class LocalAdmissionControl(ProviderAdmissionControl):
    """The lanes of one process.

    Attributes:
        now: a clock that never goes back, in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _lanes: dict[str, _Lane] = field(default_factory=dict)

    def _lane(self, lane: str) -> _Lane:
        return self._lanes.setdefault(lane, _Lane())

    async def acquire(
        self, lane: str, *, tokens: int, max_wait_s: float, probes: bool = True
    ) -> Permit:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        obstacle = state.obstacle(now, probes=probes)
        if obstacle is not None:
            return obstacle
        start = max(now, state.gate)
        if state.rpm:
            start = max(start, state.requests_at - BURST_S)
        if state.tpm:
            start = max(start, state.tokens_at - BURST_S)
        if start - now > max_wait_s:
            return Permit(wait_s=start - now, granted=False)
        if state.rpm:
            state.requests_at = max(state.requests_at, start) + 60 / state.rpm
        if state.tpm:
            state.tokens_at = max(state.tokens_at, start) + 60 * tokens / state.tpm
        if state.open_until or state.on_trial or (state.quota_until and not probes):
            state.probe_until = start + PROBE_S
            state.probes += 1
        return Permit(wait_s=start - now, granted=True)

    async def closed_s(self, lane: str) -> float:
        """See the protocol."""
        return max(0.0, self._lane(lane).gate - self.now())

    async def answered(self, lane: str, *, unplanned_tokens: int) -> None:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        state.heal()
        state.limited_in_a_row = 0
        state.on_trial = False
        state.quota_until = 0.0
        if state.tpm:
            state.tokens_at += 60 * unplanned_tokens / state.tpm
        if state.stated:
            return
        if now - state.window_at > OBSERVED_S:
            state.window_at, state.window_passed = now, 0
        state.window_passed += 1
        if state.rpm and now - max(state.cut_at, state.raised_at) >= RAISE_EVERY_S:
            state.raised_at = now
            state.rpm += max(1.0, state.rpm * RAISE)

    async def limited(self, lane: str, *, hint_s: float | None) -> float:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        # Calls that were under way together count once: those that come back while the gate is
        # shut, and those that come back later than that, while the one that tries is not out yet.
        counts = now >= state.gate and (not state.on_trial or state.probe_until > now)
        state.heal()
        if counts:
            state.limited_in_a_row += 1
            if not state.stated and now - state.cut_at >= CUT_EVERY_S:
                self._cut(state, now)
        wait = bounded_hint_s(hint_s)
        state.on_trial = wait is None and (counts or state.on_trial)
        if wait is None:
            wait = BLIND_WAIT_S[min(max(state.limited_in_a_row, 1), len(BLIND_WAIT_S)) - 1]
        state.gate = max(state.gate, now + wait)
        state.requests_at = max(state.requests_at, state.gate)
        return state.gate - now

    async def exhausted(self, lane: str, *, hint_s: float | None) -> float:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        state.heal()
        wait = bounded_hint_s(hint_s, most_s=LONGEST_QUOTA_HINT_S) or BLIND_QUOTA_S
        state.quota_until = now + wait
        return wait

    def _cut(self, state: _Lane, now: float) -> None:
        """Take the rate at which calls passed for the limit."""
        seen = now - state.window_at
        if seen >= 1 and state.window_passed:
            rate = 60 * state.window_passed / seen
            state.rpm = max(1.0, min(rate, state.rpm or rate) * CUT)
        elif state.rpm:
            state.rpm = max(1.0, state.rpm * CUT)
        state.cut_at = now

    async def failed(self, lane: str) -> None:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        state.failures += 1
        probe_failed = bool(state.open_until) and now >= state.open_until
        if state.failures == FAILURES_TO_OPEN or probe_failed:
            state.open_until = now + OPEN_S[min(state.opened, len(OPEN_S) - 1)]
            state.opened += 1
            state.probe_until = 0.0
        elif not state.open_until:
            state.probe_until = 0.0

    async def learn(self, lane: str, limits: RateLimits) -> None:
        """See the protocol."""
        state = self._lane(lane)
        state.stated = True
        state.rpm = (limits.requests_per_minute or 0) * SAFETY
        state.tpm = (limits.tokens_per_minute or 0) * SAFETY

    async def state(self, lane: str) -> GateState:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        return GateState(
            gate_s=max(0.0, state.gate - now),
            hinted=not state.on_trial,
            refusals=state.limited_in_a_row,
            circuit_open=bool(state.open_until),
            circuit_s=state.circuit_s(now),
            failures=state.failures,
            quota_s=max(0.0, state.quota_until - now),
            probes=state.probes,
        )

    async def reopen(self, lane: str) -> None:
        """See the protocol."""
        old = self._lane(lane)
        new = _Lane(probes=old.probes)
        if old.stated:
            new.rpm, new.tpm, new.stated = old.rpm, old.tpm, True
        self._lanes[lane] = new
