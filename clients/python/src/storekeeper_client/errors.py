"""What goes wrong, as exceptions: one class for each kind that callers handle differently.

StorekeeperError
├── ConnectionFailed     no answer came
├── UnexpectedAnswer     an answer came that is none of this API
├── WaitTimedOut         what was waited for has not ended
├── WebhookRefused       a webhook that is not to be trusted
└── ProblemError         the service refused or failed (RFC 9457)
    ├── InvalidInput          400, 413, 414, 415, 422, 431: the request is wrong
    ├── Unauthorized          401: no key, or one that is not accepted
    ├── Forbidden             403: the key lacks the scope
    ├── NotFound              404
    ├── Conflict              409: the stored state forbids it
    ├── PreconditionFailed    412: the version is another
    ├── RateLimited           429: too much was asked for
    ├── Unavailable           502, 503, 504: try again later
    └── ServerFailed          500: a defect of the service
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

PROBLEM_TYPE: Final = "application/problem+json"
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone, as each answer has it."""

_SHOWN: Final = 200


class InvalidMember(msgspec.Struct, frozen=True, kw_only=True):
    """One bad place of a request: a JSON pointer into the body, or a parameter's name."""

    pointer: str
    detail: str


class ProviderState(msgspec.Struct, frozen=True, kw_only=True):
    """The provider of language models that is the reason; `until` is None where nobody knows."""

    name: str
    state: str
    until: Moment | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The problem document of a refusal or failure (RFC 9457).

    Attributes:
        type: `/problems/<code>`; `about:blank` where no document came.
        code: what programs should look at; empty where no document came.
        title: the code in words.
        status: the HTTP status.
        detail: what happened this time, for people.
        instance: the request's id, which the service's log has too; empty where none came.
        errors: every bad place of the request.
        provider: the provider of language models, where that is the reason.
    """

    type: str
    code: str
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[InvalidMember, ...] = ()
    provider: ProviderState | None = None


class StorekeeperError(Exception):
    """All that this package raises, but for the ValueError of an argument that cannot be sent."""


class ConnectionFailed(StorekeeperError):
    """No answer came.

    Attributes:
        sent: whether the request may have reached the service, and been carried out.
        temporary: whether another try may succeed; not where a certificate is refused.
    """

    def __init__(self, message: str, *, sent: bool, temporary: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.temporary = temporary


class UnexpectedAnswer(StorekeeperError):
    """The answer is none that this API gives: a redirect, a page of a proxy, another shape."""


class WaitTimedOut(StorekeeperError, TimeoutError):
    """What was waited for has not ended in the time given; it goes on nevertheless."""


class WebhookRefused(StorekeeperError):
    """A webhook that is not to be trusted: not signed with the secret, old, or no message."""


class ProblemError(StorekeeperError):
    """The service refused the request or failed.

    Attributes:
        problem: the document.
        retry_after_s: seconds to wait before a new try (`Retry-After`); None where none is said.
    """

    STATUSES: ClassVar[Sequence[int]] = ()

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(problem, retry_after_s)
        self.problem = problem
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """What happened, for programs, such as `email_taken`."""
        return self.problem.code

    @property
    def type(self) -> str:
        """The path of the page that explains the code."""
        return self.problem.type

    @property
    def detail(self) -> str:
        """What happened, for people."""
        return self.problem.detail

    @property
    def errors(self) -> tuple[InvalidMember, ...]:
        """Every bad place of the request."""
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """The request's id, under which the service's log tells more."""
        return self.problem.instance

    def __str__(self) -> str:
        problem = self.problem
        places = "".join(f"\n  {each.pointer or 'body'}: {each.detail}" for each in problem.errors)
        request = f" (request {problem.instance})" if problem.instance else ""
        return (
            f"{problem.status} {problem.code or problem.title}: {problem.detail}{request}{places}"
        )


class InvalidInput(ProblemError):
    """The request cannot be read, or is wrong; `errors` names each bad place."""

    STATUSES = (400, 413, 414, 415, 422, 431)


class Unauthorized(ProblemError):
    """No key or token came, or one that is not accepted."""

    STATUSES = (401,)


class Forbidden(ProblemError):
    """The key or token lacks the scope that `detail` names."""

    STATUSES = (403,)


class NotFound(ProblemError):
    """Nothing has this id or name."""

    STATUSES = (404,)


class Conflict(ProblemError):
    """The stored state forbids it: `email_taken`, `user_has_orders`, `schema_in_use`, ..."""

    STATUSES = (409,)


class PreconditionFailed(ProblemError):
    """The record is in another version than `if_match` says: get it again, then change that."""

    STATUSES = (412,)


class RateLimited(ProblemError):
    """Too much was asked for, or the model budget of the day is used up; see `retry_after_s`."""

    STATUSES = (429,)


class Unavailable(ProblemError):
    """The service, its database or a provider cannot answer now; see `retry_after_s`."""

    STATUSES = (502, 503, 504)


class ServerFailed(ProblemError):
    """The service has a defect; its log holds the cause under `request_id`."""

    STATUSES = (500,)


_CLASSES: Final = {
    status: kind for kind in ProblemError.__subclasses__() for status in kind.STATUSES
}
_DECODER: Final = msgspec.json.Decoder(Problem)


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> ProblemError:
    """The exception for an answer of 400 or more, whoever gave it.

    A page of a proxy, which is no problem document, becomes one without a code.
    """
    problem = None
    if is_problem(headers):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            problem = _DECODER.decode(body)
    if problem is None:
        begin = body[:_SHOWN].decode(errors="replace").strip()
        problem = Problem(
            type="about:blank",
            code="",
            title=HTTPStatus(status).phrase if status in set(HTTPStatus) else "",
            status=status,
            detail=f"No problem document came; the body begins with {begin!r}.",
            instance=headers.get("x-request-id", ""),
        )
    kind = _CLASSES.get(status, ServerFailed if status >= 500 else ProblemError)
    return kind(problem, seconds_of(headers.get("retry-after", "")))


def is_problem(headers: Mapping[str, str]) -> bool:
    """Whether the service itself refused or failed, not something before it."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == PROBLEM_TYPE


def seconds_of(retry_after: str) -> float | None:
    """The seconds that `Retry-After` asks for, from a number or a date; None for neither."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
