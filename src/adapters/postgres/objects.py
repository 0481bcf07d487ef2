"""What of a schema is ours: the tables, views, functions and the collation that `sql/` makes.

With them go the sequences and partitions of those tables, and whatever columns and indexes were
added to them. Other tables of the same database, and other schemas, are not ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from adapters.postgres.queries import SQL_DIR
from adapters.postgres.schema import HISTORY

# A sequence is its table's: owned by a column, or what the default of a column draws from.
RELATIONS: Final = """
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

FUNCTIONS: Final = """
SELECT oid::regprocedure::text AS quoted, EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid
      AND refclassid = 'pg_class'::regclass
) AS is_bound FROM pg_proc
WHERE pronamespace = $1::regnamespace AND proname = ANY ($2::text[]) AND prokind = 'f'
"""

COLLATION: Final = """
SELECT oid::regcollation::text AS quoted FROM pg_collation
WHERE collnamespace = $1::regnamespace AND collname = 'unicode_case'
"""


@cache
def our_names() -> Mapping[str, Collection[str]]:
    """Names of what our SQL files make: a `relation`, or a `function`."""
    files = [
        path for folder in ("migrations", "optional") for path in (SQL_DIR / folder).glob("*.sql")
    ]
    sql = "\n".join(path.read_text("utf-8") for path in files)
    made = re.findall(
        r"^CREATE (?:OR REPLACE )?(TABLE|VIEW|FUNCTION) (?:IF NOT EXISTS )?(\w+)", sql, re.MULTILINE
    )
    functions = {name for kind, name in made if kind == "FUNCTION"}
    return {"relation": {name for _, name in made} - functions | {HISTORY}, "function": functions}
