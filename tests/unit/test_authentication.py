from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from ipaddress import ip_address

import pytest

from adapters.valkey.request_limits import LocalRequestLimiter
from domain.access.authentication import Authenticator
from domain.access.caller_limits import CallerLimits, stated_limits
from domain.access.key_cache import KeyCache
from domain.access.keys import ApiKey, KeyEnvironment, new_key
from domain.access.model import Caller, CallerKind, Scope
from domain.errors import DatabaseUnavailable, LimitReached, NotAuthenticated
from ports.access import TokenVerifier
from tests.fakes.access import MemoryApiKeyRepository
from tests.unit.authentication import NOW, Scene

SOMEBODY = Caller(kind=CallerKind.TOKEN, subject="token:7", name="Ann", scopes=frozenset())


class Provider(TokenVerifier):
    async def verify(self, token: str) -> Caller:
        assert token == "a.b.c"
        return SOMEBODY


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


OFFICE = ip_address("192.0.2.7")


async def test_of_many_guesses_from_one_address_thirty_are_looked_up() -> None:
    scene = Scene()
    guesses = [new_key(KeyEnvironment.LIVE, secrets.randbelow) for _ in range(50)]
    tried = await asyncio.gather(
        *(scene.authenticator.authenticate(guess, OFFICE) for guess in guesses),
        return_exceptions=True,
    )
    assert Counter(type(each) for each in tried) == {NotAuthenticated: 30, LimitReached: 20}


@pytest.mark.parametrize("wrong", ["stk_live_nonsense", "no.key.this"])
async def test_what_is_no_key_by_its_form_is_counted_too(wrong: str) -> None:
    scene = Scene()
    for _ in range(30):
        with pytest.raises(NotAuthenticated):
            await scene.authenticator.authenticate(wrong, OFFICE)
    with pytest.raises(LimitReached):
        await scene.authenticator.authenticate(wrong, OFFICE)


async def test_a_key_that_was_let_in_before_is_not_hindered_by_who_guesses_beside_it() -> None:
    scene = Scene()
    known, new = await scene.make(), await scene.make()
    for _ in range(50):
        await scene.authenticator.authenticate(known, OFFICE)
    for _ in range(31):
        with pytest.raises((NotAuthenticated, LimitReached)):
            await scene.authenticator.authenticate("stk_live_nonsense", OFFICE)
    assert (await scene.authenticator.authenticate(known, OFFICE)).subject == "key:1"
    with pytest.raises(LimitReached):
        await scene.authenticator.authenticate(new, OFFICE)
    assert (await scene.authenticator.authenticate(new, None)).subject == "key:2"


async def test_many_requests_at_once_with_a_new_key_are_one_attempt() -> None:
    scene = Scene()
    secret = await scene.make()
    callers = await asyncio.gather(
        *(scene.authenticator.authenticate(secret, OFFICE) for _ in range(200))
    )
    assert {each.subject for each in callers} == {"key:1"}


async def test_a_key_that_cannot_be_looked_up_is_no_failure_of_its_holder() -> None:
    scene = Scene()
    secret = await scene.make()

    class Down(MemoryApiKeyRepository):
        async def find(self, digest: bytes) -> ApiKey | None:
            raise DatabaseUnavailable("down")

    down = Authenticator(
        keys=KeyCache(Down(scene.clock), monotonic=lambda: 0.0),
        uses=scene.uses,
        tokens=None,
        clock=scene.clock,
        limits=CallerLimits(LocalRequestLimiter(now=lambda: 0.0), stated_limits("")),
    )
    for _ in range(60):
        with pytest.raises(DatabaseUnavailable):
            await down.authenticate(secret, OFFICE)
