"""A PostgreSQL with the roles and default privileges that Supabase makes; not Supabase itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.integration.owners_database import execute

# After the init scripts of supabase/postgres. There `postgres` is no superuser; on servers of our
# own it is, so the role that stands for it has another name.
_ROLES = """
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD 'api';
GRANT anon, authenticated, service_role TO authenticator;
CREATE ROLE shopkeeper LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS PASSWORD 'shop';
GRANT anon, authenticated, service_role TO shopkeeper;
"""
_DATABASE = """
GRANT ALL ON DATABASE {name} TO shopkeeper;
GRANT ALL ON SCHEMA public TO shopkeeper;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
CREATE SCHEMA auth;
CREATE TABLE auth.users (id INT);
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role, shopkeeper;
"""
_DEFAULTS = """
ALTER DEFAULT PRIVILEGES FOR ROLE shopkeeper IN SCHEMA public
    GRANT ALL ON {kind} TO shopkeeper, anon, authenticated, service_role;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A database as a new project has it, by the address of each who comes there.

    Attributes:
        superuser: Supabase's own people.
        owner: who migrates; no superuser.
        api: what PostgREST connects as, to take on a role of a request.
    """

    superuser: str
    owner: str
    api: str

    @asynccontextmanager
    async def as_role(self, role: str) -> AsyncIterator[asyncpg.Connection]:
        """A request of the Data API: a transaction that has taken on `role`."""
        connection = await asyncpg.connect(self.api)
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE {role}")
                yield connection
        finally:
            await connection.close()


async def make_roles(superuser: str) -> None:
    """Once for a server."""
    await execute(superuser, _ROLES)


async def make_project(superuser: str, name: str) -> Project:
    """A new database of a server that has the roles."""
    await execute(superuser, f"CREATE DATABASE {name}")
    parts = urlsplit(superuser)._replace(path=f"/{name}")
    place = parts.netloc.rpartition("@")[2]
    project = Project(
        superuser=urlunsplit(parts),
        owner=urlunsplit(parts._replace(netloc=f"shopkeeper:shop@{place}")),
        api=urlunsplit(parts._replace(netloc=f"authenticator:api@{place}")),
    )
    await execute(project.superuser, _DATABASE.format(name=name))
    for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
        await execute(project.superuser, _DEFAULTS.format(kind=kind))
    return project
