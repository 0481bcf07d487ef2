"""What a database's catalogs say of its tables, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

_QUERIES = {
    "columns": """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,
               pg_get_expr(adbin, adrelid), attidentity::text, attgenerated::text
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
        ORDER BY relname, attnum
    """,
    # Since PostgreSQL 18 NOT NULL stands here too; `attnotnull` says it on every version.
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid),
               convalidated
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
        ORDER BY 1, 2
    """,
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        ORDER BY 1, 2
    """,
    "sequences": """
        SELECT relname, seqtypid::regtype::text, seqstart, seqincrement, seqcycle,
               pg_depend.refobjid::regclass::text, pg_depend.refobjsubid, pg_depend.deptype::text
        FROM pg_sequence
        JOIN pg_class ON pg_class.oid = seqrelid
        JOIN pg_depend ON objid = seqrelid AND refobjsubid > 0
        WHERE relnamespace = 'public'::regnamespace
        ORDER BY relname
    """,
    "options": """
        SELECT relname, reloptions, relrowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
        ORDER BY relname
    """,
    "views": """
        SELECT relname, pg_get_viewdef(oid), reloptions FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
        ORDER BY relname
    """,
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text
        FROM pg_trigger WHERE NOT tgisinternal
        ORDER BY 1, 2
    """,
    "functions": """
        SELECT proname, pg_get_functiondef(pg_proc.oid), ARRAY(
            SELECT privilege_type FROM aclexplode(coalesce(proacl, acldefault('f', proowner)))
            WHERE grantee = 0
        )
        FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        ORDER BY 1
    """,
}

Catalog = Mapping[str, Sequence[tuple[object, ...]]]


async def catalog_of(url: str) -> Catalog:
    """Columns, constraints, indexes, sequences, options, views, triggers, functions of `public`."""
    connection = await asyncpg.connect(url)
    try:
        found = {}
        for name, query in _QUERIES.items():
            found[name] = [tuple(row) for row in await connection.fetch(query)]
        return found
    finally:
        await connection.close()
