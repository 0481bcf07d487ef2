"""One user for each mailbox, however its address is spelt, in the database and over HTTP."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.migrations import MigrationError, migrate, status
from domain.records.users import mailbox
from tests.integration.answers import created, refusal, sound_api
from tests.integration.api import settings_for
from tests.integration.owners_database import OWNERS_TABLES, execute

SPELLINGS = {
    "the domain in Punycode": [
        *("kunde@bücher.example", "kunde@xn--bcher-kva.example", "Kunde@BÜCHER.example"),
        *("kunde@XN--BCHER-KVA.example", "kunde@bu\u0308cher.example"),
        "KUNDE@xn--BCHER-kva.EXAMPLE",
    ],
    "a composed letter": ["josé@shop.example", "jose\u0301@shop.example", "JOSÉ@SHOP.example"],
    "full-width letters in the domain": ["ann@shop.example", "ann@\uff53hop.EXAMPLE"],
    "another full stop": ["bo@a.b.example", "bo@a\u3002b\uff0eexample", "bo@a\uff61b.example"],
    "a sigma": ["ΟΔΟΣ@ΟΔΟΣ.example", "οδοσ@οδοσ.example", "οδοσ@xn--pxavbq.example"],
    "a Turkish i": ["INFO@mail.example", "info@MAIL.example", "Info@maiL.example"],
    "letters beyond 16 bits": ["a@𐐨.example", "A@𐐀.example", "a@xn--hj8c.example"],
    "Cherokee": ["a@\u13a0.example", "a@\uab70.example", "a@xn--58d.example"],
}
APART = [
    *("a@straße.example", "a@strasse.example", "straße@a.example", "strasse@a.example"),
    *("ann+1@a.example", "ann@a.example", "a.nn@a.example", "ann@b.example"),
]
_MAILBOXES = """
    SELECT array_agg(mailbox(address) ORDER BY place)
    FROM unnest($1::text[]) WITH ORDINALITY AS given (address, place)
