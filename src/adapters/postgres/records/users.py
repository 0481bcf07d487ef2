"""Users in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import UTC
from functools import cache
from typing import Final

import asyncpg
from sqlalchemy import String, bindparam, delete, func, insert, select, update

from adapters.postgres.audit import with_entry
from adapters.postgres.errors import on_constraint
from adapters.postgres.pool import SqlExecutor
from adapters.postgres.records.statements import (
    CompiledStatement,
    as_versions_allow,
    members_of,
    users,
    version_args,
)
from domain.errors import EmailTaken, NotFound, PreconditionFailed, UserHasOrders
from domain.records.users import User, UserChanges, UserDraft, UserId
from ports.records import UserRepository

_THIS = (users.c.id == bindparam("user_id"), *as_versions_allow(users))
_INSERT = CompiledStatement(
    insert(users).values(name=bindparam("name"), email=bindparam("email")).returning(users)
)
_SELECT = CompiledStatement(select(users).where(users.c.id == bindparam("user_id")))
_UPDATE = CompiledStatement(
    update(users)
    .values(
        name=func.coalesce(bindparam("new_name", type_=String), users.c.name),
        email=func.coalesce(bindparam("new_email", type_=String), users.c.email),
    )
    .where(*_THIS)
    .returning(users)
)
_DELETE = CompiledStatement(delete(users).where(*_THIS).returning(users.c.id))
_PATH: Final = "'/users/' || id"


class PostgresUserRepository(UserRepository):
    """One statement a call."""

    def __init__(self, executor: SqlExecutor) -> None:
        self._executor = executor

    async def add(self, draft: UserDraft) -> User:
        """See the port."""
        arguments = _INSERT.args(name=draft.name, email=draft.email)
        sql, args = with_entry(_INSERT.sql, arguments, "user.create", _PATH, ("name", "email"))
        with on_constraint(_EMAIL_CONSTRAINTS):
            row = await self._executor.fetchrow(sql, *args)
        assert row is not None  # an INSERT returns its row or raises
        return _user(row)

    async def get(self, user_id: UserId) -> User:
        """See the port."""
        row = await self._executor.fetchrow(_SELECT.sql, *_SELECT.args(user_id=user_id))
        if row is None:
            raise _missing(user_id)
        return _user(row)

    async def change(
        self,
        user_id: UserId,
        changes: UserChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> User:
        """See the port."""
        arguments = _UPDATE.args(
            user_id=user_id,
            new_name=changes.name,
            new_email=changes.email,
            **version_args(if_version, unless_version),
        )
        sql, args = with_entry(_UPDATE.sql, arguments, "user.change", _PATH, members_of(changes))
        with on_constraint(_EMAIL_CONSTRAINTS):
            row = await self._executor.fetchrow(sql, *args)
        if row is None:
            raise await self._why_not(user_id)
        return _user(row)

    async def delete(
        self,
        user_id: UserId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """See the port."""
        arguments = _DELETE.args(
            user_id=user_id,
            **version_args(if_version, unless_version),
        )
        sql, args = with_entry(_DELETE.sql, arguments, "user.delete", _PATH)
        with on_constraint({"orders_user_id_fkey": _has_orders}):
            gone = await self._executor.fetchval(sql, *args)
        if gone is None:
            raise await self._why_not(user_id)

    async def page(
        self, *, limit: int, before: UserId | None = None, email: str | None = None
    ) -> Sequence[User]:
        """See the port."""
        statement = _page(before is not None, email is not None)
        rows = await self._executor.fetch(
            statement.sql, *statement.args(limit=limit, before=before, email=email)
        )
        return [_user(row) for row in rows]

    async def _why_not(self, user_id: UserId) -> NotFound | PreconditionFailed:
        """Why a conditional write touched no row."""
        row = await self._executor.fetchrow(_SELECT.sql, *_SELECT.args(user_id=user_id))
        if row is None:
            return _missing(user_id)
        return PreconditionFailed(f"User {user_id} is now in version {row['version']}.")


@cache
def _page(before: bool, email: bool) -> CompiledStatement:
    query = select(users).order_by(users.c.id.desc()).limit(bindparam("limit"))
    if before:
        query = query.where(users.c.id < bindparam("before"))
    if email:
        query = query.where(
            func.mailbox(users.c.email) == func.mailbox(bindparam("email", type_=String))
        )
    return CompiledStatement(query)


def _user(row: asyncpg.Record) -> User:
    created_at = row["created_at"]
    return User(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        created_at=None if created_at is None else created_at.replace(tzinfo=UTC),
        version=row["version"],
    )


def _missing(user_id: UserId) -> NotFound:
    return NotFound(f"There is no user {user_id}.")


def _email_taken() -> EmailTaken:
    return EmailTaken("Another user has this e-mail address.")


def _has_orders() -> UserHasOrders:
    return UserHasOrders("The user has orders; delete them first.")


_EMAIL_CONSTRAINTS = {"users_email_key": _email_taken, "users_mailbox_key": _email_taken}
