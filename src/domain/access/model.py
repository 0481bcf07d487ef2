"""Who makes a request or runs a command, and what they may do.

One shop, many programs and people: no row belongs to a key, and a key is limited by scopes,
networks, a rate and a model budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NewType

ApiKeyId = NewType("ApiKeyId", int)


class Scope(StrEnum):
    """A right; each route states the one that it needs."""

    RECORDS_READ = "records:read"
    RECORDS_WRITE = "records:write"
    EXTRACT = "extract"
    INSIGHTS_READ = "insights:read"
    INSIGHTS_WRITE = "insights:write"
    ADMIN = "admin"


_ALLOW: Final = {
    **{scope: frozenset((scope, Scope.ADMIN)) for scope in Scope},
    Scope.RECORDS_READ: frozenset((Scope.RECORDS_READ, Scope.RECORDS_WRITE, Scope.ADMIN)),
    Scope.INSIGHTS_READ: frozenset((Scope.INSIGHTS_READ, Scope.INSIGHTS_WRITE, Scope.ADMIN)),
}
"""By scope, those of which each allows what it stands for."""


class CallerKind(StrEnum):
    """How a caller proved who it is."""

    KEY = "key"
    TOKEN = "token"  # noqa: S105 (a kind, not a secret)
    LOCAL = "local"
    """From this machine, while no key has been made."""
    COMMAND = "command"
    """The command line: who can read its settings may do all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBudget:
    """What a key may spend on language models in a day of UTC; None for no limit.

    Attributes:
        usd: cost in US dollars, >= 0.
        tokens: tokens in and out, >= 0.
    """

    usd: Decimal | None = None
    tokens: int | None = None


NO_BUDGET: Final = ModelBudget()


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChanges:
    """What is to change of a budget.

    Attributes:
        members: names of those of `ModelBudget` that change.
        usd, tokens: as there; without meaning unless they are among `members`.
    """

    members: frozenset[str]
    usd: Decimal | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpending:
    """What the stored results of a key's calls cost on one day.

    Attributes:
        usd: US dollars by the price table.
        tokens: in and out.
        unpriced_calls: calls whose price is not known; they add no dollars.
    """

    usd: Decimal = Decimal(0)
    tokens: int = 0
    unpriced_calls: int = 0

    def __add__(self, other: KeySpending) -> KeySpending:
        return KeySpending(
            usd=self.usd + other.usd,
            tokens=self.tokens + other.tokens,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request or runs a command.

    Attributes:
        kind: how it proved who it is.
        subject: its name in the audit log: `key:12`, `token:<sub>`, `local`, `command:<account>`.
        name: for people, such as the name of the key.
        scopes: as given; `may` knows what they imply.
        key_id: of the key; None for another kind.
        requests_per_minute: a limit of its own; None for the one of the settings.
        budget: what it may spend on language models.
        expires_at: when its proof ends, aware UTC; None for never.
    """

    kind: CallerKind
    subject: str
    name: str
    scopes: frozenset[Scope]
    key_id: ApiKeyId | None = None
    requests_per_minute: int | None = None
    budget: ModelBudget = NO_BUDGET
    expires_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether `scope` is among its scopes, or implied by one of them.

        `admin` implies all, and writing implies reading.
        """
        return not _ALLOW[scope].isdisjoint(self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in that has not ended.

    Attributes:
        key_digest: of the key that was signed in with; the session is no longer good than it is.
        caller: who signed in with a token, which is not kept; None of a key.
        expires_at: aware UTC; at most 12 hours after the sign-in, and not after the end of key or
            token.
    """

    key_digest: bytes | None = None
    caller: Caller | None = None
    expires_at: datetime
