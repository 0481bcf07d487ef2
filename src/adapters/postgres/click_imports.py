"""Rows of searches into PostgreSQL by COPY, with how far their file is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import asyncpg

from adapters.postgres.errors import on_constraint
from adapters.postgres.pool import Database
from adapters.postgres.queries import load_queries
from domain.errors import ChangesCollided, Conflict
from domain.insights.bulk import COLUMNS, ClickRecord, Position
from domain.insights.imports import ClickImport
from ports.click_imports import ClickImports

_QUERIES: Final = load_queries("click_imports")
_CHUNK_TIMEOUT_S: Final = 600
"""A chunk takes a second; a slow line or a day that is being computed may hold it up."""
_TRIES: Final = 3


class PostgresClickImports(ClickImports):
    """Rows of `search_clicks` and `click_imports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, fingerprint: bytes) -> ClickImport | None:
        """The newest import of a file; see the port."""
        query = _QUERIES["latest_import"]
        row = await self._database.fetchrow(query.sql, *query.args(fingerprint=fingerprint))
        return None if row is None else _import(row)

    async def last_named(self, name: str) -> ClickImport | None:
        """The newest import of a file of that name; see the port."""
        query = _QUERIES["last_named_import"]
        row = await self._database.fetchrow(query.sql, *query.args(name=name))
        return None if row is None else _import(row)

    async def begin(self, fingerprint: bytes, *, name: str, options: str) -> ClickImport:
        """Begin to import a file; see the port."""
        query = _QUERIES["begin_import"]
        arguments = query.args(fingerprint=fingerprint, name=name, options=options)
        with on_constraint({"click_imports_open_key": _elsewhere}):
            row = await self._database.fetchrow(query.sql, *arguments)
        assert row is not None
        return _import(row)

    async def append(
        self, before: ClickImport, after: ClickImport, rows: Sequence[ClickRecord]
    ) -> None:
        """Write all rows and move on, or do neither; see the port."""
        for _ in range(_TRIES - 1):
            try:
                return await self._append(before, after, rows)
            except ChangesCollided:
                continue
        return await self._append(before, after, rows)

    async def _append(
        self, before: ClickImport, after: ClickImport, rows: Sequence[ClickRecord]
    ) -> None:
        lock, move = _QUERIES["lock_import"], _QUERIES["move_import"]
        async with self._database.transaction() as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{_CHUNK_TIMEOUT_S}s'")
            try:
                held = await connection.fetchval(lock.sql, *lock.args(**_place(before)))
            except asyncpg.LockNotAvailableError:
                raise _elsewhere() from None
            if held is None:
                raise _elsewhere()
            if rows:
                await connection.copy_records_to_table(
                    "search_clicks", records=rows, columns=COLUMNS, timeout=_CHUNK_TIMEOUT_S
                )
            await connection.execute(
                move.sql,
                *move.args(
                    **_place(after),
                    accepted=after.accepted,
                    rejected=after.rejected,
                    rejects_bytes=after.rejects_bytes,
                ),
            )

    async def finish(self, at: ClickImport) -> ClickImport:
        """The file is read to its end; see the port."""
        query = _QUERIES["finish_import"]
        finished_at = await self._database.fetchval(query.sql, *query.args(**_place(at)))
        if finished_at is None:
            raise _elsewhere()
        return replace(at, finished_at=finished_at)


def _place(at: ClickImport) -> dict[str, int]:
    return {"id": at.id, "file_offset": at.position.offset, "line": at.position.line}


def _elsewhere() -> Conflict:
    return Conflict("Another process is importing this file now.")


def _import(row: asyncpg.Record) -> ClickImport:
    return ClickImport(
        id=row["id"],
        fingerprint=row["fingerprint"],
        name=row["name"],
        options=row["options"],
        position=Position(offset=row["file_offset"], line=row["line"]),
        accepted=row["accepted"],
        rejected=row["rejected"],
        rejects_bytes=row["rejects_bytes"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
