"""Whether the second wall stands: what the service's role may do, and who else may do anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg

from adapters.postgres.privileges import API_ROLES, DatabaseObject, our_objects, schema_of_ours
from ports.health import CheckResult

_ROLE: Final = """
SELECT current_user AS name, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
    (
        SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class
        WHERE oid = to_regclass('schema_migrations')
    ) AS is_owner,
    has_schema_privilege($1::regnamespace, 'CREATE') AS makes_tables,
    has_parameter_privilege('session_replication_role', 'SET') AS stills_triggers,
    ARRAY(
        SELECT pg_class.oid::regclass::text FROM pg_class
        WHERE pg_class.oid = ANY ($2::text[]::regclass[])
          AND has_table_privilege(pg_class.oid, 'TRUNCATE, TRIGGER, REFERENCES')
    ) AS too_much,
    ARRAY(
        SELECT DISTINCT nspname::text FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace <> $1::regnamespace
          AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
          AND has_schema_privilege(relnamespace, 'USAGE')
          AND has_table_privilege(pg_class.oid, 'SELECT')
          AND NOT EXISTS (
              SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                AND objid = pg_class.oid AND deptype = 'e'
          )
    ) AS elsewhere
FROM pg_roles WHERE rolname = current_user
"""

# By PUBLIC too, and by any role that it may take on.
_REACHED: Final = """
SELECT DISTINCT role.rolname::text AS role, thing.quoted
FROM pg_roles AS role JOIN pg_roles AS taken ON pg_has_role(role.oid, taken.oid, 'MEMBER'),
    unnest($1::text[], $2::text[]) AS thing (quoted, kind)
WHERE role.rolname = ANY ($3::text[]) AND CASE kind
    WHEN 'TABLE' THEN has_any_column_privilege(
            taken.oid, quoted::regclass, 'SELECT, INSERT, UPDATE, REFERENCES'
        ) OR has_table_privilege(taken.oid, quoted::regclass, 'DELETE, TRUNCATE, TRIGGER')
    WHEN 'SEQUENCE' THEN has_sequence_privilege(
            taken.oid, quoted::regclass, 'USAGE, SELECT, UPDATE'
        )
    ELSE has_function_privilege(taken.oid, quoted::regprocedure, 'EXECUTE')
END
ORDER BY 1, 2
"""

# A view reads with its owner's rights unless it says otherwise; a materialized view holds a copy.
_SEEN_THROUGH: Final = """
SELECT DISTINCT role.rolname::text AS role, view.oid::regclass::text AS quoted
FROM pg_class AS view
JOIN pg_rewrite ON ev_class = view.oid
JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
    AND refclassid = 'pg_class'::regclass AND refobjid = ANY ($1::text[]::regclass[])
JOIN pg_roles AS role ON role.rolname = ANY ($2::text[])
WHERE view.oid <> ALL ($1::text[]::regclass[]) AND view.relkind IN ('v', 'm')
  AND (view.relkind = 'm' OR NOT coalesce(
      view.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}', FALSE
  ))
  AND has_schema_privilege(role.oid, view.relnamespace, 'USAGE')
  AND has_any_column_privilege(role.oid, view.oid, 'SELECT, INSERT, UPDATE')
ORDER BY 1, 2
"""

_BLIND: Final = """
SELECT role.rolname::text AS role, array_agg(thing.quoted ORDER BY thing.quoted) AS tables
FROM unnest($1::text[]) AS thing (quoted)
JOIN pg_class ON pg_class.oid = quoted::regclass AND relrowsecurity
JOIN pg_roles AS role ON NOT rolsuper AND NOT rolbypassrls AND role.rolname <> ALL ($2::text[])
    AND role.rolname <> current_user AND role.rolcanlogin
    AND NOT pg_has_role(role.oid, relowner, 'USAGE')
WHERE has_any_column_privilege(role.oid, pg_class.oid, 'SELECT')
  AND NOT EXISTS (
      SELECT FROM pg_policy, unnest(polroles) AS named
      WHERE polrelid = pg_class.oid AND (named = 0 OR pg_has_role(role.oid, named, 'USAGE'))
  )
