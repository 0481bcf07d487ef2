"""Storage of orders, as the use cases need it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence, Set
from typing import Protocol

from domain.orders.model import Order, OrderChanges, OrderDraft, OrderFilter, OrderId


class OrderRepository(Protocol):
    """Orders; each method is atomic.

    `if_version`, `unless_version`: the versions of which the row must have one (None: any), and
    those that it must not have; checked in the statement that writes.

    Raises (each method):
        DatabaseUnavailable, DatabaseBusy, ChangesCollided, DatabaseReadOnly, StatementTimedOut:
            see `domain.errors`.
    """

    @abstractmethod
    async def add(self, draft: OrderDraft) -> Order:
        """Store a new order.

        Raises:
            UnknownUser: no user has `draft.user_id`.
        """
        ...

    @abstractmethod
    async def get(self, order_id: OrderId) -> Order:
        """Load one.

        Raises:
            NotFound: no such order.
        """
        ...

    @abstractmethod
    async def change(
        self,
        order_id: OrderId,
        changes: OrderChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> Order:
        """Change the members that `changes` holds; returns the new state.

        Raises:
            NotFound: no such order.
            PreconditionFailed: the version is none of `if_version`, or one of `unless_version`.
            InvalidInput: `changes.order_date` is not the stored one.
            UnknownUser: no user has `changes.user_id`.
        """
        ...

    @abstractmethod
    async def delete(
        self,
        order_id: OrderId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """Remove one.

        Raises:
            NotFound: no such order.
            PreconditionFailed: the version is none of `if_version`, or one of `unless_version`.
        """
        ...

    @abstractmethod
    async def page(
        self, filtered: OrderFilter, *, limit: int, before: OrderId | None = None
    ) -> Sequence[Order]:
        """Up to `limit` orders that pass `filtered`, newest first, with ids below `before`."""
        ...
