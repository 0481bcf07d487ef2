"""Keys and the audit log in memory; held to the same contracts as PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import count

from domain.access.audit import (
    AuditEntry,
    AuditEntryId,
    AuditFilter,
    AuditOutcome,
    acting,
)
from domain.access.keys import ApiKey, ApiKeyDraft, KeyState
from domain.access.model import ApiKeyId, BudgetChanges, KeySpending, ModelBudget, Session
from domain.errors import Conflict, NotFound
from ports.access import (
    ApiKeyLookup,
    ApiKeyRepository,
    AuditLog,
    KeyChangePublisher,
    ModelSpendingReader,
    SessionStore,
)
from ports.clock import Clock
from tests.fakes.tables import SpendingTable


class MemoryAuditLog(AuditLog):
    """Entries in a list."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(1)
        self.entries: list[AuditEntry] = []

    async def page(
        self, filtered: AuditFilter, *, limit: int, before: AuditEntryId | None = None
    ) -> Sequence[AuditEntry]:
        """See the port."""
        found = [
            entry
            for entry in reversed(self.entries)
            if (before is None or entry.id < before) and _passes(entry, filtered)
        ]
        return found[:limit]

    async def note(
        self,
        action: str,
        resource: str,
        *,
        changed: Sequence[str] = (),
        outcome: AuditOutcome = AuditOutcome.DONE,
    ) -> None:
        """See the port."""
        self.enter(action, resource, changed, outcome)

    def enter(
        self,
        action: str,
        resource: str,
        changed: Sequence[str] = (),
        outcome: AuditOutcome = AuditOutcome.DONE,
    ) -> None:
        """What the repositories in memory write with what they do."""
        actor = acting()
        if actor is not None:
            entry = AuditEntry(
                id=AuditEntryId(next(self._ids)),
                at=self._clock.now(),
                actor=actor,
                action=action,
                resource=resource,
                outcome=outcome,
                changed=tuple(changed),
            )
            self.entries.append(entry)

    async def prune(self, keep_days: int) -> int:
        """See the port."""
        first = self._clock.now() - timedelta(days=keep_days)
        kept = [entry for entry in self.entries if entry.at >= first]
        pruned = len(self.entries) - len(kept)
        self.entries = kept
        return pruned


def _passes(entry: AuditEntry, filtered: AuditFilter) -> bool:
    wanted = filtered.action
    return (
        (filtered.since is None or entry.at >= filtered.since)
        and (filtered.until is None or entry.at < filtered.until)
        and (filtered.key_id is None or entry.actor.key_id == filtered.key_id)
        and (
            wanted is None
            or entry.action == wanted
            or ("." not in wanted and entry.action.startswith(f"{wanted}."))
        )
    )


