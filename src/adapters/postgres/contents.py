"""A database as it is found before a dump or a restore; `objects.py` says what of it is ours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from adapters.postgres.objects import COLLATION, FUNCTIONS, RELATIONS, our_names
from adapters.postgres.pool import Connector, PoolOptions, connect_arguments
from adapters.postgres.privileges import our_objects, service_roles_of
from adapters.postgres.schema import HISTORY
from adapters.postgres.urls import read_database_url

_WRITTEN_BY_WORKERS: Final = {HISTORY, "extraction_workers", "scheduled_runs"}
# Which rows of a table are somebody's; of the others all are.
_OWN: Final = {
    "extraction_schemas": "name <> ALL ($1::text[])",
    "audit_log": "action <> 'database.migrate' AND $1::text[] IS NOT NULL",
}


class SnapshotError(Exception):
    """A database could not be looked at; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSnapshot:
    """A database, as it was found.

    Attributes:
        url: leads to it.
        name: database, server and role, for people.
        major: of the server's version.
        schema: where our tables are, or would be made.
        tables: those of ours that exist.
        filled: those of them that hold rows of somebody's.
        others: tables, views and sequences of that schema that are not ours.
        drops: statements that remove what is ours.
        owner: the owner of the tables, where the role of `url` is not it; else None.
        service_roles: those that the tables have policies for.
    """

    url: str
    name: str
    major: int
    schema: str
    tables: Collection[str]
    filled: Sequence[str]
    others: Sequence[str]
    drops: Sequence[str]
    owner: str | None = None
    service_roles: Collection[str] = ()


async def read_contents(url: str, *, seeded: Collection[str] = ()) -> DatabaseSnapshot:
    """What stands in the database of `url`.

    Args:
        url: of the database.
        seeded: names of the extraction schemas that come with the program: nobody's data.

    Raises:
        SnapshotError: it cannot be reached, or only through a transaction pooler.
    """
    arguments = connect_arguments(url, PoolOptions())
    if not arguments["statement_cache_size"]:
        raise SnapshotError(
            "a dump needs a session of its own, and DATABASE_URL leads through a transaction"
            " pooler: give it the direct address, or that of a session pooler."
        )
    arguments["command_timeout"] = None
    try:
        connection = await Connector(arguments)()
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error).rstrip(".") or "no answer in time"
        raise SnapshotError(f"the database of DATABASE_URL cannot be reached: {why}.") from error
    try:
        return await _look(connection, url, seeded)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SnapshotError(f"the database of DATABASE_URL cannot be read: {error}.") from error
    finally:
        connection.terminate()


_PLACE = """
SELECT current_database() AS database, current_user AS role,
       current_setting('server_version_num')::int / 10000 AS major,
       COALESCE(
           (SELECT relnamespace::regnamespace::text FROM pg_class
            WHERE oid = to_regclass('schema_migrations')),
           quote_ident(current_schema())
       ) AS schema,
       (
           SELECT pg_get_userbyid(relowner) FROM pg_class
           WHERE oid = to_regclass('schema_migrations') AND NOT pg_has_role(relowner, 'USAGE')
       ) AS owner
"""


async def _look(
    connection: asyncpg.Connection, url: str, seeded: Collection[str]
) -> DatabaseSnapshot:
    place = await connection.fetchrow(_PLACE)
    assert place is not None
    if place["schema"] is None:
        raise SnapshotError(
            f"database {place['database']} has no schema on the search_path of"
            f" {place['role']}: create one, or set the role's search_path."
        )
    # All names come out qualified.
    await connection.execute("SET search_path = ''")
    made = our_names()
    relations = await connection.fetch(RELATIONS, place["schema"], list(made["relation"]))
    functions = await connection.fetch(FUNCTIONS, place["schema"], list(made["function"]))
    ours = [each for each in relations if each["ours"]]
    filled = [
        each["name"]
        for each in ours
        if each["named"]
        and each["relkind"] in (b"r", b"p")
        and each["name"] not in _WRITTEN_BY_WORKERS
        and await connection.fetchval(_holds_rows(each["name"], each["quoted"]), list(seeded))
    ]
    # A function that is bound to the tables that it reads goes before them, one that a trigger or
    # an index calls after them.
    before = [each["quoted"] for each in functions if each["is_bound"]]
    after = [each["quoted"] for each in functions if not each["is_bound"]]
    order = (
        ("VIEW", [each["quoted"] for each in ours if each["relkind"] == b"v"]),
        ("FUNCTION", before),
        ("TABLE", [each["quoted"] for each in ours if each["relkind"] in (b"r", b"p")]),
        ("SEQUENCE", [each["quoted"] for each in ours if each["relkind"] == b"S"]),
        ("FUNCTION", after),
        (
            "COLLATION",
            [each["quoted"] for each in await connection.fetch(COLLATION, place["schema"])],
        ),
    )
    drops = [f"DROP {kind} IF EXISTS {', '.join(names)};" for kind, names in order if names]
    return DatabaseSnapshot(
        url=url,
        name=(
            f"database {place['database']} on {read_database_url(url).servers}, as {place['role']}"
        ),
        major=place["major"],
        schema=place["schema"],
        tables={each["name"] for each in ours if each["relkind"] in (b"r", b"p")},
        filled=filled,
        others=[each["quoted"] for each in relations if not each["ours"]],
        drops=drops,
        owner=place["owner"],
        service_roles=service_roles_of(await our_objects(connection, place["schema"])),
    )


def _holds_rows(name: str, quoted: str) -> str:
    """A question with the names of the schemas that come with the program as its argument."""
    own = _OWN.get(name, "$1::text[] IS NOT NULL")
    return f"SELECT EXISTS (SELECT FROM {quoted} WHERE {own})"  # noqa: S608 (quoted by the server)
