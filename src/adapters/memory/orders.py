"""Orders in memory; held to the same contract as PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import UTC
from itertools import islice

from adapters.memory.tables import RecordTables, Undo, put
from domain.errors import InvalidInput, NotFound, PreconditionFailed, UnknownUser
from domain.records.orders import (
    ORDER_DATE_IS_FIXED,
    USER_DOES_NOT_EXIST,
    Order,
    OrderChanges,
    OrderDraft,
    OrderFilter,
    OrderId,
)
from domain.records.users import UserId
from ports.records import OrderRepository


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