"""
_numbers = count(1)


@pytest.fixture(scope="module")
async def api(
    module_database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(module_database_url, redis_url)
    async with sound_api(settings, tmp_path_factory.mktemp("api")) as client:
        yield client


@pytest.mark.parametrize("name", SPELLINGS)
async def test_one_mailbox_has_one_user_who_is_kept_as_typed(
    api: httpx2.AsyncClient, name: str
) -> None:
    for typed in SPELLINGS[name]:
        user = await created(api, "/users", {"name": "Ann", "email": typed})
        other = await created(
            api, "/users", {"name": "Bo", "email": f"bo{next(_numbers)}@example.com"}
        )
        for spelling in SPELLINGS[name]:
            body = {"name": "Cy", "email": spelling}
            refusal(await api.post("/users", json=body), 409, "email_taken")
            refusal(await api.put(f"/users/{other['id']}", json=body), 409, "email_taken")
            listed = (await api.get("/users", params={"email": spelling})).json()["items"]
            assert listed == [user]
            assert user["email"] == typed
        await api.delete(f"/users/{user['id']}")


async def test_a_user_may_spell_the_address_anew(api: httpx2.AsyncClient) -> None:
    first, *others = SPELLINGS["the domain in Punycode"]
    user = await created(api, "/users", {"name": "Ann", "email": first})
    for spelling in others:
        response = await api.patch(f"/users/{user['id']}", json={"email": spelling})
        assert (response.status_code, response.json()["email"]) == (200, spelling)
    await api.delete(f"/users/{user['id']}")


async def test_other_mailboxes_stay_apart(api: httpx2.AsyncClient) -> None:
    for address in APART:
        await created(api, "/users", {"name": "Ann", "email": address})


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("a@b\u1fb3.example", "a@b\u03b1\u03b9.example"),
        ("a@b\ufe0füch.example", "a@büch.example"),
        ("a@b\u034f.example", "a@b.example"),
        ("a@\U0001d6d3b.example", "a@\u03c3b.example"),
    ],
)
async def test_letters_that_stand_for_others_are_refused_with_those(
    api: httpx2.AsyncClient, address: str, normal: str
) -> None:
    response = await api.post("/users", json={"name": "Ann", "email": address})
    problem = refusal(response, 422, "validation_failed", "/email")
    assert normal in problem["errors"][0]["detail"]


@pytest.fixture(scope="module")
async def connection(module_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(module_database_url)
    yield opened
    await opened.close()


async def test_the_database_and_the_rule_agree_on_every_letter(
    connection: asyncpg.Connection,
) -> None:
    known = [
        chr(point)
        for point in range(1, 0x30000)
        # What Unicode 14 has, so that a newer database says nothing else.
        if unicodedata.category(chr(point)) not in {"Cn", "Co", "Cs"}
    ]
    addresses = [f"A{letter}@{letter}B.{letter}" for letter in known]
    stored = await connection.fetchval(_MAILBOXES, addresses)
    assert [a for a, key in zip(addresses, stored, strict=True) if mailbox(a) != key] == []


_PARTS = st.text(st.sampled_from("abzXN019-_.@éßΣ\u3002"), max_size=12)
_ADDRESSES = (
    st.builds("{}@xn--{}.{}".format, _PARTS, _PARTS, _PARTS)
    | st.text(st.sampled_from("bücherΣ日本𐐀"), min_size=1, max_size=9).map(
        lambda label: f"A@XN--{label.encode('punycode').decode()}.example"
    )
    | st.text(st.characters(min_codepoint=1, max_codepoint=0x1FFF, exclude_categories=["Cn"]))
)


@given(addresses=st.lists(_ADDRESSES, min_size=1, max_size=50))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_database_and_the_rule_agree_on_what_is_no_address_too(
    connection: asyncpg.Connection, addresses: list[str]
) -> None:
    stored = await connection.fetchval(_MAILBOXES, addresses)
    assert dict(zip(addresses, stored, strict=True)) == {each: mailbox(each) for each in addresses}


async def test_users_who_share_a_mailbox_are_named_before_it_is_held(
    empty_database_url: str,
) -> None:
    await execute(
        empty_database_url,
        OWNERS_TABLES,
        """
        INSERT INTO users (name, email) VALUES
            ('Ann', 'kunde@bücher.example'), ('Bo', 'bo@x.org'), ('Cy', 'cy@x.org'),
            ('Di', 'kunde@xn--bcher-kva.example'), ('Ed', E'jose\\u0301@x.org'),
            ('Fay', 'josé@x.org')
        """,
    )
    with pytest.raises(MigrationError) as refused:
        await migrate(empty_database_url)
    said = str(refused.value)
    assert "0014_mailboxes failed and was undone: users share a mailbox: " in said
    assert "kunde@bücher.example (user 1), kunde@xn--bcher-kva.example (user 4)" in said
    assert "(user 5), josé@x.org (user 6)" in said
    assert "(user 2)" not in said
    assert "Give all but one of each another e-mail" in said
    pending = [each.name for each in await status(empty_database_url) if each.applied_at is None]
    await execute(empty_database_url, "DELETE FROM users WHERE id IN (4, 5)")
    assert await migrate(empty_database_url) == pending


async def test_other_programs_are_held_to_the_mailbox_too(
    fresh_database_url: str,
) -> None:
    add = "INSERT INTO users (name, email) VALUES ('Ann', '{}')"
    await execute(fresh_database_url, add.format("kunde@bücher.example"))
    with pytest.raises(asyncpg.UniqueViolationError, match="users_mailbox_key"):
        await execute(fresh_database_url, add.format("kunde@xn--bcher-kva.example"))


async def test_the_index_can_be_made_anew_without_a_search_path(fresh_database_url: str) -> None:
    """As REINDEX and the restoring of a dump do it."""
    await execute(
        fresh_database_url,
        "INSERT INTO users (name, email) VALUES ('Ann', 'kunde@bücher.example')",
        "SET search_path = pg_catalog, pg_temp",
        "REINDEX INDEX public.users_mailbox_key",
        "INSERT INTO public.users (name, email) VALUES ('Bo', 'bo@xn--bcher-kva.example')",
    )
