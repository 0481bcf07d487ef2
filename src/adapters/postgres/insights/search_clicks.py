"""The search log in PostgreSQL: rows come in, go out, and are given up day by day."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

import asyncpg

from adapters.postgres.audit import enter, with_entry
from adapters.postgres.errors import on_constraint
from adapters.postgres.inserts import insert_rows
from adapters.postgres.insights.search_insights import PostgresSearchInsightRepository
from adapters.postgres.pool import Database, SqlExecutor
from adapters.postgres.queries import load_queries
from domain.access.audit import AuditOutcome
from domain.errors import Conflict, WriteConflict
from domain.insights.click_rows import (
    COLUMNS,
    AcceptedRow,
    ClickImportState,
    ClickImportTotals,
    LoggedRow,
    ReadPosition,
)
from domain.insights.model import FIRST_DAY, RankingRules, SearchClickRow
from ports.click_files import ClickImportRepository
from ports.insights import SearchClickExport, SearchClickPruner, SearchClickWriter

_APPEND: Final = load_queries("search_clicks")["append_clicks"]
_ALL: Final = load_queries("search_clicks")["all_clicks"]
_FETCH_ROWS: Final = 8_192
_FETCH_TIMEOUT_S: Final = 600
"""The first rows may have to be sorted out of millions."""


class PostgresSearchClickWriter(SearchClickWriter):
    """Rows of `search_clicks`."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def append(self, clicks: Sequence[SearchClickRow]) -> int:
        """Write all rows or none, in one statement; see the port."""
        arguments = _APPEND.args(
            search_queries=[row.search_query for row in clicks],
            clicks=[row.clicks for row in clicks],
            impressions=[row.impressions for row in clicks],
            search_dates=[row.search_date for row in clicks],
        )
        sql, args = with_entry(_APPEND.sql, arguments, "search_clicks.append", "'/search-clicks'")
        tag = await self._executor.execute(sql, *args)
        return int(tag.rsplit(" ", 1)[-1])


