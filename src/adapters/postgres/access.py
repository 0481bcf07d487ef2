"""API keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

from adapters.postgres.audit import entry_args, entry_sql, with_entry
from adapters.postgres.pool import SqlExecutor
from domain.access.keys import ApiKey, ApiKeyDraft, KeyEnvironment
from domain.access.model import ApiKeyId, BudgetChanges, ModelBudget, Scope
from domain.errors import Conflict, NotFound
from ports.access import ApiKeyLookup, ApiKeyRepository

_LAST_ID: Final = 2**31 - 1
_MEMBERS: Final = (
    "name",
    "environment",
    "scopes",
    "networks",
    "requests_per_minute",
    "budget",
    "expires_at",
)
_COLUMNS: Final = (
    "token_hash, hint, name, environment, scopes, networks, requests_per_minute, budget_usd,"
    " budget_tokens, created_by, expires_at"
)
_VALUES: Final = "$1, $2, $3, $4, $5::text[], $6::cidr[], $7::int, $8, $9, $10, $11::timestamptz"
_INSERT: Final = f"INSERT INTO api_keys ({_COLUMNS}) VALUES ({_VALUES}) RETURNING *"  # noqa: S608
_FIND: Final = "SELECT * FROM api_keys WHERE token_hash = $1"
_GET: Final = "SELECT * FROM api_keys WHERE id = $1"
_PAGE: Final = "SELECT * FROM api_keys WHERE id < $1 ORDER BY id DESC LIMIT $2"
_IS_EMPTY: Final = "SELECT NOT EXISTS (SELECT FROM api_keys)"
_CHANGE_BUDGET: Final = """
UPDATE api_keys
SET budget_usd = CASE WHEN $2::boolean THEN $3::numeric ELSE budget_usd END,
    budget_tokens = CASE WHEN $4::boolean THEN $5::bigint ELSE budget_tokens END
WHERE coalesce(budget_key_id, id) = (
    SELECT coalesce(budget_key_id, id) FROM api_keys WHERE id = $1
)
RETURNING *
"""
_REVOKE: Final = (
    "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING *"
)
_TOUCH: Final = """
UPDATE api_keys AS key SET last_used_at = used.at
FROM unnest($1::int[], $2::timestamptz[]) AS used (id, at)
WHERE key.id = used.id AND (key.last_used_at IS NULL OR key.last_used_at < used.at)
"""
# Who comes second waits for the row, and finds it replaced.
_REPLACE: Final = f"""
WITH made AS (
    INSERT INTO api_keys ({_COLUMNS}, budget_key_id)
    SELECT {_VALUES}, held.budget_key_id FROM (
        SELECT coalesce(budget_key_id, id) AS budget_key_id FROM api_keys
        WHERE id = $12 AND revoked_at IS NULL AND replaced_by IS NULL
          AND (expires_at IS NULL OR expires_at > CURRENT_TIMESTAMP)
        FOR UPDATE
    ) AS held
    RETURNING *
), replaced AS (
    UPDATE api_keys AS old
    SET replaced_by = made.id, expires_at = least(old.expires_at, $13::timestamptz)
    FROM made WHERE old.id = $12
    RETURNING old.id
)"""  # noqa: S608
_REPLACED: Final = " SELECT made.* FROM made, replaced"
_ENTERED: Final = f"""{_REPLACE},
entered_new AS ({entry_sql(13, "key.create", "'/keys/' || id", "made")}),
entered_old AS ({entry_sql(13, "key.rotate", "'/keys/' || id", "replaced")})
{_REPLACED}"""


class PostgresApiKeyRepository(ApiKeyRepository, ApiKeyLookup):
    """One statement a call."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def find(self, digest: bytes) -> ApiKey | None:
        """See the port."""
        row = await self._executor.fetchrow(_FIND, digest)
        return None if row is None else _key(row)

    async def is_empty(self) -> bool:
        """See the port."""
        return bool(await self._executor.fetchval(_IS_EMPTY))

    async def touch(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        """See the port."""
        await self._executor.execute(_TOUCH, list(uses), list(uses.values()))

    async def add(self, draft: ApiKeyDraft, *, digest: bytes, hint: str) -> ApiKey:
        """See the port."""
        args = _args(draft, digest, hint)
        sql, args = with_entry(_INSERT, args, "key.create", "'/keys/' || id", _MEMBERS)
        row = await self._executor.fetchrow(sql, *args)
        assert row is not None  # an INSERT returns its row or raises
        return _key(row)

    async def get(self, key_id: ApiKeyId) -> ApiKey:
        """See the port."""
        row = await self._executor.fetchrow(_GET, key_id)
        if row is None:
            raise _missing(key_id)
        return _key(row)

    async def page(self, *, limit: int, before: ApiKeyId | None = None) -> Sequence[ApiKey]:
        """See the port."""
        last = _LAST_ID if before is None else before
        return [_key(row) for row in await self._executor.fetch(_PAGE, last, limit)]

    async def revoke(self, key_id: ApiKeyId, at: datetime) -> ApiKey:
        """See the port."""
        sql, args = with_entry(
            _REVOKE, (key_id, at), "key.revoke", "'/keys/' || id", ("revoked_at",)
        )
        row = await self._executor.fetchrow(sql, *args)
        return await self.get(key_id) if row is None else _key(row)

    async def change_budget(self, key_id: ApiKeyId, changes: BudgetChanges) -> Sequence[ApiKey]:
        """See the port."""
        args: Sequence[Any] = (
            key_id,
            "usd" in changes.members,
            changes.usd,
            "tokens" in changes.members,
            changes.tokens,
        )
        sql, args = with_entry(_CHANGE_BUDGET, args, "key.change", "'/keys/' || id", ("budget",))
        rows = await self._executor.fetch(sql, *args)
        if not rows:
            raise _missing(key_id)
        return sorted((_key(row) for row in rows), key=lambda key: key.id != key_id)

    async def replace(
        self, key_id: ApiKeyId, draft: ApiKeyDraft, *, digest: bytes, hint: str, until: datetime
    ) -> ApiKey:
        """See the port."""
        args = (*_args(draft, digest, hint), key_id, until)
        actor = entry_args()
        sql = _REPLACE + _REPLACED if actor is None else _ENTERED
        row = await self._executor.fetchrow(sql, *args, *(actor or ()))
        if row is None:
            await self.get(key_id)
            raise Conflict(f"Key {key_id} is revoked or expired, or was replaced before.")
        return _key(row)


def _missing(key_id: ApiKeyId) -> NotFound:
    return NotFound(f"There is no key {key_id}.")


def _args(draft: ApiKeyDraft, digest: bytes, hint: str) -> Sequence[Any]:
    return (
        digest,
        hint,
        draft.name,
        draft.environment.value,
        sorted(scope.value for scope in draft.scopes),
        list(draft.networks),
        draft.requests_per_minute,
        draft.budget.usd,
        draft.budget.tokens,
        draft.created_by,
        draft.expires_at,
    )


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        hint=row["hint"],
        name=row["name"],
        environment=KeyEnvironment(row["environment"]),
        scopes=frozenset(map(Scope, row["scopes"])),
        networks=tuple(row["networks"]),
        requests_per_minute=row["requests_per_minute"],
        budget=ModelBudget(usd=row["budget_usd"], tokens=row["budget_tokens"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
        replaced_by=row["replaced_by"],
    )
