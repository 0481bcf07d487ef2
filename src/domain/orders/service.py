"""What can be done with orders."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from domain.errors import InvalidInput
from domain.orders.model import Order, OrderChanges, OrderDraft, OrderId, order_violations
from ports.orders import OrderRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderService:
    """Holds the rules that an order must meet before anything is stored."""

    orders: OrderRepository

    async def place(self, draft: OrderDraft) -> Order:
        """Store a new order.

        Raises:
            InvalidInput: names every bad member.
            UnknownUser: see `OrderRepository.add`.
        """
        _check(
            {
                "user_id": draft.user_id,
                "product_name": draft.product_name,
                "quantity": draft.quantity,
            }
        )
        return await self.orders.add(draft)

    async def change(
        self,
        order_id: OrderId,
        changes: OrderChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> Order:
        """Change what `changes` holds, as the versions allow.

        Raises:
            InvalidInput: names every bad member.
            NotFound, PreconditionFailed, UnknownUser: see `OrderRepository.change`.
        """
        _check(
            {
                "user_id": changes.user_id,
                "product_name": changes.product_name,
                "quantity": changes.quantity,
            }
        )
        return await self.orders.change(
            order_id, changes, if_version=if_version, unless_version=unless_version
        )


def _check(members: Mapping[str, object]) -> None:
    found = order_violations(members)
    if found:
        raise InvalidInput.of(found)
