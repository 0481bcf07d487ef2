"""Who may call, and who did what."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from storekeeper_client.calls import (
    JSON,
    MERGE_PATCH,
    Call,
    Page,
    encoded,
    given,
    members,
    nothing,
    page_reader,
    path_of,
    reads,
)
from storekeeper_client.errors import Moment
from storekeeper_client.resources import D, Listing, Operation, Resource

Scope: TypeAlias = Literal[
    "records:read", "records:write", "extract", "insights:read", "insights:write", "admin"
]
KeyEnvironment: TypeAlias = Literal["live", "test"]


class ModelBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may spend on language models in a day of UTC; None for no limit."""

    usd: float | None = None
    tokens: int | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret.

    `environment` is `live` or `test`; `hint` is the last 4 characters; `state` is `active`,
    `replaced`, `expired` or `revoked`; `scopes` are of `records:read`, `records:write`, `extract`,
    `insights:read`, `insights:write` and `admin`.
    """

    id: int
    name: str
    environment: str
    hint: str
    state: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    requests_per_minute: int | None
    budget: ModelBudget
    created_by: str
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    revoked_at: Moment | None
    replaced_by: int | None


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """What a key spent on language models on a day of UTC; unpriced calls are not in `usd`."""

    usd: float
    tokens: int
    unpriced_calls: int


class KeyDetail(Key, frozen=True, kw_only=True):
    """A key, with what it and those in whose place it stands spent today."""

    spent_today: Spending


class IssuedKey(Key, frozen=True, kw_only=True):
    """A new key with its secret (`key`), which no other answer holds."""

    key: str

    def __repr__(self) -> str:
        return f"IssuedKey(id={self.id}, name={self.name!r}, hint={self.hint!r}, key=...)"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what.

    `actor` is a `key`, a `token`, `local` (this machine) or a `command`; `outcome` is `begun`,
    `done`, `partly_done` or `failed`.
    """

    id: int
    at: Moment
    actor: str
    subject: str
    key_id: int | None
    action: str
    resource: str
    outcome: str
    changed: tuple[str, ...]
    request_id: str | None
    address: str | None


class Keys(Resource[D]):
    """`/keys`. Needs the scope `admin`. A lost answer is not asked for again."""

    @Listing
    def list(self, *, page_size: int | None = None) -> Call[Page[Key]]:
        """Keys, newest first.

        Args:
            page_size: rows of one request, 1..200; 50 if not given.
        """
        return Call(method="GET", path="/keys", query=given(limit=page_size), read=_KEYS)

    @Operation
    def get(self, key_id: int) -> Call[KeyDetail]:
        """A key, with what it spent today.

        Raises:
            NotFound: there is none.
        """
        return Call(method="GET", path=path_of("keys", key_id), read=_DETAIL)

    @Operation
    def create(
        self,
        *,
        name: str,
        scopes: Iterable[Scope],
        environment: KeyEnvironment | None = None,
        networks: Iterable[str] = (),
        requests_per_minute: int | None = None,
        budget: ModelBudget | None = None,
        expires_at: datetime | UnsetType | None = UNSET,
    ) -> Call[IssuedKey]:
        """A new key; its secret is in this answer alone.

        Args:
            name: whose it is.
            scopes: what it may; `admin` has all.
            environment: what it is for; `live` if not given.
            networks: accepted only from these addresses and networks (CIDR); none for all.
            requests_per_minute: a limit of its own.
            budget: for language models; no limit if not given.
            expires_at: at most a year from now, None for never; 90 days if not given.

        Raises:
            InvalidInput: `errors` names each bad member.
        """
        values = members(
            name=name,
            scopes=tuple(scopes),
            environment=environment,
            networks=tuple(networks),
            requests_per_minute=requests_per_minute,
            budget=budget,
        )
        if expires_at is not UNSET:
            values["expires_at"] = expires_at
        return Call(
            method="POST",
            path="/keys",
            headers={"Content-Type": JSON},
            body=encoded(values),
            read=_ISSUED,
        )

    @Operation
    def set_budget(
        self,
        key_id: int,
        *,
        usd: float | UnsetType | None = UNSET,
        tokens: int | UnsetType | None = UNSET,
    ) -> Call[KeyDetail]:
        """Change what a key may spend on language models in a day.

        Args:
            key_id: which.
            usd: US dollars; None for no limit. What is not given stays.
            tokens: likewise.

        Raises:
            NotFound: there is none.
            InvalidInput: `errors` names each bad member.
        """
        budget = {"usd": usd, "tokens": tokens}
        changed = {name: value for name, value in budget.items() if value is not UNSET}
        return Call(
            method="PATCH",
            path=path_of("keys", key_id),
            headers={"Content-Type": MERGE_PATCH},
            body=encoded({"budget": changed}),
            read=_DETAIL,
        )

    @Operation
    def rotate(self, key_id: int, *, overlap_s: int | None = None) -> Call[IssuedKey]:
        """A new key in the place of another.

        Args:
            key_id: which is replaced.
            overlap_s: seconds for which both are accepted; a day if not given.

        Raises:
            NotFound: there is none.
            Conflict: it is not active.
        """
        return Call(
            method="POST",
            path=path_of("keys", key_id, "rotate"),
            headers={"Content-Type": JSON},
            body=encoded(members(overlap_s=overlap_s)),
            read=_ISSUED,
        )

    @Operation
    def revoke(self, key_id: int) -> Call[None]:
        """Accept a key no longer.

        Raises:
            NotFound: there is none.
        """
        return Call(method="DELETE", path=path_of("keys", key_id), read=nothing)


class AuditLog(Resource[D]):
    """`/audit-log`. Needs the scope `admin`."""

    @Listing
    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        key: int | None = None,
        action: str | None = None,
        page_size: int | None = None,
    ) -> Call[Page[AuditEntry]]:
        """Who did what, newest first.

        Args:
            since: at or after this time, which has a time zone.
            until: before this time, which has a time zone.
            key: only what was done with this key.
            action: this action, such as `user.create`, or all of a kind, such as `user`.
            page_size: rows of one request, 1..200; 50 if not given.
        """
        query = given(from_=since, to=until, key=key, action=action, limit=page_size)
        return Call(method="GET", path="/audit-log", query=query, read=_ENTRIES)


_KEYS: Final = page_reader(Key)
_DETAIL: Final = reads(KeyDetail)
_ISSUED: Final = reads(IssuedKey)
_ENTRIES: Final = page_reader(AuditEntry)
