"""What stores of keys and the audit log promise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Protocol

import pytest

from domain.access.audit import Actor, AuditFilter, AuditOutcome, acting_as
from domain.access.keys import ApiKeyDraft, KeyEnvironment, KeyState
from domain.access.model import ApiKeyId, BudgetChanges, CallerKind, ModelBudget, Scope
from domain.errors import Conflict, NotFound
from ports.access import ApiKeyLookup, ApiKeyRepository, AuditLog
from tests.contracts.contract import Contract


class KeyStore(ApiKeyRepository, ApiKeyLookup, Protocol):
    """Both ports of one store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessStore:
    """An empty store.

    Attributes:
        now: the store's clock.
        let_pass: moves what is stored into the past.
    """

    keys: KeyStore
    audit_log: AuditLog
    now: Callable[[], datetime]
    let_pass: Callable[[timedelta], Awaitable[None]]


MISSING = ApiKeyId(2_000_000_000)
ANN = Actor(
    kind=CallerKind.KEY,
    subject="key:7",
    key_id=ApiKeyId(7),
    request_id="request-1",
    address="2001:db8::7",
)
CRON = Actor(kind=CallerKind.COMMAND, subject="command:cron")
DRAFT = ApiKeyDraft(
    name="Kasse Süd",
    environment=KeyEnvironment.TEST,
    scopes=frozenset({Scope.RECORDS_WRITE, Scope.EXTRACT}),
    networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("192.0.2.1/32")),
    requests_per_minute=60,
    budget=ModelBudget(usd=Decimal("0.25"), tokens=10**12),
    expires_at=datetime(2100, 1, 1, tzinfo=UTC),
    created_by="command:ann",
)
BARE = ApiKeyDraft(
    name="b",
    environment=KeyEnvironment.LIVE,
    scopes=frozenset({Scope.ADMIN}),
    created_by="local",
)


def digest(number: int) -> bytes:
    return bytes([number]) * 32