GROUP BY 1 ORDER BY 1
"""


async def role_checks(connection: asyncpg.Connection) -> Sequence[CheckResult]:
    """What there is to say of the role of `connection`, and of all others.

    Args:
        connection: to a migrated database, by the role that the service connects as.
    """
    schema = await schema_of_ours(connection)
    if schema is None:
        return []
    objects = await our_objects(connection, schema)
    tables = [each.quoted for each in objects if each.walled is not None]
    role = await connection.fetchrow(_ROLE, schema, tables)
    assert role is not None
    arguments = [each.quoted for each in objects], [_kind(each) for each in objects]
    reached = await connection.fetch(_REACHED, *arguments, list(API_ROLES))
    relations = [each.quoted for each in objects if _kind(each) == "TABLE"]
    through = await connection.fetch(_SEEN_THROUGH, relations, list(API_ROLES))
    blind = await connection.fetch(_BLIND, tables, list(API_ROLES))
    faults = [*_open_ways(objects, reached, through)]
    return [
        *(
            [_fault(each) for each in faults]
            or [_told("closed to all roles that have no part in it")]
        ),
        *(_warning("database access", _blindness(row)) for row in blind),
        *_of_role(role),
    ]


def _kind(each: DatabaseObject) -> str:
    return each.kind if each.kind in {"TABLE", "SEQUENCE"} else "FUNCTION"


def _open_ways(
    objects: Sequence[DatabaseObject], reached: Sequence[Any], through: Sequence[Any]
) -> Iterator[str]:
    remedy = "run `storekeeper db migrate` as the owner of the tables"
    unwalled = [each.quoted for each in objects if each.walled is False]
    if unwalled:
        yield f"row level security is off for {_some(unwalled)}: {remedy}"
    public = [each.quoted for each in objects if each.given.get("")]
    if public:
        yield f"every role has rights on {_some(public)}: {remedy}"
    for name in API_ROLES:
        things = [row["quoted"] for row in reached if row["role"] == name]
        if things and not public:
            yield (
                f"role {name} has rights on {_some(things)}: {remedy}; what is left then comes from"
                " another role: REVOKE it as who gave it"
            )
        views = [row["quoted"] for row in through if row["role"] == name]
        if views:
            yield (
                f"role {name} sees our tables through {_some(views)}, which reads with its owner's"
                f" rights: REVOKE ALL ON {views[0]} FROM {name}, or for a view ALTER VIEW"
                f" {views[0]} SET (security_invoker = true)"
            )


def _blindness(row: Any) -> str:
    name, tables = row["role"], row["tables"]
    return (
        f"role {name} has rights on {_some(tables)} and sees no row there, because no policy names"
        f" it: if it shall, CREATE POLICY other_programs ON {tables[0]} TO {name} USING (TRUE)"
    )


def _of_role(role: Any) -> Iterator[CheckResult]:
    name = role["name"]
    if role["rolsuper"] or role["rolbypassrls"] or role["is_owner"]:
        what = (
            "a superuser"
            if role["rolsuper"]
            else "the owner of its tables"
            if role["is_owner"]
            else "a role that row level security does not bind"
        )
        yield _warning(
            "database role",
            f"{name} is {what}: whoever gets hold of the service's address may change everything"
            " there. `storekeeper db grant` makes a role that may not"
            " (docs/how-to/database-roles.md)",
        )
        return
    too_much = [
        words
        for is_so, words in (
            (role["makes_tables"], "make tables in the schema"),
            (role["rolcreaterole"], "make roles"),
            (role["rolcreatedb"], "make databases"),
            (role["stills_triggers"], "switch triggers off (session_replication_role)"),
            (role["too_much"], f"TRUNCATE, refer to or hang triggers on {_some(role['too_much'])}"),
            (role["elsewhere"], f"read tables of the schemas {_some(role['elsewhere'])}"),
        )
        if is_so
    ]
    if too_much:
        yield _warning(
            "database role",
            f"{name} may do more than it needs: {'; '.join(too_much)}. REVOKE it, or run"
            f" `storekeeper db grant {name}` as the owner of the tables",
        )
        return
    yield CheckResult(
        subject="database role",
        good=True,
        detail=f"{name} may read and write rows, and nothing else",
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _fault(detail: str) -> CheckResult:
    return CheckResult(subject="database access", good=False, detail=detail)


def _warning(subject: str, detail: str) -> CheckResult:
    return CheckResult(subject=subject, good=True, detail=detail, warns=True)


def _told(detail: str) -> CheckResult:
    return CheckResult(subject="database access", good=True, detail=detail)
