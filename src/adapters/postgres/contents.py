"""What of a database is ours: the tables, views, functions and the collation that `sql/` makes.

With them go the sequences and partitions of those tables, and whatever columns and indexes were
added to them. Other tables of the same database, and other schemas, are not ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import asyncpg

from adapters.postgres.migrations import migration_files
from adapters.postgres.pool import PoolOptions, connect_arguments
from adapters.postgres.queries import SQL_DIR
from adapters.postgres.schema import HISTORY
from adapters.postgres.urls import read_database_url

_WRITTEN_BY_WORKERS: Final = {HISTORY, "extraction_workers", "scheduled_runs"}
_SEEDED: Final = "extraction_schemas"


class ContentsError(Exception):
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
    """

    url: str
    name: str
    major: int
    schema: str
    tables: Collection[str]
    filled: Sequence[str]
    others: Sequence[str]
    drops: Sequence[str]


async def read_contents(url: str, *, seeded: Collection[str] = ()) -> DatabaseSnapshot:
    """What stands in the database of `url`.

    Args:
        url: of the database.
        seeded: names of the extraction schemas that come with the program: nobody's data.

    Raises:
        ContentsError: it cannot be reached, or only through a transaction pooler.
    """
    arguments = connect_arguments(url, PoolOptions())
    if not arguments["statement_cache_size"]:
        raise ContentsError(
            "a dump needs a session of its own, and DATABASE_URL leads through a transaction"
            " pooler: give it the direct address, or that of a session pooler."
        )
    arguments["command_timeout"] = None
    try:
        connection = await asyncpg.connect(**arguments)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error).rstrip(".") or "no answer in time"
        raise ContentsError(f"the database of DATABASE_URL cannot be reached: {why}.") from error
    try:
        return await _look(connection, url, seeded)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ContentsError(f"the database of DATABASE_URL cannot be read: {error}.") from error
    finally:
        connection.terminate()


_PLACE = """
SELECT current_database() AS database, current_user AS role,
       current_setting('server_version_num')::int / 10000 AS major,
       COALESCE(
           (SELECT relnamespace::regnamespace::text FROM pg_class
            WHERE oid = to_regclass('schema_migrations')),
           quote_ident(current_schema())
       ) AS schema
"""

# A sequence is its table's: owned by a column, or what the default of a column draws from.
_RELATIONS = """
WITH RECURSIVE found AS (
    SELECT oid, relname::text AS name, relkind, oid::regclass::text AS quoted,
           relname = ANY ($2::text[]) AND relkind IN ('r', 'p', 'v') AS named
    FROM pg_class
    WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), ours AS (
    SELECT oid FROM found WHERE named
    UNION
    SELECT below.oid FROM ours, LATERAL (
        SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = ours.oid
        UNION ALL
        SELECT objid FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
          AND refobjid = ours.oid AND deptype IN ('a', 'i')
        UNION ALL
        SELECT used.refobjid FROM pg_attrdef AS value
        JOIN pg_depend AS used ON used.classid = 'pg_attrdef'::regclass AND used.objid = value.oid
        JOIN pg_class AS sequence ON sequence.oid = used.refobjid AND sequence.relkind = 'S'
        WHERE value.adrelid = ours.oid AND used.refclassid = 'pg_class'::regclass
    ) AS below
)
SELECT found.*, oid IN (SELECT oid FROM ours) AS ours FROM found ORDER BY name
"""

_FUNCTIONS = """
SELECT oid::regprocedure::text AS quoted, EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid
      AND refclassid = 'pg_class'::regclass
) AS is_bound FROM pg_proc
WHERE pronamespace = $1::regnamespace AND proname = ANY ($2::text[]) AND prokind = 'f'
"""

_COLLATION = """
SELECT oid::regcollation::text AS quoted FROM pg_collation
WHERE collnamespace = $1::regnamespace AND collname = 'unicode_case'
"""


async def _look(
    connection: asyncpg.Connection, url: str, seeded: Collection[str]
) -> DatabaseSnapshot:
    place = await connection.fetchrow(_PLACE)
    assert place is not None
    if place["schema"] is None:
        raise ContentsError(
            f"database {place['database']} has no schema on the search_path of"
            f" {place['role']}: create one, or set the role's search_path."
        )
    # All names come out qualified.
    await connection.execute("SET search_path = ''")
    made = our_names()
    relations = await connection.fetch(_RELATIONS, place["schema"], list(made["relation"]))
    functions = await connection.fetch(_FUNCTIONS, place["schema"], list(made["function"]))
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
            [each["quoted"] for each in await connection.fetch(_COLLATION, place["schema"])],
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
    )


def _holds_rows(name: str, quoted: str) -> str:
    """A question with the names of the schemas that come with the program as its argument."""
    own = "name <> ALL ($1::text[])" if name == _SEEDED else "$1::text[] IS NOT NULL"
    return f"SELECT EXISTS (SELECT FROM {quoted} WHERE {own})"  # noqa: S608 (quoted by the server)


@cache
def our_names() -> Mapping[str, Collection[str]]:
    """Names of what our SQL files make: a `relation`, or a `function`."""
    sql = "\n".join(each.sql for each in migration_files())
    sql += "\n".join(path.read_text("utf-8") for path in (SQL_DIR / "optional").glob("*.sql"))
    made = re.findall(
        r"^CREATE (?:OR REPLACE )?(TABLE|VIEW|FUNCTION) (?:IF NOT EXISTS )?(\w+)", sql, re.MULTILINE
    )
    functions = {name for kind, name in made if kind == "FUNCTION"}
    return {"relation": {name for _, name in made} - functions | {HISTORY}, "function": functions}
