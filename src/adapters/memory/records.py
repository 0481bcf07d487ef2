"""Users, orders and kept answers in memory; held to the same contracts as PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import TypeVar

from adapters.memory.insights import MemorySearchClickLog
from domain.errors import (
    EmailTaken,
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RequestInProgress,
    UnknownUser,
    UserHasOrders,
)
from domain.insights.model import SearchClick
from domain.orders.model import (
    ORDER_DATE_IS_FIXED,
    USER_DOES_NOT_EXIST,
    Order,
    OrderChanges,
    OrderDraft,
    OrderFilter,
    OrderId,
)
from domain.users.model import User, UserChanges, UserDraft, UserId
from ports.clock import Clock
from ports.idempotency import KEPT_HOURS, IdempotencyStore, KeptAnswer
from ports.orders import OrderRepository
from ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from ports.users import UserRepository


@dataclass(slots=True)
class KeptRow:
    """One row of kept answers; without an answer it is a reservation until `locked_until`."""

    fingerprint: bytes
    created_at: datetime
    answer: KeptAnswer | None = None
    locked_until: datetime | None = None


@dataclass(slots=True)
class RecordTables:
    """The 'database': tables, sequences, and the keys that open units have claimed."""

    clock: Clock
    users: dict[UserId, User] = field(default_factory=dict)
    orders: dict[OrderId, Order] = field(default_factory=dict)
    answers: dict[str, KeptRow] = field(default_factory=dict)
    searches: list[SearchClick] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    user_ids: count[int] = field(default_factory=lambda: count(1))
    order_ids: count[int] = field(default_factory=lambda: count(1))


K = TypeVar("K")
V = TypeVar("V")
Undo = list[Callable[[], object]]


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
        self, user_id: UserId, changes: UserChanges, *, if_version: Set[int] | None = None
    ) -> User:
        """See the port."""
        old = await self._current(user_id, if_version)
        new = replace(old, name=changes.name or old.name, email=changes.email or old.email)
        if new == old:
            return old
        self._refuse_taken(new.email, user_id)
        new = replace(new, version=old.version + 1)
        self._write(new)
        return new

    async def delete(self, user_id: UserId, *, if_version: Set[int] | None = None) -> None:
        """See the port."""
        old = await self._current(user_id, if_version)
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
            and (email is None or user.email.lower() == email.lower())
        )
        return list(islice(found, limit))

    async def _current(self, user_id: UserId, if_version: Set[int] | None) -> User:
        user = await self.get(user_id)
        if if_version is not None and user.version not in if_version:
            raise PreconditionFailed(f"User {user_id} has changed.")
        return user

    def _refuse_taken(self, email: str, but: UserId | None) -> None:
        others = (user for user in self._tables.users.values() if user.id != but)
        if any(user.email.lower() == email.lower() for user in others):
            raise EmailTaken("Another user has this e-mail address.")

    def _write(self, user: User) -> None:
        _put(self._tables.users, user.id, user, self._undo)


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
            order_date=draft.order_date or self._tables.clock.now(),
            version=1,
        )
        _put(self._tables.orders, order.id, order, self._undo)
        return order

    async def get(self, order_id: OrderId) -> Order:
        """See the port."""
        try:
            return self._tables.orders[order_id]
        except KeyError:
            raise NotFound(f"There is no order {order_id}.") from None

    async def change(
        self, order_id: OrderId, changes: OrderChanges, *, if_version: Set[int] | None = None
    ) -> Order:
        """See the port."""
        old = await self._current(order_id, if_version)
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
        _put(self._tables.orders, order_id, new, self._undo)
        return new

    async def delete(self, order_id: OrderId, *, if_version: Set[int] | None = None) -> None:
        """See the port."""
        old = await self._current(order_id, if_version)
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

    async def _current(self, order_id: OrderId, if_version: Set[int] | None) -> Order:
        order = await self.get(order_id)
        if if_version is not None and order.version not in if_version:
            raise PreconditionFailed(f"Order {order_id} has changed.")
        return order

    def _refuse_unknown(self, user_id: UserId) -> None:
        if user_id not in self._tables.users:
            raise UnknownUser(
                "The order names a user that does not exist.", violations=[USER_DOES_NOT_EXIST]
            )


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
        _put(self._tables.answers, key, row, self._undo)

    async def keep(self, key: str, fingerprint: bytes, answer: KeptAnswer) -> None:
        """See the port."""
        row = KeptRow(fingerprint, self._tables.clock.now(), answer)
        _put(self._tables.answers, key, row, self._undo)

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
        for key in old:
            del self._tables.answers[key]
        return len(old)


class MemoryUnitOfWork(UnitOfWork):
    """Writes at once, and undoes what was not committed."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables
        self.undo: Undo = []
        self.claims: set[str] = set()

    @property
    def users(self) -> MemoryUserRepository:
        """Users, inside this unit."""
        return MemoryUserRepository(self._tables, self.undo)

    @property
    def orders(self) -> MemoryOrderRepository:
        """Orders, inside this unit."""
        return MemoryOrderRepository(self._tables, self.undo)

    @property
    def search_clicks(self) -> MemorySearchClickLog:
        """The log of searches, inside this unit."""
        return MemorySearchClickLog(self._tables.clock, self._tables.searches, self.undo)

    @property
    def answers(self) -> MemoryIdempotencyStore:
        """Kept answers, inside this unit."""
        return MemoryIdempotencyStore(self._tables, self.undo, self.claims)

    async def commit(self) -> None:
        """Keep everything."""
        self.undo.clear()


class MemoryUnitOfWorkFactory(UnitOfWorkFactory):
    """Opens units over the same tables."""

    def __init__(self, tables: RecordTables) -> None:
        self._tables = tables

    def __call__(self) -> AbstractAsyncContextManager[MemoryUnitOfWork]:
        """A unit, undone when the block ends without `commit()`."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[MemoryUnitOfWork]:
        unit = MemoryUnitOfWork(self._tables)
        try:
            yield unit
        finally:
            for step in reversed(unit.undo):
                step()
            self._tables.claimed -= unit.claims


def _put(table: dict[K, V], key: K, value: V, undo: Undo) -> None:
    """Write one row, and remember how to take it back."""
    if key in table:
        old = table[key]
        undo.append(lambda: table.__setitem__(key, old))
    else:
        undo.append(lambda: table.pop(key, None))
    table[key] = value


def _passes(order: Order, filtered: OrderFilter) -> bool:
    at = order.order_date
    return (
        (filtered.user_id is None or order.user_id == filtered.user_id)
        and (filtered.product_name is None or order.product_name == filtered.product_name)
        and (filtered.since is None or (at is not None and at >= filtered.since))
        and (filtered.until is None or (at is not None and at < filtered.until))
    )
