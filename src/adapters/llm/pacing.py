"""When the next call to a provider may go out: rate limits, waits that it asked for, its outages.

A lane is what a provider limits as one: provider, model and key. Its state is a few numbers, and
two adapters hold the same rules over them: `LocalPacer` for one process, `ValkeyPacer` for all
processes that share a Valkey. A contract suite runs over both.

The rules: requests and tokens a minute are spaced by the generic cell rate algorithm, which needs
one number each and lets callers reserve their turn. A wait that the provider asks for shuts a gate
for everybody. Failures in a row open a circuit; a single probe at a time tests whether it may
close. Where a provider states no limit, the rate at which it let calls pass before it complained is
taken for its limit, and then raised little by little.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from adapters.llm.hints import Limits

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
BLIND_WAIT_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""How long the gate is shut for a rate limit without a hint, growing while they follow another."""
CUT: Final = 0.9
CUT_EVERY_S: Final = 1.0
RAISE: Final = 0.01
RAISE_EVERY_S: Final = 1.0
OBSERVED_S: Final = 10.0
"""An inferred limit is cut to this share of the rate seen in the latest seconds, at most once a
second, and grows by this share each second."""


class Obstacle(StrEnum):
    """Why a call has to wait."""

    RATE = "rate"
    CIRCUIT = "circuit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a call may go out.

    Attributes:
        wait_s: seconds until then.
        granted: the turn is reserved; else ask again after the wait.
        obstacle: why there is a wait.
    """

    wait_s: float
    granted: bool
    obstacle: Obstacle = Obstacle.RATE


class Pacer(Protocol):
    """Holds the state of lanes."""

    @abstractmethod
    async def turn(self, lane: str, *, tokens: int, patience_s: float) -> Turn:
        """Ask for a turn.

        Args:
            lane: which.
            tokens: what the call may use.
            patience_s: a turn further away is not reserved.
        """
        ...

    @abstractmethod
    async def shut_s(self, lane: str) -> float:
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
        """The provider asks to wait; returns for how long the gate is shut."""
        ...

    @abstractmethod
    async def failed(self, lane: str) -> None:
        """The provider failed in a way that counts against it."""
        ...

    @abstractmethod
    async def learn(self, lane: str, limits: Limits) -> None:
        """The provider states its limits."""
        ...


@dataclass(slots=True)
class _Lane:
    """Times are in seconds of the pacer's clock; rates a minute, 0 when not known."""

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


@dataclass(slots=True)
class LocalPacer(Pacer):
    """The lanes of one process.

    Attributes:
        now: a clock that never goes back, in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _lanes: dict[str, _Lane] = field(default_factory=dict)

    def _lane(self, lane: str) -> _Lane:
        return self._lanes.setdefault(lane, _Lane())

    async def turn(self, lane: str, *, tokens: int, patience_s: float) -> Turn:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        probing = False
        if state.open_until:
            wait = _closed_in(state, now)
            if wait > 0:
                return Turn(wait_s=wait, granted=False, obstacle=Obstacle.CIRCUIT)
            probing = True
        start = max(now, state.gate)
        if state.rpm:
            start = max(start, state.requests_at - BURST_S)
        if state.tpm:
            start = max(start, state.tokens_at - BURST_S)
        if start - now > patience_s:
            return Turn(wait_s=start - now, granted=False)
        if state.rpm:
            state.requests_at = max(state.requests_at, start) + 60 / state.rpm
        if state.tpm:
            state.tokens_at = max(state.tokens_at, start) + 60 * tokens / state.tpm
        if probing:
            state.probe_until = now + PROBE_S
        return Turn(wait_s=start - now, granted=True)

    async def shut_s(self, lane: str) -> float:
        """See the protocol."""
        return max(0.0, self._lane(lane).gate - self.now())

    async def answered(self, lane: str, *, unplanned_tokens: int) -> None:
        """See the protocol."""
        state, now = self._lane(lane), self.now()
        state.failures = state.opened = state.limited_in_a_row = 0
        state.open_until = state.probe_until = 0.0
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
        state.failures = state.opened = 0
        state.open_until = state.probe_until = 0.0
        wait = hint_s
        if wait is None:
            wait = BLIND_WAIT_S[min(state.limited_in_a_row, len(BLIND_WAIT_S) - 1)]
        if now >= state.gate:  # calls that were under way together count once
            state.limited_in_a_row += 1
            if not state.stated and now - state.cut_at >= CUT_EVERY_S:
                self._cut(state, now)
        state.gate = max(state.gate, now + wait)
        state.requests_at = max(state.requests_at, state.gate)
        return state.gate - now

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

    async def learn(self, lane: str, limits: Limits) -> None:
        """See the protocol."""
        state = self._lane(lane)
        state.stated = True
        state.rpm = (limits.requests_per_minute or 0) * SAFETY
        state.tpm = (limits.tokens_per_minute or 0) * SAFETY


def _closed_in(state: _Lane, now: float) -> float:
    """Seconds until an open circuit may let a probe out."""
    if state.open_until > now:
        return state.open_until - now
    return min(POLL_S, max(0.0, state.probe_until - now))
