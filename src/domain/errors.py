"""Every error that may cross a port or leave a use case.

AppError
├── InvalidInput                a value that cannot be held (violations name each place)
│   ├── UnknownUser                 an order names a user that does not exist
│   ├── IdempotencyKeyReused        the same key came with another request
│   └── ModelRefusedText            a language model refused the text on content grounds
├── NotAuthenticated            no key or token, or one that is not accepted
├── ScopeMissing                the caller may not do this (carries the scope that it lacks)
├── LimitReached                too many requests, or a budget is used up (carries retry_after_s)
│   └── ModelBudgetUsedUp           a key has spent what it may on language models today
├── NotFound                    the named thing does not exist
├── Conflict                    right in itself, but not against the stored state
│   ├── EmailTaken                  another user has this mailbox, however spelt
│   ├── UserHasOrders               a user cannot go while orders refer to it
│   ├── SchemaInUse                 an extraction schema cannot go or change while results name it
│   └── RequestInProgress           a request with the same idempotency key is still running
├── PreconditionFailed          not in the state that the request asks for
└── DependencyError             an outside system failed; the caller did nothing wrong
    ├── Unavailable                 try again later (carries retry_after_s)
    │   ├── DatabaseUnavailable         down, restarting, refusing connections
    │   ├── DatabaseBusy                no free connection in time
    │   ├── WriteConflict               changes to the same rows undid this one: do it all again
    │   ├── DatabaseReadOnly            up, but takes no writes
    │   ├── DatabaseUnfit               up, but its tables or rights are not as this version needs
    │   ├── QueueUnavailable            the job queue does not answer
    │   ├── JwksUnavailable             the keys that tokens are checked with cannot be had
    │   ├── ProviderUnavailable         a language model provider is down, overloaded or times out
    │   ├── ProviderRateLimited         a provider asks to wait
    │   ├── ProviderQuotaExhausted      a provider's quota or credit is used up
    │   └── ProviderMisconfigured       a provider refuses key, model name or request shape
    ├── StatementTimedOut           the database gave up on a statement
    ├── BadAnswer                   a provider answered, and the answer is unusable
    └── ChartFailed                 a chart could not be drawn

No HTTP here: `entrypoints/http/protocol/problems.py` owns the table of statuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One bad member of an input.

    Attributes:
        pointer: where, as a JSON pointer into the input (RFC 6901), such as `/email`; a query
            parameter stands as its name alone, such as `limit`.
        detail: what is wrong and what is allowed, in a sentence for the caller.
    """

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """How a language model provider stands that could not be asked.

    Attributes:
        name: as in LLM_PROVIDER.
        state: the kind of its failure, such as `circuit_open`.
        until: when it is worth asking again, aware UTC; None when unknown.
    """

    name: str
    state: str
    until: datetime | None


class AppError(Exception):
    """Base of all errors that this application raises on purpose."""

    code: str = "internal"


class InvalidInput(AppError):
    """A value that cannot be held; `violations` names every bad place, in input order."""

    code = "validation_failed"

    def __init__(self, message: str, *, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)

    @classmethod
    def of(cls, violations: Sequence[Violation]) -> InvalidInput:
        """One error for all `violations` (at least one)."""
        count = len(violations)
        noun = "1 field is invalid" if count == 1 else f"{count} fields are invalid"
        return cls(f"{noun}.", violations=violations)


class UnknownUser(InvalidInput):
    """An order names a user that does not exist."""

    code = "unknown_user"


class IdempotencyKeyReused(InvalidInput):
    """The same idempotency key came with another request."""

    code = "idempotency_key_reused"


class ModelRefusedText(InvalidInput):
    """A language model refused the text on content grounds."""

    code = "text_refused"


