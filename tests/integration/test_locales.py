"""A database whose locale knows other pairs of small and capital letters than English."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from adapters.postgres.migrations import MigrationError, migrate
from adapters.postgres.pool import PoolOptions, open_database
from domain.errors import EmailTaken
from domain.insights.model import normalised_query
from domain.records.users import UserDraft, mailbox
from tests.integration.owners_database import OWNERS_TABLES, ask, drop_database, execute
from tests.integration.records import records_in
from tests.integration.servers import debian_postgres

LOCALES = {
    "Turkish": "LOCALE_PROVIDER libc LOCALE 'tr_TR.UTF-8'",
    "Turkish by ICU": "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'",
    "none": "LOCALE_PROVIDER libc LOCALE 'C'",
}
ADDRESSES = ["INFO@mail.example", "info@mail.example", "Ä@mail.example", "ä@mail.example"]
QUERIES = ["WINTER JACKET", "winter jacket", "Winter Jacket", "ÄPFEL", "äpfel", "İncir", "incir"]


@pytest.fixture(scope="module")
async def oldest_server(server_directory: Path) -> AsyncIterator[str]:
    directory = server_directory / secrets.token_hex(4)
    directory.mkdir(mode=0o755)
    async with debian_postgres(15, directory) as url:
        yield url


@pytest.fixture(params=["PostgreSQL 15", "the server of the tests"])
def server(request: pytest.FixtureRequest) -> str:
    names = {"PostgreSQL 15": "oldest_server"}
    return str(request.getfixturevalue(names.get(request.param, "postgres_server")))


@pytest.fixture(params=LOCALES)
async def url(server: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Of an empty database in that locale."""
    name = f"locale_{secrets.token_hex(6)}"
    made = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {LOCALES[request.param]}"
    try:
        await execute(server, made)
    except (asyncpg.WrongObjectTypeError, asyncpg.FeatureNotSupportedError) as error:
        pytest.skip(f"this server has no locale {request.param}: {error}")
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    await drop_database(server, name)


async def test_one_mailbox_is_one_user_and_one_query_one_key_in_any_locale(url: str) -> None:
    await migrate(url)
    async with open_database(url, PoolOptions()) as database:
        users = records_in(database).users
        for typed in ADDRESSES[::2]:
            await users.add(UserDraft(name="Ann", email=typed))
        for other in ADDRESSES[1::2]:
            with pytest.raises(EmailTaken):
                await users.add(UserDraft(name="Bo", email=other))
            (found,) = await users.page(limit=2, email=other)
            assert mailbox(found.email) == mailbox(other)
        for query in QUERIES:
            stored = await database.fetchval(
                "INSERT INTO search_clicks (search_query) VALUES ($1) RETURNING query_norm", query
            )
            assert stored == normalised_query(query)


async def test_what_an_earlier_version_folded_by_the_locale_is_folded_anew(url: str) -> None:
    await execute(
        url,
        OWNERS_TABLES,
        # Stops before the mailboxes, so that the rest is as an earlier version left it.
        "INSERT INTO users (name, email) VALUES ('Ann', 'a@bü.de'), ('Bo', 'a@xn--b-eha.de')",
    )
    with pytest.raises(MigrationError, match="0014_mailboxes"):
        await migrate(url)
    await execute(
        url,
        """
        INSERT INTO search_clicks (search_query, clicks, impressions, search_date) VALUES
            ('TİRE INN ÄPFEL', 1, 2, '2026-01-01'), ('tire inn äpfel', 1, 2, '2026-01-01'),
            ('sofa', 1, 2, '2026-01-02'), (NULL, 1, 2, '2026-01-03'), ('INN', 1, 2, NULL)
        """,
        "DELETE FROM search_changed_days",
        "DELETE FROM users WHERE name = 'Bo'",
    )
    assert "0015_query_folding" in await migrate(url)
    keys = "SELECT string_agg(DISTINCT query_norm, '|' ORDER BY query_norm) FROM search_clicks"
    assert await ask(url, keys) == "inn|sofa|tire inn äpfel"
    assert await ask(url, "SELECT array_agg(search_date::text) FROM search_changed_days") == [
        "2026-01-01"
    ]
    counted = "SELECT searches FROM searches_of_day('2026-01-01')"
    assert await ask(url, counted) == 2
