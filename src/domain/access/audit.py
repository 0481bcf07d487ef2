"""Who did what: entries of the audit log, and on whose behalf the current work is done.

Each write of a request or a command leaves an entry, in the transaction that it is. Who acts is
said once, by the middleware or the command, for all that is done inside (`acting_as`); the adapters
that write ask for it (`acting`), so that no use case can forget to hand it on. What a worker does
by the clock, or for a job that was entered when it was made, is nobody's act and leaves none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from domain.access.model import ApiKeyId, Caller, CallerKind

AuditEntryId = NewType("AuditEntryId", int)


class AuditOutcome(StrEnum):
    """What became of an action."""

    BEGUN = "begun"
    """It has several transactions; another entry tells how it ended."""
    DONE = "done"
    PARTLY_DONE = "partly_done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """On whose behalf something is done.

    Attributes:
        kind, subject, key_id: see `Caller`.
        request_id: of the HTTP request; None of a command.
        address: from which the request came, as text; None of a command or when unknown.
    """

    kind: CallerKind
    subject: str
    key_id: ApiKeyId | None = None
    request_id: str | None = None
    address: str | None = None

    @classmethod
    def of(
        cls, caller: Caller, *, request_id: str | None = None, address: str | None = None
    ) -> Actor:
        """A caller as an actor."""
        return cls(
            kind=caller.kind,
            subject=caller.subject,
            key_id=caller.key_id,
            request_id=request_id,
            address=address,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One write, as it was entered.

    Attributes:
        id: 1 and up; later entries have higher ones.
        at: aware UTC.
        actor: who did it.
        action: what was done, such as `user.create`.
        resource: to what, as a path, such as `/users/12`.
        outcome: what became of it.
        changed: names of the members that were set, never their values.
    """

    id: AuditEntryId
    at: datetime
    actor: Actor
    action: str
    resource: str
    outcome: AuditOutcome
    changed: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries a list holds; None does not restrict.

    Attributes:
        since, until: entered at or after, and before; aware.
        key_id: by this key.
        action: this action, or all of a kind: `user` for `user.create` and the like.
    """

    since: datetime | None = None
    until: datetime | None = None
    key_id: ApiKeyId | None = None
    action: str | None = None


_ACTING: Final[ContextVar[Actor | None]] = ContextVar("acting", default=None)


def acting() -> Actor | None:
    """On whose behalf the current task works; None for nobody's."""
    return _ACTING.get()


def acting_key() -> ApiKeyId | None:
    """The key with which the current task was asked for; None if without one."""
    actor = acting()
    return None if actor is None else actor.key_id


@contextmanager
def acting_as(actor: Actor | None) -> Iterator[None]:
    """Work on behalf of `actor` inside the block."""
    token = _ACTING.set(actor)
    try:
        yield
    finally:
        _ACTING.reset(token)