class NotAuthenticated(AppError):
    """The request proves no caller: no key or token, or one that is not accepted.

    Args:
        message: what is wrong, for the caller.
        reason: why, for the log alone: a short code such as `unknown_key`, no part of a secret.
    """

    code = "not_authenticated"

    def __init__(self, message: str, *, reason: str = "refused") -> None:
        super().__init__(message)
        self.reason = reason


class ScopeMissing(AppError):
    """The caller is known, and may not do this.

    Args:
        message: what it may not do.
        scope: the scope that it lacks, such as `records:write`; empty when none would help.
    """

    code = "scope_missing"

    def __init__(self, message: str, *, scope: str = "") -> None:
        super().__init__(message)
        self.scope = scope


class LimitReached(AppError):
    """The caller has used up what it may have for now.

    Args:
        message: what is used up.
        retry_after_s: when there is some again, in seconds (> 0); None when unknown.
    """

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelBudgetUsedUp(LimitReached):
    """The key has spent what it may on language models today."""

    code = "model_budget_used_up"


class NotFound(AppError):
    """The named thing does not exist."""

    code = "not_found"


class Conflict(AppError):
    """Right in itself, but not against the stored state."""

    code = "conflict"


class EmailTaken(Conflict):
    """Another user has this mailbox, however its address is spelt."""

    code = "email_taken"


class UserHasOrders(Conflict):
    """A user cannot be deleted while orders refer to it."""

    code = "user_has_orders"


class SchemaInUse(Conflict):
    """An extraction schema cannot be deleted or changed while results name it."""

    code = "schema_in_use"


class RequestInProgress(Conflict):
    """A request with the same idempotency key is still running."""

    code = "request_in_progress"


class PreconditionFailed(AppError):
    """The resource is not in the state that the request asks for."""

    code = "version_mismatch"


class DependencyError(AppError):
    """An outside system failed; the caller did nothing wrong."""

    code = "dependency_failed"


class Unavailable(DependencyError):
    """Try again later.

    Args:
        message: what is unavailable, in words that leak nothing of the inside.
        retry_after_s: when a new try makes sense, in seconds (>= 0); None when unknown.

    Attributes:
        provider: the language model provider that it is about; None where it is about none.
    """

    code = "unavailable"
    provider: ProviderState | None = None

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DatabaseUnavailable(Unavailable):
    """The database is down, restarting or refuses connections."""

    code = "database_unavailable"


class DatabaseBusy(Unavailable):
    """No database connection was free in time."""

    code = "database_busy"


class WriteConflict(Unavailable):
    """The database undid a transaction over others on the same rows: do it all again."""

    code = "changes_collided"


class DatabaseReadOnly(Unavailable):
    """The database is up, but takes no writes."""

    code = "database_read_only"


class DatabaseUnfit(Unavailable):
    """The database lacks a table, column or right that this version needs: somebody has to act."""

    code = "database_unfit"


class QueueUnavailable(Unavailable):
    """The job queue does not answer."""

    code = "queue_unavailable"


class JwksUnavailable(Unavailable):
    """The keys of the identity provider, with which tokens are checked, cannot be had."""

    code = "jwks_unavailable"


class ProviderUnavailable(Unavailable):
    """A language model provider is down, overloaded or does not answer in time."""

    code = "provider_unavailable"


class ProviderRateLimited(Unavailable):
    """A language model provider asks to wait."""

    code = "provider_rate_limited"


class ProviderQuotaExhausted(Unavailable):
    """A language model provider's quota or credit is used up; waiting a little will not help."""

    code = "provider_quota_exhausted"


class ProviderMisconfigured(Unavailable):
    """A provider refuses the key, the model name or the shape of the request."""

    code = "provider_misconfigured"


class StatementTimedOut(DependencyError):
    """The database gave up on a statement."""

    code = "database_timeout"


class BadAnswer(DependencyError):
    """A provider answered, and the answer is unusable."""

    code = "bad_answer"


class ChartFailed(DependencyError):
    """A chart could not be drawn; its figures are not touched by that."""

    code = "chart_failed"
