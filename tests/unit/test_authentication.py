from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from domain.access.authentication import Authenticator
from domain.access.key_cache import KeyCache, KeyUses
from domain.access.keys import ApiKeyDraft, KeyEnvironment, key_digest, key_hint, new_key
from domain.access.model import Caller, CallerKind, Scope
from domain.errors import NotAuthenticated
from ports.access import TokenVerifier
from tests.fakes.access import MemoryApiKeyRepository
from tests.fakes.system import StandingClock

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOMEBODY = Caller(kind=CallerKind.TOKEN, subject="token:7", name="Ann", scopes=frozenset())


class Provider(TokenVerifier):
    async def verify(self, token: str) -> Caller:
        assert token == "a.b.c"
        return SOMEBODY


class Scene:
    def __init__(self, tokens: TokenVerifier | None = None) -> None:
        self.clock = StandingClock(NOW)
        self.keys = MemoryApiKeyRepository(self.clock)
        self.uses = KeyUses(self.keys)
        self.authenticator = Authenticator(
            keys=KeyCache(self.keys, monotonic=lambda: 0.0),
            uses=self.uses,
            tokens=tokens,
            clock=self.clock,
        )

    async def make(self) -> str:
        secret = new_key(KeyEnvironment.LIVE, secrets.randbelow)
        draft = ApiKeyDraft(
            name="till",
            environment=KeyEnvironment.LIVE,
            scopes=frozenset({Scope.EXTRACT}),
            expires_at=NOW + timedelta(days=90),
            created_by="local",
        )
        await self.keys.add(draft, digest=key_digest(secret), hint=key_hint(secret))
        return secret


async def test_a_key_is_its_holders_and_its_use_is_noted() -> None:
    scene = Scene()
    secret = await scene.make()
    caller = await scene.authenticator.authenticate(secret, None)
    assert (caller.subject, caller.scopes) == ("key:1", frozenset({Scope.EXTRACT}))
    await scene.uses.write()
    assert (await scene.keys.page(limit=1))[0].last_used_at == NOW


async def test_a_key_that_was_never_made_is_refused() -> None:
    with pytest.raises(NotAuthenticated) as refused:
        await Scene().authenticator.authenticate(
            new_key(KeyEnvironment.LIVE, secrets.randbelow), None
        )
    assert refused.value.reason == "unknown_key"


async def test_what_is_no_key_is_taken_for_a_token_where_there_is_a_provider() -> None:
    assert await Scene(Provider()).authenticator.authenticate("a.b.c", None) is SOMEBODY
    with pytest.raises(NotAuthenticated) as refused:
        await Scene().authenticator.authenticate("a.b.c", None)
    assert refused.value.reason == "not_a_key"


async def test_nobody_is_known_without_keys_and_without_a_provider() -> None:
    scene = Scene()
    assert await scene.authenticator.knows_nobody()
    assert not await Scene(Provider()).authenticator.knows_nobody()
    busy = Scene()
    await busy.make()
    assert not await busy.authenticator.knows_nobody()
