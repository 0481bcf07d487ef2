"""Imports of files of searches in memory, for tests; held to the contract of PostgreSQL's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.errors import Conflict
from domain.insights.click_rows import ClickImport, ClickRecord, Position
from ports.click_files import ClickImports
from ports.clock import Clock


class MemoryClickImports(ClickImports):
    """Rows in a list and imports by number, which tests may look at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: list[ClickRecord] = []
        self.imports: dict[int, ClickImport] = {}

    async def latest(self, fingerprint: bytes) -> ClickImport | None:
        """The newest import of a file; see the port."""
        found = [each for each in self.imports.values() if each.fingerprint == fingerprint]
        return found[-1] if found else None

    async def last_named(self, name: str) -> ClickImport | None:
        """The newest import of a file of that name; see the port."""
        found = [each for each in self.imports.values() if each.name == name]
        return found[-1] if found else None

    async def begin(self, fingerprint: bytes, *, name: str, options: str) -> ClickImport:
        """Begin to import a file; see the port."""
        latest = await self.latest(fingerprint)
        if latest is not None and latest.finished_at is None:
            raise _elsewhere()
        begun = ClickImport(
            id=len(self.imports) + 1,
            fingerprint=fingerprint,
            name=name,
            options=options,
            position=Position(),
            accepted=0,
            rejected=0,
            rejects_bytes=0,
            started_at=self._clock.now(),
            finished_at=None,
        )
        self.imports[begun.id] = begun
        return begun

    async def append(
        self, before: ClickImport, after: ClickImport, rows: Sequence[ClickRecord]
    ) -> None:
        """Write all rows and move on; see the port."""
        self._check(before)
        self.rows += rows
        self.imports[after.id] = after

    async def finish(self, at: ClickImport) -> ClickImport:
        """The file is read to its end; see the port."""
        self._check(at)
        self.imports[at.id] = replace(at, finished_at=self._clock.now())
        return self.imports[at.id]

    def _check(self, at: ClickImport) -> None:
        found = self.imports[at.id]
        if found.finished_at is not None or found.position != at.position:
            raise _elsewhere()


def _elsewhere() -> Conflict:
    return Conflict("Another process is importing this file now.")