class PostgresSearchClickExport(SearchClickExport):
    """Rows of `search_clicks` through a cursor of the server, in one snapshot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(
        self, first: date | None = None, last: date | None = None
    ) -> AsyncGenerator[Sequence[LoggedRow], None]:
        """The rows in the order in which they came; see the port."""
        async with self._database.transaction() as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{_FETCH_TIMEOUT_S}s'")
            # Whoever takes the rows may be slow.
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '1h'")
            # Not the driver's cursor: it names its statement, which outlives the transaction on
            # the server's side of a pooler, where the next export would meet it.
            await connection.execute(
                f"DECLARE export NO SCROLL CURSOR FOR {_ALL.sql}",
                *_ALL.args(first=first, last=last),
                timeout=_FETCH_TIMEOUT_S,
            )
            fetch = f"FETCH {_FETCH_ROWS} FROM export"
            while found := await connection.fetch(fetch, timeout=_FETCH_TIMEOUT_S):
                yield [tuple(row) for row in found]


_QUERIES: Final = load_queries("click_imports")
_IMPORT: Final = "search_clicks.import"
_IMPORT_PATH: Final = "'/click-imports/' || id"
_CHUNK_TIMEOUT_S: Final = 600
"""A chunk takes a second; a slow line or a day that is being computed may hold it up."""
_TRIES: Final = 3


class PostgresClickImportRepository(ClickImportRepository):
    """Rows of `search_clicks` and `click_imports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, fingerprint: bytes) -> ClickImportState | None:
        """The newest import of a file; see the port."""
        query = _QUERIES["latest_import"]
        row = await self._database.fetchrow(query.sql, *query.args(fingerprint=fingerprint))
        return None if row is None else _import(row)

    async def last_named(self, name: str) -> ClickImportState | None:
        """The newest import of a file of that name; see the port."""
        query = _QUERIES["last_named_import"]
        row = await self._database.fetchrow(query.sql, *query.args(name=name))
        return None if row is None else _import(row)

    async def totals(self) -> ClickImportTotals:
        """All imports together; see the port."""
        row = await self._database.fetchrow(_QUERIES["import_totals"].sql)
        assert row is not None
        return ClickImportTotals(**row)

    async def begin(self, fingerprint: bytes, *, name: str, options: str) -> ClickImportState:
        """Begin to import a file; see the port."""
        query = _QUERIES["begin_import"]
        arguments = query.args(fingerprint=fingerprint, name=name, options=options)
        sql, args = with_entry(
            query.sql, arguments, _IMPORT, _IMPORT_PATH, outcome=AuditOutcome.BEGUN
        )
        with on_constraint({"click_imports_open_key": _elsewhere}):
            row = await self._database.fetchrow(sql, *args)
        assert row is not None
        return _import(row)

    async def append(
        self, before: ClickImportState, after: ClickImportState, rows: Sequence[AcceptedRow]
    ) -> None:
        """Write all rows and move on, or do neither; see the port."""
        for _ in range(_TRIES - 1):
            try:
                return await self._append(before, after, rows)
            except WriteConflict:
                continue
        return await self._append(before, after, rows)

    async def _append(
        self, before: ClickImportState, after: ClickImportState, rows: Sequence[AcceptedRow]
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
                await insert_rows(
                    connection, "search_clicks", COLUMNS, rows, timeout=_CHUNK_TIMEOUT_S
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

    async def finish(self, at: ClickImportState) -> ClickImportState:
        """The file is read to its end; see the port."""
        query = _QUERIES["finish_import"]
        sql, args = with_entry(query.sql, query.args(**_place(at)), _IMPORT, _IMPORT_PATH)
        finished_at = await self._database.fetchval(sql, *args)
        if finished_at is None:
            raise _elsewhere()
        return replace(at, finished_at=finished_at)


def _place(at: ClickImportState) -> dict[str, int]:
    return {"id": at.id, "file_offset": at.position.offset, "line": at.position.line}


def _elsewhere() -> Conflict:
    return Conflict("Another process is importing this file now.")


def _import(row: asyncpg.Record) -> ClickImportState:
    return ClickImportState(
        id=row["id"],
        fingerprint=row["fingerprint"],
        name=row["name"],
        options=row["options"],
        position=ReadPosition(offset=row["file_offset"], line=row["line"]),
        accepted=row["accepted"],
        rejected=row["rejected"],
        rejects_bytes=row["rejects_bytes"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


_SQL: Final = load_queries("search_retention")
_TIMEOUT_S: Final = 600.0
"""A day may have millions of rows."""


class PostgresSearchClickPruner(SearchClickPruner):
    """Moves what the rows add up to into `search_pruned_days`, which every sum includes."""

    def __init__(self, database: Database, insights: PostgresSearchInsightRepository) -> None:
        self._database = database
        self._insights = insights

    async def days_with_rows(self, before: date) -> Sequence[date]:
        """Days with rows, oldest first; see the port."""
        select = _SQL["days_with_rows"]
        args = select.args(since=FIRST_DAY, before=before)
        return [row["day"] for row in await self._database.fetch(select.sql, *args)]

    async def prune(self, day: date, rules: RankingRules, *, now: datetime) -> int:
        """Delete the rows of a day in one transaction; see the port."""
        prune = _SQL["prune_day"]
        async with self._insights.day_alone(day) as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{_TIMEOUT_S:.0f}s'")
            tag = await connection.execute(prune.sql, *prune.args(day=day), timeout=_TIMEOUT_S)
            await enter(connection, "search_clicks.prune", f"/search-clicks/{day}")
            # The deletion has marked the day: it is added up from the sums, to the same.
            await self._insights.compute_on(connection, day, rules, now=now)
        return int(tag.rsplit(" ", 1)[-1])
