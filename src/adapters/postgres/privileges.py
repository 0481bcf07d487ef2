"""Who may do what with our tables: what the second wall asks for, against what the catalogs say.

The owner of the tables migrates and is bound by nothing. The service's roles read and write rows,
by a policy and by grants. Nobody else has a right by default.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from adapters.postgres.objects import RELATIONS, our_names
from adapters.postgres.schema import HISTORY

API_ROLES: Final = ("anon", "authenticated")
"""The roles that the Data API of Supabase takes on; the service needs none of them."""
POLICY: Final = "storekeeper_service"
"""The policy that lets the service's roles see all rows, by its name on each table."""

_ROWS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
TABLE_RIGHTS: Final[Mapping[str, frozenset[str]]] = {
    HISTORY: frozenset({"SELECT"}),
    "audit_log": frozenset({"SELECT", "INSERT"}),  # what was written down stays
}
"""What the service may do with a table, where that is less than reading and writing rows."""
_SEQUENCE_RIGHTS: Final = frozenset({"USAGE", "SELECT", "UPDATE"})
_BY_THE_SCHEDULER: Final = ("compute_search_insight", "refresh_search_insights")
"""Functions of `storekeeper insights sql`, where somebody ran it."""
_OF_THE_OWNER: Final = {*_BY_THE_SCHEDULER, "make_search_clicks_month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseObject:
    """A table, view, sequence or function of ours.

    Attributes:
        name: without its schema.
        quoted: as a statement may hold it; a function with its arguments.
        kind: `TABLE`, `SEQUENCE` or `FUNCTION`, as GRANT says it: a view is a table there.
        wanted: what a service's role may do with it, by PostgreSQL's words.
        given: what each role of `roles` was given on it; PUBLIC's by the name ''.
        walled: row level security is on; None for what has none.
        policy: the roles of its policy for the service; None without one.
    """

    name: str
    quoted: str
    kind: str
    wanted: frozenset[str]
    given: Mapping[str, frozenset[str]]
    walled: bool | None = None
    policy: frozenset[str] | None = None


def table_rights(name: str) -> frozenset[str]:
    """What the service may do with the rows of a table of ours."""
    return TABLE_RIGHTS.get(name, _ROWS)


async def schema_of_ours(connection: asyncpg.Connection) -> str | None:
    """The schema of our tables, as a statement may hold it; None before the first migration."""
    found: str | None = await connection.fetchval(
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass($1)", HISTORY
    )
    return found


_RELATION_RIGHTS: Final = """
SELECT pg_class.oid, relname::text AS name, pg_class.oid::regclass::text AS quoted,
    relkind, relrowsecurity AS walled, relispartition AS is_part,
    ARRAY(
        SELECT ARRAY[coalesce(rolname::text, ''), privilege_type] FROM (
            SELECT grantee, privilege_type FROM aclexplode(relacl)
            UNION
            SELECT grantee, 'some columns'
            FROM pg_attribute, aclexplode(attacl) WHERE attrelid = pg_class.oid
        ) AS given LEFT JOIN pg_roles ON pg_roles.oid = grantee
    ) AS given,
    (
        SELECT array_agg(rolname::text)
        FROM pg_policy JOIN pg_roles ON pg_roles.oid = ANY (polroles)
        WHERE polrelid = pg_class.oid AND polname = $2
    ) AS policy
FROM pg_class WHERE pg_class.oid = ANY ($1::oid[])
ORDER BY relkind = 'S', relname
"""
_FUNCTION_RIGHTS: Final = """
SELECT proname::text AS name, pg_proc.oid::regprocedure::text AS quoted, prokind,
    prorettype = 'trigger'::regtype AS is_trigger,
    ARRAY(
        SELECT ARRAY[coalesce(rolname::text, ''), privilege_type]
        FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS given
        LEFT JOIN pg_roles ON pg_roles.oid = grantee
    ) AS given
FROM pg_proc
WHERE pronamespace = $1::regnamespace AND proname = ANY ($2::text[])
ORDER BY 2
"""


async def our_objects(connection: asyncpg.Connection, schema: str) -> Sequence[DatabaseObject]:
    """Everything of ours that a role may have a right on, partitions and sequences included."""
    made = our_names()
    relations = await connection.fetch(RELATIONS, schema, list(made["relation"]))
    oids = [each["oid"] for each in relations if each["ours"]]
    found = [_relation(row) for row in await connection.fetch(_RELATION_RIGHTS, oids, POLICY)]
    names = [*made["function"], *_BY_THE_SCHEDULER]
    return [*found, *map(_function, await connection.fetch(_FUNCTION_RIGHTS, schema, names))]


def _relation(row: Any) -> DatabaseObject:
    is_table = row["relkind"] in (b"r", b"p")
    if row["relkind"] == b"S":
        kind, wanted = "SEQUENCE", _SEQUENCE_RIGHTS
    elif row["is_part"]:  # reached through the whole alone
        kind, wanted = "TABLE", frozenset[str]()
    else:
        kind, wanted = "TABLE", table_rights(row["name"]) if is_table else frozenset({"SELECT"})
    return DatabaseObject(
        name=row["name"],
        quoted=row["quoted"],
        kind=kind,
        wanted=wanted,
        given=_given(row["given"]),
        walled=row["walled"] if is_table else None,
        policy=None if row["policy"] is None else frozenset(row["policy"]),
    )


def _function(row: Any) -> DatabaseObject:
    is_owners = row["name"] in _OF_THE_OWNER
    return DatabaseObject(
        name=row["name"],
        quoted=row["quoted"],
        kind="PROCEDURE" if row["prokind"] == b"p" else "FUNCTION",
        # Who hangs a trigger's function on a table needs EXECUTE, who sets it off does not.
        wanted=frozenset() if row["is_trigger"] or is_owners else frozenset({"EXECUTE"}),
        given=_given(row["given"]),
    )


def _given(pairs: Sequence[Sequence[str]]) -> Mapping[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for role, privilege in pairs:
        found[role].add(privilege)
    return {role: frozenset(privileges) for role, privileges in found.items()}


def service_roles_of(objects: Sequence[DatabaseObject]) -> frozenset[str]:
    """The roles that `storekeeper db grant` let in: those that a policy for the service names."""
    return frozenset[str]().union(*(each.policy or () for each in objects))


_DEFAULTS: Final = """
SELECT DISTINCT quote_ident(rolname) AS role,
    CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' ELSE 'FUNCTIONS' END AS kind
FROM pg_default_acl CROSS JOIN aclexplode(defaclacl) JOIN pg_roles ON pg_roles.oid = grantee
WHERE defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
  AND defaclnamespace = $1::regnamespace
  AND defaclobjtype IN ('r', 'S', 'f') AND rolname = ANY ($2::text[])
ORDER BY 1, 2
"""


async def repairs(
    connection: asyncpg.Connection, *, service_roles: Collection[str] = ()
) -> Sequence[str]:
    """The statements, for the owner to run, that make the wall whole; none where it is.

    Args:
        connection: to a migrated database.
        service_roles: those of the service beside the ones that it has policies for; they exist.
    """
    schema = await schema_of_ours(connection)
    if schema is None:
        return []
    objects = await our_objects(connection, schema)
    wanted = service_roles_of(objects) | set(service_roles)
    names = {role: quoted(role) for role in wanted}
    needed = [
        f"GRANT USAGE ON SCHEMA {schema} TO {names[role]}"
        for role in sorted(wanted)
        if not await connection.fetchval(
            "SELECT has_schema_privilege($1::name, $2::regnamespace, 'USAGE')", role, schema
        )
    ]
    needed += [
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}"
        f" REVOKE ALL ON {row['kind']} FROM {row['role']}"
        for row in await connection.fetch(_DEFAULTS, schema, list(API_ROLES))
    ]
    for each in objects:
        needed += _repairs_of(each, names)
    return needed


def _repairs_of(each: DatabaseObject, service: Mapping[str, str]) -> Iterator[str]:
    """What one object needs; `service` has the roles by name, with the name quoted."""
    on = f"{each.kind} {each.quoted}"
    if each.walled is False:
        yield f"ALTER TABLE {each.quoted} ENABLE ROW LEVEL SECURITY"
    for outsider in ("", *API_ROLES):
        if each.given.get(outsider):
            yield f"REVOKE ALL ON {on} FROM {quoted(outsider) if outsider else 'PUBLIC'}"
    if not service:
        return
    to = ", ".join(service[role] for role in sorted(service))
    if each.walled is not None and each.wanted and each.policy != frozenset(service):
        if each.policy is None:
            yield f"CREATE POLICY {POLICY} ON {each.quoted} TO {to} USING (TRUE) WITH CHECK (TRUE)"
        else:
            yield f"ALTER POLICY {POLICY} ON {each.quoted} TO {to}"
    for role, name in sorted(service.items()):
        given = each.given.get(role, frozenset())
        if given - each.wanted:
            yield f"REVOKE ALL ON {on} FROM {name}"
            given = frozenset()
        if each.wanted - given:
            yield f"GRANT {', '.join(sorted(each.wanted))} ON {on} TO {name}"


def quoted(name: str) -> str:
    """A role's name as a statement may hold it."""
    return '"' + name.replace('"', '""') + '"'
