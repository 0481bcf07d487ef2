"""When a request is sent again, decided without sending or waiting."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from httpx2 import Response

from storekeeper_client.calls import Call
from storekeeper_client.errors import (
    ConnectionFailed,
    ProblemError,
    StorekeeperError,
    UnexpectedAnswer,
    error_of,
    is_problem,
)

_AWAY: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
_SHORTEST_TRY_S: Final = 1.0
"""A try that has less would fail for want of time, and hide why the one before it failed."""

_LOST_ANSWER: Final = (
    "The answer to an earlier try of this request was lost, so it may be this request itself that"
    " changed the record."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often a request is tried.

    Attributes:
        deadline_s: seconds for all tries and pauses together; a pause that would leave no time
            for another try is not begun.
        timeout_s: seconds that one try may wait for a connection or for bytes.
        first_pause_s: the longest pause before the second try; it doubles with each.
        longest_pause_s: the longest that it grows to. Pauses are drawn evenly from 0 on ("full
            jitter"), on top of what the service asked for (`Retry-After`).
    """

    deadline_s: float = 60.0
    timeout_s: float = 40.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 8.0

    def __post_init__(self) -> None:
        for name in ("deadline_s", "timeout_s", "first_pause_s", "longest_pause_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds, not {getattr(self, name)}.")


class Tries:
    """The tries of one call.

    Args:
        call: what is sent.
        policy: how often.
        now: seconds of a clock that only goes forward.
        draw: a number from 0 to 1.
    """

    def __init__(
        self,
        call: Call[Any],
        policy: RetryPolicy,
        now: Callable[[], float],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._call = call
        self._policy = policy
        self._now = now
        self._draw = draw
        self._ends_at = now() + policy.deadline_s
        self._shortest_try_s = min(_SHORTEST_TRY_S, policy.deadline_s / 10)
        self._pauses = 0
        self._lost_an_answer = False

    @property
    def timeout_s(self) -> float:
        """Seconds that the next try may wait for a connection or for bytes."""
        return min(self._policy.timeout_s, max(self._shortest_try_s, self._ends_at - self._now()))

    def pause_after(self, outcome: Response | ConnectionFailed) -> float | None:
        """Seconds until the next try; None where this was the last one."""
        wanted_s = self._wanted_s(outcome)
        if wanted_s is None:
            return None
        if isinstance(outcome, ConnectionFailed):
            self._lost_an_answer |= outcome.sent
        growing_s = self._policy.first_pause_s * 2**self._pauses
        pause_s = wanted_s + self._draw() * min(self._policy.longest_pause_s, growing_s)
        self._pauses = min(self._pauses + 1, 32)
        left_s = self._ends_at - self._now() - pause_s
        return pause_s if left_s > self._shortest_try_s else None

    def _wanted_s(self, outcome: Response | ConnectionFailed) -> float | None:
        """Seconds that the other side wants to be left alone; None where a try is no use."""
        if isinstance(outcome, ConnectionFailed):
            again = outcome.temporary and (self._call.is_repeatable or not outcome.sent)
            return 0.0 if again else None
        if is_settled(outcome, self._call):
            return None
        refusal = error_of(outcome.status_code, outcome.headers, outcome.content)
        return (refusal.retry_after_s or 0.0) if self._may_repeat(outcome, refusal) else None

    def _may_repeat(self, answer: Response, refusal: ProblemError) -> bool:
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return True  # nothing was done: it is refused before anything of it is read
        if not self._call.is_repeatable:
            return False
        if refusal.code == "request_in_progress":  # an earlier try of this very request
            return True
        if answer.status_code in _AWAY:  # of the service itself they mean that it tried for long
            return not is_problem(answer.headers)
        return answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE

    def settle(self, outcome: Response | ConnectionFailed) -> Response:
        """The answer, if it is one.

        Raises:
            ProblemError: a refusal or failure.
            ConnectionFailed: no answer came.
            UnexpectedAnswer: it leads elsewhere, where no key is sent.
        """
        if isinstance(outcome, ConnectionFailed):
            raise self._noted(outcome)
        if outcome.has_redirect_location and outcome.status_code not in self._call.expected:
            raise UnexpectedAnswer(
                f"The answer is {outcome.status_code} to {outcome.headers['location']!r}: is"
                " base_url that of the service?"
            )
        if is_settled(outcome, self._call):
            return outcome
        error = error_of(outcome.status_code, outcome.headers, outcome.content)
        if self._lost_an_answer and outcome.status_code in {
            HTTPStatus.NOT_FOUND,
            HTTPStatus.PRECONDITION_FAILED,
        }:
            error.add_note(_LOST_ANSWER)
        raise self._noted(error)

    def _noted(self, error: StorekeeperError) -> StorekeeperError:
        if self._call.note is not None:
            error.add_note(self._call.note)
        return error


def is_settled(answer: Response, call: Call[Any]) -> bool:
    """Whether it is what the call asks for, whatever it says; a redirect is settled too."""
    if answer.status_code in call.expected:
        return not is_problem(answer.headers)
    return answer.status_code < HTTPStatus.BAD_REQUEST
