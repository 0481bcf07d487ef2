"""Sequences that give ids, and what to do when rows came with ids of their own.

A row that was imported with its id does not move the sequence, which later gives the same id again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from adapters.postgres.schema import numbered

Connection = asyncpg.Connection | PoolConnectionProxy

# Owned by the column (SERIAL, IDENTITY), or named by its default alone.
_SEQUENCE: Final = """
SELECT coalesce(
    pg_get_serial_sequence(quote_ident($1), $2)::regclass,
    (
        SELECT refobjid::regclass
        FROM pg_depend
            JOIN pg_attrdef ON pg_depend.classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid
            JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
            JOIN pg_class ON pg_class.oid = refobjid AND relkind = 'S'
        WHERE adrelid = to_regclass(quote_ident($1)) AND attname = $2
        LIMIT 1
    )
)::text
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingSequence:
    """A sequence that gives ids which rows have already.

    Attributes:
        sequence: its name, as a statement may hold it.
        given: the id that it gave last, or would give first.
        highest: the highest id of a row.
    """

    sequence: str
    given: int
    highest: int

    @property
    def remedy(self) -> str:
        """The statement that mends it."""
        return f"SELECT setval('{self.sequence}', {self.highest})"


async def sequence_of(connection: Connection, table: str, column: str) -> str | None:
    """The name of a column's sequence, as a statement may hold it; None without one."""
    found: str | None = await connection.fetchval(_SEQUENCE, table, column)
    return found


async def lag_of(connection: Connection, table: str, column: str) -> LaggingSequence | None:
    """How far the sequence of a column is behind; None when it is not."""
    sequence = await sequence_of(connection, table, column)
    if sequence is None:
        return None
    row = await connection.fetchrow(
        f"SELECT last_value, is_called, (SELECT max({column}) FROM {table}) AS highest"  # noqa: S608
        f" FROM {sequence}"
    )
    assert row is not None
    given, highest = row["last_value"], row["highest"]
    behind = highest is not None and given + row["is_called"] <= highest
    return LaggingSequence(sequence=sequence, given=given, highest=highest) if behind else None


async def catch_up(connection: Connection, key: str) -> bool:
    """Move a sequence past the ids that rows have; False where it is past them already.

    While it looks, nobody else writes to the table: an id that was drawn is in the table then, or
    given up, so the sequence never goes back.

    Args:
        connection: in a transaction of its own.
        key: of `schema.numbered`.
    """
    table, column = numbered()[key]
    await connection.execute("SET LOCAL lock_timeout = '2s'")
    await connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
    lag = await lag_of(connection, table, column)
    if lag is not None:
        await connection.execute(lag.remedy)
    return lag is not None
