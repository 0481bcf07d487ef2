"""Users in memory; held to the same contract as PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from itertools import islice

from adapters.memory.tables import RecordTables, Undo, put
from domain.errors import EmailTaken, NotFound, PreconditionFailed, UserHasOrders
from domain.records.users import User, UserChanges, UserDraft, UserId, mailbox
from ports.records import UserRepository


class MemoryUserRepository(UserRepository):
    """Users in a dict."""

    def __init__(self, tables: RecordTables, undo: Undo | None = None) -> None:
        self._tables = tables
        self._undo: Undo = [] if undo is None else undo

    async def add(self, draft: UserDraft) -> User:
        """See the port."""
        self._refuse_taken(draft.email, None)
        user = User(
            id=UserId(next(self._tables.user_ids)),
            name=draft.name,
            email=draft.email,
            created_at=self._tables.clock.now(),
            version=1,
        )
        self._write(user)
        return user

    async def get(self, user_id: UserId) -> User:
        """See the port."""
        try:
            return self._tables.users[user_id]
        except KeyError:
            raise NotFound(f"There is no user {user_id}.") from None

    async def change(
        self,
        user_id: UserId,
        changes: UserChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> User:
        """See the port."""
        old = await self._current(user_id, if_version, unless_version)
        new = replace(old, name=changes.name or old.name, email=changes.email or old.email)
        if new == old:
            return old
        self._refuse_taken(new.email, user_id)
        new = replace(new, version=old.version + 1)
        self._write(new)
        return new

    async def delete(
        self,
        user_id: UserId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """See the port."""
        old = await self._current(user_id, if_version, unless_version)
        if any(order.user_id == user_id for order in self._tables.orders.values()):
            raise UserHasOrders("The user has orders; delete them first.")
        del self._tables.users[user_id]
        self._undo.append(lambda: self._tables.users.__setitem__(user_id, old))

    async def page(
        self, *, limit: int, before: UserId | None = None, email: str | None = None
    ) -> Sequence[User]:
        """See the port."""
        newest = sorted(self._tables.users.values(), key=lambda user: -user.id)
        found = (
            user
            for user in newest
            if (before is None or user.id < before)
            and (email is None or mailbox(user.email) == mailbox(email))
        )
        return list(islice(found, limit))

    async def _current(
        self, user_id: UserId, if_version: Set[int] | None, unless_version: Set[int]
    ) -> User:
        user = await self.get(user_id)
        stale = if_version is not None and user.version not in if_version
        if stale or user.version in unless_version:
            raise PreconditionFailed(f"User {user_id} is now in version {user.version}.")
        return user

    def _refuse_taken(self, email: str, but: UserId | None) -> None:
        others = (user for user in self._tables.users.values() if user.id != but)
        if any(mailbox(user.email) == mailbox(email) for user in others):
            raise EmailTaken("Another user has this e-mail address.")

    def _write(self, user: User) -> None:
        put(self._tables.users, user.id, user, self._undo)
