"""Whether the tables are as this version needs them.

A database that is taken over may lack a column, or have it otherwise, where no migration looks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg

from adapters.postgres.privileges import table_rights
from adapters.postgres.schema import Column, Table, numbered, tables
from adapters.postgres.sequences import lag_of, sequence_of

SHOP: Final[Mapping[str, Sequence[str]]] = {
    "users": ("id", "name", "email", "created_at"),
    "orders": ("id", "user_id", "product_name", "quantity", "order_date"),
    "search_clicks": (
        "search_id", "search_query", "clicks", "impressions", "click_through_rate", "search_date",
    ),
    "search_insights": (
        "id", "insight_date", "average_ctr", "top_queries", "low_performance_queries",
    ),
}  # fmt: skip
"""The columns that a database may hold before any migration."""

_COLUMNS: Final = """
SELECT
    wanted.name AS table_name,
    pg_class.relkind = ANY ('{r,p}') AS is_table,
    attname AS name,
    format_type(
        coalesce(nullif(typbasetype, 0), atttypid),
        CASE typbasetype WHEN 0 THEN atttypmod ELSE typtypmod END
    ) AS type,
    attnotnull AS not_null,
    atthasdef OR attidentity <> '' AS has_default,
    attgenerated <> '' AS generated
FROM
    unnest($1::text[]) AS wanted (name)
    JOIN pg_class ON pg_class.oid = to_regclass(quote_ident(wanted.name))
    LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_type ON pg_type.oid = atttypid
