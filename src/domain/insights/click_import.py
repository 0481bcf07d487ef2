"""A file of searches goes into the log, chunk by chunk, and on from where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from domain.errors import Conflict
from domain.insights.click_rows import (
    AcceptedRow,
    ClickImportState,
    ClickRowBlock,
    ReadPosition,
    RejectedRow,
    check_rows,
)
from ports.click_files import ClickFileReader, ClickImportRepository, RejectedRowWriter

CHUNK_ROWS: Final = 32_768
"""Rows of one transaction, about: its fixed costs vanish, and a kill costs part of a second."""

Progress = Callable[[ClickImportState, int], None]
"""Told how the import stands after each chunk, and how much of the source's size is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    rows: list[AcceptedRow]
    rejects: list[RejectedRow]
    end: ReadPosition
    read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickImportService:
    """Decides where an import begins, and what of its file goes into the log.

    Attributes:
        chunk_rows: rows of one transaction, about; 1 and up.
    """

    imports: ClickImportRepository
    chunk_rows: int = CHUNK_ROWS

    async def start(
        self, source: ClickFileReader, rejects: RejectedRowWriter, *, day: date | None, again: bool
    ) -> ClickImportState:
        """The import of `source`: the one that was cut short, or a new one.

        Args:
            source: the file.
            rejects: where its rejected rows go.
            day: of the rows that name none.
            again: import a file once more that is in the log already.

        Raises:
            InvalidInput: rejected rows of another import are in the way, or the file lacks a
                column, is cut short or damaged.
            Conflict: the file is in the log already, or was begun with other options, or a part
                of another is in it that had its name.
            OSError: the file cannot be read.
        """
        fingerprint = await asyncio.to_thread(lambda: source.fingerprint)
        options = source.options if day is None else f"{source.options}, date {day}"
        found = await self.imports.latest(fingerprint)
        if found is None and not again:
            await self._check_name(source)
        if found is None or (found.finished_at is not None and again):
            rejects.claim()
            await asyncio.to_thread(source.check)
            return await self.imports.begin(fingerprint, name=source.name, options=options)
        if found.finished_at is not None:
            raise Conflict(
                f"{source.name} is in the log already: {found.name} with the same content was"
                f" imported at {found.finished_at:%Y-%m-%d %H:%M}Z, {found.accepted:,} rows."
                " --again imports it once more."
            )
        if found.options != options:
            raise Conflict(
                f"The import of {source.name} was begun with other options, at line"
                f" {found.position.line:,} now: go on with those ({found.options})."
            )
        await asyncio.to_thread(source.check)
        return found

    async def _check_name(self, source: ClickFileReader) -> None:
        """Refuse what may be the same rows once more: a file that was mended, or has grown."""
        part = await self.imports.last_named(source.name)
        if part is None or part.finished_at is not None or not part.accepted:
            return
        raise Conflict(
            f"{source.name} is not as it was when its import was cut short at line"
            f" {part.position.line:,}: {part.accepted:,} rows up to there are in the log. Give"
            " it as it was to go on, or only the rows that are missing, under another name."
            " --again imports all of it."
        )

    async def run(
        self,
        started: ClickImportState,
        source: ClickFileReader,
        rejects: RejectedRowWriter,
        *,
        day: date | None,
        progress: Progress,
        stop: asyncio.Event,
    ) -> ClickImportState:
        """Go on with an import to the end of its file, or until `stop` is set.

        While one chunk is being written, a thread reads the next.

        Returns:
            The import as it stands; not finished if it was stopped.

        Raises:
            InvalidInput: the file cannot be read as what it should be, or the file of rejected
                rows is not the one of this import.
            Conflict: another process goes on with the import.
            OSError: the file cannot be read, or the rejects cannot be written.
            DatabaseUnavailable, DatabaseBusy, DatabaseReadOnly, StatementTimedOut: the chunks
                before are in the log; the same call goes on from there.
        """
        current = started
        rejects.keep(current.rejects_bytes)
        async with aclosing(_ahead(self._chunks(source, current.position, day))) as chunks:
            async for chunk in chunks:
                written = current.rejects_bytes
                if chunk.rejects:
                    written = await asyncio.to_thread(rejects.write, chunk.rejects)
                after = replace(
                    current,
                    position=chunk.end,
                    accepted=current.accepted + len(chunk.rows),
                    rejected=current.rejected + len(chunk.rejects),
                    rejects_bytes=written,
                )
                await self.imports.append(current, after, chunk.rows)
                current = after
                progress(current, chunk.read)
                if stop.is_set():
                    return current
        return await self.imports.finish(current)

    def _chunks(
        self, source: ClickFileReader, start: ReadPosition, day: date | None
    ) -> Iterator[_Chunk]:
        rows: list[AcceptedRow] = []
        rejects: list[RejectedRow] = []
        last: ClickRowBlock | None = None
        for block in source.blocks(start):
            taken, refused = check_rows(block, day)
            rows += taken
            rejects += refused
            last = block
            if len(rows) + len(rejects) >= self.chunk_rows:
                yield _Chunk(rows=rows, rejects=rejects, end=block.end, read=block.read)
                rows, rejects, last = [], [], None
        if last is not None:
            yield _Chunk(rows=rows, rejects=rejects, end=last.end, read=last.read)


async def _ahead(chunks: Iterator[_Chunk]) -> AsyncGenerator[_Chunk, None]:
    """The chunks, of which a thread makes the next while one is in use."""
    following = asyncio.create_task(asyncio.to_thread(next, chunks, None))
    try:
        while (chunk := await following) is not None:
            following = asyncio.create_task(asyncio.to_thread(next, chunks, None))
            yield chunk
    finally:
        # A thread cannot be stopped, and uses the file.
        await asyncio.gather(following, return_exceptions=True)
