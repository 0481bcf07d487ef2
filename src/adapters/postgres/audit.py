"""The audit log in PostgreSQL, and the entries that other statements write with what they do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import asyncpg

from adapters.postgres.pool import SqlExecutor
from domain.access.audit import (
    Actor,
    AuditEntry,
    AuditEntryId,
    AuditFilter,
    AuditOutcome,
    acting,
)
from domain.access.model import CallerKind
from ports.access import AuditLog

_PRUNED_AT_ONCE: Final = 10_000
_CONDITIONS: Final = {
    "since": "at >= {}",
    "until": "at < {}",
    "key_id": "key_id = {}",
    "action": "action = {}",
    "kind": "starts_with(action, {} || '.')",
    "before": "id < {}",
}
_ACTOR: Final = ("text", "text", "int", "text", "text::inet")
_PRUNE: Final = "SELECT prune_audit_log($1, $2)"


def with_entry(
    sql: str,
    args: Sequence[Any],
    action: str,
    resource: str,
    changed: Sequence[str] = (),
    *,
    outcome: AuditOutcome = AuditOutcome.DONE,
) -> tuple[str, Sequence[Any]]:
    """A statement and its arguments, with the entry of what it does in the audit log.

    One statement still, so one round trip and one transaction. As it is if nobody acts.

    Args:
        sql: an INSERT, UPDATE or DELETE with RETURNING.
        args: its arguments.
        action: such as `user.create`.
        resource: SQL of one value over what it returns, such as `'/users/' || id`; there is an
            entry for each row, or for a constant one in all.
        changed: names of the members that it sets: names of ours, never a caller's.
        outcome: what becomes of the action by it.
    """
    actor = acting()
    if actor is None:
        return sql, args
    audited = _with_entry(sql, len(args), action, resource, tuple(changed), outcome)
    return audited, (*args, *_actor_args(actor))


@cache
def _with_entry(
    sql: str,
    args: int,
    action: str,
    resource: str,
    changed: tuple[str, ...],
    outcome: AuditOutcome,
) -> str:
    entry = entry_sql(args, action, resource, "written", changed, outcome)
    return f"WITH written AS ({sql}), entered AS ({entry}) SELECT * FROM written"  # noqa: S608


def entry_sql(
    args: int,
    action: str,
    resource: str,
    source: str,
    changed: Sequence[str] = (),
    outcome: AuditOutcome = AuditOutcome.DONE,
) -> str:
    """The INSERT of an entry for each of the resources of `source`.

    Its arguments are those of `entry_args`, after `args` others.
    """
    once = "" if "||" in resource else " LIMIT 1"
    values = ", ".join(f"${args + n}::{kind}" for n, kind in enumerate(_ACTOR, start=1))
    return (
        "INSERT INTO audit_log"  # noqa: S608 (all of it is written in this package)
        " (actor, subject, key_id, request_id, address, changed, action, outcome, resource)"
        f" SELECT {values}, '{{{','.join(changed)}}}', '{action}', '{outcome}', {resource}"
        f" FROM {source}{once}"
    )


def entry_args() -> tuple[Any, ...] | None:
    """The arguments of `entry_sql`; None if nobody acts."""
    actor = acting()
    return None if actor is None else _actor_args(actor)


def _actor_args(actor: Actor) -> tuple[Any, ...]:
    return (actor.kind.value, actor.subject, actor.key_id, actor.request_id, actor.address)


async def enter(
    executor: SqlExecutor,
    action: str,
    resource: str,
    *,
    changed: Sequence[str] = (),
    outcome: AuditOutcome = AuditOutcome.DONE,
) -> None:
    """Enter what other statements of the executor's transaction do, if somebody acts."""
    args = entry_args()
    if args is not None:
        await executor.execute(_ENTER, *args, list(changed), action, resource, outcome.value)


_ENTER: Final = """
INSERT INTO audit_log
    (actor, subject, key_id, request_id, address, changed, action, resource, outcome)
VALUES ($1, $2, $3, $4, $5::text::inet, $6, $7, $8, $9)
"""


class PostgresAuditLog(AuditLog):
    """Rows of `audit_log`."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def page(
        self, filtered: AuditFilter, *, limit: int, before: AuditEntryId | None = None
    ) -> Sequence[AuditEntry]:
        """See the port."""
        is_kind = filtered.action is not None and "." not in filtered.action
        values = {
            "since": filtered.since,
            "until": filtered.until,
            "key_id": filtered.key_id,
            "kind" if is_kind else "action": filtered.action,
            "before": before,
        }
        given = {name: value for name, value in values.items() if value is not None}
        rows = await self._executor.fetch(_page(tuple(given)), limit, *given.values())
        return [_entry(row) for row in rows]

    async def note(
        self,
        action: str,
        resource: str,
        *,
        changed: Sequence[str] = (),
        outcome: AuditOutcome = AuditOutcome.DONE,
    ) -> None:
        """See the port."""
        await enter(self._executor, action, resource, changed=changed, outcome=outcome)

    async def prune(self, keep_days: int) -> int:
        """See the port."""
        pruned = 0
        while found := int(await self._executor.fetchval(_PRUNE, keep_days, _PRUNED_AT_ONCE)):
            pruned += found
        return pruned


@cache
def _page(given: tuple[str, ...]) -> str:
    conditions = [_CONDITIONS[name].format(f"${n}") for n, name in enumerate(given, start=2)]
    where = " AND ".join(conditions) or "TRUE"
    return f"SELECT * FROM audit_log WHERE {where} ORDER BY id DESC LIMIT $1"  # noqa: S608 (above)


def _entry(row: asyncpg.Record) -> AuditEntry:
    address = row["address"]
    return AuditEntry(
        id=row["id"],
        at=row["at"],
        actor=Actor(
            kind=CallerKind(row["actor"]),
            subject=row["subject"],
            key_id=row["key_id"],
            request_id=row["request_id"],
            address=None if address is None else str(getattr(address, "ip", address)),
        ),
        action=row["action"],
        resource=row["resource"],
        outcome=AuditOutcome(row["outcome"]),
        changed=tuple(row["changed"]),
    )