class ApiKeysContract(Contract):
    """Subclasses give `access_store`."""

    async def test_a_key_is_found_by_its_digest_with_all_that_it_was_given(
        self, access_store: AccessStore
    ) -> None:
        keys = access_store.keys
        assert await keys.is_empty()
        made = await keys.add(DRAFT, digest=digest(1), hint="abcd")
        assert await keys.find(digest(1)) == made == await keys.get(made.id)
        assert await keys.find(digest(2)) is None
        assert not await keys.is_empty()
        assert (made.name, made.environment, made.hint) == ("Kasse Süd", DRAFT.environment, "abcd")
        assert (made.scopes, made.networks) == (DRAFT.scopes, DRAFT.networks)
        assert (made.requests_per_minute, made.budget) == (60, DRAFT.budget)
        assert (made.created_by, made.expires_at) == ("command:ann", DRAFT.expires_at)
        assert made.created_at.tzinfo is not None
        assert (made.last_used_at, made.revoked_at, made.replaced_by) == (None, None, None)

    async def test_a_key_without_limits_is_kept_so(self, access_store: AccessStore) -> None:
        made = await access_store.keys.add(BARE, digest=digest(1), hint="abcd")
        assert (made.networks, made.requests_per_minute) == ((), None)
        assert (made.budget, made.expires_at) == (ModelBudget(), None)

    async def test_a_use_is_written_down_and_never_put_back(
        self, access_store: AccessStore
    ) -> None:
        keys, now = access_store.keys, datetime(2026, 11, 29, tzinfo=UTC)
        made = await keys.add(BARE, digest=digest(1), hint="abcd")
        await keys.touch({made.id: now, MISSING: now})
        await keys.touch({made.id: now - timedelta(minutes=1)})
        await keys.touch({})
        assert (await keys.get(made.id)).last_used_at == now

    async def test_pages_hold_each_key_once_newest_first(self, access_store: AccessStore) -> None:
        keys = access_store.keys
        ids = [(await keys.add(BARE, digest=digest(n), hint="abcd")).id for n in range(3)]
        assert [key.id for key in await keys.page(limit=2)] == [ids[2], ids[1]]
        assert [key.id for key in await keys.page(limit=2, before=ids[1])] == [ids[0]]

    async def test_a_budget_changes_for_a_key_and_all_that_replaced_it_or_it_replaced(
        self, access_store: AccessStore
    ) -> None:
        keys, until = access_store.keys, access_store.now() + timedelta(hours=1)
        other = await keys.add(DRAFT, digest=digest(9), hint="abcd")
        first = await keys.add(DRAFT, digest=digest(1), hint="abcd")
        second = await keys.replace(first.id, DRAFT, digest=digest(2), hint="abcd", until=until)
        third = await keys.replace(second.id, DRAFT, digest=digest(3), hint="abcd", until=until)
        changes = BudgetChanges(members=frozenset({"tokens"}), tokens=5)
        changed = await keys.change_budget(second.id, changes)
        assert changed[0].id == second.id
        assert {key.id for key in changed} == {first.id, second.id, third.id}
        assert {key.budget for key in changed} == {ModelBudget(usd=Decimal("0.25"), tokens=5)}
        assert changed[0] == await keys.get(second.id)
        nothing = BudgetChanges(members=frozenset({"usd", "tokens"}))
        assert {key.budget for key in await keys.change_budget(first.id, nothing)} == {
            ModelBudget()
        }
        assert (await keys.get(other.id)).budget == DRAFT.budget
        with pytest.raises(NotFound):
            await keys.change_budget(MISSING, changes)

    async def test_a_key_that_is_revoked_again_keeps_its_time(
        self, access_store: AccessStore
    ) -> None:
        keys, now = access_store.keys, access_store.now()
        made = await keys.add(BARE, digest=digest(1), hint="abcd")
        first = await keys.revoke(made.id, now)
        assert first.revoked_at == now
        assert first == await keys.revoke(made.id, now + timedelta(hours=1))
        assert await keys.find(digest(1)) == first
        assert not await keys.is_empty()

    async def test_a_key_is_replaced_once(self, access_store: AccessStore) -> None:
        keys, until = access_store.keys, access_store.now() + timedelta(hours=1)
        old = await keys.add(DRAFT, digest=digest(1), hint="abcd")
        new = await keys.replace(old.id, DRAFT, digest=digest(2), hint="efgh", until=until)
        assert await keys.find(digest(2)) == new
        replaced = await keys.get(old.id)
        assert replaced == replace(old, replaced_by=new.id, expires_at=until)
        with pytest.raises(Conflict, match="replaced before"):
            await keys.replace(old.id, DRAFT, digest=digest(3), hint="efgh", until=until)
        assert await keys.find(digest(3)) is None

    async def test_a_replaced_key_never_outlives_its_own_expiry(
        self, access_store: AccessStore
    ) -> None:
        keys, soon = access_store.keys, access_store.now() + timedelta(minutes=5)
        old = await keys.add(replace(BARE, expires_at=soon), digest=digest(1), hint="abcd")
        later = soon + timedelta(days=1)
        await keys.replace(old.id, BARE, digest=digest(2), hint="efgh", until=later)
        assert (await keys.get(old.id)).expires_at == soon

    async def test_a_key_that_is_revoked_or_expired_is_not_replaced(
        self, access_store: AccessStore
    ) -> None:
        keys, now = access_store.keys, access_store.now()
        revoked = await keys.add(BARE, digest=digest(1), hint="abcd")
        await keys.revoke(revoked.id, now)
        past = now - timedelta(seconds=1)
        expired = await keys.add(replace(BARE, expires_at=past), digest=digest(2), hint="abcd")
        for key in (revoked, expired):
            with pytest.raises(Conflict, match=f"Key {key.id} is revoked or expired"):
                await keys.replace(key.id, BARE, digest=digest(3), hint="efgh", until=now)
        assert expired.state(access_store.now()) is KeyState.EXPIRED

    async def test_a_key_that_is_not_there_is_named(self, access_store: AccessStore) -> None:
        keys, now = access_store.keys, access_store.now()
        for missing in (
            keys.get(MISSING),
            keys.revoke(MISSING, now),
            keys.replace(MISSING, BARE, digest=digest(1), hint="abcd", until=now),
        ):
            with pytest.raises(NotFound, match="no key 2000000000"):
                await missing

    async def test_what_is_done_with_keys_is_entered_in_the_audit_log(
        self, access_store: AccessStore
    ) -> None:
        keys, now = access_store.keys, access_store.now()
        with acting_as(ANN):
            old = await keys.add(DRAFT, digest=digest(1), hint="abcd")
            new = await keys.replace(old.id, DRAFT, digest=digest(2), hint="efgh", until=now)
            await keys.revoke(new.id, now)
            await keys.revoke(new.id, now)
            with pytest.raises(Conflict):
                await keys.replace(old.id, DRAFT, digest=digest(3), hint="efgh", until=now)
        await keys.add(BARE, digest=digest(4), hint="abcd")
        entries = await access_store.audit_log.page(AuditFilter(), limit=10)
        assert {entry.actor for entry in entries} == {ANN}
        assert sorted((entry.action, entry.resource) for entry in entries) == sorted(
            [
                ("key.create", f"/keys/{old.id}"),
                ("key.create", f"/keys/{new.id}"),
                ("key.rotate", f"/keys/{old.id}"),
                ("key.revoke", f"/keys/{new.id}"),
            ]
        )
        assert "Kasse" not in str(entries)
        made = next(entry for entry in reversed(entries) if entry.action == "key.create")
        assert made.changed == (
            *("name", "environment", "scopes", "networks", "requests_per_minute", "budget"),
            "expires_at",
        )


