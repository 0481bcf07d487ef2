"""Kept answers in PostgreSQL."""

from __future__ import annotations

import json
from typing import Final

from adapters.postgres.pool import SqlExecutor
from domain.errors import IdempotencyKeyReused, RequestInProgress
from ports.idempotency import KEPT_HOURS, IdempotencyStore, StoredResponse

# The lock goes with the transaction, so a crash frees the key and a pooler does not matter.
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7300002))"
# FOR SHARE is a write: a commit after it waits for a synchronous replica. The answer's own commit
# may have given up that wait, which leaves it done on this server alone; a replay would tell of it.
_FIND: Final = """
SELECT fingerprint, status, headers, body, locked_until > clock_timestamp() AS reserved
FROM idempotency_keys
WHERE key = $1 AND created_at > now() - make_interval(hours => $2)
FOR SHARE
"""
_RESERVE: Final = """
INSERT INTO idempotency_keys (key, fingerprint, locked_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (key) DO UPDATE
SET fingerprint = excluded.fingerprint, locked_until = excluded.locked_until,
    status = NULL, headers = NULL, body = NULL, created_at = now()
"""
_KEEP: Final = """
INSERT INTO idempotency_keys (key, fingerprint, status, headers, body)
VALUES ($1, $2, $3, $4::jsonb, $5)
ON CONFLICT (key) DO UPDATE
SET fingerprint = excluded.fingerprint, locked_until = NULL, status = excluded.status,
    headers = excluded.headers, body = excluded.body, created_at = now()
"""
_RELEASE: Final = "DELETE FROM idempotency_keys WHERE key = $1 AND status IS NULL"
_PURGE: Final = """
WITH gone AS (
    DELETE FROM idempotency_keys
    WHERE created_at <= now() - make_interval(hours => $1)
    RETURNING 1
)
SELECT count(*) FROM gone
"""


class PostgresIdempotencyStore(IdempotencyStore):
    """Works inside the transaction of its executor."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def claim(self, key: str, fingerprint: bytes) -> StoredResponse | None:
        """See the port."""
        if not await self._executor.fetchval(_LOCK, key):
            raise _in_progress()
        row = await self._executor.fetchrow(_FIND, key, KEPT_HOURS)
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise IdempotencyKeyReused(
                "This Idempotency-Key came first with another request: take a new one."
            )
        if row["status"] is not None:
            return StoredResponse(
                status=row["status"], headers=json.loads(row["headers"]), body=row["body"]
            )
        if row["reserved"]:
            raise _in_progress()
        return None

    async def reserve(self, key: str, fingerprint: bytes, *, hold_s: float) -> None:
        """See the port."""
        await self._executor.execute(_RESERVE, key, fingerprint, hold_s)

    async def keep(self, key: str, fingerprint: bytes, answer: StoredResponse) -> None:
        """See the port."""
        headers = json.dumps(dict(answer.headers))
        await self._executor.execute(_KEEP, key, fingerprint, answer.status, headers, answer.body)

    async def release(self, key: str) -> None:
        """See the port."""
        await self._executor.execute(_RELEASE, key)

    async def purge(self) -> int:
        """See the port."""
        return int(await self._executor.fetchval(_PURGE, KEPT_HOURS))


def _in_progress() -> RequestInProgress:
    return RequestInProgress("A request with this Idempotency-Key is still running.")
