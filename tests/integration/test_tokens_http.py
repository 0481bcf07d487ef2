"""Tokens of an identity provider, over TLS, while its keys are rotated."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from tests.integration.api import serving, settings_for
from tests.integration.identity_provider import (
    OTHER_EC,
    RSA,
    RULES,
    SCOPES,
    SETTINGS,
    IdentityProvider,
    b64_json,
    claims_at,
    header_for,
    http_answer,
    identity_provider,
    signed,
)
from tests.integration.stack import run_command


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as running:
        yield running


@pytest.fixture
async def api(
    provider: IdentityProvider, database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(database_url, redis_url, jwt_jwks_url=provider.url, **SETTINGS)
    async with serving(settings, tmp_path) as client:
        client.headers.pop("authorization", None)
        yield client


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def told(answer: httpx2.Response) -> dict[str, Any]:
    """A refusal without what differs from one request to the next."""
    return {name: value for name, value in answer.json().items() if name != "instance"}


async def test_a_token_opens_what_its_scopes_allow_and_nothing_else(
    api: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    clerk = bearing(provider.token(time.time()))
    user = {"name": "Ann", "email": f"{secrets.token_hex(8)}@shop.example"}
    assert (await api.post("/users", json=user, headers=clerk)).status_code == 201
    assert (await api.get("/users", headers=clerk)).status_code == 200
    refused = await api.get("/search-insights", headers=clerk)
    assert refused.status_code == 403
    assert 'scope="insights:read"' in refused.headers["www-authenticate"]
    nobody = bearing(provider.token(time.time(), app_metadata={}))
    assert (await api.get("/users", headers=nobody)).status_code == 403
    assert (await api.get("/users")).status_code == 401  # not open, though no key was made
    assert provider.requests == 1


async def test_every_token_that_is_not_accepted_gets_the_same_answer(
    api: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    now = time.time()
    header, claims = b64_json(header_for(OTHER_EC, "one")), b64_json(claims_at(now))
    tokens = [
        signed(OTHER_EC, header, claims),
        signed(OTHER_EC, b64_json(header_for(OTHER_EC, "unknown")), claims),
        f"{b64_json({'alg': 'none'})}.{claims}.",
        provider.token(now, iss="https://other"),
        provider.token(now, aud="other"),
        provider.token(now, role="anon", sub=None),
        "a.b.c",
        "a",
        "a.b.c.d.e",
    ]
    answers = [await api.get("/users", headers=bearing(token)) for token in tokens]
    assert {answer.status_code for answer in answers} == {401}
    assert all(told(answer) == told(answers[0]) for answer in answers)
    assert told(answers[0])["detail"] == "The token is not accepted."
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]
    expired = await api.get("/users", headers=bearing(provider.token(now - 4000)))
    assert (expired.status_code, told(expired)["detail"]) == (401, "The token has expired.")


async def test_the_providers_key_is_rotated_and_nobody_is_sent_away(
    api: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    before = bearing(provider.token(time.time()))
    assert (await api.get("/users", headers=before)).status_code == 200
    provider.standby = {"two": RSA}
    provider.rotate()
    after = bearing(provider.token(time.time()))
    answers = await asyncio.gather(
        *(api.get("/users", headers=who) for who in (before, after) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert provider.requests == 2


async def test_while_no_key_was_ever_had_it_is_said_when_to_come_again(
    api: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    provider.answer = http_answer(b"", "500 Internal Server Error")
    answer = await api.get("/users", headers=bearing(provider.token(time.time())))
    assert (answer.status_code, answer.json()["code"]) == (503, "jwks_unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert provider.url not in answer.text


async def test_the_doctor_shows_the_keys_of_the_provider(
    provider: IdentityProvider, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    variables = {name.upper(): value for name, value in SETTINGS.items()} | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": secrets.token_hex(32),
        "JWT_JWKS_URL": provider.url,
    }
    said = await asyncio.to_thread(run_command, "doctor", cwd=tmp_path, **variables)
    assert "ok    token keys: ES256 'one'" in said.stdout
    provider.answer = http_answer(b"<html>")
    said = await asyncio.to_thread(run_command, "doctor", cwd=tmp_path, **variables)
    assert "FAIL  token keys: JWT_JWKS_URL is not JSON" in said.stdout


HOW_TO = Path(__file__).parents[2] / "docs/how-to/sign-in-with-supabase.md"


async def test_the_sql_of_the_how_to_puts_scopes_where_the_setting_looks(
    empty_database_url: str,
) -> None:
    by_user, hook = re.findall(r"```sql\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    connection = await asyncpg.connect(empty_database_url)
    undone = connection.transaction()
    await undone.start()
    try:
        there = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        for name in {"anon", "authenticated", "supabase_auth_admin"} - there:
            await connection.execute(f"CREATE ROLE {name}")
        await connection.execute(
            "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text,"
            " raw_app_meta_data jsonb)"
        )
        user, other = uuid4(), uuid4()
        await connection.executemany(
            'INSERT INTO auth.users VALUES ($1, $2, \'{"provider": "email"}\')',
            [(user, "clerk@shop.example"), (other, "other@shop.example")],
        )
        await connection.execute(by_user)
        stored = await connection.fetch("SELECT raw_app_meta_data FROM auth.users ORDER BY email")
        claims = [{"app_metadata": json.loads(row[0])} for row in stored]
        assert [RULES.scope_claim.scopes(each) for each in claims] == [SCOPES, frozenset()]

        await connection.execute(hook)
        await connection.execute("INSERT INTO staff VALUES ($1, '{records:write,extract}')", user)
        await connection.execute("GRANT supabase_auth_admin TO CURRENT_USER")
        await connection.execute("SET ROLE supabase_auth_admin")
        for who, metadata, scopes in (
            (user, {"provider": "email"}, SCOPES),
            (other, {"storekeeper_scopes": ["admin"]}, frozenset()),
            (user, None, SCOPES),
        ):
            given = {"sub": str(who)} | ({"app_metadata": metadata} if metadata else {})
            event = json.dumps({"user_id": str(who), "claims": given})
            made_event = await connection.fetchval("SELECT storekeeper_scopes($1)", event)
            found = json.loads(made_event)["claims"]
            assert found["sub"] == str(who)
            assert RULES.scope_claim.scopes(found) == scopes
    finally:
        await undone.rollback()
        await connection.close()