class AuditLogContract(Contract):
    """Subclasses give `access_store`."""

    @pytest.fixture
    async def audit_log(self, access_store: AccessStore) -> AuditLog:
        """A log with three entries of two actors."""
        log = access_store.audit_log
        with acting_as(ANN):
            await log.note("user.create", "/users/1", changed=["name", "email"])
            await log.note("user.delete", "/users/1")
        with acting_as(CRON):
            await log.note("userland.prune", "/x", outcome=AuditOutcome.PARTLY_DONE)
        await log.note("user.create", "/users/2")
        return log

    async def test_entries_come_newest_first_and_nobodys_acts_leave_none(
        self, audit_log: AuditLog
    ) -> None:
        entries = await audit_log.page(AuditFilter(), limit=10)
        assert [entry.action for entry in entries] == [
            *("userland.prune", "user.delete", "user.create"),
        ]
        newest, _, oldest = entries
        assert (newest.actor, newest.outcome, newest.changed) == (
            *(CRON, AuditOutcome.PARTLY_DONE, ()),
        )
        assert (oldest.actor, oldest.outcome, oldest.changed) == (
            *(ANN, AuditOutcome.DONE, ("name", "email")),
        )
        assert oldest.resource == "/users/1"
        assert oldest.at.tzinfo is not None

    async def test_pages_hold_each_entry_once(self, audit_log: AuditLog) -> None:
        first = await audit_log.page(AuditFilter(), limit=2)
        rest = await audit_log.page(AuditFilter(), limit=2, before=first[-1].id)
        assert len({entry.id for entry in (*first, *rest)}) == 3

    async def test_filters_restrict_by_key_action_kind_and_time(
        self, audit_log: AuditLog, access_store: AccessStore
    ) -> None:
        async def found(filtered: AuditFilter) -> list[str]:
            return [entry.action for entry in await audit_log.page(filtered, limit=10)]

        hour, now = timedelta(hours=1), access_store.now()
        assert await found(AuditFilter(key_id=ANN.key_id)) == ["user.delete", "user.create"]
        assert await found(AuditFilter(key_id=ApiKeyId(8))) == []
        assert await found(AuditFilter(action="user.create")) == ["user.create"]
        assert await found(AuditFilter(action="user")) == ["user.delete", "user.create"]
        assert await found(AuditFilter(action="user_")) == []
        assert len(await found(AuditFilter(since=now - hour, until=now + hour))) == 3
        assert await found(AuditFilter(since=now + hour)) == []
        assert await found(AuditFilter(until=now - hour)) == []
        assert await found(AuditFilter(key_id=ANN.key_id, action="user.delete")) == ["user.delete"]

    async def test_what_is_older_than_it_is_kept_is_pruned(
        self, audit_log: AuditLog, access_store: AccessStore
    ) -> None:
        assert await audit_log.prune(30) == 0
        await access_store.let_pass(timedelta(days=31))
        with acting_as(CRON):
            await audit_log.note("user.create", "/users/3")
        assert await audit_log.prune(365) == 0
        assert await audit_log.prune(30) == 3
        assert [entry.resource for entry in await audit_log.page(AuditFilter(), limit=9)] == [
            "/users/3"
        ]
