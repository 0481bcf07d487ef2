"""`storekeeper db grant`: lets a role of its own work with our tables, and no more than that."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from adapters.postgres.audit import enter
from adapters.postgres.migrations import LOCK, MigrationError, status, unhurried
from adapters.postgres.privileges import API_ROLES, quoted, repairs, schema_of_ours

_ITERATIONS: Final = 4096  # as PostgreSQL's own verifiers have
_RESERVED: Final = ("postgres", "service_role", "authenticator", *API_ROLES)


class GrantError(Exception):
    """It was not done, or not all of it; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantResult:
    """What was done.

    Attributes:
        is_new: the role was made.
        made_password: the password that was made for it; None where none was.
        statements: how many grants, policies and the like were lacking.
    """

    is_new: bool
    made_password: str | None
    statements: int


_ROLES: Final = """
SELECT role.rolname, role.rolsuper, role.rolbypassrls, role.rolcreaterole, role.rolreplication,
    EXISTS (
        SELECT FROM pg_class
        WHERE oid = to_regclass('schema_migrations') AND pg_has_role(role.oid, relowner, 'MEMBER')
    ) AS is_owner
FROM pg_roles AS role WHERE role.rolname = $1
"""
_OWNER: Final = """
SELECT current_user AS role, pg_get_userbyid(relowner) AS owner,
    pg_has_role(relowner, 'USAGE') AS is_owner
FROM pg_class WHERE oid = to_regclass('schema_migrations')
"""


async def grant(
    url: str, role: str, *, password: str | None = None, anew: bool = False, keep: bool = False
) -> GrantResult:
    """Make a role of the service, or bring it to what it should be; all or nothing.

    Args:
        url: leads to the migrated database, as the owner of its tables.
        role: its name. It is made where it is missing, which needs CREATEROLE.
        password: its password from now on, of printable ASCII. None leaves a role that exists the
            one that it has, and makes one for another. The server is told a SCRAM-SHA-256 verifier.
        anew: make a password for a role that exists too.
        keep: never set one, and refuse a role that is missing.

    Raises:
        GrantError: `role` is one that may do more, its name is taken by the host, somebody who is
            not the owner asks, or the server refuses.
        MigrationError, OSError: as `migrations.status`.
    """
    if role in _RESERVED or role.startswith("pg_") or not 0 < len(role.encode()) < 64:
        raise GrantError(f"{role!r} cannot be the service's role: give it a name of its own")
    if password is not None and not (password.isascii() and password.isprintable() and password):
        raise GrantError("the password must be of printable ASCII characters")
    if any(each.applied_at is None for each in await status(url)):
        raise MigrationError("migrations are pending: run `storekeeper db migrate` first")
    async with unhurried(url) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute("SET LOCAL lock_timeout = '4s'")
        await _check_owner(connection)
        found = await connection.fetchrow(_ROLES, role)
        if found is not None:
            _check_role(found)
        if found is None and keep:
            raise GrantError(f"there is no role {role}: leave out --no-password to make it")
        made = secrets.token_urlsafe(24) if password is None and (anew or found is None) else None
        await _make(connection, role, password or made, is_new=found is None)
        statements = await _lacking(connection, role)
        for statement in statements:
            await _execute(connection, statement, f"As an administrator, run: {statement}")
        await enter(connection, "database.grant", "/")
        return GrantResult(
            is_new=found is None,
            made_password=made,
            statements=len(statements),
        )


def address_for(url: str, role: str, password: str) -> str:
    """The address `url` as another role has it; Supabase's poolers want the project after a dot."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    project = unquote(user.partition(":")[0]).partition(".")[2]
    login = f"{role}.{project}" if project and "pooler." in place else role
    return parts._replace(netloc=f"{quote(login)}:{quote(password)}@{place}").geturl()


async def _check_owner(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(_OWNER)
    if row is None or not row["is_owner"]:
        told = "" if row is None else f", which {row['owner']} owns and {row['role']} does not"
        raise GrantError(
            f"only the owner of the tables can let a role in{told}: give the owner's address in"
            " DATABASE_URL"
        )


def _check_role(row: asyncpg.Record) -> None:
    """Refuse a role whose attributes would make the grants worthless."""
    name = row["rolname"]
    more = [
        words
        for column, words in (
            ("rolsuper", "is a superuser"),
            ("rolbypassrls", "has BYPASSRLS"),
            ("rolcreaterole", "has CREATEROLE"),
            ("rolreplication", "has REPLICATION"),
            ("is_owner", "owns the tables, or is a member of their owner"),
        )
        if row[column]
    ]
    if more:
        raise GrantError(
            f"role {name} {' and '.join(more)}, so no grant would limit it: name another role,"
            " which this command makes"
        )


async def _make(
    connection: asyncpg.Connection, role: str, password: str | None, *, is_new: bool
) -> None:
    name = quoted(role)
    secret = "" if password is None else f" PASSWORD '{_verifier(password)}'"
    if not is_new and not secret:
        return
    statement = f"{'CREATE' if is_new else 'ALTER'} ROLE {name} LOGIN{secret}"
    by_hand = f"CREATE ROLE {name} LOGIN PASSWORD ..., in psql with \\password"
    await _execute(
        connection,
        statement,
        f"Have an administrator of the server make the role or set its password ({by_hand}), then"
        f" run `storekeeper db grant {role} --no-password`",
    )


async def _lacking(connection: asyncpg.Connection, role: str) -> Sequence[str]:
    """What a role that exists lacks, and what PUBLIC has too much of."""
    schema = await schema_of_ours(connection)
    assert schema is not None
    name = quoted(role)
    row = await connection.fetchrow(
        """
        SELECT quote_ident(current_database()),
            has_database_privilege($1::name, current_database(), 'CONNECT'),
            EXISTS (
                SELECT FROM pg_namespace, aclexplode(nspacl)
                WHERE pg_namespace.oid = $2::regnamespace AND grantee = 0
                  AND privilege_type = 'CREATE'
            ),
            (
                SELECT setconfig FROM pg_db_role_setting
                WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = $1)
                  AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
            )
        """,
        role,
        schema,
    )
    assert row is not None
    database, may_connect, anyone_makes, path = row
    found = [] if may_connect else [f"GRANT CONNECT ON DATABASE {database} TO {name}"]
    if anyone_makes:  # as in databases that were made before PostgreSQL 15
        found.append(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")
    if schema != "public" and not any(each.startswith("search_path=") for each in path or ()):
        found.append(f"ALTER ROLE {name} IN DATABASE {database} SET search_path = {schema}")
    return [*found, *await repairs(connection, service_roles=[role])]


async def _execute(connection: asyncpg.Connection, statement: str, remedy: str) -> None:
    """Run a statement, which is not quoted where it fails: it may hold a password's verifier."""
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        said = str(error).rstrip(".")
        raise GrantError(
            f"nothing was done, because the server refuses: {said}. {remedy}"
        ) from error


def _verifier(password: str) -> str:
    """What the server keeps of a password with SCRAM-SHA-256 (RFC 5803); it is not the password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(each).decode() for each in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
