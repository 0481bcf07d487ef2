"""A browser signs in once with a key, and what a page of another site cannot make it do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from adapters.valkey.sessions import ValkeySessionStore
from domain.access.model import Scope
from domain.errors import QueueUnavailable
from entrypoints.http.access.authentication import SESSION_COOKIE
from ports.access import SessionStore
from tests.contracts.sessions import OF_KEY, SessionStoreContract
from tests.integration.answers import refusal
from tests.integration.api import serving, settings_for
from tests.integration.keys import make_key
from tests.integration.stack import run_command

OWN = {"Sec-Fetch-Site": "same-origin"}
PAGE = {"Accept": "text/html,application/xhtml+xml"}


class TestValkeySessionStore(SessionStoreContract):
    @pytest.fixture
    async def session_store(self, redis_url: str) -> AsyncIterator[SessionStore]:
        async with Redis.from_url(redis_url) as client:
            yield ValkeySessionStore(client, prefix="test:session:")

    async def test_valkey_forgets_a_session_by_itself(self, redis_url: str) -> None:
        async with Redis.from_url(redis_url) as client:
            store = ValkeySessionStore(client, prefix="test:session:")
            await store.begin(b"s" * 32, OF_KEY, lifetime=timedelta(minutes=2))
            left_s = await client.ttl(f"test:session:{(b's' * 32).hex()}")
        assert 100 < left_s <= 120

    async def test_without_valkey_it_says_try_again(self) -> None:
        async with Redis.from_url("redis://127.0.0.1:1/0") as client:
            with pytest.raises(QueueUnavailable):
                await ValkeySessionStore(client).find(b"s" * 32)


@pytest.fixture
async def api(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings_for(fresh_database_url, redis_url), tmp_path) as client:
        yield client


@pytest.fixture
async def key(fresh_database_url: str) -> str:
    return await make_key(fresh_database_url, Scope.ADMIN)


async def signed_in(api: httpx2.AsyncClient, key: str, **fields: str) -> dict[str, str]:
    """The `Cookie` of a new session."""
    answer = await api.post("/sign-in", data={"key": key, **fields}, headers=OWN)
    assert answer.status_code == 303, answer.text
    api.cookies.clear()  # a test says itself what it sends
    secret = re.fullmatch(
        rf"{SESSION_COOKIE}=([\w-]{{43}}); Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200",
        answer.headers["set-cookie"],
    )
    assert secret
    assert answer.headers["cache-control"] == "no-store"
    return {"Cookie": f"{SESSION_COOKIE}={secret[1]}"}


async def test_a_browser_without_a_session_is_led_to_sign_in_and_back(
    api: httpx2.AsyncClient, key: str
) -> None:
    led = await api.get("/dashboard?days=7", headers=PAGE)
    assert (led.status_code, led.headers["location"]) == (
        303,
        "/sign-in?next=%2Fdashboard%3Fdays%3D7",
    )
    form = await api.get(led.headers["location"], headers=PAGE)
    assert form.status_code == 200
    assert 'name="next" value="/dashboard?days=7"' in form.text
    assert "unsafe" not in form.headers["content-security-policy"]
    back = await api.post(
        "/sign-in", data={"key": f" {key}\n", "next": "/dashboard?days=7"}, headers=OWN
    )
    assert (back.status_code, back.headers["location"]) == (303, "/dashboard?days=7")
    for path in ("/docs", "/sign-out"):
        assert (await api.get(path, headers={**PAGE, "Cookie": ""})).status_code == 303


async def test_a_program_without_a_key_is_refused_and_not_led_anywhere(
    api: httpx2.AsyncClient, key: str
) -> None:
    refusal(await api.get("/dashboard"), 401, "not_authenticated")
    refusal(await api.get("/docs"), 401, "not_authenticated")
    bad = {**PAGE, "Authorization": "Bearer stk_live_none"}
    assert (await api.get("/dashboard", headers=bad)).status_code == 401
    assert (await api.post("/users", json={}, headers=PAGE)).status_code == 401


async def test_a_session_opens_the_pages_and_what_they_read(
    api: httpx2.AsyncClient, key: str
) -> None:
    session = await signed_in(api, key)
    for path in ("/dashboard", "/docs", "/schema/openapi.json", "/users", "/sign-out"):
        assert (await api.get(path, headers=session)).status_code == 200, path
    assert (await api.head("/users", headers=session)).status_code == 200


async def test_a_session_has_the_scopes_of_its_key(
    api: httpx2.AsyncClient, fresh_database_url: str
) -> None:
    session = await signed_in(api, await make_key(fresh_database_url, Scope.RECORDS_READ))
    assert (await api.get("/users", headers=session)).status_code == 200
    shown = await api.get("/dashboard", headers={**session, **PAGE})
    assert shown.status_code == 403
    assert "insights:read" in shown.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": "0" * 64},
    ],
)
async def test_a_page_of_another_site_changes_nothing_in_the_name_of_a_session(
    api: httpx2.AsyncClient, key: str, headers: dict[str, str]
) -> None:
    session = await signed_in(api, key)
    body = {"name": "Eve", "email": "eve@example.com"}
    for method, path in (("POST", "/users"), ("DELETE", "/users/1"), ("POST", "/keys")):
        refused = await api.request(method, path, json=body, headers={**session, **headers})
        refusal(refused, 401, "not_authenticated")
    out = await api.post("/sign-out", data={"token": "0" * 64}, headers={**session, **headers})
    assert out.status_code == 401
    assert (await api.get("/users", headers=session)).json()["items"] == []


async def test_a_page_of_our_own_that_has_the_token_may(api: httpx2.AsyncClient, key: str) -> None:
    session = await signed_in(api, key)
    page = await api.get("/sign-out", headers=session)
    token = re.search(r'name="token" value="([0-9a-f]{64})"', page.text)
    assert token
    body = {"name": "Ann", "email": "ann@example.com"}
    own = {**session, **OWN, "X-CSRF-Token": token[1]}
    assert (await api.post("/users", json=body, headers=own)).status_code == 201


async def test_a_session_that_was_signed_out_cannot_be_replayed(
    api: httpx2.AsyncClient, key: str
) -> None:
    session, other = await signed_in(api, key), await signed_in(api, key)
    page = await api.get("/sign-out", headers=session)
    token = re.search(r'name="token" value="([0-9a-f]{64})"', page.text)
    assert token
    out = await api.post("/sign-out", data={"token": token[1]}, headers={**session, **OWN})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in out.headers["set-cookie"]
    refused = await api.get("/users", headers=session)
    assert "has ended" in refusal(refused, 401, "not_authenticated")["detail"]
    assert (await api.get("/users", headers=other)).status_code == 200
    assert (await api.get("/dashboard", headers={**session, **PAGE})).status_code == 303


async def test_signing_in_anew_ends_the_session_before_it(
    api: httpx2.AsyncClient, key: str
) -> None:
    before = await signed_in(api, key)
    answer = await api.post("/sign-in", data={"key": key}, headers={**before, **OWN})
    assert answer.status_code == 303
    api.cookies.clear()
    assert (await api.get("/users", headers=before)).status_code == 401


async def test_a_session_ends_at_once_when_its_key_is_revoked(
    api: httpx2.AsyncClient, key: str, fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    session = await signed_in(api, key)
    stores = {"DATABASE_URL": fresh_database_url, "REDIS_URL": redis_url}
    done = run_command("keys", "revoke", "1", cwd=tmp_path, **stores)
    assert done.returncode == 0, done.stderr
    refused = await api.get("/users", headers=session)
    assert "was revoked" in refusal(refused, 401, "not_authenticated")["detail"]


async def test_what_is_no_key_begins_no_session_and_is_shown_in_no_page(
    api: httpx2.AsyncClient, key: str
) -> None:
    for wrong in ("", "hunter2-hunter2", f"{key[:-1]}-", "<script>alert(1)</script>"):
        answer = await api.post("/sign-in", data={"key": wrong, "next": "/docs"}, headers=OWN)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert answer.headers["www-authenticate"].startswith("Bearer realm=")
        assert 'role="alert"' in answer.text
        assert 'value="/docs"' in answer.text
        assert not wrong or wrong not in answer.text


async def test_no_other_site_signs_a_browser_in(api: httpx2.AsyncClient, key: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = await api.post("/sign-in", data={"key": key}, headers=headers)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_signing_in_leads_to_no_other_site(
    api: httpx2.AsyncClient, key: str, target: str
) -> None:
    answer = await api.post("/sign-in", data={"key": key, "next": target}, headers=OWN)
    assert answer.headers["location"] == "/"
    form = await api.get("/sign-in", params={"next": target})
    assert "evil" not in form.text


async def test_a_form_that_cannot_be_read_is_refused(api: httpx2.AsyncClient, key: str) -> None:
    refusal(
        await api.post("/sign-in", json={"key": key}, headers=OWN), 415, "unsupported_media_type"
    )
    large = await api.post("/sign-in", data={"key": "a" * 20_000}, headers=OWN)
    refusal(large, 400, "malformed_request")


async def test_without_valkey_a_session_is_told_to_try_again_and_a_key_is_let_in(
    fresh_database_url: str, key: str, tmp_path: Path
) -> None:
    settings = settings_for(fresh_database_url, "redis://127.0.0.1:1/0")
    async with serving(settings, tmp_path) as api:
        cookie = {"Cookie": f"{SESSION_COOKIE}=abc"}
        refusal(await api.get("/users", headers=cookie), 503, "queue_unavailable")
        bearer = {"Authorization": f"Bearer {key}"}
        assert (await api.get("/users", headers=bearer)).status_code == 200
        assert (await api.post("/sign-in", data={"key": key}, headers=OWN)).status_code == 503