"""
_CONSTRAINTS: Final = """
SELECT array_agg(conname::text) FROM pg_constraint WHERE conrelid = to_regclass(quote_ident($1))
"""
_FORBIDDEN: Final = """
SELECT string_agg(word, ', ')
FROM unnest($2::text[]) AS word
WHERE NOT has_table_privilege(to_regclass(quote_ident($1)), word)
"""
_UNSEEN: Final = """
SELECT row_security_active(to_regclass(quote_ident($1))) AND NOT EXISTS (
    SELECT FROM pg_policy, unnest(polroles) AS role
    WHERE polrelid = to_regclass(quote_ident($1)) AND (role = 0 OR pg_has_role(role, 'USAGE'))
)
"""
_FORBIDDEN_SEQUENCE: Final = """
SELECT string_agg(word, ', ') FROM unnest('{USAGE,SELECT,UPDATE}'::text[]) AS word
WHERE NOT has_sequence_privilege($1::text, word)
"""


async def table_faults(connection: asyncpg.Connection, *, migrated: bool) -> Sequence[str]:
    """What is not as it must be, each with the remedy; empty when all is well.

    Args:
        connection: by the role that the service connects as.
        migrated: every migration is applied; otherwise the tables that a shop may bring are looked
            at, as far as they are there.
    """
    expected = [each for name, each in tables().items() if migrated or name in SHOP]
    found: defaultdict[str, dict[str, asyncpg.Record]] = defaultdict(dict)
    for row in await connection.fetch(_COLUMNS, [table.name for table in expected]):
        found[row["table_name"]][row["name"]] = row
    faults: list[str] = []
    for table in expected:
        if table.name in found:
            only = None if migrated else SHOP[table.name]
            faults += _faults_of(table, found[table.name], only)
            faults += await _missing_keys(connection, table)
            faults += await _refusals(connection, table.name)
        elif migrated:
            faults.append(f"{table.name} is missing, though it was made: restore it from a backup")
    return [*faults, *await _lags(connection, found)]


def _faults_of(table: Table, found: Mapping[str, Any], only: Sequence[str] | None) -> Iterator[str]:
    if not next(iter(found.values()))["is_table"]:
        yield f"{table.name} is no table: give the view or the like another name, and migrate again"
        return
    for column in table.columns.values():
        row = found.get(column.name)
        if row is not None:
            yield from _faults_of_column(table.name, column, row)
        elif only is None or column.name in only:
            yield (
                f"{table.name}.{column.name} is missing:"
                f" ALTER TABLE {table.name} ADD COLUMN {_definition(column)}"
            )
    for name, row in found.items():
        if name not in table.columns and row["not_null"] and not row["has_default"]:
            yield (
                f"{table.name}.{name} is NOT NULL without a default, so no row can be added:"
                f' ALTER TABLE {table.name} ALTER COLUMN "{name}" DROP NOT NULL, or SET DEFAULT'
            )


def _faults_of_column(table: str, column: Column, row: Any) -> Iterator[str]:
    wanted, is_ = column.type, row["type"]
    at, alter = f"{table}.{column.name}", f"ALTER TABLE {table} ALTER COLUMN"
    if not _holds(wanted, is_):
        yield (
            f"{at} is {is_}, not {wanted}: {alter} {column.name} TYPE {wanted}"
            f" USING {column.name}::{wanted}"
        )
    if row["generated"] and not column.is_computed:
        yield f"{at} is generated, and cannot be written: {alter} {column.name} DROP EXPRESSION"
    if column.not_null and not row["not_null"]:
        yield (f"{at} may be NULL: give such rows a value, then {alter} {column.name} SET NOT NULL")
    if column.type == "double precision" and not column.not_null and row["not_null"]:
        yield (
            f"{at} is NOT NULL, but what was never shown has no rate:"
            f" {alter} {column.name} DROP NOT NULL"
        )
    if row["has_default"]:
        return
    if column.is_numbered:
        yield f"{at} has no default: {alter} {column.name} ADD GENERATED BY DEFAULT AS IDENTITY"
    elif column.default is not None and (row["not_null"] or column.name == "created_at"):
        yield f"{at} has no default: {alter} {column.name} SET DEFAULT {column.default}"


def _definition(column: Column) -> str:
    # Rows that are there need a value at once.
    is_text = column.type.startswith(("text", "character varying")) and "[" not in column.type
    given = is_text and column.not_null and column.default is None
    return f"{column.definition} DEFAULT ''" if given else column.definition


def _holds(wanted: str, is_: str) -> bool:
    """Whether a column of type `is_` does for one of type `wanted`."""
    limit, length = _length_of(wanted), _length_of(is_)
    if limit is not None:
        return is_ in {"text", "character varying"} or (length is not None and length >= limit)
    if wanted.startswith("timestamp"):  # whatever the precision
        return is_.startswith("timestamp") and is_.endswith(wanted.removeprefix("timestamp"))
    return wanted == is_


def _length_of(type_: str) -> int | None:
    """The most characters of a `character varying(n)`; None of any other type."""
    length = type_.removeprefix("character varying(").removesuffix(")")
    return int(length) if length.isdecimal() else None


async def _missing_keys(connection: asyncpg.Connection, table: Table) -> Sequence[str]:
    """Primary and foreign keys, whose names tell a refusal by the database from a defect."""
    names = await connection.fetchval(_CONSTRAINTS, table.name) or []
    return [
        f"{table.name} has no constraint {name}:"
        f" ALTER TABLE {table.name} ADD CONSTRAINT {name} {key}, or rename yours to that"
        for name, key in table.keys.items()
        if name not in names
    ]


async def _refusals(connection: asyncpg.Connection, table: str) -> Sequence[str]:
    """What the role may not do."""
    words = await connection.fetchval(_FORBIDDEN, table, sorted(table_rights(table)))
    if words:
        return [_grant(table, words)]
    if await connection.fetchval(_UNSEEN, table):
        role = await connection.fetchval("SELECT current_user")
        told = f"{table}: row level security lets role {role} see no row, as no policy names it"
        return [f"{told}: as the owner, run `storekeeper db grant {role}`"]
    return []


def _grant(name: str, words: str) -> str:
    role = "the role of DATABASE_URL"
    return f"{name}: {role} lacks {words}: GRANT {words} ON {name} TO it, as the owner"


async def _lags(connection: asyncpg.Connection, found: Mapping[str, Any]) -> Sequence[str]:
    faults = []
    for table, column in numbered().values():
        if column not in found.get(table, ()) or await _refusals(connection, table):
            continue
        sequence = await sequence_of(connection, table, column)
        if sequence is None:
            continue
        words = await connection.fetchval(_FORBIDDEN_SEQUENCE, sequence)
        if words:
            faults.append(_grant(f"SEQUENCE {sequence}", words))
            continue
        lag = await lag_of(connection, table, column)
        if lag is not None:
            faults.append(
                f"{table}.{column} comes from a sequence that stands at {lag.given}, and a row has"
                f" {lag.highest}, so new rows collide: {lag.remedy}"
            )
    return faults