class MemoryApiKeyRepository(ApiKeyRepository, ApiKeyLookup):
    """Keys in a dict, by id."""

    def __init__(self, clock: Clock, audit_log: MemoryAuditLog | None = None) -> None:
        self._clock = clock
        self._audit_log = MemoryAuditLog(clock) if audit_log is None else audit_log
        self._ids = count(1)
        self._keys: dict[ApiKeyId, ApiKey] = {}
        self._digests: dict[bytes, ApiKeyId] = {}

    async def find(self, digest: bytes) -> ApiKey | None:
        """See the port."""
        found = self._digests.get(digest)
        return None if found is None else self._keys[found]

    async def is_empty(self) -> bool:
        """See the port."""
        return not self._keys

    async def touch(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        """See the port."""
        for key_id, at in uses.items():
            key = self._keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at < at):
                self._keys[key_id] = replace(key, last_used_at=at)

    async def add(self, draft: ApiKeyDraft, *, digest: bytes, hint: str) -> ApiKey:
        """See the port."""
        key = self._put(draft, digest, hint)
        changed = [each.name for each in fields(ApiKeyDraft) if each.name != "created_by"]
        self._audit_log.enter("key.create", f"/keys/{key.id}", changed)
        return key

    def _put(self, draft: ApiKeyDraft, digest: bytes, hint: str) -> ApiKey:
        members = {each.name: getattr(draft, each.name) for each in fields(ApiKeyDraft)}
        key = ApiKey(
            id=ApiKeyId(next(self._ids)), hint=hint, created_at=self._clock.now(), **members
        )
        self._keys[key.id] = key
        self._digests[digest] = key.id
        return key

    async def get(self, key_id: ApiKeyId) -> ApiKey:
        """See the port."""
        if key_id not in self._keys:
            raise NotFound(f"There is no key {key_id}.")
        return self._keys[key_id]

    async def page(self, *, limit: int, before: ApiKeyId | None = None) -> Sequence[ApiKey]:
        """See the port."""
        found = [key for key in self._keys.values() if before is None or key.id < before]
        return sorted(found, key=lambda key: -key.id)[:limit]

    async def revoke(self, key_id: ApiKeyId, at: datetime) -> ApiKey:
        """See the port."""
        key = await self.get(key_id)
        if key.revoked_at is None:
            key = self._keys[key_id] = replace(key, revoked_at=at)
            self._audit_log.enter("key.revoke", f"/keys/{key_id}", ["revoked_at"])
        return key

    async def change_budget(self, key_id: ApiKeyId, changes: BudgetChanges) -> Sequence[ApiKey]:
        """See the port."""
        account = self._account(await self.get(key_id))
        found = [key for key in self._keys.values() if self._account(key) == account]
        for key in found:
            wanted = {name: getattr(changes, name) for name in changes.members}
            budget: ModelBudget = replace(key.budget, **wanted)
            self._keys[key.id] = replace(key, budget=budget)
            self._audit_log.enter("key.change", f"/keys/{key.id}", ["budget"])
        return sorted((self._keys[key.id] for key in found), key=lambda key: key.id != key_id)

    def _account(self, key: ApiKey) -> ApiKeyId:
        """The last of those that were made in its place, one after the other."""
        while key.replaced_by is not None:
            key = self._keys[key.replaced_by]
        return key.id

    async def replace(
        self, key_id: ApiKeyId, draft: ApiKeyDraft, *, digest: bytes, hint: str, until: datetime
    ) -> ApiKey:
        """See the port."""
        old = await self.get(key_id)
        if old.state(self._clock.now()) is not KeyState.ACTIVE:
            raise Conflict(f"Key {key_id} is revoked or expired, or was replaced before.")
        key = self._put(draft, digest, hint)
        ends = until if old.expires_at is None else min(old.expires_at, until)
        self._keys[key_id] = replace(old, replaced_by=key.id, expires_at=ends)
        self._audit_log.enter("key.create", f"/keys/{key.id}")
        self._audit_log.enter("key.rotate", f"/keys/{key_id}")
        return key


class MemoryModelSpending(ModelSpendingReader):
    """Reads a table that results are counted in."""

    def __init__(self, table: SpendingTable) -> None:
        self._table = table

    async def today(self, key_id: ApiKeyId) -> KeySpending:
        """See the port."""
        return self._table.today(key_id)


class RecordedAnnouncements(KeyChangePublisher):
    """Remembers what was announced.

    Attributes:
        told: ids, in order.
        is_up: whether announcements reach anybody.
    """

    def __init__(self) -> None:
        self.told: list[ApiKeyId] = []
        self.is_up = True

    async def announce(self, key_id: ApiKeyId) -> bool:
        """See the port."""
        if self.is_up:
            self.told.append(key_id)
        return self.is_up


class MemorySessionStore(SessionStore):
    """Sessions in a dict."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[bytes, tuple[Session, datetime]] = {}

    async def begin(self, digest: bytes, session: Session, *, lifetime: timedelta) -> None:
        """See the port."""
        self._sessions[digest] = (session, self._clock.now() + lifetime)

    async def find(self, digest: bytes) -> Session | None:
        """See the port."""
        session, until = self._sessions.get(digest, (None, self._clock.now()))
        return session if self._clock.now() < until else None

    async def end(self, digest: bytes) -> None:
        """See the port."""
        self._sessions.pop(digest, None)
