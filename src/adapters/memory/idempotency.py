"""Kept answers in memory; held to the same contract as PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

from adapters.memory.tables import KeptRow, RecordTables, Undo, put
from domain.errors import IdempotencyKeyReused, RequestInProgress
from ports.idempotency import KEPT_HOURS, IdempotencyStore, KeptAnswer


class MemoryIdempotencyStore(IdempotencyStore):
    """Kept answers in a dict."""

    def __init__(self, tables: RecordTables, undo: Undo, claims: set[str]) -> None:
        self._tables = tables
        self._undo = undo
        self._claims = claims

    async def claim(self, key: str, fingerprint: bytes) -> KeptAnswer | None:
        """See the port."""
        if key in self._tables.claimed and key not in self._claims:
            raise RequestInProgress("A request with this Idempotency-Key is still running.")
        self._tables.claimed.add(key)
        self._claims.add(key)
        row = self._tables.answers.get(key)
        now = self._tables.clock.now()
        if row is None or row.created_at <= now - timedelta(hours=KEPT_HOURS):
            return None
        if row.fingerprint != fingerprint:
            raise IdempotencyKeyReused("This Idempotency-Key came first with another request.")
        if row.answer is None and row.locked_until is not None and row.locked_until > now:
            raise RequestInProgress("A request with this Idempotency-Key is still running.")
        return row.answer

    async def reserve(self, key: str, fingerprint: bytes, *, hold_s: float) -> None:
        """See the port."""
        now = self._tables.clock.now()
        row = KeptRow(fingerprint, now, locked_until=now + timedelta(seconds=hold_s))
        put(self._tables.answers, key, row, self._undo)

    async def keep(self, key: str, fingerprint: bytes, answer: KeptAnswer) -> None:
        """See the port."""
        row = KeptRow(fingerprint, self._tables.clock.now(), answer)
        put(self._tables.answers, key, row, self._undo)

    async def release(self, key: str) -> None:
        """See the port."""
        row = self._tables.answers.get(key)
        if row is not None and row.answer is None:
            del self._tables.answers[key]
            self._undo.append(lambda: self._tables.answers.__setitem__(key, row))

    async def purge(self) -> int:
        """See the port."""
        limit = self._tables.clock.now() - timedelta(hours=KEPT_HOURS)
        old = [key for key, row in self._tables.answers.items() if row.created_at <= limit]
        gone = {key: self._tables.answers.pop(key) for key in old}
        self._undo.append(lambda: self._tables.answers.update(gone))
        return len(gone)
