"""Storage of users and orders, and what their rules ask of others.

`if_version`, `unless_version`: the versions of which the row must have one (None: any), and those
that it must not have; checked in the statement that writes.

Raises (each method of a repository):
    DatabaseUnavailable, DatabaseBusy, WriteConflict, DatabaseReadOnly, StatementTimedOut: see
        `domain.errors`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence, Set
from typing import Protocol

from domain.records.orders import Order, OrderChanges, OrderDraft, OrderFilter, OrderId
from domain.records.users import User, UserChanges, UserDraft, UserId


class UserRepository(Protocol):
    """Users; each method is atomic."""

    @abstractmethod
    async def add(self, draft: UserDraft) -> User:
        """Store a new user.

        Raises:
            EmailTaken: a user has this mailbox (`domain.records.users.mailbox`).
        """
        ...

    @abstractmethod
    async def get(self, user_id: UserId) -> User:
        """Load one.

        Raises:
            NotFound: no such user.
        """
        ...

    @abstractmethod
    async def change(
        self,
        user_id: UserId,
        changes: UserChanges,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> User:
        """Change the members that `changes` holds; returns the new state.

        Raises:
            NotFound: no such user.
            PreconditionFailed: the version is none of `if_version`, or one of `unless_version`.
            EmailTaken: another user has this e-mail.
        """
        ...

    @abstractmethod
    async def delete(
        self,
        user_id: UserId,
        *,
        if_version: Set[int] | None = None,
        unless_version: Set[int] = frozenset(),
    ) -> None:
        """Remove one.

        Raises:
            NotFound: no such user.
            PreconditionFailed: the version is none of `if_version`, or one of `unless_version`.
            UserHasOrders: orders refer to it.
        """
        ...

    @abstractmethod
    async def page(
        self, *, limit: int, before: UserId | None = None, email: str | None = None
    ) -> Sequence[User]:
        """Up to `limit` users, newest first, with ids below `before`.

        Args:
            limit: 1 and up.
            before: None starts at the newest.
            email: only the user with the mailbox that this address names.
        """
        ...


class OrderRepository(Protocol):
    """Orders; each method is atomic."""

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


class EmailSyntax(Protocol):
    """Whether a text can be an e-mail address. The syntax alone: no DNS, no mail is sent."""

    @abstractmethod
    def problem(self, address: str) -> str | None:
        """Why `address` cannot be one, in a sentence for who typed it; None if it can."""
        ...
