"""Keys are made, replaced and taken back; the fakes keep what the ports promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest

from domain.access.keys import ApiKeyDraft, KeyState, key_digest
from domain.access.model import ApiKeyId, BudgetChanges, Scope
from domain.access.service import KeyService
from domain.errors import Conflict, InvalidInput, NotFound
from tests.contracts.access import (
    BARE,
    DRAFT,
    AccessStore,
    ApiKeysContract,
    AuditLogContract,
)
from tests.fakes.access import MemoryApiKeyRepository, MemoryAuditLog, RecordedAnnouncements
from tests.fakes.system import StandingClock


class InMemory:
    @pytest.fixture
    def access_store(self) -> AccessStore:
        clock = StandingClock()
        log = MemoryAuditLog(clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        return AccessStore(
            keys=MemoryApiKeyRepository(clock, log),
            audit_log=log,
            now=clock.now,
            let_pass=let_pass,
        )


class TestMemoryApiKeys(InMemory, ApiKeysContract):
    pass


class TestMemoryAuditLog(InMemory, AuditLogContract):
    pass


@dataclass(slots=True, kw_only=True)
class World:
    """A service and what it stands on."""

    clock: StandingClock = field(default_factory=StandingClock)
    announcements: RecordedAnnouncements = field(default_factory=RecordedAnnouncements)
    draw: Callable[[int], int] = field(default_factory=lambda: Random(1).randrange)

    def service(self) -> KeyService:
        keys = MemoryApiKeyRepository(self.clock)
        return KeyService(
            keys=keys,
            directory=keys,
            announcements=self.announcements,
            clock=self.clock,
            draw=self.draw,
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def service(world: World) -> KeyService:
    return world.service()


def lasting(world: World, days: int) -> ApiKeyDraft:
    return replace(BARE, expires_at=world.clock.now() + timedelta(days=days))


async def test_a_new_key_is_found_by_its_secret_alone(service: KeyService, world: World) -> None:
    issued = await service.create(lasting(world, 90))
    assert await service.directory.find(key_digest(issued.secret)) == issued.key
    assert issued.secret.startswith("stk_live_")
    assert issued.key.hint == issued.secret[-4:]
    assert issued.secret not in str(issued.key)
    assert issued.announced
    assert world.announcements.told == [issued.key.id]


async def test_a_key_lives_for_ninety_days_unless_something_else_is_said(
    service: KeyService, world: World
) -> None:
    assert service.default_expiry() == world.clock.now() + timedelta(days=90)


async def test_a_key_that_cannot_be_is_refused_with_every_fault(service: KeyService) -> None:
    with pytest.raises(InvalidInput) as refused:
        await service.create(replace(BARE, name="", scopes=frozenset()))
    assert [each.pointer for each in refused.value.violations] == ["/name", "/scopes"]
    assert await service.directory.is_empty()


async def test_rotation_keeps_everything_but_the_secret(service: KeyService, world: World) -> None:
    draft = replace(DRAFT, expires_at=world.clock.now() + timedelta(days=10))
    old = await service.create(draft)
    world.clock.advance(timedelta(days=4))
    new = await service.rotate(old.key.id, created_by="key:9")
    now = world.clock.now()
    assert new.secret != old.secret
    kept = ("name", "environment", "scopes", "networks", "requests_per_minute", "budget")
    assert [getattr(new.key, name) for name in kept] == [getattr(draft, name) for name in kept]
    assert (new.key.created_by, new.key.expires_at) == ("key:9", now + timedelta(days=10))
    before = await service.keys.get(old.key.id)
    assert before.state(now) is KeyState.REPLACED
    assert before.expires_at == now + timedelta(hours=24)
    assert world.announcements.told == [old.key.id, old.key.id, new.key.id]


async def test_a_key_that_never_expires_is_replaced_by_one_that_never_does(
    service: KeyService,
) -> None:
    old = await service.create(BARE)
    new = await service.rotate(old.key.id, created_by="local")
    assert new.key.expires_at is None


async def test_a_changed_budget_is_told_for_each_key_that_has_it(
    service: KeyService, world: World
) -> None:
    old = await service.create(replace(lasting(world, 90), budget=DRAFT.budget))
    new = await service.rotate(old.key.id, created_by="local")
    world.announcements.told.clear()
    changes = BudgetChanges(members=frozenset({"usd"}), usd=Decimal(7))
    changed = await service.change_budget(new.key.id, changes)
    assert changed.announced
    assert changed.key.budget == replace(DRAFT.budget, usd=Decimal(7))
    assert world.announcements.told == [new.key.id, old.key.id]
    nothing = await service.change_budget(new.key.id, BudgetChanges(members=frozenset()))
    assert nothing.key == changed.key
    assert len(world.announcements.told) == 2
    world.announcements.is_up = False
    assert not (await service.change_budget(new.key.id, changes)).announced


async def test_a_budget_out_of_range_is_refused(service: KeyService) -> None:
    key = (await service.create(BARE)).key
    changes = BudgetChanges(members=frozenset({"usd", "tokens"}), usd=Decimal(-1), tokens=-1)
    with pytest.raises(InvalidInput) as refused:
        await service.change_budget(key.id, changes)
    assert [each.pointer for each in refused.value.violations] == [
        "/budget/usd",
        "/budget/tokens",
    ]


async def test_without_overlap_the_old_key_ends_at_once(service: KeyService, world: World) -> None:
    old = await service.create(lasting(world, 90))
    await service.rotate(old.key.id, created_by="local", overlap=timedelta(0))
    assert (await service.keys.get(old.key.id)).state(world.clock.now()) is KeyState.EXPIRED


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
async def test_an_overlap_out_of_range_is_refused(service: KeyService, overlap: timedelta) -> None:
    old = await service.create(BARE)
    with pytest.raises(InvalidInput) as refused:
        await service.rotate(old.key.id, created_by="local", overlap=overlap)
    assert refused.value.violations[0].pointer == "/overlap"


async def test_a_key_that_is_not_active_cannot_be_rotated(
    service: KeyService, world: World
) -> None:
    replaced, revoked, expired = [await service.create(lasting(world, 1)) for _ in range(3)]
    await service.rotate(replaced.key.id, created_by="local", overlap=timedelta(hours=2))
    with pytest.raises(Conflict, match="Key 1 was replaced by key 4: rotate that one"):
        await service.rotate(replaced.key.id, created_by="local")
    await service.revoke(revoked.key.id)
    with pytest.raises(Conflict, match="Key 2 is revoked: create a new key"):
        await service.rotate(revoked.key.id, created_by="local")
    world.clock.advance(timedelta(days=1))
    with pytest.raises(Conflict, match="Key 3 is expired"):
        await service.rotate(expired.key.id, created_by="local")
    with pytest.raises(NotFound):
        await service.rotate(ApiKeyId(9), created_by="local")


async def test_a_revoked_key_is_refused_from_then_on_and_revoking_it_again_changes_nothing(
    service: KeyService, world: World
) -> None:
    key = (await service.create(BARE)).key
    first = await service.revoke(key.id)
    world.clock.advance(timedelta(hours=1))
    assert (await service.revoke(key.id)).key == first.key
    assert first.key.state(world.clock.now()) is KeyState.REVOKED


async def test_a_key_is_revoked_by_who_has_nothing_but_the_key(service: KeyService) -> None:
    issued = await service.create(BARE)
    assert (await service.revoke_secret(issued.secret)).key.id == issued.key.id
    assert (await service.keys.get(issued.key.id)).revoked_at is not None


async def test_what_is_no_key_of_ours_cannot_be_revoked(service: KeyService, world: World) -> None:
    with pytest.raises(InvalidInput, match="has not the form"):
        await service.revoke_secret("sk_live_123")
    other = await world.service().create(BARE)
    with pytest.raises(NotFound, match="not made here"):
        await service.revoke_secret(other.secret)


async def test_the_last_key_of_an_admin_is_told(service: KeyService, world: World) -> None:
    first, second = [await service.create(BARE) for _ in range(2)]
    other = await service.create(replace(BARE, scopes=frozenset({Scope.EXTRACT})))
    assert not (await service.revoke(first.key.id)).is_last_admin
    assert (await service.revoke(second.key.id)).is_last_admin
    assert not (await service.revoke(other.key.id)).is_last_admin
    for _ in range(200):
        await service.create(replace(BARE, scopes=frozenset({Scope.EXTRACT})))
    assert (await service.revoke(second.key.id)).is_last_admin
    world.announcements.is_up = False
    assert not (await service.revoke(first.key.id)).announced
