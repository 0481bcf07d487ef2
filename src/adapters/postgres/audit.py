"""The audit log in PostgreSQL, and the entries that other statements write with what they do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import asyncpg

from adapters.postgres.pool import Executor
from domain.access.audit import (
    Actor,
    AuditEntry,
    AuditEntryId,
    AuditFilter,
    AuditOutcome,
    acting,
)
from domain.access.model import ApiKeyId, CallerKind
from ports.access import AuditLog

_PRUNED_AT_ONCE: Final = 10_000
_PAGE: Final = """
SELECT * FROM audit_log
WHERE ($1::timestamptz IS NULL OR at >= $1) AND ($2::timestamptz IS NULL OR at < $2)
  AND ($3::int IS NULL OR key_id = $3) AND ($4::text[] IS NULL OR action = ANY ($4))
  AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC
LIMIT $6
"""
