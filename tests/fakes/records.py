"""Users and orders in memory; held to the same contracts as PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import UTC
from itertools import islice

from domain.errors import (
    EmailTaken,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    UnknownUser,
    UserHasOrders,
)
from domain.records.orders import (
    ORDER_DATE_IS_FIXED,
    USER_DOES_NOT_EXIST,
    Order,
    OrderChanges,
    OrderDraft,
    OrderFilter,
    OrderId,
)
from domain.records.users import User, UserChanges, UserDraft, UserId, mailbox
from ports.records import OrderRepository, UserRepository
from tests.fakes.tables import RecordTables, Undo, put


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


class MemoryOrderRepository(OrderRepository):
    """Orders in a dict."""

    def __init__(self, tables: RecordTables, undo: Undo | None = None) -> None:
        self._tables = tables
        self._undo: Undo = [] if undo is None else undo

    async def add(self, draft: OrderDraft) -> Order:
        """See the port."""
        self._refuse_unknown(draft.user_id)
        order = Order(
            id=OrderId(next(self._tables.order_ids)),
            user_id=draft.user_id,
            product_name=draft.product_name,
            quantity=draft.quantity,
            order_date=(draft.order_date or self._tables.clock.now()).astimezone(UTC),
            version=1,
        )
        put(self._tables.orders, order.id, order, self._undo)
        return order

    async def get(self, order_id: OrderId) -> Order:
        """See the port."""
        try:
            return self._tables.orders[order_id]
        except KeyError:
            raise NotFound(f"There is no order {order_id}.") from None

    async def change(
        self,
        order_id: OrderId,
        changes: OrderChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> Order:
        """See the port."""
        old = await self._current(order_id, if_version, unless_version)
        if changes.order_date is not None and changes.order_date != old.order_date:
            raise InvalidInput.of([ORDER_DATE_IS_FIXED])
        if changes.user_id is not None:
            self._refuse_unknown(changes.user_id)
        new = replace(
            old,
            user_id=changes.user_id or old.user_id,
            product_name=changes.product_name or old.product_name,
            quantity=changes.quantity or old.quantity,
        )
        if new == old:
            return old
        new = replace(new, version=old.version + 1)
        put(self._tables.orders, order_id, new, self._undo)
        return new

    async def delete(
        self,
        order_id: OrderId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """See the port."""
        old = await self._current(order_id, if_version, unless_version)
        del self._tables.orders[order_id]
        self._undo.append(lambda: self._tables.orders.__setitem__(order_id, old))

    async def page(
        self, filtered: OrderFilter, *, limit: int, before: OrderId | None = None
    ) -> Sequence[Order]:
        """See the port."""
        newest = sorted(self._tables.orders.values(), key=lambda order: -order.id)
        found = (
            order
            for order in newest
            if (before is None or order.id < before) and _passes(order, filtered)
        )
        return list(islice(found, limit))

    async def _current(
        self, order_id: OrderId, if_version: Set[int] | None, unless_version: Set[int]
    ) -> Order:
        order = await self.get(order_id)
        stale = if_version is not None and order.version not in if_version
        if stale or order.version in unless_version:
            raise PreconditionFailed(f"Order {order_id} is now in version {order.version}.")
        return order

    def _refuse_unknown(self, user_id: UserId) -> None:
        if user_id not in self._tables.users:
            raise UnknownUser(
                "The order names a user that does not exist.", violations=[USER_DOES_NOT_EXIST]
            )


def _passes(order: Order, filtered: OrderFilter) -> bool:
    at = order.order_date
    return (
        (filtered.user_id is None or order.user_id == filtered.user_id)
        and (filtered.product_name is None or order.product_name == filtered.product_name)
        and (filtered.since is None or (at is not None and at >= filtered.since))
        and (filtered.until is None or (at is not None and at < filtered.until))
    )
