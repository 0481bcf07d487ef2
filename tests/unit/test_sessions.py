from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from domain.access.model import Caller, CallerKind, Scope
from domain.access.sessions import SessionService
from domain.errors import NotAuthenticated
from entrypoints.http.access.authentication import form_token, is_form_token, session_of
from entrypoints.http.access.sign_in import own_path
from ports.access import SessionStore, TokenVerifier
from tests.contracts.sessions import SessionStoreContract
from tests.fakes.access import MemorySessionStore
from tests.fakes.system import StandingClock
from tests.unit.authentication import NOW, Scene


class Provider(TokenVerifier):
    async def verify(self, token: str) -> Caller:
        return Caller(
            kind=CallerKind.TOKEN,
            subject=f"token:{token}",
            name="Ann",
            scopes=frozenset({Scope.ADMIN}),
            expires_at=NOW + timedelta(hours=1),
        )


class TestMemorySessionStore(SessionStoreContract):
    @pytest.fixture
    def session_store(self) -> SessionStore:
        return MemorySessionStore(StandingClock(datetime(2026, 1, 1, tzinfo=UTC)))


def service_of(scene: Scene) -> SessionService:
    numbers = count(1)
    return SessionService(
        sessions=MemorySessionStore(scene.clock),
        authenticator=scene.authenticator,
        clock=scene.clock,
        new_secret=lambda: f"secret-{next(numbers)}",
    )


async def refused(service: SessionService, secret: str) -> str:
    with pytest.raises(NotAuthenticated) as error:
        await service.caller(secret, None)
    return error.value.reason


async def test_a_session_is_that_of_its_key_for_twelve_hours() -> None:
    scene = Scene()
    service = service_of(scene)
    secret, expires_at = await service.sign_in(await scene.make(), None)
    assert expires_at == NOW + timedelta(hours=12)
    assert (await service.caller(secret, None)).subject == "key:1"
    scene.clock.advance(timedelta(hours=12))
    assert await refused(service, secret) == "ended_session"


async def test_a_session_of_a_key_that_never_expires_ends_all_the_same() -> None:
    scene = Scene()
    _, expires_at = await service_of(scene).sign_in(await scene.make(expires_at=None), None)
    assert expires_at == NOW + timedelta(hours=12)


async def test_a_session_ends_with_its_key() -> None:
    scene = Scene()
    service = service_of(scene)
    key = await scene.make()
    secret, _ = await service.sign_in(key, None)
    (stored,) = await scene.keys.page(limit=1)
    await scene.keys.revoke(stored.id, NOW)
    scene.cache.forget(stored.id)
    assert await refused(service, secret) == "revoked_key"


async def test_a_session_of_a_token_ends_with_it() -> None:
    scene = Scene(Provider())
    service = service_of(scene)
    secret, expires_at = await service.sign_in("a.b.c", None)
    assert expires_at == NOW + timedelta(hours=1)
    assert (await service.caller(secret, None)).subject == "token:a.b.c"
    scene.clock.advance(timedelta(hours=1))
    assert await refused(service, secret) == "ended_session"


async def test_a_token_that_is_accepted_for_the_sake_of_other_clocks_begins_no_session() -> None:
    scene = Scene(Provider())
    service = service_of(scene)
    scene.clock.advance(timedelta(hours=1))
    with pytest.raises(NotAuthenticated) as error:
        await service.sign_in("a.b.c", None)
    assert error.value.reason == "expired_token"


async def test_each_sign_in_is_a_session_of_its_own_and_one_that_was_ended_stays_so() -> None:
    scene = Scene()
    service = service_of(scene)
    key = await scene.make()
    (first, _), (second, _) = [await service.sign_in(key, None) for _ in range(2)]
    await service.sign_out(first)
    await service.sign_out(first)
    assert await refused(service, first) == "ended_session"
    assert (await service.caller(second, None)).subject == "key:1"


async def test_nobody_signs_in_with_what_is_not_accepted() -> None:
    with pytest.raises(NotAuthenticated):
        await service_of(Scene()).sign_in("stk_live_none", None)


def cookies(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", value.encode()) for value in values]


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        (cookies("__Host-storekeeper=abc"), "abc"),
        (cookies("a=b; __Host-storekeeper=a=b ; c=d"), "a=b"),
        (cookies("a=b", "__Host-storekeeper=abc"), "abc"),
        (cookies("storekeeper=abc"), None),
        (cookies("__Host-storekeeper=abc; __Host-storekeeper=abd"), None),
        (cookies("__host-storekeeper=abc"), None),
        ([], None),
    ],
)
def test_the_cookie_is_read_where_there_is_one(
    given: list[tuple[bytes, bytes]], secret: str | None
) -> None:
    assert session_of(given) == secret


def test_the_token_of_a_form_belongs_to_one_session_and_does_not_tell_it() -> None:
    token = form_token("secret")
    assert "secret" not in token
    assert is_form_token(token, "secret")
    for other in ("", "é", token[:-1], form_token("secret2")):
        assert not is_form_token(other, "secret")


@pytest.mark.parametrize(
    "target",
    [
        *("", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example"),
        *("/\t/evil.example", "/a\r\nSet-Cookie: a=b", "javascript:alert(1)", "dashboard"),
        *(" /dashboard", "/" + "a" * 2048, "/sign-in?next=/sign-in", "/\ud800"),
    ],
)
def test_a_target_elsewhere_leads_to_the_dashboard(target: str) -> None:
    assert own_path(target) == "/"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/docs", "/docs"),
        ("/dashboard?days=7&top=3", "/dashboard?days=7&top=3"),
        ("/dashboard/query?query=café 1%20a", "/dashboard/query?query=caf%C3%A9%201%20a"),
    ],
)
def test_a_target_here_is_kept_with_its_query(target: str, path: str) -> None:
    assert own_path(target) == path
