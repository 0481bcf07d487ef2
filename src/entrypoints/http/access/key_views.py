"""Keys and entries of the audit log as the API shows them; commands show the same with `--json`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.access.audit import AuditEntry, AuditOutcome
from domain.access.keys import (
    MAX_NAME_LENGTH,
    MAX_NETWORKS,
    MAX_REQUESTS_PER_MINUTE,
    MAX_TOKENS,
    MAX_USD,
    ApiKey,
    KeyEnvironment,
    KeyState,
)
from domain.access.model import BudgetChanges, CallerKind, KeySpending, ModelBudget, Scope
from domain.access.service import DEFAULT_OVERLAP, MAX_OVERLAP, IssuedKey
from entrypoints.http.protocol.answers import Id, Instant, Moment, shown

_OVERLAP_S = round(DEFAULT_OVERLAP.total_seconds())


class BudgetBody(Struct, forbid_unknown_fields=True):
    """What a key may spend on language models in a day of UTC; null for no limit."""

    usd: Annotated[float, Meta(ge=0, le=MAX_USD)] | None = None
    tokens: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None = None

    def budget(self) -> ModelBudget:
        """As the domain has it."""
        usd = None if self.usd is None else round(Decimal(str(self.usd)), 9)
        return ModelBudget(usd=usd, tokens=self.tokens)


class NewKey(Struct, forbid_unknown_fields=True):
    """A key to make."""

    EXAMPLE: ClassVar = {
        "name": "till 3",
        "scopes": ["records:write", "extract"],
        "networks": ["10.0.0.0/8"],
        "budget": {"usd": 2.5, "tokens": None},
    }

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
    scopes: Annotated[list[Scope], Meta(min_length=1, description="`admin` has all")]
    environment: Annotated[
        KeyEnvironment, Meta(description="What it is for, to be read in the key; changes no right")
    ] = KeyEnvironment.LIVE
    networks: Annotated[
        list[str],
        Meta(
            max_length=MAX_NETWORKS,
            description="Accepted only from these addresses and networks (CIDR); none for all",
        ),
    ] = []
    requests_per_minute: Annotated[int, Meta(ge=1, le=MAX_REQUESTS_PER_MINUTE)] | None = None
    budget: BudgetBody | UnsetType = UNSET
    expires_at: (
        Annotated[Moment, Meta(description="At most a year from now; null for never")]
        | UnsetType
        | None
    ) = UNSET  # 90 days


class KeyView(Struct):
    """A key, without its secret."""

    EXAMPLE: ClassVar = {
        "id": 12,
        "name": "till 3",
        "environment": "live",
        "hint": "x9Qa",
        "state": "active",
        "scopes": ["extract", "records:write"],
        "networks": ["10.0.0.0/8"],
        "requests_per_minute": None,
        "budget": {"usd": 2.5, "tokens": None},
        "created_by": "command:ann",
        "created_at": "2026-11-22T09:30:00Z",
        "expires_at": "2027-02-20T09:30:00Z",
        "last_used_at": None,
        "revoked_at": None,
        "replaced_by": None,
    }

    id: Id
    name: str
    environment: KeyEnvironment
    hint: Annotated[str, Meta(description="The last 4 characters of the key")]
    state: KeyState
    scopes: list[Scope]
    networks: list[str]
    requests_per_minute: int | None
    budget: BudgetBody
    created_by: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Annotated[datetime, Meta(tz=True, description="To the minute")] | None
    revoked_at: Instant | None
    replaced_by: Id | None


class SpendingView(Struct):
    """What a key spent on language models on a day of UTC."""

    usd: float
    tokens: Annotated[int, Meta(description="In and out")]
    unpriced_calls: Annotated[int, Meta(description="Whose price is not known: not in `usd`")]


class KeyDetailView(KeyView, kw_only=True):
    """A key, with what it spent today."""

    EXAMPLE: ClassVar = {
        **KeyView.EXAMPLE,
        "spent_today": {"usd": 1.204, "tokens": 431_200, "unpriced_calls": 0},
    }

    spent_today: Annotated[
        SpendingView,
        Meta(description="By it, those that it replaced and those that replaced it"),
    ]


class BudgetPatch(Struct, forbid_unknown_fields=True):
    """The limits to change; null for none."""

    usd: Annotated[float, Meta(ge=0, le=MAX_USD)] | UnsetType | None = UNSET
    tokens: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | UnsetType | None = UNSET


class KeyPatch(Struct, forbid_unknown_fields=True):
    """The fields to change."""

    EXAMPLE: ClassVar = {"budget": {"usd": 5.0}}

    budget: (
        Annotated[BudgetPatch, Meta(description="null for no limit at all")] | UnsetType | None
    ) = UNSET

    def changes(self) -> BudgetChanges:
        """As the domain has them."""
        if self.budget is UNSET:
            return BudgetChanges(members=frozenset())
        given = BudgetPatch(usd=None, tokens=None) if self.budget is None else self.budget
        members = {name for name in ("usd", "tokens") if getattr(given, name) is not UNSET}
        usd, tokens = given.usd, given.tokens
        return BudgetChanges(
            members=frozenset(members),
            usd=None if usd is UNSET or usd is None else round(Decimal(str(usd)), 9),
            tokens=None if tokens is UNSET else tokens,
        )


class IssuedKeyView(KeyView, kw_only=True):
    """A new key with its secret, which no other answer holds."""

    EXAMPLE: ClassVar = {
        **KeyView.EXAMPLE,
        "key": "stk_live_ExampleExampleExampleExampleExampleExampl3PCaoa",
    }

    key: Annotated[str, Meta(description="Keep it: it is not shown again")]


class Rotation(Struct, forbid_unknown_fields=True):
    """How a key is replaced."""

    EXAMPLE: ClassVar = {"overlap_s": _OVERLAP_S}

    overlap_s: Annotated[
        int,
        Meta(
            ge=0,
            le=round(MAX_OVERLAP.total_seconds()),
            description="How long the old key is accepted beside the new one, in seconds",
        ),
    ] = _OVERLAP_S


class AuditEntryView(Struct):
    """Who did what."""

    EXAMPLE: ClassVar = {
        "id": 4711,
        "at": "2026-11-22T09:30:00Z",
        "actor": "key",
        "subject": "key:12",
        "key_id": 12,
        "action": "user.create",
        "resource": "/users/7",
        "outcome": "done",
        "changed": ["name", "email"],
        "request_id": "3f2b8c1d9e0a4b7c8d6e5f4a3b2c1d0e",
        "address": "203.0.113.7",
    }

    id: int
    at: Instant
    actor: CallerKind
    subject: str
    key_id: int | None
    action: str
    resource: str
    outcome: AuditOutcome
    changed: Annotated[list[str], Meta(description="Names of fields, never their values")]
    request_id: str | None
    address: str | None


def key_view(key: ApiKey, now: datetime) -> KeyView:
    """A key as it stands at `now`."""
    return shown(KeyView, key, **_told(key, now))


def key_detail_view(key: ApiKey, spent: KeySpending, now: datetime) -> KeyDetailView:
    """A key as it stands at `now`, with what it spent today."""
    spending = shown(SpendingView, spent, usd=float(spent.usd))
    return shown(KeyDetailView, key, spent_today=spending, **_told(key, now))


def issued_key_view(issued: IssuedKey, now: datetime) -> IssuedKeyView:
    """A new key with its secret."""
    return shown(IssuedKeyView, issued.key, key=issued.secret, **_told(issued.key, now))


def _told(key: ApiKey, now: datetime) -> dict[str, object]:
    """What a key has otherwise."""
    usd = key.budget.usd
    return {
        "state": key.state(now),
        "scopes": sorted(key.scopes),
        "networks": [str(network) for network in key.networks],
        "budget": BudgetBody(usd=None if usd is None else float(usd), tokens=key.budget.tokens),
    }


def audit_entry_view(entry: AuditEntry) -> AuditEntryView:
    """An entry."""
    return shown(
        AuditEntryView,
        entry,
        entry.actor,
        actor=entry.actor.kind,
        changed=list(entry.changed),
    )
