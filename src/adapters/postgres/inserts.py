"""Many rows at once, by INSERT from arrays.

Not by COPY, which PostgreSQL refuses to a role that row level security binds.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sequence
from itertools import islice
from typing import Any, Final

from adapters.postgres.pool import Connection
from adapters.postgres.schema import tables

_ROWS: Final = 20_000
_CHARACTERS: Final = 4_194_304

Row = Sequence[Any]


async def insert_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 (of one statement, which asyncpg ends)
) -> None:
    """Insert `rows` into a table of ours, 20,000 a statement.

    Args:
        connection: in a transaction, where all or none shall be.
        table: its name in `sql/schema.sql`.
        columns: those that the rows give; the others take their defaults.
        rows: a value for each of `columns`.
        timeout: seconds that one statement may take; None for the connection's own.
    """
    statement, left = _statement(table, columns), iter(rows)
    while batch := list(islice(left, _ROWS)):
        await connection.execute(statement, *_columns(batch), timeout=timeout)


async def insert_texts(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: AsyncIterable[Row],
    *,
    timeout: float | None = None,  # noqa: ASYNC109
) -> None:
    """The same with rows as they come, the last of `columns` a long text: some 4 MB a statement."""
    statement = _statement(table, columns)
    batch: list[Row] = []
    characters = 0
    async for row in rows:
        batch.append(row)
        characters += len(row[-1] or "")
        if len(batch) == _ROWS or characters >= _CHARACTERS:
            await connection.execute(statement, *_columns(batch), timeout=timeout)
            batch, characters = [], 0
    if batch:
        await connection.execute(statement, *_columns(batch), timeout=timeout)


def _columns(rows: Sequence[Row]) -> Iterable[Sequence[Any]]:
    return map(list, zip(*rows, strict=True))


def _statement(table: str, columns: Sequence[str]) -> str:
    # Without the length of a VARCHAR: a cast to it would cut off in silence what is too long.
    types = [tables()[table].columns[name].type.partition("(")[0] for name in columns]
    arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
